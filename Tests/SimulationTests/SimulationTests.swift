internal import RuleSets
import Testing

@testable import Core
@testable import Simulation

/// A little of what `Tests/run simulation` does at length.
@Suite struct SimulationTests {
  /// The seed, printed with every failure; another one explores other worlds.
  static let seed: UInt64 = 11

  @Test(arguments: ["machines", "watch"]) func theInvariantsHold(_ name: String) throws {
    var campaign = Campaign(seed: Self.seed, subject: try #require(Subject.named(name)))
    campaign.run(faults: 5_000)
    #expect(campaign.failure == nil, "backhaul-simulate replay \(name) \(campaign.failure?.seed ?? 0)")
    #expect(campaign.tally.flipCount > 100)
  }

  @Test(arguments: Mutant.all.filter { !$0.isRare }) func aMutantIsCaught(_ mutant: Mutant) throws {
    var campaign = Campaign(seed: Self.seed, subject: mutant.subject)
    campaign.run(faults: 10_000)
    let failure = try #require(campaign.failure, "\(mutant.name) goes unnoticed")
    #expect(mutant.caughtBy.contains(failure.violation.invariant), "\(failure.violation.text)")
  }

  @Test func oneSeedIsOneStory() {
    let runs = [1, 1, 2].map { seed in
      var campaign = Campaign(seed: UInt64(seed))
      campaign.run(faults: 1_000)
      return campaign.tally.digest
    }
    #expect(runs[0] == runs[1])
    #expect(runs[0] != runs[2])
  }

  @Test func aFailureIsReplayedWithItsLastEvents() throws {
    let mutant = try #require(Mutant.named("ignores-hold-down"))
    var campaign = Campaign(seed: Self.seed, subject: mutant.subject)
    campaign.run(faults: 5_000)
    let failure = try #require(campaign.failure)
    let (violation, lines, _) = Campaign.replay(failure.seed, mutant.subject, lines: 20)
    #expect(violation?.text == failure.violation.text)
    #expect(lines.count <= 20)
    #expect(lines.last?.hasSuffix("VIOLATION flips-are-bounded") == true)
    #expect(lines.contains { $0.contains("failback") })
  }

  @Test func moreThanTenMutantsAreCaughtByEveryInvariantTogether() {
    #expect(Mutant.all.count >= 10)
    #expect(Set(Mutant.all.map(\.name)).count == Mutant.all.count)
    #expect(
      Set(Mutant.all.flatMap(\.caughtBy)) == Set(Invariant.allCases), "an invariant that finds nothing shows nothing")
  }
}

/// What etc/rule-set.md says about random loss: with default probes a path that loses one answer in twenty is left 3600
/// × 0.05^5 = 0.0011 times an hour, and with `fall` 3 it would be 3600 × 0.05^3 = 0.45 times.
@Suite struct LossyHoursTests {
  @Test(arguments: 1...4) func noPathIsLeftForOneLossInTwenty(_ seed: UInt64) {
    let hours = LossyHours(1, loss: 25, seed: seed)
    #expect(hours.violation == nil)
    #expect(hours.failovers == 0)
    #expect(hours.probes > 7_200, "of two paths, and what confirms a suspicion")
    #expect((0.04...0.06).contains(hours.loss))
  }

  @Test func withThreeOneWouldBe() {
    let hours = LossyHours(10, loss: 25, fall: 3, seed: 1)
    #expect(hours.violation == nil)
    #expect((1...15).contains(hours.failovers), "4.5 are to be expected")
  }
}

@Suite struct EventQueueTests {
  @Test func descriptorsBeforeTimersAndElseInOrder() {
    var queue = EventQueue()
    queue.plan(.timer(life: 1, token: 1), at: 5)
    queue.plan(.timer(life: 1, token: 2), at: 3)
    queue.plan(.arrival(socket: 0, number: 7, .refused), at: 5)
    queue.plan(.arrival(socket: 0, number: 8, .refused), at: 5)
    var order: [String] = []
    while let entry = queue.next() {
      switch entry.event {
      case .timer(_, let token): order.append("timer \(token)")
      case .arrival(_, let number, _): order.append("arrival \(number)")
      default: break
      }
    }
    #expect(order == ["timer 2", "arrival 7", "arrival 8", "timer 1"])
  }
}

