package import Agent
package import Core
internal import RuleSets
internal import Synchronization

/// A router's time zone files, in memory.
package final class FakeTimeZone: TimeZonePort, TimeZoneGround {
  private struct State {
    var files: [TimeZoneFile: TimeZoneEntry] = [:]
    var reads = 0
  }
  private let state = Mutex(State())

  /// - Parameter posix: what `/etc/TZ` says; nil: there is none.
  package init(_ posix: String? = nil) {
    if let posix { put(.bytes(Array("\(posix)\n".utf8)), at: .posix) }
  }

  /// How often anybody asked.
  package var reads: Int { state.withLock { $0.reads } }

  package func timeZone() throws(StoreFailure) -> RouterTimeZone {
    let files = state.withLock { state in
      state.reads += 1
      return state.files
    }
    if let bytes = try Self.read(files[.localtime], name(of: .localtime), atMost: ZoneRules.mostBytes) {
      guard let rules = try? ZoneRules(tzif: bytes) else { throw Self.refusal(name(of: .localtime), "no time zone") }
      return RouterTimeZone(rules, file: name(of: .localtime))
    }
    guard let bytes = try Self.read(files[.posix], name(of: .posix), atMost: 1_024) else { return .unsaid }
    var text = String(decoding: bytes, as: UTF8.self)
    while text.last?.isWhitespace == true { text.removeLast() }
    guard let rules = ZoneRules(posix: text) else { throw Self.refusal(name(of: .posix), "no time zone") }
    return RouterTimeZone(rules, file: name(of: .posix))
  }

  private static func read(
    _ entry: TimeZoneEntry?, _ name: String, atMost limit: Int
  ) throws(StoreFailure) -> [UInt8]? {
    switch entry {
    case nil, .linkToNothing: return nil
    case .bytes(let bytes), .linkTo(let bytes):
      guard bytes.count <= limit else { throw refusal(name, "larger than \(limit) bytes") }
      return bytes
    case .directory, .pipe: throw refusal(name, "not a file")
    case .linkToItself: throw refusal(name, "Too many levels of symbolic links")
    }
  }

  private static func refusal(_ name: String, _ cause: String) -> StoreFailure {
    StoreFailure(operation: "read \(name)", cause: cause)
  }

  // MARK: TimeZoneGround

  package var port: any TimeZonePort { self }
  package func name(of file: TimeZoneFile) -> String { file == .localtime ? "/etc/localtime" : "/etc/TZ" }
  package func put(_ entry: TimeZoneEntry?, at file: TimeZoneFile) { state.withLock { $0.files[file] = entry } }
}
