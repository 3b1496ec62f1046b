/// One probe over time: when to send, when to stop waiting, and what the answers say. No socket and no clock.
///
///     unknown ──answer──▶ up ◀──rise answers in a row── down
///        │                 │                             ▲
///        └─fall losses in a row──────────────────────────┘
///
/// The first answer ever is enough for `up`: a router that boots has no reason to distrust it. A probe that could not be
/// sent is neither an answer nor a loss; after `fall` of them in a row the verdict is `unknown`, never `down`.
package struct ProbeMachine: Equatable, Sendable {
  package enum State: String, Equatable, Sendable { case unknown, up, down }

  /// What the loop must do.
  package enum Directive: Equatable, Sendable {
    case send(UInt64)
    /// The answer is too late: stop waiting for it.
    case abandon(UInt64)
  }

  /// What became of a probe.
  package enum Evidence: Equatable, Sendable {
    case answered(roundTrip: Duration)
    case refused(String)
    case couldNotSend(String)
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

  private var nextNumber: UInt64 = 1
  private var nextSend: Instant
  private var waiting: (number: UInt64, deadline: Instant)?

  /// `phase` spreads probes of one interval, so that many do not leave at once: 0 up to the interval.
  package init(_ probe: Probe, at now: Instant, phase: Duration) {
    self.probe = probe
    since = now
    nextSend = now + phase
  }

  package static func == (left: Self, right: Self) -> Bool {
    left.probe == right.probe && left.state == right.state && left.since == right.since && left.window == right.window
      && left.lost == right.lost && left.answered == right.answered && left.unsent == right.unsent
      && left.nextNumber == right.nextNumber && left.nextSend == right.nextSend
      && left.waiting?.number == right.waiting?.number
  }

  /// When `timePassed` must be called next.
  package var nextDeadline: Instant {
    guard let waiting else { return nextSend }
    return min(waiting.deadline, nextSend)
  }

  /// Sends what is due and gives up what is late.
  package mutating func timePassed(to now: Instant) -> [Directive] {
    var directives: [Directive] = []
    if let late = waiting, late.deadline <= now {
      waiting = nil
      directives.append(.abandon(late.number))
      noAnswer("no answer in \(milliseconds(probe.timeout))", at: now)
    }
    if nextSend <= now {
      if let unanswered = waiting {  // timeout == interval
        waiting = nil
        directives.append(.abandon(unanswered.number))
        noAnswer("no answer in \(milliseconds(probe.timeout))", at: now)
      }
      directives.append(.send(nextNumber))
      waiting = (nextNumber, now + probe.timeout)
      nextNumber += 1
      // From the plan, not from now, so that the rate holds; a suspended thread does not send what it missed at once.
      nextSend = nextSend + probe.interval
      if nextSend <= now { nextSend = now + probe.interval }
    }
    return directives
  }

  /// Something became of probe `number`. Late and unknown numbers are ignored.
  package mutating func came(_ evidence: Evidence, of number: UInt64, at now: Instant) {
    guard let current = waiting, current.number == number else { return }
    waiting = nil
    switch evidence {
    case .answered(let roundTrip):
      window.answered(roundTrip: roundTrip)
      lost = 0
      unsent = 0
      answered += 1
      trouble = nil
      lastAnswer = now
      switch state {
      case .unknown: become(.up, at: now)
      case .down: if answered >= probe.rise { become(.up, at: now) }
      case .up: break
      }
    case .refused(let why):
      noAnswer(why, at: now)
    case .couldNotSend(let why):
      unsent += 1
      trouble = "could not be sent: \(why)"
      if unsent >= probe.fall && state != .unknown { become(.unknown, at: now) }
    }
  }

  private mutating func noAnswer(_ why: String, at now: Instant) {
    window.lost()
    answered = 0
    unsent = 0
    lost += 1
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
