/// What really became of the last probes of one target that left this router: not what the machine makes of it.
struct Ledger {
  struct Sent {
    let number: UInt64
    let at: Nanoseconds
    /// The end of its timeout.
    let deadline: Nanoseconds
    /// An answer that is here by then is never missed.
    let prompt: Nanoseconds
    /// When its answer, or a refusal, is at this host.
    var arrival = never
    var isRefusal = false
    /// When the agent took it.
    var taken = Moment.never
    /// When the agent gave it up.
    var abandoned = Moment.never
    /// Its socket was closed when it was late already.
    var isVoid = false

    /// There is an answer, and it is here in time: whenever a suspended agent takes it.
    var isAnswered: Bool { !isRefusal && arrival <= deadline }
  }

  /// An agent that wakes does many things at one time, one after another.
  struct Moment: Comparable {
    let time: Nanoseconds
    let order: Int
    static let never = Moment(time: .max, order: .max)
    static func < (left: Self, right: Self) -> Bool { (left.time, left.order) < (right.time, right.order) }
  }

  /// More than any `fall` and `rise` with all that may be on its way. A ring, the newest at `count - 1`.
  private static let capacity = 32
  private var ring: [Sent] = []
  private var count = 0
  private var moments = 0
  /// When the agent last took an answer; or could not send; or began. By the clock that stands still while it sleeps.
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

  /// That there was no answer until now says nothing.
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

  /// When the so-many-th last was sent; nil where there were fewer.
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

  /// What is on its way is void, but for what is late already.
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
    /// Late, but a sleeping agent found it before it looked at the clock: the one or the other.
    case either
    /// Late, and there may still be an answer to it; or too late, and an agent that has just woken may not know yet; or
    /// failed, and an older one was answered after that became likely.
    case pending
  }

  /// What has come out by now, the newest first. A probe that a newer one's answer made uninteresting is no result.
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

  /// Its answer is not missed by a machine that keeps what it promises.
  private func isPrompt(_ sent: Sent) -> Bool {
    sent.isAnswered && sent.arrival <= max(sent.prompt, sent.at + lastRoundTrip)
  }

  /// How many probes in a row have failed by now. `surely`: whatever one may see as the agent likes.
  func failures(at now: Nanoseconds, surely: Bool = false) -> Int {
    let results = results(at: now)
    return surely
      ? results.filter { $0 != .pending }.prefix { $0 == .failure }.count
      : results.prefix { $0 != .success }.count
  }

  /// How long it was silent at least, as far as probes have shown it by now: from the first that was sent after what was last
  /// answered to the last one. `surely`: to the last one that cannot be answered any more, and without the first `rehearsed`,
  /// which may have been none of the row.
  func silence(at now: Nanoseconds, surely: Bool = false, rehearsed: Int = 0) -> Nanoseconds {
    // The newest first.
    var missed: [Nanoseconds] = []
    for back in 1...Self.capacity where back <= count {
      let sent = ring[(count - back) % Self.capacity]
      if sent.taken < sent.abandoned && sent.taken.time <= now && !sent.isRefusal { break }
      // What a socket had sent that was bound anew is no loss, and so no silence.
      if surely && (sent.isVoid || sent.isAnswered || min(sent.taken, sent.abandoned).time > now) { continue }
      missed.append(sent.at)
    }
    missed.removeLast(min(rehearsed, missed.count))
    return (missed.first ?? now) - (missed.last ?? now)
  }

  /// How many in a row were answered, if one sees it as the agent likes.
  func successes(at now: Nanoseconds) -> Int {
    results(at: now).filter { $0 != .pending }.prefix { $0 != .failure }.count
  }
}
