internal import RuleSets
import Testing

@testable import Core

private func probe(
  interval: Int = 100, timeout: Int = 80, fall: Int = 3, patience: Int? = nil, rise: Int = 3
) throws -> Probe {
  Probe(
    name: try #require(Name("ping")), path: try #require(Name("hub")),
    kind: .icmp(target: IPv4Address(value: 0x0a01_0102)), interval: .milliseconds(interval),
    timeout: .milliseconds(timeout), fall: fall, patience: patience.map { .milliseconds($0) }, rise: rise)
}

private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: Int64(milliseconds) * 1_000_000) }

@Suite struct ProbeMachineTests {
  @Test func theFirstAnswerIsEnough() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    #expect(machine.timePassed(to: at(0)) == [.send(1)])
    #expect(machine.state == .unknown)
    _ = machine.came(.answered(roundTrip: .milliseconds(7)), of: 1, at: at(7))
    #expect(machine.state == .up)
    #expect(machine.window.roundTrip?.last == .milliseconds(7))
  }

  /// Runs a machine whose probes all go unanswered, and returns when each was sent and when the verdict fell.
  private func silence(_ machine: inout ProbeMachine, from start: Instant) -> (sent: [Instant], down: Instant?) {
    var sent: [Instant] = []
    var now = start
    for _ in 0..<100 {
      now = max(now, machine.nextDeadline)
      for directive in machine.timePassed(to: now) { if case .send = directive { sent.append(now) } }
      if machine.state == .down { return (sent, now) }
    }
    return (sent, nil)
  }

  /// The machine when one probe was answered in a millisecond, and the rehearsal that follows it too: up since 1 ms, the
  /// next probe due an interval after the first.
  private func answered(_ probe: Probe) -> ProbeMachine {
    var machine = ProbeMachine(probe, at: at(0), phase: .zero)
    var now = at(0)
    while now < at(0) + probe.interval {
      for case .send(let number) in machine.timePassed(to: now) {
        _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: number, at: now + .milliseconds(1))
      }
      now = machine.nextDeadline
    }
    return machine
  }

  /// The number that the next probe will have.
  private func next(_ machine: ProbeMachine) -> UInt64 { UInt64(machine.sentInAll) + 1 }

  @Test func downAfterFallLossesAndNotBefore() throws {
    var machine = answered(try probe())
    let (sent, down) = silence(&machine, from: at(1))
    #expect(sent.prefix(3) == [at(100), at(120), at(130)], "confirmed at once, not at each probe's turn")
    #expect(down == at(170), "the third probe has had two fifths of the interval")
    #expect(machine.lost == 3)
  }

  @Test func aPathThatIsProbedEachSecondIsLeftSoon() throws {
    for fall in 1...5 {
      var machine = answered(try probe(interval: 1_000, timeout: 800, fall: fall))
      let (sent, down) = silence(&machine, from: at(1))
      #expect(sent.count == fall, "not one probe more than the verdict needs")
      #expect(
        down == at(1_000 + 100 * (fall - 1) + 150), "a tenth of a second for each, and 150 ms for the last answer")
    }
  }

  @Test func anAnswerThatIsLateButWithinItsTimeoutEndsTheSuspicion() throws {
    var machine = answered(try probe(interval: 1_000, timeout: 800, fall: 3))
    let first = next(machine)
    #expect(machine.timePassed(to: at(1_000)) == [.send(first)])
    #expect(machine.timePassed(to: at(1_050)).isEmpty)
    #expect(machine.timePassed(to: at(1_100)) == [.send(first + 1)])
    #expect(machine.timePassed(to: at(1_150)).isEmpty)
    #expect(machine.lost == 1)
    _ = machine.came(.answered(roundTrip: .milliseconds(160)), of: first, at: at(1_160))
    #expect(machine.lost == 0)
    #expect(machine.state == .up)
    #expect(machine.window.loss == 0)
  }

  @Test func aPathThatBecomesSlowIsNotLeftForIt() throws {
    var machine = answered(try probe(interval: 1_000, timeout: 800, fall: 3))
    var arriving: [(at: Instant, number: UInt64)] = []
    var now = at(1)
    for _ in 0..<200 {
      let next = arriving.first.map { min($0.at, machine.nextDeadline) } ?? machine.nextDeadline
      now = max(now, next)
      if let first = arriving.first, first.at <= now {
        arriving.removeFirst()
        _ = machine.came(.answered(roundTrip: .milliseconds(140)), of: first.number, at: now)
      }
      for case .send(let number) in machine.timePassed(to: now) { arriving.append((now + .milliseconds(140), number)) }
      #expect(machine.state == .up)
    }
    #expect(machine.window.loss == 0)
  }

  /// What is sent until then on a path that answers each probe after this delay.
  private func sent(_ machine: inout ProbeMachine, until end: Instant, answering delay: Duration) -> Int {
    var arriving: [(at: Instant, number: UInt64)] = []
    var sent = 0
    var now = at(1)
    while now < end {
      now = max(now, min(arriving.first?.at ?? end, machine.nextDeadline))
      while let first = arriving.first, first.at <= now {
        arriving.removeFirst()
        _ = machine.came(.answered(roundTrip: delay), of: first.number, at: now)
      }
      for case .send(let number) in machine.timePassed(to: now) {
        sent += 1
        arriving.append((now + delay, number))
      }
    }
    return sent
  }

  @Test func aPathThatBecomesSlowIsAskedMoreOnlyUntilThatIsUsual() throws {
    var machine = answered(try probe(interval: 500, timeout: 400, fall: 5))
    let first = sent(&machine, until: at(2_000), answering: .milliseconds(122))
    #expect(first <= 12)
    let then = sent(&machine, until: at(12_000), answering: .milliseconds(122))
    #expect(then <= 21, "confirmations of confirmations would go on for ever")
    #expect(machine.state == .up)
  }

  @Test func whatWasMissedAndThenRefusedIsOneLoss() throws {
    var machine = answered(try probe(interval: 1_000, timeout: 800, fall: 3))
    let first = next(machine)
    #expect(machine.timePassed(to: at(1_000)) == [.send(first)])
    #expect(machine.timePassed(to: at(1_150)) == [.send(first + 1)])
    #expect(machine.lost == 1)
    #expect(machine.trouble == "no answer in 150 ms")
    _ = machine.came(.refused("Host unreachable"), of: first, at: at(1_160))
    #expect(machine.lost == 1)
    #expect(machine.trouble == "Host unreachable", "late, and yet it says more than silence")
  }

  @Test func whatSomebodySaidOutranksSilenceAsLongAsItIsOfNow() throws {
    var machine = answered(try probe(interval: 1_000, timeout: 800, fall: 3))
    let first = next(machine)
    _ = machine.timePassed(to: at(1_000))
    _ = machine.came(.refused("Host unreachable"), of: first, at: at(1_001))
    for lost in 2...7 {
      while machine.lost < lost { _ = machine.timePassed(to: machine.nextDeadline) }
      #expect((machine.trouble == "Host unreachable") == (lost <= 3), "\(lost) lost")
    }
  }

  @Test func aProbeThatIsNeverAnsweredBreaksTheRowOfAnswers() throws {
    var machine = answered(try probe(interval: 200, timeout: 160, fall: 2, rise: 4))
    let first = next(machine)
    #expect(machine.timePassed(to: at(200)) == [.send(first)])
    #expect(machine.timePassed(to: at(250)) == [.send(first + 1)])
    _ = machine.timePassed(to: at(330))
    #expect(machine.state == .down)
    // The first comes after all, the second never.
    _ = machine.came(.answered(roundTrip: .milliseconds(150)), of: first, at: at(350))
    #expect(machine.answered == 1)
    _ = machine.timePassed(to: at(410))
    #expect(machine.answered == 0)
  }

  @Test func aRefusalIsConfirmedAtOnce() throws {
    var machine = answered(try probe(interval: 1_000, timeout: 800, fall: 3))
    var now = at(1_000)
    for _ in 1...3 {
      let number = next(machine)
      #expect(machine.timePassed(to: now) == [.send(number)])
      _ = machine.came(.refused("Host unreachable"), of: number, at: now)
      now = machine.nextDeadline
    }
    #expect(machine.state == .down)
    #expect(machine.since == at(1_200), "not before its patience is over")
  }

  @Test func withoutSuspicionNoProbeMoreIsSentThanTheIntervalSays() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    var sent = 0
    var now = at(0)
    while now < at(10_000) {
      now = machine.nextDeadline
      for directive in machine.timePassed(to: now) {
        guard case .send(let number) = directive else { continue }
        sent += 1
        _ = machine.came(.answered(roundTrip: .milliseconds(20)), of: number, at: now + .milliseconds(20))
      }
    }
    #expect(sent == 103, "and the two of the rehearsal")
  }

  @Test func aSlowPathIsNotSuspectedForBeingSlow() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    var now = at(0)
    var early = 0
    for _ in 0..<50 {
      let due = machine.nextDeadline
      early += due - now < .milliseconds(90) && now > at(1_000) ? 1 : 0
      now = due
      for directive in machine.timePassed(to: now) {
        guard case .send(let number) = directive else { continue }
        // The answer takes 60 ms, more than two fifths of the interval.
        let suspected = machine.nextDeadline < now + .milliseconds(60)
        if now > at(1_000) { #expect(!suspected, "60 ms is usual here") }
        _ = machine.came(.answered(roundTrip: .milliseconds(60)), of: number, at: now + .milliseconds(60))
      }
    }
    #expect(early == 0)
    #expect(machine.state == .up)
  }

  @Test func aLateAnswerWithinTheTimeoutEndsTheSuspicion() throws {
    var machine = answered(try probe())
    let first = next(machine)
    #expect(machine.timePassed(to: at(100)) == [.send(first)])
    #expect(machine.timePassed(to: at(120)) == [.send(first + 1)])
    #expect(machine.came(.answered(roundTrip: .milliseconds(25)), of: first, at: at(125)).isEmpty)
    #expect(machine.came(.answered(roundTrip: .milliseconds(6)), of: first + 1, at: at(126)).isEmpty)
    #expect(machine.lost == 0)
    #expect(machine.window.loss == 0)
    #expect(machine.nextDeadline == at(220))
  }

  @Test func anAnswerMakesOlderProbesUninteresting() throws {
    var machine = answered(try probe())
    let first = next(machine)
    _ = machine.timePassed(to: at(100))
    _ = machine.timePassed(to: at(120))
    #expect(machine.came(.answered(roundTrip: .milliseconds(1)), of: first + 1, at: at(121)) == [.abandon(first)])
    #expect(machine.lost == 0)
    #expect(machine.window.count == 3)
  }

  @Test func upAgainAfterRiseAnswers() throws {
    var machine = ProbeMachine(try probe(fall: 1, rise: 2), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.timePassed(to: at(80))
    #expect(machine.state == .down)
    _ = machine.timePassed(to: at(100))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 2, at: at(101))
    #expect(machine.state == .down)
    _ = machine.timePassed(to: at(200))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 3, at: at(201))
    #expect(machine.state == .up)
  }

  @Test func aLateAnswerIsIgnored() throws {
    var machine = ProbeMachine(try probe(fall: 1), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.timePassed(to: at(80))
    _ = machine.came(.answered(roundTrip: .milliseconds(90)), of: 1, at: at(90))
    #expect(machine.state == .down)
    #expect(machine.answered == 0)
  }

  @Test func whatCouldNotBeSentIsNotLost() throws {
    var machine = answered(try probe(fall: 2))
    for round in 1...5 {
      let number = next(machine)
      _ = machine.timePassed(to: at(round * 100))
      _ = machine.came(.couldNotSend("no buffer"), of: number, at: at(round * 100))
      #expect(machine.state != .down)
    }
    #expect(machine.state == .unknown)
    #expect(machine.window.loss == 0)
  }

  @Test func silenceThatOurOwnTroubleExplainsIsNotALoss() throws {
    var machine = answered(try probe(fall: 2))
    machine.hindrance = "the connection tracking table is full"
    for _ in 0..<20 { _ = machine.timePassed(to: machine.nextDeadline) }
    #expect(machine.state == .unknown)
    #expect(machine.lost == 0)
    #expect(machine.window.loss == 0)
    #expect(machine.trouble == "could not be sent: the connection tracking table is full")
    machine = answered(try probe(fall: 2))
    machine.hindrance = "the connection tracking table is full"
    for _ in 0..<2 {
      let number = next(machine)
      var due = machine.nextDeadline
      while machine.timePassed(to: due) != [.send(number)] { due = machine.nextDeadline }
      _ = machine.came(.refused("Host unreachable"), of: number, at: due)
    }
    #expect(machine.state == .down, "somebody has said so")
  }

  @Test func whatAClosedSocketHasSentDoesNotCountAsLost() throws {
    var machine = ProbeMachine(try probe(fall: 1), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: at(1))
    #expect(machine.timePassed(to: at(100)) == [.send(2)])
    machine.socketChanged()
    #expect(machine.timePassed(to: at(200)) == [.send(3)])
    #expect(machine.state == .up)
    #expect(machine.window.loss == 0)
  }

  @Test func aSuspendedThreadDoesNotSendWhatItMissed() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    #expect(machine.timePassed(to: at(5_000)) == [.abandon(1), .send(2)])
    #expect(machine.lost == 1, "one probe was lost, not fifty")
    #expect(machine.nextDeadline == at(5_080))
  }

  // MARK: Prompts

  /// Up since 1 ms, next probe due at 100 ms, and no probe in flight since 21 ms.
  private func up() throws -> ProbeMachine { answered(try probe()) }

  @Test func aPromptMakesTheNextProbeDue() throws {
    var machine = try up()
    let first = next(machine)
    machine.prompted(at: at(30))
    #expect(machine.nextDeadline == at(30))
    #expect(machine.state == .up, "the verdict is the probes'")
    #expect(machine.timePassed(to: at(30)) == [.send(first)])
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: first, at: at(31))
    #expect(machine.nextDeadline == at(130), "an interval after it, as ever")
  }

  @Test func promptsAreTakenAFifthOfTheIntervalApart() throws {
    var machine = try up()
    var sent = 0
    for now in 30..<110 {
      machine.prompted(at: at(now))
      for case .send(let number) in machine.timePassed(to: at(now)) {
        sent += 1
        _ = machine.came(.answered(roundTrip: .zero), of: number, at: at(now))
      }
    }
    #expect(sent == 4, "at 30, 50, 70 and 90 ms")
  }

  @Test func aPromptDelaysNoProbeThatIsDue() throws {
    var machine = try up()
    machine.prompted(at: at(150))
    #expect(machine.nextDeadline == at(100))
    machine = try up()
    machine.prompted(at: at(30))
    machine.prompted(at: at(5_000))
    #expect(machine.nextDeadline == at(30))
  }

  @Test func promptsMakeNoLossOfProbesThatAreOnTheirWay() throws {
    var machine = try up()
    let first = next(machine)
    machine.prompted(at: at(30))
    #expect(machine.timePassed(to: at(30)) == [.send(first)])
    machine.prompted(at: at(50))
    #expect(machine.timePassed(to: at(50)) == [.send(first + 1)])
    #expect(machine.came(.answered(roundTrip: .milliseconds(50)), of: first, at: at(80)).isEmpty)
    #expect(machine.lost == 0)
    #expect(machine.came(.answered(roundTrip: .milliseconds(50)), of: first + 1, at: at(100)).isEmpty)
    #expect(machine.window.loss == 0)
  }

  @Test func aDeadPathIsKnownSoonerByPromptsAndNotByFewerLosses() throws {
    var machine = try up()
    machine.prompted(at: at(30))
    let (sent, down) = silence(&machine, from: at(30))
    #expect(sent.first == at(30))
    #expect(machine.lost == 3)
    #expect(down == at(100), "30, 50 and 60 ms, and two fifths of an interval without an answer to the last one")
  }

  @Test func whatStartsOverTrustsTheFirstAnswer() throws {
    var machine = ProbeMachine(try probe(), at: at(0), phase: .zero)
    let (_, down) = silence(&machine, from: at(0))
    let now = try #require(down)
    machine.begun(at: now)
    #expect(machine.state == .unknown)
    #expect(machine.lost == 0)
    let due = machine.nextDeadline
    guard case .send(let number)? = machine.timePassed(to: due).last else {
      Issue.record("nothing is sent")
      return
    }
    _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: number, at: due + .milliseconds(1))
    #expect(machine.state == .up)
    let before = machine
    machine.begun(at: due + .milliseconds(2))
    #expect(machine == before, "what is up has begun")
  }

  @Test func timeoutAsLongAsTheIntervalLosesNone() throws {
    var machine = ProbeMachine(try probe(interval: 100, timeout: 100), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    #expect(machine.timePassed(to: at(100)) == [.abandon(1), .send(2)])
    #expect(machine.lost == 1)
  }
}

