package import RuleSets

/// One probe over time: when to send, when to stop waiting, and what the answers say. No socket and no clock.
///
///     unknown ──answer──▶ up ◀──rise answers in a row── down ──begun──▶ unknown
///        │                 └─fall losses in a row, and ───▲
///        │                   silence beyond the patience  │
///        └─fall losses in a row───────────────────────────┘
///
/// The first answer ever is enough for `up`: a router that boots has no reason to distrust it. A probe that could not be
/// sent is neither an answer nor a loss; after `fall` of them in a row the verdict is `unknown`, never `down`.
///
/// While `up`, an answer that is later than usual raises suspicion, and the probes that `fall` asks for follow sooner than
/// at their turn, as fast as the target is known to answer (`ConfirmationPace`); and an answer is missed when it is much
/// later than usual (`Limits`), not only when its whole timeout is over. One that still comes within its timeout ends all
/// suspicion. Silence is what was seen to be silent: from the first probe that was missed until the last one. In steady
/// state no probe more is sent than the interval says, and each leaves on a beat that all probes share (`ProbeBeat`).
package struct ProbeMachine: Equatable, Sendable {
  /// What the answers say of the path; see the diagram above.
  package enum State: String, Equatable, Sendable { case unknown, up, down }

  /// What the loop must do.
  package enum Directive: Equatable, Sendable {
    case send(UInt64)
    /// The answer is too late, or of no interest any more: stop waiting for it.
    case abandon(UInt64)
  }

  private struct Unanswered: Equatable, Sendable {
    var number: UInt64
    var sent: Instant
    /// The end of its timeout: an answer after it does not count.
    var deadline: Instant
    /// It was counted as lost already, and may still be answered.
    var isMissed = false
    /// It belongs to this rehearsal, which measures how fast the target answers: without an answer it is no loss.
    var rehearsal: UInt32?

    /// It has no result yet, and its loss would count.
    var isOpen: Bool { !isMissed && rehearsal == nil }
  }

  private struct Silence: Equatable, Sendable {
    var since: Instant
    var until: Instant
  }

  /// How late is late, while the path is up. All bounded in milliseconds, so that a path that is probed each second is left
  /// soon after its patience is over, and by the interval, so that one that is probed often is not left for a pause that
  /// nobody would have noticed. In nanoseconds: a `Duration` has 128 bits, and each probe of a thousand paths comes here.
  private struct Limits: Equatable, Sendable {
    /// Later than this is later than usual.
    private(set) var suspicion: Int64
    /// Later than this is missed.
    private(set) var answer: Int64
    /// A probe can be late before the next one leaves.
    let mayBeSuspected: Bool

    init(_ probe: Probe, _ usual: UsualRoundTrip) {
      let (interval, timeout) = (probe.interval.nanoseconds, probe.timeout.nanoseconds)
      (suspicion, answer) = (timeout, timeout)
      if let longest = usual.longest {
        suspicion = min(max(longest, min(interval / 5, 50_000_000)), timeout)
        answer = min(max(longest, min(interval / 5 * 2, 150_000_000)), timeout)
      }
      mayBeSuspected = suspicion < interval
    }
  }

  package private(set) var probe: Probe
  package private(set) var state: State = .unknown
  package private(set) var since: Instant
  package private(set) var window = ProbeWindow()
  /// Consecutive losses since the last answer.
  package private(set) var lost = 0
  /// Consecutive answers since the last loss.
  package private(set) var answered = 0
  /// Consecutive probes that could not be sent, since the last one that was.
  package private(set) var unsent = 0
  /// Why there was no answer. An explicit refusal ("host unreachable") outranks silence, as long as it is among the
  /// last `fall` failures.
  package private(set) var trouble: String?
  /// The value of `lost` at the last explicit refusal.
  private var refusedAt: Int?
  package private(set) var lastAnswer: Instant?
  /// While `up`: since when an answer is late or missed. Nil: all is as usual.
  package private(set) var suspectedSince: Instant?
  /// Why a probe may go unanswered whatever its path does, in our own words. While it is set, a silent probe counts as
  /// one that could not be sent.
  package var hindrance: String?
  /// The factor by which the interval is longer in steady state, on a metered uplink: 1 or more. Probes that confirm a
  /// suspicion, or bring a path back, come as fast as ever.
  package var stretch = 1.0

  /// While something is missed: when the first and the last probe were sent that were.
  private var silence: Silence?
  /// Another probe of the path was answered since one was missed: the path carries, and there is no hurry.
  private var isCarried = false
  private let patience: Duration
  private var pacing: ConfirmationPace

  private var usual = UsualRoundTrip()
  /// Derived from `usual`.
  private var limits: Limits
  /// Probes that could not be sent since the machine was made.
  package private(set) var unsentInAll = 0
  private var nextNumber: UInt64 = 1
  /// When the next probe is due; it leaves on the beat before that.
  private var nextSend: Instant
  private let beat: ProbeBeat
  private var lastPrompt: Instant?
  private var lastSend: Instant?
  /// Oldest first. Each has a deadline, and at most `fall` confirm a suspicion, so there are few.
  private var waiting: [Unanswered] = []

  /// Probes since the machine was made, including those that could not be sent.
  package var sentInAll: Int { Int(truncatingIfNeeded: nextNumber) - 1 }

  /// `phase` spreads probes of one interval, so that many do not leave at once: 0 up to the interval.
  package init(_ probe: Probe, at now: Instant, phase: Duration) {
    self.probe = probe
    since = now
    nextSend = now + phase
    beat = ProbeBeat(probe.interval)
    limits = Limits(probe, usual)
    patience = probe.patienceInForce
    pacing = ConfirmationPace(probe, at: now)
  }

  /// However short the budget is, a path is probed at least this often.
  package static let longestPace: Duration = .seconds(3_600)

  /// Between two probes now.
  package var pace: Duration {
    let isSteady =
      switch state {
      case .up: suspectedSince == nil
      case .down: answered == 0
      case .unknown: false
      }
    guard isSteady, stretch > 1 else { return probe.interval }
    return max(probe.interval, min(probe.interval * stretch, Self.longestPace))
  }

  /// When `timePassed` must be called next.
  package var nextDeadline: Instant {
    var next = beat.last(notAfter: nextSend)
    for unanswered in waiting { next = min(next, due(unanswered)) }
    if let rehearsal = pacing.due { next = min(next, rehearsal) }
    return suspicion.map { min(next, $0) } ?? next
  }

  /// The pause between two probes that confirm a suspicion, as fast as the target is known to answer.
  package var confirmation: Duration { .nanoseconds(pacing.spacing) }

  /// When something is to be done about a probe that is not answered.
  private func due(_ unanswered: Unanswered) -> Instant {
    state == .up && unanswered.isOpen
      ? unanswered.sent.advanced(byNanoseconds: limits.answer) : unanswered.deadline
  }

  /// When the next probe is to be sent before its turn. Nil if there is nothing to confirm: nothing is late, the
  /// verdict is made, enough probes are in flight to make it, or another probe's answers show that the path works.
  private var suspicion: Instant? {
    guard state == .up, !isCarried, let lastSend, limits.mayBeSuspected else { return nil }
    let first = waiting.first(where: \.isOpen)
    guard let since = silence?.since ?? first?.sent else { return nil }
    let pending = waiting.count(where: \.isOpen)
    guard lost + pending < probe.fall || lastSend - since < patience else { return nil }
    // The first must be late; those that confirm it follow one another. Several on their way are no suspicion: on a slow
    // path there are always several once they follow one another.
    let next = lastSend.advanced(byNanoseconds: pacing.spacing)
    if lost > 0 { return next }
    return first.map { max($0.sent.advanced(byNanoseconds: limits.suspicion), next) }
  }

  /// Sends what is due and gives up what is late.
  package mutating func timePassed(to now: Instant) -> [Directive] {
    var directives: [Directive] = []
    while let late = waiting.first, late.deadline <= now {
      waiting.removeFirst()
      directives.append(.abandon(late.number))
      if let rehearsal = late.rehearsal {
        pacing.rehearsed(rehearsal, answered: false, at: now)
        continue
      }
      if hindrance == nil { window.lost() }
      // One that was missed is counted already, but an answer to an older one may have come since.
      answered = 0
      if !late.isMissed { noAnswer("no answer in \(milliseconds(probe.timeout))", to: late, at: now) }
    }
    for index in waiting.indices where due(waiting[index]) <= now && !waiting[index].isMissed {
      waiting[index].isMissed = true
      noAnswer("no answer in \(milliseconds(.nanoseconds(limits.answer)))", to: waiting[index], at: now)
    }
    if beat.last(notAfter: nextSend) <= now {
      directives.append(send(at: now))
      // Counted from the plan, not from now, so that the rate holds; a suspended thread does not catch up in a burst.
      let pace = pace
      nextSend = nextSend + pace
      if beat.last(notAfter: nextSend) <= now { nextSend = now + pace }
    } else if let suspicion, suspicion <= now {
      suspected(at: now)
      directives.append(send(at: now))
      nextSend = now + probe.interval
    }
    if let rehearsal = pacing.due, rehearsal <= now {
      directives.append(send(at: now, in: pacing.sent(at: now)))
    }
    return directives
  }

  private mutating func suspected(at now: Instant) {
    suspectedSince = suspectedSince ?? now
    pacing.brokenOff()
  }

  private mutating func send(at now: Instant, in rehearsal: UInt32? = nil) -> Directive {
    let number = nextNumber
    nextNumber += 1
    if rehearsal == nil { lastSend = now }
    waiting.append(Unanswered(number: number, sent: now, deadline: now + probe.timeout, rehearsal: rehearsal))
    return .send(number)
  }

  /// Another probe of the same path was answered that was sent at `sent`: while that is true of the time since this one's
  /// answers are missing, its target is the trouble and not the path, and what confirms that comes at its turn.
  package mutating func otherAnswered(sent: Instant) {
    guard state == .up, let since = silence?.since ?? suspectedSince, sent >= since else { return }
    isCarried = true
  }

  /// Something happened that may have changed the answer, so the next probe is due now. This takes effect at most every
  /// fifth of the interval, however often it happens.
  package mutating func prompted(at now: Instant) {
    let soonest = (lastPrompt ?? now) + probe.interval / 5
    guard lastPrompt == nil || soonest <= now, nextSend > now else { return }
    lastPrompt = now
    nextSend = now
  }

  /// The next probe is due now, or `pause` after the last time that this was asked for.
  package mutating func prompted(at now: Instant, pause: Duration) {
    let soonest = max(now, (lastPrompt ?? now - pause) + pause)
    guard nextSend > soonest else { return }
    lastPrompt = soonest
    nextSend = soonest
  }

  /// Losses so far said nothing about the path, because it was still being set up: as at the start, the next answer is
  /// enough. What was answered stays true.
  package mutating func begun(at now: Instant) {
    if state == .down { endRow() }
    learnt(.begun, at: now)
  }

  /// Nothing is missed any longer.
  private mutating func endRow() {
    lost = 0
    silence = nil
    refusedAt = nil
    isCarried = false
    suspectedSince = nil
  }

  /// Another socket sends from now on. Answers to the old one's probes cannot arrive, and the path is not to blame.
  package mutating func socketChanged() {
    waiting.removeAll()
    pacing.brokenOff()
  }

  /// Probe `number` has an outcome. Late and unknown numbers are ignored.
  package mutating func came(_ outcome: ProbeOutcome, of number: UInt64, at now: Instant) -> [Directive] {
    guard let index = waiting.firstIndex(where: { $0.number == number }) else { return [] }
    let sent = waiting.remove(at: index)
    switch outcome {
    case .answered(let roundTrip):
      // What was sent before it is lost, but says nothing any more.
      let older = waiting.prefix(index)
      waiting.removeFirst(index)
      for unanswered in older {
        guard let rehearsal = unanswered.rehearsal else {
          window.lost()
          continue
        }
        pacing.rehearsed(rehearsal, answered: false, at: now)
      }
      cameAnswer(to: sent, after: roundTrip, at: now)
      return older.map { .abandon($0.number) }
    case .refused(let why):
      if let rehearsal = sent.rehearsal {
        pacing.rehearsed(rehearsal, answered: false, at: now)
        break
      }
      window.lost()
      answered = 0
      // Coming late, it is no second loss, but it says more than the silence did.
      if !sent.isMissed { noAnswer(why, to: sent, isSaid: true, at: now) } else { said(why) }
    case .couldNotSend where sent.rehearsal != nil: pacing.brokenOff()
    case .couldNotSend(let why): couldNotSend(hindrance ?? why, at: now)
    }
    return []
  }

  private mutating func couldNotSend(_ why: String, at now: Instant) {
    unsent = min(unsent, Int(Int32.max)) + 1
    unsentInAll &+= 1
    trouble = "could not be sent: \(why)"
    learnt(.unsent, at: now)
  }

  private mutating func cameAnswer(to sent: Unanswered, after roundTrip: Duration, at now: Instant) {
    let wasQuiet = state == .up && lost == 0 && suspectedSince == nil
    usual.add(roundTrip)
    limits = Limits(probe, usual)
    endRow()
    lastAnswer = now
    unsent = 0
    trouble = nil
    if let rehearsal = sent.rehearsal { return pacing.rehearsed(rehearsal, answered: true, at: now) }
    window.answered(roundTrip: roundTrip)
    answered = min(answered, Int(Int32.max)) + 1
    learnt(.answered, at: now)
    // A probe that left early does not make the next one leave sooner.
    nextSend = min(nextSend, (now + pace).advanced(byNanoseconds: beat.length))
    if wasQuiet || since == now { pacing.answered(sent: sent.sent, at: now) }
  }

  /// - Parameter isSaid: whether an explicit refusal came, rather than silence.
  private mutating func noAnswer(_ why: String, to sent: Unanswered, isSaid: Bool = false, at now: Instant) {
    if let hindrance, !isSaid { return couldNotSend(hindrance, at: now) }
    answered = 0
    unsent = 0
    lost = min(lost, Int(Int32.max)) + 1
    if isSaid {
      said(why)
    } else if refusedAt.map({ lost - $0 >= probe.fall }) ?? true {
      trouble = why
    }
    let known = silence ?? Silence(since: sent.sent, until: sent.sent)
    silence = Silence(since: min(known.since, sent.sent), until: max(known.until, sent.sent))
    if state == .up { suspected(at: now) }
    learnt(.lost, at: now)
  }

  private mutating func said(_ why: String) {
    trouble = why
    refusedAt = lost
  }

  // MARK: - States

  /// What a state can follow from, once it is counted.
  private enum Fact { case answered, lost, unsent, begun }

  /// The table: which state follows from which fact; nil: the state stays. `ProbeMachineTableTests` has the same.
  private func state(after fact: Fact) -> State? {
    switch (state, fact) {
    case (.unknown, .answered): .up
    case (.down, .answered): answered >= probe.rise ? .up : nil
    case (.unknown, .lost): lost >= probe.fall ? .down : nil
    case (.up, .lost): lost >= probe.fall && isBeyondPatience ? .down : nil
    case (.up, .unsent), (.down, .unsent): unsent >= probe.fall ? .unknown : nil
    case (.down, .begun): .unknown
    case (.up, .answered), (.down, .lost), (.unknown, .unsent), (.unknown, .begun), (.up, .begun): nil
    }
  }

  private mutating func learnt(_ fact: Fact, at now: Instant) {
    guard let new = state(after: fact) else { return }
    state = new
    since = now
    suspectedSince = nil
    isCarried = false
    if new == .down { pacing.wentDown(at: now) }
  }

  private var isBeyondPatience: Bool { silence.map { $0.until - $0.since >= patience } ?? false }

  private func milliseconds(_ duration: Duration) -> String { "\(duration.nanoseconds / 1_000_000) ms" }
}
