internal import RuleSets
import Testing

@testable import Core

private typealias Bench = WatchBench

/// What probes, devices and plans do to paths, rules and live flows.
@Suite struct WatchMachineTests {
  @Test func steersAsSoonAsThePathAnswers() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(2)))
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    #expect(bench.flipper.active.isEmpty, "not before a verdict")
    bench.loop.advance(by: .milliseconds(10))
    #expect(bench.goesBy(bench.a), "the first path in order, though b answered first")
  }

  @Test func failsOverToTheNextPathThenToTheWANAndBackAfterTheHoldDown() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .milliseconds(400))
    #expect(bench.goesBy(bench.b))
    bench.prober.set(bench.b, .silent)
    bench.loop.advance(by: .milliseconds(400))
    #expect(bench.goesBy(bench.wan))
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.loop.advance(by: .seconds(4))
    #expect(bench.goesBy(bench.wan), "the hold-down is not over")
    bench.loop.advance(by: .seconds(2))
    #expect(bench.goesBy(bench.a))
    #expect(bench.events.count(.failover) == 2)
    #expect(bench.events.count(.failback) == 1)
    #expect(bench.events.all.filter { $0.kind == .failover }.allSatisfy { $0.details["cause"]?.isEmpty == false })
  }

  @Test func transitionsSayHowLongTheStateBeforeLasted() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(10))
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(1))
    func lasted(_ kind: AgentEvent.Kind, _ subject: String) throws -> Double {
      let event = try #require(bench.events.all.last { $0.kind == kind && $0.subject == subject })
      return try #require(event.details["duration_seconds"].flatMap { Double($0) })
    }
    #expect((10...10.5).contains(try lasted(.pathDown, "a")))
    #expect((10...10.5).contains(try lasted(.failover, "office")))
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.loop.advance(by: .seconds(20))
    #expect((0.5...1.5).contains(try lasted(.pathUp, "a")))
    #expect((5...7).contains(try lasted(.failback, "office")), "with the hold-down of five seconds")
  }

  @Test func resultsOfProbesMakeUpThePathsHistory() throws {
    let bench = try Bench()
    let name = try #require(Name("a"))
    bench.prober.set(bench.a, .answers(.milliseconds(2)))
    bench.prober.set(bench.b, .cannotSend("no route"))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(60))
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(30))
    bench.prober.set(bench.a, .refuses("port unreachable"))
    bench.loop.advance(by: .seconds(30))
    bench.prober.set(bench.a, .answers(.milliseconds(85)))
    bench.loop.advance(by: .seconds(60))
    // A new plan with the same path continues it.
    try bench.watch.watch(try bench.plan(failback: .drain), links: bench.links, generation: 0)
    let history = try #require(bench.watch.history(of: name))
    let minutes = history.minutes(at: bench.loop.now)
    #expect(minutes.prefix(3).allSatisfy { (590...610).contains($0.probes) }, "ten a second")
    #expect(minutes[0].loss == 0 && minutes[0].meanRoundTrip == .milliseconds(2))
    #expect(minutes[1].loss.map { $0 > 0.99 } == true)
    #expect(minutes[2].loss.map { $0 > 0.9 } == true, "answers after the timeout are none")
    let silent = try #require(Name("b"))
    let other = try #require(bench.watch.history(of: silent))
    #expect(other.minutes(at: bench.loop.now).allSatisfy { $0.probes == 0 }, "not sent is not lost")
    let unknown = try #require(Name("c"))
    #expect(bench.watch.history(of: unknown) == nil)
  }

  @Test func theDeadPathsConnectionsAreDeletedByItsMarkAlone() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let before = bench.swept.count
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .milliseconds(400))
    let new = bench.swept.dropFirst(before)
    #expect(new.map(\.mark) == [Mark(value: 5 << 20), Mark(value: 2 << 20)], "the egress's, and the path's own")
    #expect(new.allSatisfy { $0.sources == nil })
  }

  @Test func atAFailbackMovedFlowsAreThoseOfTheRulesSources() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .silent)
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.wan))
    let before = bench.swept.count
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.loop.advance(by: .seconds(6))
    #expect(bench.goesBy(bench.a))
    let new = bench.swept.dropFirst(before)
    #expect(new.map(\.mark) == [Mark(value: 4 << 20)])
    #expect(new.first?.sources == [0xc0a8_0a00...0xc0a8_0aff])
  }

  @Test func drainLeavesLiveFlowsAtAFailback() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .silent)
    try bench.watch.watch(try bench.plan(failback: .drain), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let before = bench.swept.count
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.loop.advance(by: .seconds(6))
    #expect(bench.goesBy(bench.a))
    #expect(bench.swept.count == before)
  }

  @Test func aLostCarrierIsAVerdictAtOnce() throws {
    let bench = try Bench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(1))) }
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    bench.watch.linkChanged(bench.a, bench.link(carrier: false))
    #expect(bench.goesBy(bench.b), "without a moment passing")
  }

  @Test func aDeletedDeviceIsAVerdictAtOnce() throws {
    let bench = try Bench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(1))) }
    try bench.watch.watch(try bench.plan(fallback: .block), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.a))
    bench.watch.linkChanged(bench.a, nil)
    bench.watch.linkChanged(bench.b, nil)
    #expect(bench.flipper.active[bench.table] == nil, "blocked: only the floor is left")
  }

  @Test func blockNeverLeadsToAnUplink() throws {
    let bench = try Bench()
    try bench.watch.watch(try bench.plan(fallback: .block), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(10))
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.b), "and back at once, without a hold-down")
    #expect(!bench.flipper.log.contains { $0.hasSuffix("wan0") })
  }

  @Test func newsOfALinkIsNotOverwrittenByAnOlderReading() throws {
    let bench = try Bench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(1))) }
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let generation = bench.watch.linkGeneration
    bench.watch.linkChanged(bench.a, bench.link(carrier: false))
    // A reconcile that read the kernel before the carrier was lost, and only hands over its reading now.
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: generation)
    #expect(bench.goesBy(bench.b))
  }

  @Test func aRuleThatIsRemovedGivesItsConnectionsBack() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let before = bench.swept.count
    var empty = try bench.plan()
    empty.rules = []
    try bench.watch.watch(empty, links: bench.links, generation: 0)
    let egress = Mark(value: 5 << 20)
    let new = bench.swept.dropFirst(before)
    #expect(Set(new.map(\.mark)) == [Mark(value: 2 << 20), Mark(value: 3 << 20), Mark(value: 4 << 20), egress])
    #expect(new.allSatisfy { $0.sources == [0xc0a8_0a00...0xc0a8_0aff] || $0.mark == egress })
    #expect(new.contains { $0.mark == egress && $0.sources == nil }, "its mark may soon be another's")
  }

  @Test func whatCarriesTheMarkOfAnEgressThatIsNewIsSetUpAnew() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    let first = try bench.plan()
    try bench.watch.watch(first, links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let mark = Mark(value: 6 << 20)
    #expect(!bench.swept.contains { $0.isSilent }, "after a restart they are the egress's own")
    var second = first
    second.rules[0].mark = mark
    try bench.watch.watch(second, links: bench.links, generation: 0)
    #expect(bench.swept.contains(.stale(mark)))
    #expect(bench.swept.contains { $0.mark == first.rules[0].mark && $0.sources == nil && !$0.isSilent })
  }

  @Test func flowsMadeWhileThereWasNowhereToGoAreMovedWhenThereIs() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    var noWAN = try bench.plan()
    noWAN.uplinks[0].obstacle = "no carrier"
    try bench.watch.watch(noWAN, links: bench.links, generation: 0)
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(2))
    #expect(bench.goesBy(bench.a), "nothing is torn down with nowhere to go")
    let before = bench.swept.count
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    #expect(bench.goesBy(bench.wan))
    #expect(bench.swept.dropFirst(before).contains { $0.mark == Mark(value: 2 << 20) && $0.sources == nil })
  }

  @Test func anAddressThatChangesMovesNoTraffic() throws {
    let bench = try Bench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(30))) }
    func plan(_ source: UInt32) throws -> WatchPlan {
      var plan = try bench.plan()
      for index in plan.paths.indices {
        plan.paths[index].source = IPv4Address(value: source)
        plan.paths[index].probes[0].fall = 1
      }
      return plan
    }
    try bench.watch.watch(try plan(0x0a01_0101), links: bench.links, generation: 0)
    bench.loop.advance(by: .milliseconds(1_010))
    #expect(bench.goesBy(bench.a))
    // A probe is in flight, and its answer finds no socket.
    try bench.watch.watch(try plan(0x0a01_0105), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.a))
    #expect(bench.events.count(.pathDown) == 0)
  }

  @Test func whereNoProbeCanBeSentTheLocalWANIsTaken() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .cannotSend("no such device"))
    bench.prober.set(bench.b, .silent)
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.wan))
  }

  @Test func newDirectDestinationsMoveTheirConnections() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let before = bench.swept.count
    var changed = try bench.plan()
    changed.directDestinations = [try #require(IPv4Prefix("10.0.0.0/8"))]
    try bench.watch.watch(changed, links: bench.links, generation: 0)
    #expect(bench.swept.count > before)
    let after = bench.swept.count
    try bench.watch.watch(changed, links: bench.links, generation: 0)
    #expect(bench.swept.count == after, "the same plan again sweeps nothing")
  }
}