/// How much loss is tolerated, and how long a dead path then takes to be left: the table in etc/rule-set.md.
@Suite struct PatienceTests {
  /// A target on a line that is cut at times, on a virtual clock. Answers take 10 ms.
  private struct Bench {
    var machine: ProbeMachine
    var gaps: [(from: Instant, to: Instant)] = []
    /// Whether the target answers one that arrives at this instant.
    var answers: (Instant) -> Bool = { _ in true }
    private(set) var sent: [Instant] = []
    private(set) var downAt: [Instant] = []
    private var arriving: [(at: Instant, number: UInt64)] = []

    init(_ probe: Probe) { machine = ProbeMachine(probe, at: at(0), phase: .zero) }

    mutating func run(until end: Instant) {
      while true {
        let next = min(arriving.first?.at ?? end, machine.nextDeadline)
        guard next < end else { return }
        let before = machine.state
        if let first = arriving.first, first.at <= next {
          arriving.removeFirst()
          _ = machine.came(.answered(roundTrip: .milliseconds(10)), of: first.number, at: next)
        } else {
          for case .send(let number) in machine.timePassed(to: next) { send(number, at: next) }
        }
        if before == .up && machine.state == .down { downAt.append(next) }
      }
    }

    private mutating func send(_ number: UInt64, at now: Instant) {
      sent.append(now)
      let arrival = now + .milliseconds(10)
      let isCut = gaps.contains { $0.from <= arrival && now < $0.to }
      if !isCut && answers(now) { arriving.append((arrival, number)) }
    }
  }

