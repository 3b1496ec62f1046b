internal import Core
internal import FoundationEssentials
internal import Glibc

/// What foreign interfaces' sysctls were before we changed them: a file, so that a later run can put them back.
struct SettingMemory: Sendable {
  let path: String

  /// A few hundred interfaces with four settings each; more is no file of ours.
  private static let maximumBytes = 1 << 20

  init(stateDirectory: String) { path = "\(stateDirectory)/sysctls.json" }

  private struct File: Codable {
    var schema: Int
    var settings: [Entry]
  }

  private struct Entry: Codable {
    var interface: String
    var key: String
    var value: Int
  }

  func load() throws(SystemCallFailure) -> [InterfaceSetting: Int] {
    let bytes: [UInt8]
    do throws(SystemCallFailure) {
      bytes = try BoundedFile.read(path, atMost: Self.maximumBytes)
    } catch {
      guard error.errno == ENOENT else { throw error }
      return [:]
    }
    let file: File
    do { file = try JSONDecoder().decode(File.self, from: Data(bytes)) } catch {
      throw SystemCallFailure("read \(path)", cause: "not the file that we wrote")
    }
    guard file.schema == 1 else { throw SystemCallFailure("read \(path)", cause: "schema \(file.schema), not 1") }
    var remembered: [InterfaceSetting: Int] = [:]
    for entry in file.settings {
      guard let interface = InterfaceName(entry.interface), let key = InterfaceSetting.Key(rawValue: entry.key) else {
        throw SystemCallFailure("read \(path)", cause: "unknown setting \(entry.key) of \(entry.interface)")
      }
      remembered[InterfaceSetting(interface, key)] = entry.value
    }
    return remembered
  }

  /// On disk for good when this returns.
  func save(_ remembered: [InterfaceSetting: Int]) throws(SystemCallFailure) {
    let entries = remembered.map { Entry(interface: $0.interface.text, key: $0.key.rawValue, value: $1) }
      .sorted { ($0.interface, $0.key) < ($1.interface, $1.key) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    let data: Data
    do { data = try encoder.encode(File(schema: 1, settings: entries)) } catch {
      throw SystemCallFailure("write \(path)", cause: "\(error)")
    }
    try Directory.make(Directory.holding(path), mode: 0o700)
    try AtomicFile.write(Array(data), to: path)
  }
}
