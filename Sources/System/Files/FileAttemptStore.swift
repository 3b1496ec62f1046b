package import Agent
internal import Core
internal import FoundationEssentials
internal import Glibc

/// The rule set that is being applied, in a small file that is there only meanwhile.
package struct FileAttemptStore: AttemptStore {
  private static let maximumBytes = 4096

  package let path: String

  /// `rule-set.attempt.json` in this directory, which must be there.
  package init(directory: String) { path = directory + "/rule-set.attempt.json" }

  /// One that is damaged says nothing of any rule set.
  package func unfinished() -> RuleSetAttempt? {
    guard let bytes = try? BoundedFile.read(path, atMost: Self.maximumBytes),
      let contents = try? JSONDecoder().decode(Contents.self, from: Data(bytes)),
      contents.format == Contents.currentFormat
    else { return nil }
    return RuleSetAttempt(checksum: contents.checksum, revision: contents.revision)
  }

  package func begin(_ attempt: RuleSetAttempt) throws(StoreFailure) {
    try StoredDocument.write(Contents(checksum: attempt.checksum, revision: attempt.revision), to: path)
  }

  package func end() {
    guard unlink(path) == 0 else { return }
    // Where the name comes back after a power loss, one rule set too many is refused until somebody says otherwise.
    try? Directory.sync(Directory.holding(path))
  }
}

private struct Contents: Codable {
  static let currentFormat = 1

  var format = currentFormat
  /// Of the rule set's text.
  var checksum: String
  var revision: UInt64
}
