internal import RuleSets

extension RuleSetTrial {
  /// What a person is told about a trial.
  package enum News: Equatable, Sendable {
    case onTrial(Probation, left: Duration)
    case confirmed(Probation)
    case rolledBack(Candidate, Cause)
    /// What it would have been rolled back to cannot be had: it stays.
    case notRolledBack(Candidate, Cause, String)
    /// Nobody knows whether it was at fault: it is tried again.
    case inconclusive(Candidate)
    /// The text of what was on trial is damaged or gone.
    case unreadable(Candidate)
  }
}

extension RuleSetTrial {
  /// How it stands, for people; nil: what runs is confirmed, and none was rolled back.
  package enum Standing: Equatable, Sendable {
    case onTrial(Probation)
    case rolledBack(Rejection)
  }

  package var standing: Standing? {
    switch state {
    case .applying(let probation, _) where probation.isStored: .onTrial(probation)
    case .applying(_, let before): RuleSetTrial(before).standing
    case .onTrial(let probation): .onTrial(probation)
    case .returning(let rejection, _), .rejected(let rejection): .rolledBack(rejection)
    case .settled, .keeping: nil
    }
  }

  /// The rule set on trial runs.
  package var isOnTrial: Bool {
    if case .onTrial = state { return true }
    return false
  }

  /// The store has a generation on trial that is neither confirmed nor rolled back.
  package var isUnderWay: Bool {
    if case .onTrial = standing { return true }
    return false
  }

  /// The source's answer decides something: it is worth asking soon.
  package var awaitsSource: Bool {
    switch state {
    case .onTrial(let probation): probation.missing.contains(.source)
    case .rejected(let rejection): rejection.judgedBy != nil
    case .settled, .applying, .keeping, .returning: false
    }
  }

  /// The checksum of the one that was rolled back last; nil for none.
  package var rejection: Rejection? {
    switch state {
    case .returning(let rejection, _), .rejected(let rejection): rejection
    case .settled, .applying, .onTrial, .keeping: nil
    }
  }
}

extension RuleSetTrial.News {
  /// One sentence.
  ///
  /// - Parameter running: the revision that is running when this is reported; nil: none.
  package func text(running: UInt64?) -> String {
    let instead = running.map { "revision \($0) is running" } ?? "no rule set is running"
    switch self {
    case .onTrial(let probation, let left):
      let before = probation.returnsTo.map { "revision \($0)" } ?? "the one before"
      return
        "revision \(probation.candidate.revision) is on trial: it is confirmed once \(probation.missing.words); "
        + "otherwise \(before) comes back in \(max(1, Int(left.inSeconds.rounded()))) s"
    case .confirmed(let probation):
      return "revision \(probation.candidate.revision) is confirmed: \(probation.terms.awaits.words) while it ran"
    case .rolledBack(let candidate, let cause):
      return "revision \(candidate.revision) was rolled back, because \(cause.words); \(instead)"
    case .notRolledBack(let candidate, let cause, let why):
      return "revision \(candidate.revision) stays, although \(cause.words): the one before it cannot be restored "
        + "(\(why))"
    case .inconclusive(let candidate):
      return
        "the source stayed silent after revision \(candidate.revision) was rolled back, so that may not have been at "
        + "fault: it is tried again"
    case .unreadable(let candidate):
      return
        "revision \(candidate.revision) was on trial, but its text was not saved or cannot be read: \(instead), and "
        + "the source is "
        + "asked"
    }
  }

  /// The revision that it is about.
  package var revision: UInt64 {
    switch self {
    case .onTrial(let probation, _), .confirmed(let probation): probation.candidate.revision
    case .rolledBack(let candidate, _), .notRolledBack(let candidate, _, _), .inconclusive(let candidate),
      .unreadable(let candidate):
      candidate.revision
    }
  }

  package var kind: AgentEvent.Kind {
    switch self {
    case .onTrial, .inconclusive: .ruleSetOnTrial
    case .confirmed, .notRolledBack: .ruleSetConfirmed
    case .rolledBack, .unreadable: .ruleSetRolledBack
    }
  }
}

extension RuleSetTrial.Cause {
  /// The end of a sentence that begins with "as".
  package var words: String {
    switch self {
    case .died: "the agent or the router went down while it was being applied"
    case .unconfirmed(let missing): "its trial ended before \(missing.earlierWords)"
    case .startedTooOften(let missing):
      "the agent started \(RuleSetTrial.mostStarts) times with it before \(missing.earlierWords)"
    }
  }
}

extension RuleSetTrial.Rejection {
  /// What happened to it.
  package var whatHappened: String {
    switch cause {
    case .died: "the agent or the router went down while revision \(candidate.revision) was being applied"
    case .unconfirmed, .startedTooOften: "revision \(candidate.revision) was rolled back, because \(cause.words)"
    }
  }

  /// Why the rule set is refused where its source gives it again.
  package var refusal: String {
    whatHappened
      + "; it is not tried again until the source has another one, or an operator asks for it (systemctl reload "
      + "backhaul)"
  }
}

extension Set<RuleSetTrial.Evidence> {
  /// A clause: `its source has answered again`.
  package var words: String { clause("has") }
  /// The same of a time before: `its source had answered again`.
  var earlierWords: String { clause("had") }

  private func clause(_ verb: String) -> String {
    contains(.source) ? "its source \(verb) answered again" : "it \(verb) been applied"
  }
}
