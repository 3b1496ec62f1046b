internal import Core

/// Remembers which rule set is being applied for the first time, so that one which took down the agent or the router while
/// it was is not taken again by itself.
///
/// It is a help and never a condition: where it cannot be written or read, the agent goes on without it.
package protocol AttemptStore: Sendable {
  /// The attempt that was begun and has not ended: the process or the machine did. Nil where there is none.
  func unfinished() throws(StoreFailure) -> RuleSetAttempt?
  /// Moves what cannot be read out of the way, for a person to look at. Returns what became of it, in words.
  func setAside() -> String
  /// Returns once it would outlast a power loss.
  func begin(_ attempt: RuleSetAttempt) throws(StoreFailure)
  /// It is over, whatever came of it. From any thread.
  func end()
}

/// A rule set that is being applied.
package struct RuleSetAttempt: Equatable, Sendable {
  /// Of its text.
  package var checksum: String
  package var revision: UInt64

  package init(checksum: String, revision: UInt64) {
    self.checksum = checksum
    self.revision = revision
  }

  package init(_ bytes: [UInt8], revision: UInt64) {
    self.init(checksum: Self.checksum(of: bytes), revision: revision)
  }

  package static func checksum(of bytes: [UInt8]) -> String {
    var sum = Checksum()
    sum.add(part: bytes)
    return sum.text
  }
}