  @Test(
    "gaps that are tolerated, wherever they fall",
    arguments: [
      (nil, 5, 300), (0, 5, 80), (200, 5, 180), (1_000, 5, 980),
      (5_000, 5, 3_000), (5_000, 1, 4_980), (nil, 100, 9_000), (nil, 10, 880),
    ] as [(Int?, Int, Int)])
  func gaps(_ patience: Int?, _ fall: Int, _ gap: Int) throws {
    for offset in stride(from: 0, to: 1_000, by: 7) {
      var bench = Bench(try probe(interval: 1_000, timeout: 800, fall: fall, patience: patience))
      let begin = 30_000 + offset
      bench.gaps = [(at(begin), at(begin + gap))]
      bench.run(until: at(begin + 60_000))
      #expect(bench.downAt.isEmpty, "\(offset) ms after a probe")
    }
  }

  /// The longest and shortest time from the cut to the verdict.
  @Test(
    "a dead path is left",
    arguments: [
      (1_000, 5, nil, 550), (1_000, 3, nil, 350), (1_000, 5, 0, 275), (1_000, 5, 200, 350), (1_000, 5, 1_000, 1_150),
      (1_000, 5, 5_000, 5_150), (1_000, 100, nil, 10_050), (100, 3, nil, 70), (100, 5, nil, 90), (5_000, 3, nil, 350),
    ] as [(Int, Int, Int?, Int)])
  func death(_ interval: Int, _ fall: Int, _ patience: Int?, _ milliseconds: Int) throws {
    var longest: Duration = .zero
    for offset in stride(from: 0, to: interval, by: max(1, interval / 50)) {
      var bench = Bench(try probe(interval: interval, timeout: min(interval, 800), fall: fall, patience: patience))
      let cut = at(30_000 + offset)
      bench.gaps = [(cut, at(1_000_000))]
      bench.run(until: at(200_000))
      let down = try #require(bench.downAt.first)
      let first = try #require(bench.sent.first { $0 + .milliseconds(10) >= cut })
      #expect(down - first <= .milliseconds(milliseconds))
      longest = max(longest, down - first)
    }
    #expect(longest == .milliseconds(milliseconds), "from the first probe that is lost")
  }

