package import RuleSets

/// What happens to a rule set that passed every check: it first runs on probation, and counts only once it is
/// confirmed. Pure: clocks, disk and kernel belong to the driver, which reports what happened and carries out what is
/// returned, in that order.
///
///     verified ──▶ applying ──applied──▶ on trial ──all is seen──▶ keeping ──written──▶ settled
///                   │    │                  │
///                   │    refused: as before │ deadline
///                   ▼                       ▼
///               (it died)  ────────▶  returning ──the one before runs──▶ rejected
///
/// Two generations are stored: the confirmed one, and while there is a trial, the one on trial, with a note that says how
/// far it has come. A stop of the process at any point, between any two writes, leaves a note from which `Start` knows
/// which of them to run.
package struct RuleSetTrial: Equatable, Sendable {
  /// Just enough to recognise a rule set.
  package struct Candidate: Equatable, Sendable {
    /// The checksum of its text.
    package var checksum: String
    package var revision: UInt64

    package init(checksum: String, revision: UInt64) {
      self.checksum = checksum
      self.revision = revision
    }

    package init(_ bytes: [UInt8], revision: UInt64) {
      self.init(checksum: Self.checksum(of: bytes), revision: revision)
    }

    /// The FNV-1a sum of a rule set's text and length, as 16 hexadecimal digits.
    package static func checksum(of bytes: [UInt8]) -> String {
      var sum = Checksum()
      sum.add(part: bytes)
      return sum.text
    }
  }

  /// What shows that a rule set has not cut the router off.
  package enum Evidence: String, CaseIterable, Sendable {
    /// Its source gave a usable answer while it ran.
    case source
  }

  /// What a trial asks for, and how long.
  package struct Terms: Equatable, Sendable {
    /// All of them must be seen. None: it is confirmed once it was applied whole.
    package var awaits: Set<Evidence>
    /// How long it may run unconfirmed, in time that the agent ran.
    package var window: Duration
    /// If the source answers within this time after the rollback, the rule set had cut it off. If it stays silent for
    /// longer, the cause remains unknown.
    package var judgement: Duration

    package init(awaits: Set<Evidence>, window: Duration = .seconds(600), judgement: Duration = .seconds(120)) {
      self.awaits = awaits
      self.window = window
      self.judgement = judgement
    }

    /// Being applied whole is enough.
    package static let atOnce = Terms(awaits: [])
  }

  /// A rule set on probation.
  package struct Probation: Equatable, Sendable {
    package var candidate: Candidate
    package var terms: Terms
    /// The revision to roll back to; nil if none exists, so that anything is better than nothing.
    package var returnsTo: UInt64?
    package var seen: Set<Evidence> = []
    /// How often an agent has started with it.
    package var starts = 0
    package var deadline: Instant
    /// Its text is stored.
    package var isStored = false

    package var missing: Set<Evidence> { terms.awaits.subtracting(seen) }
  }

  /// Why it does not run any more.
  package enum Cause: Equatable, Sendable {
    /// The agent or the router went down while it was being applied.
    case died
    case unconfirmed(missing: Set<Evidence>)
    case startedTooOften(missing: Set<Evidence>)
  }

  /// A rule set that no longer runs, why not, and how certain it is that it was to blame.
  package struct Rejection: Equatable, Sendable {
    package var candidate: Candidate
    package var cause: Cause
    /// It is certain once its source answers before that; nil: it is.
    package var judgedBy: Instant?
    /// Until the source has answered, how long it would still be believed.
    package var judgement: Duration = .zero
    /// It ran: the kernel takes it.
    package var hasRun = false
  }

  /// Where the trial stands; see the diagram above.
  package indirect enum State: Equatable, Sendable {
    /// There is only the confirmed generation.
    case settled
    /// It is being applied; before that it was like this.
    case applying(Probation, before: State)
    /// It runs.
    case onTrial(Probation)
    /// It is confirmed, and not yet written as the confirmed generation.
    case keeping(Candidate)
    /// The confirmed generation is being applied again.
    case returning(Rejection, failures: Int)
    /// The confirmed generation runs.
    case rejected(Rejection)
  }

  /// The driver's reports to the machine.
  package enum Input: Equatable, Sendable {
    /// It passed every check and is applied next.
    case verified(Candidate, Terms, returnsTo: UInt64?)
    case applied
    /// The kernel refused it: what ran before runs on.
    case refused
    case seen(Evidence)
    /// What was rejected may be tried again.
    case askedAgain
    case time
    /// What runs is stored as the confirmed generation.
    case kept
    /// The confirmed generation runs again.
    case returned
    /// It cannot be read, or the kernel refuses it.
    case notReturned(String)
  }

  /// What the driver must do, in the order returned.
  package enum Command: Equatable, Sendable {
    /// Nil removes it.
    case note(Note?)
    /// What runs is stored as the generation on trial.
    case storeCandidate
    /// The generation on trial is removed from the store.
    case dropCandidate
    /// Store what runs as the confirmed generation, then report `kept`; on failure, try again later.
    case keep
    /// Apply the confirmed generation, then report `returned` or `notReturned`.
    case rollBack
    case tell(News)
  }

  package internal(set) var state: State
  /// When the time left is written again.
  var nextNote: Instant?

  package init(_ state: State = .settled) { self.state = state }

  /// How often agents may start with one that is on trial: one that takes the router down each time is left at last, however
  /// soon it does.
  static let mostStarts = 3
  /// How often the time left is written within a window.
  private static let notesInAWindow = 8
  /// How long to wait after the confirmed generation could not be applied, and how often it is tried.
  private static let returnPause: Duration = .seconds(5)
  private static let mostReturns = 3

  /// Takes one input and returns what to do. An input that the state has no use for changes nothing.
  package mutating func handle(_ input: Input, at now: Instant) -> [Command] {
    switch (state, input) {
    case (.applying(let probation, _), .verified(let candidate, _, _))
    where probation.isStored && probation.candidate == candidate:
      // Its source gives what the store had, before the kernel took it: its trial goes on.
      return []
    case (_, .verified(let candidate, let terms, let returnsTo)):
      let probation = Probation(
        candidate: candidate, terms: terms, returnsTo: returnsTo, deadline: now + terms.window)
      state = .applying(probation, before: withoutApplying)
      return [.note(Note(probation, .applying, at: now))]

    case (.applying(let probation, let before), .refused):
      // The driver tries the text again if it has one that ran before this agent.
      guard !probation.isStored else { return [] }
      state = before
      return [.note(before.note(at: now))]
    case (.applying(let probation, _), .applied): return applied(probation, at: now)
    case (.applying(let probation, _), .time)
    where probation.isStored && probation.returnsTo != nil && now >= probation.deadline:
      return rollBack(probation, .unconfirmed(missing: probation.missing), at: now)

    case (.onTrial(var probation), .seen(let evidence)):
      probation.seen.insert(evidence)
      state = .onTrial(probation)
      return probation.missing.isEmpty ? confirm(probation) : []
    case (.onTrial(let probation), .time): return timePassed(probation, at: now)

    case (.keeping, .kept):
      state = .settled
      return [.note(nil), .dropCandidate]

    case (.returning(let rejection, _), .returned): return returned(rejection, at: now)
    case (.returning(let rejection, let failures), .notReturned(let why)):
      return notReturned(rejection, failures + 1, why, at: now)
    case (.returning, .time):
      guard let due = nextNote, now >= due else { return [] }
      nextNote = nil
      return [.rollBack]

    case (.rejected(let rejection), .seen(.source)): return answered(rejection, at: now)
    case (.rejected, .askedAgain):
      // Its note stays until something is applied: nothing was tried yet.
      state = .settled
      return []
    default: return []
    }
  }

  /// When `time` is due; nil: never.
  package var nextDeadline: Instant? {
    switch state {
    case .applying(let probation, _): probation.isStored && probation.returnsTo != nil ? probation.deadline : nil
    case .onTrial(let probation): nextNote.map { min($0, probation.deadline) } ?? probation.deadline
    case .returning: nextNote
    case .settled, .keeping, .rejected: nil
    }
  }

  /// The note to write when the agent is stopped while it applies a rule set: the stop is not that one's fault.
  package func noteWhenStopped(at now: Instant) -> Note? {
    guard case .applying(let probation, let before) = state else { return state.note(at: now) }
    return probation.isStored ? Note(probation, .running, at: now) : before.note(at: now)
  }

  /// Why a rule set with this text is not accepted; nil if it is.
  package func rejection(of checksum: String) -> Rejection? {
    rejection.flatMap { $0.candidate.checksum == checksum ? $0 : nil }
  }

  // MARK: - Each in turn

  /// What there is to go back to where the kernel refuses one: never one that is new too.
  private var withoutApplying: State {
    if case .applying(let probation, let before) = state, !probation.isStored { return before }
    return state
  }

  private mutating func applied(_ probation: Probation, at now: Instant) -> [Command] {
    guard probation.returnsTo != nil, !probation.missing.isEmpty else {
      if probation.isStored { return confirm(probation) }
      // Without a note before it is written: what has been applied whole is not to blame for what happens now.
      state = .keeping(probation.candidate)
      return [.note(nil), .keep]
    }
    var probation = probation
    let wasStored = probation.isStored
    probation.isStored = true
    state = .onTrial(probation)
    nextNote = now + probation.terms.window / Self.notesInAWindow
    let news = Command.tell(.onTrial(probation, left: probation.deadline - now))
    return (wasStored ? [] : [.storeCandidate]) + [.note(Note(probation, .running, at: now)), news]
  }

  private mutating func confirm(_ probation: Probation) -> [Command] {
    state = .keeping(probation.candidate)
    nextNote = nil
    return [.keep, .tell(.confirmed(probation))]
  }

  private mutating func timePassed(_ probation: Probation, at now: Instant) -> [Command] {
    guard now < probation.deadline else {
      return rollBack(probation, .unconfirmed(missing: probation.missing), at: now)
    }
    guard let due = nextNote, now >= due else { return [] }
    nextNote = now + probation.terms.window / Self.notesInAWindow
    return [.note(Note(probation, .running, at: now))]
  }

  private mutating func rollBack(_ probation: Probation, _ cause: Cause, at now: Instant) -> [Command] {
    var hasRun = false
    if case .onTrial = state { hasRun = true }
    let rejection = Rejection(
      candidate: probation.candidate, cause: cause,
      judgement: cause.isCertain ? .zero : probation.terms.judgement, hasRun: hasRun)
    state = .returning(rejection, failures: 0)
    nextNote = nil
    // Noted first: whatever happens from here on, the next start runs the confirmed one.
    return [.note(Note(rejection, at: now)), .rollBack]
  }

  private mutating func returned(_ rejection: Rejection, at now: Instant) -> [Command] {
    var rejection = rejection
    if !rejection.cause.isCertain { rejection.judgedBy = now + rejection.judgement }
    state = .rejected(rejection)
    nextNote = nil
    return [.dropCandidate, .tell(.rolledBack(rejection.candidate, rejection.cause))]
  }

  private mutating func notReturned(
    _ rejection: Rejection, _ failures: Int, _ why: String, at now: Instant
  ) -> [Command] {
    guard failures >= Self.mostReturns, rejection.hasRun else {
      state = .returning(rejection, failures: failures)
      nextNote = now + Self.returnPause
      return []
    }
    // It runs, and there is nothing better.
    state = .keeping(rejection.candidate)
    nextNote = nil
    return [.keep, .tell(.notRolledBack(rejection.candidate, rejection.cause, why))]
  }

  /// The source answers now that the rejected rule set is out of the way.
  private mutating func answered(_ rejection: Rejection, at now: Instant) -> [Command] {
    guard let judgedBy = rejection.judgedBy else { return [] }
    guard now > judgedBy else {
      var certain = rejection
      certain.judgedBy = nil
      certain.judgement = .zero
      state = .rejected(certain)
      return [.note(Note(certain, at: now))]
    }
    // It was silent without it just as long: it may have been the source all the time.
    state = .settled
    return [.note(nil), .tell(.inconclusive(rejection.candidate))]
  }
}

extension RuleSetTrial.Cause {
  /// No answer of the source can clear it.
  var isCertain: Bool {
    switch self {
    case .unconfirmed(let missing), .startedTooOften(let missing): !missing.contains(.source)
    case .died: true
    }
  }
}
