/// One probe over time: when to send, when to stop waiting, and what the answers say. No socket and no clock.
///
///     unknown ──answer──▶ up ◀──rise answers in a row── down
///        │                 │                             ▲
///        └─fall losses in a row──────────────────────────┘
///
/// The first answer ever is enough for `up`: a router that boots has no reason to distrust it. A probe that could not be
/// sent is neither an answer nor a loss; after `fall` of them in a row the verdict is `unknown`, never `down`.
///
/// While `up`, an answer that is later than usual, and two fifths of an interval late at least, raises suspicion, and
/// the next probe is sent then instead of at its turn. Each probe still has its whole timeout to be answered in, so nothing is taken for lost that the configuration
/// gives more time; it is only known sooner. In steady state no probe more is sent than the interval says.
package struct ProbeMachine: Equatable, Sendable {
  package enum State: String, Equatable, Sendable { case unknown, up, down }

  /// What the loop must do.
  package enum Directive: Equatable, Sendable {
    case send(UInt64)
    /// The answer is too late, or of no interest any more: stop waiting for it.
    case abandon(UInt64)
  }

  /// What became of a probe.
  package enum Evidence: Equatable, Sendable {
    case answered(roundTrip: Duration)
    case refused(String)
    case couldNotSend(String)
  }

  private struct Unanswered: Equatable, Sendable {
    var number: UInt64
    var sent: Instant
    var deadline: Instant
  }

  package private(set) var probe: Probe
  package private(set) var state: State = .unknown
  package private(set) var since: Instant
  package private(set) var window = ProbeWindow()
  /// In a row, since the last answer.
  package private(set) var lost = 0
  /// In a row, since the last loss.
  package private(set) var answered = 0
  /// In a row, since the last probe that left.
  package private(set) var unsent = 0
  /// Why the last probe was no answer.
  package private(set) var trouble: String?
  package private(set) var lastAnswer: Instant?

  private var usual = UsualRoundTrip()
  private var nextNumber: UInt64 = 1
  private var nextSend: Instant
  private var lastPrompt: Instant?
  /// Oldest first; never more than `fall` and one, since each has a deadline and suspicion stops there.
  private var waiting: [Unanswered] = []

  /// `phase` spreads probes of one interval, so that many do not leave at once: 0 up to the interval.
  package init(_ probe: Probe, at now: Instant, phase: Duration) {
    self.probe = probe
    since = now
    nextSend = now + phase
  }

  /// When `timePassed` must be called next.
  package var nextDeadline: Instant {
    var next = nextSend
    for unanswered in waiting { next = min(next, unanswered.deadline) }
    return suspicion.map { min(next, $0) } ?? next
  }

  /// When the newest probe has been waited for longer than usual. Nil where there is nothing to confirm: no probe is on
  /// its way, the verdict is made, or enough are on their way to make it.
  private var suspicion: Instant? {
    guard state == .up, let newest = waiting.last, lost + waiting.count < probe.fall else { return nil }
    // Two fifths: known sooner than by BFD at the same numbers, and a pause shorter than most of an interval moves nobody.
    let patience = max(usual.longest, probe.interval * 2 / 5)
    return patience < probe.interval ? newest.sent + patience : nil
  }

  /// Sends what is due and gives up what is late.
  package mutating func timePassed(to now: Instant) -> [Directive] {
    var directives: [Directive] = []
    while let late = waiting.first, late.deadline <= now {
      waiting.removeFirst()
      directives.append(.abandon(late.number))
      noAnswer("no answer in \(milliseconds(probe.timeout))", at: now)
    }
    if nextSend <= now {
      directives.append(send(at: now))
      // From the plan, not from now, so that the rate holds; a suspended thread does not send what it missed at once.
      nextSend = nextSend + probe.interval
      if nextSend <= now { nextSend = now + probe.interval }
    } else if let suspicion, suspicion <= now {
      directives.append(send(at: now))
      nextSend = now + probe.interval
    }
    return directives
  }

  private mutating func send(at now: Instant) -> Directive {
    let number = nextNumber
    nextNumber += 1
    waiting.append(Unanswered(number: number, sent: now, deadline: now + probe.timeout))
    return .send(number)
  }

  /// Something happened that may have changed the answer: the next probe is due now. Not more often than a fifth of the
  /// interval, whatever happens how often.
  package mutating func prompted(at now: Instant) {
    let soonest = (lastPrompt ?? now) + probe.interval / 5
    guard lastPrompt == nil || soonest <= now, nextSend > now else { return }
    lastPrompt = now
    nextSend = now
  }

  /// Another socket sends from now on. What the old one has sent cannot be answered any more, and is no loss of the path's.
  package mutating func socketChanged() { waiting.removeAll() }

  /// Something became of probe `number`. Late and unknown numbers are ignored.
  package mutating func came(_ evidence: Evidence, of number: UInt64, at now: Instant) -> [Directive] {
    guard let index = waiting.firstIndex(where: { $0.number == number }) else { return [] }
    waiting.remove(at: index)
    switch evidence {
    case .answered(let roundTrip):
      // What was sent before it is lost, but says nothing any more.
      let older = waiting.prefix(index).map(\.number)
      waiting.removeFirst(index)
      for _ in older { window.lost() }
      window.answered(roundTrip: roundTrip)
      usual.add(roundTrip)
      lost = 0
      unsent = 0
      answered = min(answered, Int(Int32.max)) + 1
      trouble = nil
      lastAnswer = now
      switch state {
      case .unknown: become(.up, at: now)
      case .down: if answered >= probe.rise { become(.up, at: now) }
      case .up: break
      }
      return older.map { .abandon($0) }
    case .refused(let why):
      noAnswer(why, at: now)
    case .couldNotSend(let why):
      unsent = min(unsent, Int(Int32.max)) + 1
      trouble = "could not be sent: \(why)"
      if unsent >= probe.fall && state != .unknown { become(.unknown, at: now) }
    }
    return []
  }

  private mutating func noAnswer(_ why: String, at now: Instant) {
    window.lost()
    answered = 0
    unsent = 0
    lost = min(lost, Int(Int32.max)) + 1
    trouble = why
    switch state {
    case .up, .unknown: if lost >= probe.fall { become(.down, at: now) }
    case .down: break
    }
  }

  private mutating func become(_ new: State, at now: Instant) {
    state = new
    since = now
  }

  private func milliseconds(_ duration: Duration) -> String { "\(duration.nanoseconds / 1_000_000) ms" }
}

/// How long answers take, smoothed as TCP does it (RFC 6298 section 2).
private struct UsualRoundTrip: Equatable, Sendable {
  private var mean: Duration?
  private var deviation: Duration = .zero

  mutating func add(_ roundTrip: Duration) {
    guard let mean else {
      self.mean = roundTrip
      deviation = roundTrip / 2
      return
    }
    let difference = roundTrip > mean ? roundTrip - mean : mean - roundTrip
    deviation = deviation * 3 / 4 + difference / 4
    self.mean = mean * 7 / 8 + roundTrip / 8
  }

  /// An answer later than this is later than usual; zero before the first answer.
  var longest: Duration { mean.map { $0 + deviation * 4 } ?? .zero }
}
