/// What really happened to the last probes of one target, not what the machine thinks happened.
struct Ledger {
  struct Sent {
    let number: UInt64
    let at: Nanoseconds
    /// The end of its timeout.
    let deadline: Nanoseconds
    /// An answer that has arrived by then never counts as missed.
    let prompt: Nanoseconds
    /// When its answer, or a refusal, arrives at this host.
    var arrival = never
    var isRefusal = false
    /// When the agent took it.
    var taken = Moment.never
    /// When the agent gave it up.
    var abandoned = Moment.never
    /// Its socket was closed when it was already late.
    var isVoid = false

    /// There is an answer, and it arrived in time, whenever a suspended agent reads it.
    var isAnswered: Bool { !isRefusal && arrival <= deadline }
  }

  /// An agent that wakes does many things at one time, one after another.
  struct Moment: Comparable {
    let time: Nanoseconds
    let order: Int
    static let never = Moment(time: .max, order: .max)
    static func < (left: Self, right: Self) -> Bool { (left.time, left.order) < (right.time, right.order) }
  }

  /// More than any `fall` and `rise` plus everything that may be in flight. A ring, the newest at `count - 1`.
  private static let capacity = 32
  private var ring: [Sent] = []
  private var count = 0
  private var moments = 0
  /// When the agent last took an answer; or could not send; or began. By the clock that stops while it sleeps.
  private(set) var lastSign: Nanoseconds = 0
  private var lastRoundTrip: Nanoseconds = 0
  private var lastAnswer: Nanoseconds = -1
  /// It was, since its machine was made.
  private(set) var wasAnswered = false

  init() { ring.reserveCapacity(Self.capacity) }

  mutating func begin(awake: Nanoseconds) {
    ring.removeAll(keepingCapacity: true)
    count = 0
    lastSign = awake
    lastRoundTrip = 0
    lastAnswer = -1
    wasAnswered = false
  }

  /// The lack of an answer so far proves nothing.
  mutating func excuse(awake: Nanoseconds) { lastSign = max(lastSign, awake) }

  mutating func sent(_ sent: Sent) {
    if ring.count < Self.capacity { ring.append(sent) } else { ring[count % Self.capacity] = sent }
    count += 1
  }

  private func index(of number: UInt64) -> Int? {
    for back in 1...Self.capacity where back <= count {
      let index = (count - back) % Self.capacity
      if ring[index].number == number { return index }
    }
    return nil
  }

  /// When the N-th last was sent; nil if there were fewer.
  func sentAt(back: Int) -> Nanoseconds? {
    back <= min(count, ring.count) ? ring[(count - back) % Self.capacity].at : nil
  }

  mutating func taken(_ number: UInt64, _ arrival: Arrival, at now: Nanoseconds, awake: Nanoseconds) {
    if case .couldNotSend = arrival { lastSign = awake }
    guard let index = index(of: number), ring[index].taken == .never else { return }
    ring[index].taken = moment(now)
    guard case .answered(let roundTrip) = arrival, ring[index].abandoned == .never || ring[index].isAnswered else {
      return
    }
    lastSign = awake
    // One that was given up for a newer answer is not looked at.
    guard ring[index].abandoned == .never else { return }
    lastRoundTrip = roundTrip
    lastAnswer = now
    wasAnswered = true
  }

  mutating func abandoned(_ number: UInt64, at now: Nanoseconds) {
    guard let index = index(of: number), ring[index].abandoned == .never else { return }
    ring[index].abandoned = moment(now)
  }

  private mutating func moment(_ now: Nanoseconds) -> Moment {
    moments += 1
    return Moment(time: now, order: moments)
  }

  /// Probes in flight are void, except those that are already late.
  mutating func forget(since now: Nanoseconds) {
    let oldest = ring.count == Self.capacity ? count % Self.capacity : 0
    ring = (ring[oldest...] + ring[..<oldest]).compactMap { sent in
      if min(sent.taken, sent.abandoned).time <= now { return sent }
      guard sent.prompt <= now, !isPrompt(sent) else { return nil }
      var sent = sent
      sent.abandoned = moment(now)
      sent.isVoid = true
      return sent
    }
    count = ring.count
  }

  private enum Result {
    case success, failure
    /// Late, but a sleeping agent found it before it looked at the clock: either is possible.
    case either
    /// Late, but it may still be answered; or too late, but an agent that has just woken may not know yet; or failed,
    /// but an older one was answered after failure became likely.
    case pending
  }

  /// The results so far, the newest first. A probe that a newer answer made irrelevant is not a result.
  private func results(at now: Nanoseconds) -> [Result] {
    var results: [(at: Moment, Result)] = []
    // When the first answer to a newer probe was taken.
    var newer = Moment.never
    for back in 1...Self.capacity where back <= count {
      let sent = ring[(count - back) % Self.capacity]
      let end = min(sent.taken, sent.abandoned)
      let isOver = end.time <= now
      let isAnswer = isOver && sent.taken < sent.abandoned && !sent.isRefusal
      defer { if isAnswer { newer = min(newer, sent.taken) } }
      if !isAnswer && newer < end && newer.time <= now { continue }
      if sent.isVoid || (isOver && !isAnswer && sent.at < lastAnswer && !sent.isAnswered) {
        results.append((end, .pending))
      } else if isOver {
        results.append((end, sent.isAnswered ? .success : isAnswer ? .either : .failure))
      } else if sent.prompt <= now && !isPrompt(sent) {
        results.append((Moment(time: now, order: .max), .pending))
      }
    }
    results.sort { $0.at > $1.at }
    return results.map(\.1)
  }

  /// A machine that keeps its promises does not miss its answer.
  private func isPrompt(_ sent: Sent) -> Bool {
    sent.isAnswered && sent.arrival <= max(sent.prompt, sent.at + lastRoundTrip)
  }

  /// How many probes in a row have failed by now. `surely`: in the agent's favour wherever there is a choice.
  func failures(at now: Nanoseconds, surely: Bool = false) -> Int {
    let results = results(at: now)
    return surely
      ? results.filter { $0 != .pending }.prefix { $0 == .failure }.count
      : results.prefix { $0 != .success }.count
  }

  /// The minimum silence that probes have shown so far: from the first one sent after the last answer to the last one.
  /// `surely`: to the last one that can no longer be answered, and without the first `rehearsed`, which may not have
  /// counted.
  func silence(at now: Nanoseconds, surely: Bool = false, rehearsed: Int = 0) -> Nanoseconds {
    // The newest first.
    var missed: [Nanoseconds] = []
    for back in 1...Self.capacity where back <= count {
      let sent = ring[(count - back) % Self.capacity]
      if sent.taken < sent.abandoned && sent.taken.time <= now && !sent.isRefusal { break }
      // Probes of a socket that was rebound do not count as lost, and so not as silence.
      if surely && (sent.isVoid || sent.isAnswered || min(sent.taken, sent.abandoned).time > now) { continue }
      missed.append(sent.at)
    }
    missed.removeLast(min(rehearsed, missed.count))
    return (missed.first ?? now) - (missed.last ?? now)
  }

  /// How many in a row were answered, in the agent's favour wherever there is a choice.
  func successes(at now: Nanoseconds) -> Int {
    results(at: now).filter { $0 != .pending }.prefix { $0 != .failure }.count
  }
}
