package import RuleSets

extension RuleSetTrial {
  /// How far a trial has come, as it is stored beside the rule sets.
  package struct Note: Equatable, Sendable {
    /// What was happening when the note was written.
    package enum Phase: Equatable, Sendable {
      case applying
      case running
      case rejected(Cause)
    }

    package var candidate: Candidate
    package var phase: Phase
    /// What is left of the trial's window, or of the time in which a rejection is believed. Only time that the agent
    /// ran counts.
    package var left: Duration
    /// What has not been seen yet.
    package var awaits: Set<Evidence>
    /// How often an agent has started with it.
    package var starts: Int
    /// The revision of the confirmed one, for people.
    package var returnsTo: UInt64?

    package init(
      candidate: Candidate, phase: Phase, left: Duration = .zero, awaits: Set<Evidence> = [], starts: Int = 0,
      returnsTo: UInt64? = nil
    ) {
      self.candidate = candidate
      self.phase = phase
      self.left = left
      self.awaits = awaits
      self.starts = starts
      self.returnsTo = returnsTo
    }

    init(_ probation: Probation, _ phase: Phase, at now: Instant) {
      self.init(
        candidate: probation.candidate, phase: phase, left: max(.zero, probation.deadline - now),
        awaits: probation.missing, starts: probation.starts, returnsTo: probation.returnsTo)
    }

    init(_ rejection: Rejection, at now: Instant) {
      let left = rejection.judgedBy.map { max(.zero, $0 - now) } ?? rejection.judgement
      self.init(candidate: rejection.candidate, phase: .rejected(rejection.cause), left: left)
    }
  }

  /// Just enough of a store's content to decide.
  package struct Kept: Equatable, Sendable {
    package var note: Note?
    /// The checksums of the texts that can be read.
    package var confirmed: String?
    package var candidate: String?

    package init(note: Note? = nil, confirmed: String? = nil, candidate: String? = nil) {
      self.note = note
      self.confirmed = confirmed
      self.candidate = candidate
    }
  }

  /// One of the two stored generations.
  package enum Generation: Equatable, Sendable {
    /// Also the answer where nothing is stored.
    case confirmed
    case onTrial
  }

  /// Which of the two an agent runs that starts now, and which the guard holds to at boot.
  package static func generation(of kept: Kept) -> Generation {
    guard let note = kept.note, kept.candidate == note.candidate.checksum,
      kept.confirmed != note.candidate.checksum
    else { return .confirmed }
    let mayStart = note.starts < mostStarts
    // What is stored there was applied whole once. Without a confirmed one it is better than nothing, whatever its
    // record, unless it takes down every agent that tries it.
    guard kept.confirmed != nil else { return note.phase == .running || mayStart ? .onTrial : .confirmed }
    return note.phase == .running && note.left > .zero && mayStart ? .onTrial : .confirmed
  }

  /// An agent starts.
  package struct Start: Equatable, Sendable {
    package var trial: RuleSetTrial
    package var generation: Generation
    /// What to do before anything is applied.
    package var commands: [Command]

    /// - Parameter terms: of a trial that goes on.
    package init(_ kept: Kept, _ terms: Terms, at now: Instant) {
      generation = RuleSetTrial.generation(of: kept)
      trial = RuleSetTrial()
      commands = []
      guard let note = kept.note else {
        if kept.candidate != nil { commands = [.dropCandidate] }
        return
      }
      if kept.confirmed == note.candidate.checksum {
        // It was written as the confirmed one just before the end.
        commands = [.note(nil), .dropCandidate]
      } else if generation == .onTrial {
        resume(note, kept, terms, at: now)
      } else {
        leave(note, kept, terms, at: now)
      }
    }

    private mutating func resume(_ note: Note, _ kept: Kept, _ terms: Terms, at now: Instant) {
      var terms = terms
      terms.awaits = note.awaits
      // A clock that ran wild must not make a trial that never ends.
      let left = min(note.left, terms.window)
      let probation = Probation(
        candidate: note.candidate, terms: terms, returnsTo: kept.confirmed == nil ? nil : note.returnsTo ?? 0,
        starts: note.starts + 1, deadline: now + left, isStored: true)
      trial.state = .applying(probation, before: .settled)
      commands = [.note(Note(probation, .applying, at: now))]
    }

    private mutating func leave(_ note: Note, _ kept: Kept, _ terms: Terms, at now: Instant) {
      let cause: Cause
      switch note.phase {
      case .applying: cause = .died
      case .rejected(let known): cause = known
      case .running where kept.candidate != note.candidate.checksum:
        // Nothing speaks against it except that its text is gone.
        commands = [.note(nil), .dropCandidate, .tell(.unreadable(note.candidate))]
        return
      case .running where note.left <= .zero: cause = .unconfirmed(missing: note.awaits)
      case .running: cause = .startedTooOften(missing: note.awaits)
      }
      var rejection = Rejection(candidate: note.candidate, cause: cause)
      if !cause.isCertain {
        let isNew = note.phase == .running
        rejection.judgement = isNew ? terms.judgement : min(note.left, terms.judgement)
        if rejection.judgement > .zero { rejection.judgedBy = now + rejection.judgement }
      }
      trial.state = .rejected(rejection)
      commands = [.note(Note(rejection, at: now)), .dropCandidate]
      if case .rejected = note.phase { commands = kept.candidate == nil ? [] : [.dropCandidate] }
      if case .rejected = note.phase { return }
      commands.append(.tell(.rolledBack(note.candidate, cause)))
    }
  }
}

extension RuleSetTrial.State {
  /// What the store says about it; nil for nothing.
  func note(at now: Instant) -> RuleSetTrial.Note? {
    switch self {
    case .settled, .keeping: nil
    case .applying(let probation, _): RuleSetTrial.Note(probation, .applying, at: now)
    case .onTrial(let probation): RuleSetTrial.Note(probation, .running, at: now)
    case .returning(let rejection, _), .rejected(let rejection): RuleSetTrial.Note(rejection, at: now)
    }
  }
}
