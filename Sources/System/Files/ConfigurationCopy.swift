package import Agent
package import Core
internal import FoundationEssentials
internal import Glibc

/// The text of the local configuration that the agent last started with, in the state directory under a checksum: where
/// agent.toml is damaged or gone, the guard finds here what the uplinks are and which numbers in the kernel are ours.
package struct ConfigurationCopy {
  /// Escapes can make it longer than the file.
  private static let maximumBytes = 8 * ConfigurationFile.maximumBytes

  package let path: String

  /// `configuration.json` in this directory, which must be there before anything is saved.
  package init(directory: String) { path = directory + "/configuration.json" }

  /// Nil where none was kept; throws where one was and cannot be used.
  package func load() throws(StoreFailure) -> AgentConfiguration? {
    guard let text = try text() else { return nil }
    do throws(Complaints) {
      return try ConfigurationFile.decode(Array(text.utf8))
    } catch {
      throw refusal("this version cannot use it: \(error)")
    }
  }

  /// Writes nothing where it is kept already.
  package func save(_ bytes: [UInt8]) throws(StoreFailure) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw StoreFailure(operation: "write \(path)", cause: "the configuration is not UTF-8")
    }
    if let kept = try? self.text(), kept == text { return }
    try StoredDocument.write(Contents(text: text, checksum: Contents.checksum(of: text)), to: path)
  }

  private func text() throws(StoreFailure) -> String? {
    let bytes: [UInt8]
    do throws(SystemCallFailure) {
      bytes = try BoundedFile.read(path, atMost: Self.maximumBytes)
    } catch {
      if error.errno == ENOENT { return nil }
      throw StoreFailure(operation: error.operation, cause: error.cause)
    }
    guard let contents = try? JSONDecoder().decode(Contents.self, from: Data(bytes)) else {
      throw refusal("cut off or not written by this agent")
    }
    guard contents.format == Contents.currentFormat else {
      throw refusal("format \(contents.format), but this version reads \(Contents.currentFormat)")
    }
    guard contents.checksum == Contents.checksum(of: contents.text) else { throw refusal("its checksum is wrong") }
    return contents.text
  }

  private func refusal(_ cause: String) -> StoreFailure { StoreFailure(operation: "read \(path)", cause: cause) }

  private struct Contents: Codable {
    static let currentFormat = 1

    var format = currentFormat
    var text: String
    var checksum: String

    static func checksum(of text: String) -> String {
      var sum = Checksum()
      sum.add(part: text.utf8)
      return sum.text
    }
  }
}
