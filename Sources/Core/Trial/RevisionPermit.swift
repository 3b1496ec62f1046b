package import RuleSets

/// An operator's permission to accept a rule set although its revision is not higher than the running one's. It holds
/// until a rule set that was accepted after it was given has been confirmed and stored, whichever that is.
package struct RevisionPermit: Equatable, Sendable {
  /// This revision and every higher one: by the time that the operator has typed it, the orchestrator may be further.
  package var revision: UInt64
  package var user: UInt32
  package var since: WallTime

  package init(revision: UInt64, user: UInt32, since: WallTime) {
    self.revision = revision
    self.user = user
    self.since = since
  }

  /// Whether a rule set of this revision may be accepted.
  package func admits(_ revision: UInt64) -> Bool { revision >= self.revision }
}
