package import Agent
package import Core
internal import RuleSets

/// The text of the local configuration that the agent last started with, in the state directory under a checksum: where
/// agent.toml is damaged or gone, the guard finds here what the uplinks are and which numbers in the kernel are ours.
package struct ConfigurationCopy {
  /// Escapes can make it longer than the file.
  private static let maximumBytes = 8 * ConfigurationFile.maximumBytes

  package let path: String

  /// `configuration.json` in this directory, which must be there before anything is saved.
  package init(directory: String) { path = directory + "/configuration.json" }

  /// Nil if none was kept; throws if one was and cannot be used.
  package func load() throws(StoreFailure) -> AgentConfiguration? {
    guard let text = try text() else { return nil }
    do throws(Complaints) {
      return try ConfigurationFile.decode(Array(text.utf8))
    } catch {
      throw StoredDocument.refusal(of: path, "this version cannot use it: \(error)")
    }
  }

  /// Writes nothing if it is saved already.
  package func save(_ bytes: [UInt8]) throws(StoreFailure) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw StoreFailure(operation: "write \(path)", cause: "the configuration is not UTF-8")
    }
    if let kept = try? self.text(), kept == text { return }
    try StoredDocument.write(Contents(text: text), to: path)
  }

  private func text() throws(StoreFailure) -> String? {
    let contents: Contents? = try StoredDocument.read(path, atMost: Self.maximumBytes)
    return contents?.text
  }

  private struct Contents: StoredContents {
    static let currentFormat = 1

    var format = currentFormat
    var checksum = ""
    var text: String

    init(text: String) { self.text = text }

    var computedChecksum: String {
      var sum = Checksum()
      sum.add(part: text.utf8)
      return sum.text
    }
  }
}