  /// A token bucket, like nftables' `limit rate 2/second burst 2 packets`: dropped packets take no token.
  private func policer(_ perSecond: Double, burst: Double) -> (Instant) -> Bool {
    final class Bucket { var tokens: Double; var last = at(0); init(_ tokens: Double) { self.tokens = tokens } }
    let bucket = Bucket(burst)
    return { now in
      bucket.tokens = min(burst, bucket.tokens + (now - bucket.last).inSeconds * perSecond)
      bucket.last = now
      guard bucket.tokens >= 1 else { return false }
      bucket.tokens -= 1
      return true
    }
  }

  @Test("one lost ping of a target that polices pings does not bring the path down", arguments: [1.0, 2, 4])
  func policed(_ burst: Double) throws {
    for loss in stride(from: 5_000, to: 200_000, by: 997) {
      var bench = Bench(try probe(interval: 1_000, timeout: 800, fall: 5))
      let police = policer(2, burst: burst)
      var hasLost = false
      bench.answers = { now in
        let passes = police(now)
        if now >= at(loss) && !hasLost {
          hasLost = true
          return false
        }
        return passes
      }
      bench.run(until: at(loss + 20_000))
      #expect(bench.downAt.isEmpty, "lost at \(loss) ms")
      #expect(bench.machine.state == .up)
    }
  }

