package import Agent
package import Core
internal import Glibc
internal import RuleSets

/// The time zone as systemd, Debian and OpenWrt keep it.
///
/// OpenWrt's /etc/TZ is a link to /tmp/TZ. That one is never read by its own name: on other routers anybody may write into
/// /tmp.
package struct LinuxTimeZone: TimeZonePort {
  private let localtime: String
  private let posix: String

  /// Longer than any rule; a text of that length is shown to nobody.
  private static let mostText = 1_024

  package init(localtime: String = "/etc/localtime", posix: String = "/etc/TZ") {
    self.localtime = localtime
    self.posix = posix
  }

  package func timeZone() throws(StoreFailure) -> RouterTimeZone {
    if let bytes = try Self.read(localtime, atMost: ZoneRules.mostBytes) {
      do throws(ZoneRules.Refusal) {
        return RouterTimeZone(try ZoneRules(tzif: bytes), file: localtime)
      } catch {
        throw StoreFailure(operation: "read \(localtime)", cause: "it is no time zone: \(error.description)")
      }
    }
    guard let bytes = try Self.read(posix, atMost: Self.mostText) else { return .unsaid }
    let ends = bytes.lastIndex { $0 > UInt8(ascii: " ") }.map { $0 + 1 } ?? 0
    let text = String(decoding: bytes[..<ends], as: UTF8.self)
    guard let rules = ZoneRules(posix: text) else {
      throw StoreFailure(operation: "read \(posix)", cause: "it is no time zone: \(quoted(text))")
    }
    return RouterTimeZone(rules, file: posix)
  }

  /// Nil if there is no such file.
  private static func read(_ path: String, atMost limit: Int) throws(StoreFailure) -> [UInt8]? {
    do throws(SystemCallFailure) {
      return try BoundedFile.read(path, atMost: limit)
    } catch {
      if error.errno == ENOENT || error.errno == ENOTDIR { return nil }
      throw StoreFailure(error)
    }
  }
}
