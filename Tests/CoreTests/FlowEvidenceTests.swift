internal import RuleSets
import Testing

@testable import Core

/// When counters show that packets are lost on this router.
@Suite struct FlowEvidenceTests {
  private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }
  private let conditions: FlowEvidence.Conditions

  init() throws {
    conditions = .init(way: .path(try #require(Name("fra"))), generation: 7)
  }

  /// Takes what each look adds, a second apart, and returns the findings after each.
  private func follow(
    _ looks: [FlowEvidence.Counts], every seconds: Double = 1, under other: FlowEvidence.Conditions? = nil,
    evidence: inout FlowEvidence, from start: Double = 0
  ) -> [LossPlace?] {
    var sum = FlowEvidence.Counts()
    return looks.enumerated().map { index, new in
      sum = .init(
        taken: sum.taken + new.taken, kept: sum.kept + new.kept, passed: sum.passed + new.passed,
        left: sum.left + new.left)
      evidence.counted(sum, under: other ?? conditions, at: at(start + Double(index) * seconds))
      return evidence.loss
    }
  }

  private let none = FlowEvidence.Counts()
  private let lost = FlowEvidence.Counts(taken: 20, passed: 20)
  private let good = FlowEvidence.Counts(taken: 20, passed: 20, left: 20)

  @Test func twoLooksWithoutOneThatLeftAreEnough() {
    var evidence = FlowEvidence()
    #expect(follow([none, lost, lost], evidence: &evidence) == [nil, nil, .afterForward])
    #expect(!evidence.isSuspicious)
  }

  @Test func oneThatLeftEndsIt() {
    var evidence = FlowEvidence()
    #expect(follow([none, lost, lost, lost, good], evidence: &evidence).last == .some(nil))
  }

  @Test func whereAndHowManyAreLostDecides() {
    var evidence = FlowEvidence()
    let early = FlowEvidence.Counts(taken: 20)
    #expect(follow([none, early, early], evidence: &evidence).last == .beforeForward)
    evidence = FlowEvidence()
    let own = FlowEvidence.Counts(taken: 20, kept: 20)
    #expect(follow([none, own, own, own], evidence: &evidence) == [nil, nil, nil, nil], "they were for the router")
    evidence = FlowEvidence()
    let knock = FlowEvidence.Counts(taken: 1, passed: 1)
    #expect(follow([none, knock, knock, knock], evidence: &evidence).last == .some(nil), "three are not enough")
    evidence = FlowEvidence()
    #expect(follow([none, none, none, none], evidence: &evidence).last == .some(nil), "nobody sends")
  }

  /// What is seen after a firewall change but left before it proves nothing about the new firewall.
  @Test func whatLeftBeforeAChangeIsNoProof() {
    var evidence = FlowEvidence()
    evidence.counted(.init(), under: conditions, at: at(0))
    evidence.counted(.init(taken: 20, passed: 20, left: 20), under: conditions, at: at(5))
    let changed = FlowEvidence.Conditions(way: conditions.way, generation: 8)
    evidence.counted(.init(taken: 90, passed: 40, left: 40), under: changed, at: at(10))
    evidence.counted(.init(taken: 110, passed: 40, left: 40), under: changed, at: at(15))
    evidence.counted(.init(taken: 130, passed: 40, left: 40), under: changed, at: at(16))
    #expect(evidence.loss == .beforeForward)
  }

  /// Belts carry packets that have lost their mark to the right place; otherwise they leave elsewhere, or nowhere.
  @Test func whereWhatHasNoMarkLeavesDecides() throws {
    let wan = try #require(InterfaceName("wan0"))
    func follow(carried: UInt64, strayed: UInt64) -> FlowEvidence {
      var evidence = FlowEvidence()
      for look in 0..<4 {
        let count = UInt64(look)
        evidence.counted(
          .init(taken: 20 * count, carried: carried * count, strayed: [wan: strayed * count]), under: conditions,
          at: at(Double(look)))
      }
      return evidence
    }
    #expect(follow(carried: 20, strayed: 0).loss == nil)
    let leaks = follow(carried: 0, strayed: 20)
    #expect(leaks.loss == .beforeForward && leaks.stray == wan)
    let held = follow(carried: 0, strayed: 0)
    #expect(held.loss == .beforeForward && held.stray == nil)
    #expect(follow(carried: 2, strayed: 3).stray == nil, "others' packets")
    #expect(TrafficFinding.unmarked(by: [], leavingBy: wan).state == .diverted)
    #expect(TrafficFinding.unmarked(by: [], leavingBy: nil).state == .obstructed)
  }

  /// A firewall that has let the rule's traffic through before may still refuse one client's.
  @Test func whatWasProvenTakesLongerToDoubt() {
    var evidence = FlowEvidence()
    let knock = FlowEvidence.Counts(taken: 2, passed: 2)
    let looks = [none, good] + [FlowEvidence.Counts](repeating: knock, count: 29)
    #expect(follow(looks, evidence: &evidence).allSatisfy { $0 == nil })
    evidence = FlowEvidence()
    let more = [none, good] + [FlowEvidence.Counts](repeating: lost, count: 40)
    let found = follow(more, evidence: &evidence)
    #expect(found[20] == .some(nil) && found.last == .afterForward)
  }

  @Test func aChangedFirewallIsNewAgain() {
    var evidence = FlowEvidence()
    #expect(follow([none, good], evidence: &evidence) == [nil, nil])
    let changed = FlowEvidence.Conditions(way: conditions.way, generation: 8)
    evidence.counted(.init(taken: 40, passed: 40, left: 20), under: changed, at: at(2))
    evidence.counted(.init(taken: 60, passed: 60, left: 20), under: changed, at: at(3))
    #expect(evidence.loss == .afterForward)
  }

  @Test func anotherWayOrNewCountersStartOver() {
    var evidence = FlowEvidence()
    #expect(follow([none, lost, lost], evidence: &evidence).last == .afterForward)
    evidence.counted(.init(taken: 60, passed: 60), under: .init(way: .blocked, generation: 7), at: at(3))
    #expect(evidence.loss == nil)
    evidence = FlowEvidence()
    #expect(follow([none, lost, lost], evidence: &evidence).last == .afterForward)
    evidence.counted(.init(taken: 2, passed: 2), under: conditions, at: at(3))
    #expect(evidence.loss == nil, "the table was made anew")
  }

  @Test func silenceIsForgotten() {
    var evidence = FlowEvidence()
    #expect(follow([none, lost, lost, none], evidence: &evidence).last == .afterForward)
    #expect(follow([none] + [lost, lost], evidence: &evidence, from: 10).last == .afterForward)
    let counts = FlowEvidence.Counts(taken: 40, passed: 40)
    evidence.counted(counts, under: conditions, at: at(80))
    #expect(evidence.loss == nil)
  }

  @Test func answersThatComeAndDoNotGetThroughAreMissed() {
    func follow(_ looks: [(left: UInt64, returned: UInt64, all: UInt64, own: UInt64)]) -> [Bool] {
      var evidence = AnswerEvidence()
      return looks.enumerated().map { index, look in
        evidence.counted(
          left: look.left, returned: look.returned, device: { .init(all: look.all, own: look.own) },
          at: at(Double(index)))
        return evidence.isLost
      }
    }
    #expect(follow([(0, 0, 0, 0), (20, 0, 25, 5), (40, 0, 50, 10), (60, 0, 75, 15)]) == [false, false, true, true])
    #expect(follow([(0, 0, 0, 0), (20, 0, 5, 5), (40, 0, 10, 10), (60, 0, 15, 15)]).last == false, "one-way traffic")
    #expect(follow([(0, 0, 0, 0), (20, 20, 25, 5), (40, 40, 50, 10), (60, 60, 75, 15)]).last == false)
    #expect(follow([(0, 0, 0, 0), (20, 0, 25, 5), (40, 0, 50, 10), (60, 20, 75, 15)]).last == false)
    #expect(follow([(0, 9, 0, 0), (0, 9, 25, 5), (0, 9, 50, 10), (0, 9, 75, 15)]).last == false, "nobody asks")
  }
}

@Suite struct RuleSightTests {
  private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }
  private let refused: TrafficFinding

  init() throws { refused = .refused(try #require(InterfaceName("lan0"))) }

  @Test func nothingIsSaidBeforeTheFirstLook() {
    var sight = RuleSight(at: at(0))
    #expect(sight.state == .unseen)
    sight.looked([], at: at(1))
    #expect(sight.state == .asIntended)
  }

  @Test func whatTheFirstLookSuspectsIsNotDenied() {
    var sight = RuleSight(at: at(0))
    sight.looked([refused], at: at(0))
    #expect(sight.state == .unseen && sight.isSuspicious)
    sight.looked([refused], at: at(0.5))
    #expect(sight.state == .unseen, "too soon")
    sight.looked([refused], at: at(1))
    #expect(sight.state == .obstructed && sight.findings == [refused] && !sight.isSuspicious)
    #expect(sight.since == at(1))
    sight.looked([], at: at(2))
    #expect(sight.state == .asIntended && sight.findings == [])
  }

  @Test func aRuleWithoutAVerdictIsNotCalledSeen() {
    var sight = RuleSight(at: at(0))
    sight.looked([], isWhole: false, at: at(0))
    #expect(sight.state == .unseen)
    sight.looked([refused], isWhole: false, at: at(1))
    sight.looked([refused], isWhole: false, at: at(2))
    #expect(sight.state == .obstructed, "what is wrong with its sources is wrong all the same")
  }

  @Test func onceIsNotAFinding() {
    var sight = RuleSight(at: at(0))
    sight.looked([], at: at(0))
    sight.looked([refused], at: at(5))
    #expect(sight.state == .asIntended && sight.isSuspicious)
    sight.looked([.unrouted(by: nil)], at: at(6))
    #expect(sight.state == .asIntended, "another one")
    sight.looked([.unrouted(by: nil)], at: at(7))
    #expect(sight.state == .obstructed)
  }

  @Test func theWorstComesFirstAndAFlipForgetsTheOldWay() {
    var sight = RuleSight(at: at(0))
    sight.looked([], certain: [refused, .unmarked(by: [], leavingBy: InterfaceName("wan0"))], at: at(0))
    #expect(sight.state == .diverted)
    sight.turned(at: at(1))
    #expect(sight.state == .obstructed && sight.findings == [refused])
    sight.lost(at: at(30))
    #expect(sight.state == .unseen)
  }
}