@Suite struct LedgerTests {
  private func sent(_ number: UInt64, at: Nanoseconds, answer: Nanoseconds? = nil, refusal: Nanoseconds? = nil)
    -> Ledger.Sent
  {
    Ledger.Sent(
      number: number, at: at, deadline: at + 80, prompt: at + 80, arrival: answer ?? refusal ?? never,
      isRefusal: refusal != nil)
  }

  @Test func aFailureIsOneOnceItsTimeIsOver() {
    var ledger = Ledger()
    for number in 1...3 { ledger.sent(sent(UInt64(number), at: Nanoseconds(number) * 100)) }
    #expect(ledger.failures(at: 379) == 2)
    #expect(ledger.failures(at: 380) == 3)
    #expect(ledger.successes(at: 380) == 0)
  }

  @Test func whatANewerAnswerOvertookDoesNotCountAsFailed() {
    var ledger = Ledger()
    ledger.sent(sent(1, at: 0))
    ledger.sent(sent(2, at: 40, answer: 60))
    ledger.taken(2, .answered(roundTrip: 20), at: 60, awake: 60)
    ledger.abandoned(1, at: 60)
    #expect(ledger.failures(at: 100) == 0)
    #expect(ledger.successes(at: 100) == 1)
    #expect(ledger.lastSign == 60)
  }

  @Test func anAnswerThatASleepingAgentFindsCountsForIt() {
    var ledger = Ledger()
    ledger.sent(sent(1, at: 0, answer: 10))
    ledger.sent(sent(2, at: 20, answer: 200))
    ledger.taken(1, .answered(roundTrip: 10), at: 300, awake: 0)
    ledger.taken(2, .answered(roundTrip: 180), at: 300, awake: 0)
    #expect(ledger.failures(at: 300) == 1, "late is late")
    #expect(ledger.failures(at: 300, surely: true) == 0, "but it may be taken for an answer")
    #expect(ledger.successes(at: 300) == 2)
  }

  @Test func aRefusalIsAFailureAtOnce() {
    var ledger = Ledger()
    ledger.sent(sent(1, at: 0, refusal: 5))
    #expect(ledger.failures(at: 4) == 0)
    ledger.taken(1, .refused, at: 5, awake: 5)
    #expect(ledger.failures(at: 5) == 1)
  }
}

@Suite struct RecordedLineTests {
  private func probe() throws -> Probe {
    let name = try #require(Name("fra-a-ping"))
    return Probe(
      name: name, path: name, kind: .icmp(target: IPv4Address(value: 1)), interval: .milliseconds(100),
      timeout: .milliseconds(90), fall: 3, rise: 2)
  }

  @Test func aCutIsLeftAndAnsweredAgain() throws {
    let good = [Duration?](repeating: .milliseconds(2), count: 20)
    let line = RecordedLine(answers: good + [nil, nil, nil, nil, nil] + good)
    let decisions = line.decisions(of: try probe())
    #expect(decisions.map(\.state) == [.up, .down, .up])
    #expect(decisions.map(\.sent) == [1, 23, 27], "three in a row are missed, two in a row answered")
  }

  @Test func aLoneLossDecidesNothing() throws {
    var answers = [Duration?](repeating: .milliseconds(2), count: 50)
    for lost in [10, 20, 21, 40] { answers[lost] = nil }
    #expect(RecordedLine(answers: answers).decisions(of: try probe()).map(\.state) == [.up])
  }

  @Test func itsTextIsReadByTheLetter() {
    #expect(RecordedLine(text: "1500\n-\n")?.answers == [.microseconds(1_500), nil])
    #expect(RecordedLine(text: "1500\nlate\n") == nil)
    #expect(RecordedLine(text: "-1\n") == nil)
  }
}
