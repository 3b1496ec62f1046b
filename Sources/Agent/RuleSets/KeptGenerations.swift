package import Core

/// Both stored generations of the rule set and the note of a trial: from them the agent, the guard and the other
/// commands all know which one is running.
package struct KeptGenerations: Sendable {
  package var confirmed: KeptRuleSet
  package var candidate: StoredRuleSet?
  package var note: RuleSetTrial.Note?
  /// Why it is unknown how far a trial had come; nil if it is known.
  package var noteDamage: StoreFailure?

  package init(_ store: any RuleSetStore, _ trials: any TrialStore) {
    confirmed = store.load()
    do { note = try trials.note() } catch { noteDamage = error }
    // One that cannot be read is as good as none: the note says that there was one.
    candidate = (try? trials.candidate()) ?? nil
  }

  package var kept: RuleSetTrial.Kept {
    RuleSetTrial.Kept(
      note: note, confirmed: confirmed.stored.map { RuleSetTrial.Candidate.checksum(of: $0.bytes) },
      candidate: candidate.map { RuleSetTrial.Candidate.checksum(of: $0.bytes) })
  }

  package var generation: RuleSetTrial.Generation { RuleSetTrial.generation(of: kept) }

  /// The one that an agent runs which starts now.
  package var current: StoredRuleSet? { generation == .onTrial ? candidate : confirmed.stored }

  /// A strict rule may be in force, and nobody can say which.
  package var isLost: Bool { current == nil && confirmed.wasAccepted }
}
