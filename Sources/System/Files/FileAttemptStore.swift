package import Agent
internal import Core
internal import Glibc

/// The rule set that is being applied, in a small file that is there only meanwhile.
package struct FileAttemptStore: AttemptStore {
  private static let maximumBytes = 4096

  package let path: String

  /// `rule-set.attempt.json` in this directory, which must be there.
  package init(directory: String) { path = directory + "/rule-set.attempt.json" }

  package func unfinished() throws(StoreFailure) -> RuleSetAttempt? {
    let kept: Contents? = try StoredDocument.read(path, atMost: Self.maximumBytes)
    guard let contents = kept else { return nil }
    return RuleSetAttempt(checksum: contents.ruleSet, revision: contents.revision)
  }

  package func setAside() -> String { SetAside.move(path) }

  package func begin(_ attempt: RuleSetAttempt) throws(StoreFailure) {
    try StoredDocument.write(Contents(ruleSet: attempt.checksum, revision: attempt.revision), to: path)
  }

  package func end() {
    guard unlink(path) == 0 else { return }
    // Where the name comes back after a power loss, one rule set too many is refused until somebody says otherwise.
    try? Directory.sync(Directory.holding(path))
  }
}

private struct Contents: StoredContents {
  static let currentFormat = 1

  var format = currentFormat
  var checksum = ""
  /// The checksum of its text.
  var ruleSet: String
  var revision: UInt64

  enum CodingKeys: String, CodingKey {
    case format, checksum, revision
    case ruleSet = "rule_set"
  }

  init(ruleSet: String, revision: UInt64) {
    self.ruleSet = ruleSet
    self.revision = revision
  }

  var computedChecksum: String {
    var sum = Checksum()
    sum.add(part: "\(format) \(ruleSet) \(revision)".utf8)
    return sum.text
  }
}
