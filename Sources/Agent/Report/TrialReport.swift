package import Core
package import RuleSets

/// A rule set that is not confirmed yet, or was rolled back.
package struct TrialReport: Codable, Equatable, Sendable {
  /// `on_trial` or `rolled_back`.
  package var state: String
  /// The revision that is on trial, or was rolled back.
  package var revision: UInt64
  /// The revision that a rollback returns to, or has returned to; missing if there is none.
  package var confirmedRevision: UInt64?
  /// The time until it is rolled back; missing if it has been.
  package var leftSeconds: Double?
  /// What must be seen before it is confirmed: `source` (its source answers again). None where it was
  /// rolled back.
  package var awaits: [String]
  /// Why it was rolled back, as the end of a sentence; missing if it is on trial.
  package var cause: String?

  package init(_ standing: RuleSetTrial.Standing, confirmed: UInt64?, at now: Instant) {
    confirmedRevision = confirmed
    switch standing {
    case .onTrial(let probation):
      state = "on_trial"
      revision = probation.candidate.revision
      leftSeconds = max(.zero, probation.deadline - now).inSeconds
      awaits = probation.missing.map(\.rawValue).sorted()
    case .rolledBack(let rejection):
      state = "rolled_back"
      revision = rejection.candidate.revision
      awaits = []
      cause = rejection.cause.words
    }
  }
}
