import Core
internal import RuleSets

/// Before a rule set is applied, nothing is noted.
struct ForgetsToNote: TrialUnderTest {
  var inner: RuleSetTrial
  mutating func handle(_ input: RuleSetTrial.Input, at now: Instant) -> [RuleSetTrial.Command] {
    let commands = inner.handle(input, at: now)
    guard case .verified = input else { return commands }
    return []
  }
}

/// A rule set is confirmed as soon as it has been applied.
struct ConfirmsWhatIsApplied: TrialUnderTest {
  var inner: RuleSetTrial
  mutating func handle(_ input: RuleSetTrial.Input, at now: Instant) -> [RuleSetTrial.Command] {
    guard case .verified(let candidate, _, let returnsTo) = input else { return inner.handle(input, at: now) }
    return inner.handle(.verified(candidate, .atOnce, returnsTo: returnsTo), at: now)
  }
}

/// No trial ever ends by its deadline.
struct NeverRollsBack: TrialUnderTest {
  var inner: RuleSetTrial
  mutating func handle(_ input: RuleSetTrial.Input, at now: Instant) -> [RuleSetTrial.Command] {
    input == .time ? [] : inner.handle(input, at: now)
  }
}

/// Each start gives the trial its full time again.
struct ForgetsTheTimeLeft: TrialUnderTest {
  var inner: RuleSetTrial
  static func fresh(_ kept: RuleSetTrial.Kept) -> RuleSetTrial.Kept {
    var kept = kept
    if kept.note?.phase == .running {
      kept.note?.left = .seconds(600)
      kept.note?.starts = 0
    }
    return kept
  }
  static func guarded(_ kept: RuleSetTrial.Kept) -> RuleSetTrial.Generation { RuleSetTrial.generation(of: fresh(kept)) }
  static func start(_ kept: RuleSetTrial.Kept, _ terms: RuleSetTrial.Terms, at now: Instant) -> RuleSetTrial.Start {
    RuleSetTrial.Start(fresh(kept), terms, at: now)
  }
}

/// A rolled-back rule set is applied again if its source still has it.
struct ForgetsRejections: TrialUnderTest {
  var inner: RuleSetTrial
  func rejection(of checksum: String) -> RuleSetTrial.Rejection? { nil }
}

/// A rolled-back rule set is never tried again, whatever was at fault.
struct RejectsForGood: TrialUnderTest {
  var inner: RuleSetTrial
  mutating func handle(_ input: RuleSetTrial.Input, at now: Instant) -> [RuleSetTrial.Command] {
    if case .rejected = inner.state, input == .seen(.source) { return [] }
    return inner.handle(input, at: now)
  }
}

/// The source's first answer after a rollback clears the rolled-back rule set.
struct AcquitsAtOnce: TrialUnderTest {
  var inner: RuleSetTrial
  mutating func handle(_ input: RuleSetTrial.Input, at now: Instant) -> [RuleSetTrial.Command] {
    guard case .rejected(let rejection) = inner.state, rejection.judgedBy != nil, input == .seen(.source) else {
      return inner.handle(input, at: now)
    }
    return inner.handle(input, at: now + .seconds(100_000))
  }
}

/// The generation on trial is removed before it is written as the confirmed one.
struct DropsBeforeItKeeps: TrialUnderTest {
  var inner: RuleSetTrial
  mutating func handle(_ input: RuleSetTrial.Input, at now: Instant) -> [RuleSetTrial.Command] {
    let commands = inner.handle(input, at: now)
    guard case .seen = input, commands.contains(.keep) else { return commands }
    return [.note(nil), .dropCandidate] + commands
  }
}

/// The rejection is noted only once the previous one is running again.
struct NotesTooLate: TrialUnderTest {
  var inner: RuleSetTrial
  mutating func handle(_ input: RuleSetTrial.Input, at now: Instant) -> [RuleSetTrial.Command] {
    let commands = inner.handle(input, at: now)
    guard commands.contains(.rollBack) else { return commands }
    return commands.filter { $0 == .rollBack }
  }
}

/// At boot the guard uses the confirmed one, whatever the agent will run.
struct GuardsTheConfirmed: TrialUnderTest {
  var inner: RuleSetTrial
  static func guarded(_ kept: RuleSetTrial.Kept) -> RuleSetTrial.Generation { .confirmed }
}

/// A start continues with the rule set that took the agent down.
struct ResumesWhatDied: TrialUnderTest {
  var inner: RuleSetTrial
  static func alive(_ kept: RuleSetTrial.Kept) -> RuleSetTrial.Kept {
    var kept = kept
    if kept.note?.phase == .applying { kept.note = nil }
    return kept
  }
  static func start(_ kept: RuleSetTrial.Kept, _ terms: RuleSetTrial.Terms, at now: Instant) -> RuleSetTrial.Start {
    RuleSetTrial.Start(alive(kept), terms, at: now)
  }
}
