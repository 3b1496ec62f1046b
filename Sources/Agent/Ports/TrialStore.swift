package import Core

/// Keeps what a trial needs over a restart: a small note of how far it has come, and the text of the rule set on trial.
///
/// It is a help and never a condition: where nothing can be written or read, a restart runs the confirmed generation.
package protocol TrialStore: Sendable {
  /// Nil if there is none; throws if there is one that cannot be read.
  func note() throws(StoreFailure) -> RuleSetTrial.Note?
  /// Returns once it would outlast a power loss; nil removes it. From any thread.
  func write(_ note: RuleSetTrial.Note?) throws(StoreFailure)
  /// Moves a note that cannot be read out of the way, for a person to look at. Returns what happened to it, in words.
  func setAside() -> String

  /// The generation on trial; nil if there is none.
  func candidate() throws(StoreFailure) -> StoredRuleSet?
  func store(_ candidate: StoredRuleSet) throws(StoreFailure)
  func dropCandidate() throws(StoreFailure)
}