  @Test func oneThatPolicesIsFoundDeadAnyway() throws {
    var bench = Bench(try probe(interval: 1_000, timeout: 800, fall: 5))
    bench.answers = policer(2, burst: 1)
    bench.gaps = [(at(100_000), at(1_000_000))]
    bench.run(until: at(110_000))
    let down = try #require(bench.downAt.first)
    #expect(down - at(100_000) <= .milliseconds(5_200), "no later than its probes in turn would show it")
  }

  @Test func oneThatAnswersAllIsAskedAFewTimesMoreOnceAndNeverAgain() throws {
    var bench = Bench(try probe(interval: 1_000, timeout: 800, fall: 5))
    bench.run(until: at(2_000_500))
    #expect(bench.sent.count == 2_001 + 4)
    #expect(bench.machine.confirmation == .milliseconds(100))
    #expect(bench.machine.window.loss == 0)
  }

  @Test func whatARehearsalLosesDoesNotCountForThePath() throws {
    var bench = Bench(try probe(interval: 1_000, timeout: 800, fall: 5))
    bench.answers = policer(1.1, burst: 1)
    bench.run(until: at(600_000))
    #expect(bench.downAt.isEmpty)
    #expect(bench.machine.window.loss == 0)
    #expect(bench.machine.confirmation == .seconds(1), "a probe a second is what it bears")
    #expect(bench.sent.count < 700)
  }

  @Test func aPathWhoseOtherProbeIsAnsweredIsInNoHaste() throws {
    var bench = Bench(try probe(interval: 1_000, timeout: 800, fall: 5))
    bench.run(until: at(10_500))
    bench.gaps = [(at(10_900), at(100_000))]
    bench.run(until: at(11_120))
    #expect(bench.machine.suspectedSince == at(11_100))
    bench.machine.otherAnswered(sent: at(10_990))
    #expect(bench.machine.nextDeadline < at(11_300), "that was before")
    bench.machine.otherAnswered(sent: at(11_105))
    bench.run(until: at(20_000))
    #expect(bench.downAt.first.map { $0 > at(14_000) } == true, "its probes come at their turn")
  }
}

@Suite struct ProbeWindowTests {
  @Test func lossRoundTripAndJitter() {
    var window = ProbeWindow()
    #expect(window.loss == nil)
    for value in [10, 20, 10] { window.answered(roundTrip: .milliseconds(value)) }
    window.lost()
    #expect(window.loss == 0.25)
    #expect(window.roundTrip?.jitter == .milliseconds(10))
    #expect(window.roundTrip?.least == .milliseconds(10))
    #expect(window.roundTrip?.most == .milliseconds(20))
  }

  @Test func forgetsTheOldest() {
    var window = ProbeWindow()
    window.lost()
    for value in 1...ProbeWindow.capacity { window.answered(roundTrip: .milliseconds(value)) }
    #expect(window.count == ProbeWindow.capacity)
    #expect(window.loss == 0)
    #expect(window.roundTrip?.last == .milliseconds(ProbeWindow.capacity))
  }
}
