import Core
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

private typealias Bench = WatchBench

private final class Answers: Sendable {
  private let answers = Mutex<[Bool]>([])
  func add(_ answer: Bool) { answers.withLock { $0.append(answer) } }
  var all: [Bool] { answers.withLock { $0 } }
}

@Suite struct PathWatchTests {
  @Test func steersAsSoonAsThePathAnswers() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(2)))
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    #expect(bench.flipper.active.isEmpty, "not before a verdict")
    bench.loop.advance(by: .milliseconds(10))
    #expect(bench.goesBy(bench.a), "the first path in order, though b answered first")
  }

  @Test func showsThatItLivesWhileItsTimersFire() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.prober.set(bench.b, .silent)
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(60))
    let answers = Answers()
    bench.watch.pulse { answers.add($0) }
    #expect(answers.all.isEmpty, "not before a timer has fired")
    bench.loop.advance(by: .milliseconds(1))
    #expect(answers.all == [true])
  }

  @Test func failsOverToTheNextPathThenToTheWANAndBackAfterTheHoldDown() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
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

  @Test func transitionsSayHowLongTheStateBeforeLasted() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
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

  @Test func resultsOfProbesMakeUpThePathsHistory() async throws {
    let bench = try Bench()
    let name = try #require(Name("a"))
    bench.prober.set(bench.a, .answers(.milliseconds(2)))
    bench.prober.set(bench.b, .cannotSend("no route"))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(60))
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(30))
    bench.prober.set(bench.a, .refuses("port unreachable"))
    bench.loop.advance(by: .seconds(30))
    bench.prober.set(bench.a, .answers(.milliseconds(85)))
    bench.loop.advance(by: .seconds(60))
    // A new plan with the same path goes on with it.
    try await bench.watch.watch(try bench.plan(failback: .drain), links: bench.links, generation: 0)
    let history = try #require(await bench.watch.history(of: name))
    let minutes = history.minutes(at: bench.loop.now)
    #expect(minutes.prefix(3).allSatisfy { (590...610).contains($0.probes) }, "ten a second")
    #expect(minutes[0].loss == 0 && minutes[0].meanRoundTrip == .milliseconds(2))
    #expect(minutes[1].loss.map { $0 > 0.99 } == true)
    #expect(minutes[2].loss.map { $0 > 0.9 } == true, "answers after the timeout are none")
    let silent = try #require(Name("b"))
    let other = try #require(await bench.watch.history(of: silent))
    #expect(other.minutes(at: bench.loop.now).allSatisfy { $0.probes == 0 }, "not sent is not lost")
    let unknown = try #require(Name("c"))
    #expect(await bench.watch.history(of: unknown) == nil)
  }

  @Test func theDeadPathsConnectionsAreDeletedByItsMarkAlone() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let before = bench.swept.count
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .milliseconds(400))
    let new = bench.swept.dropFirst(before)
    #expect(new.map(\.mark) == [Mark(value: 2 << 20)])
    #expect(new.allSatisfy { $0.sources == nil })
  }

  @Test func atAFailbackMovedFlowsAreThoseOfTheRulesSources() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .silent)
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
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

  @Test func drainLeavesLiveFlowsAtAFailback() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .silent)
    try await bench.watch.watch(try bench.plan(failback: .drain), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let before = bench.swept.count
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.loop.advance(by: .seconds(6))
    #expect(bench.goesBy(bench.a))
    #expect(bench.swept.count == before)
  }

  @Test func aLostCarrierIsAVerdictAtOnce() async throws {
    let bench = try Bench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(1))) }
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    await bench.watch.linkChanged(bench.a, bench.link(carrier: false))
    #expect(bench.goesBy(bench.b), "without a moment passing")
  }

  @Test func aDeletedDeviceIsAVerdictAtOnce() async throws {
    let bench = try Bench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(1))) }
    try await bench.watch.watch(try bench.plan(fallback: .block), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    await bench.watch.linkChanged(bench.a, nil)
    await bench.watch.linkChanged(bench.b, nil)
    #expect(bench.flipper.active[bench.table] == nil, "blocked: only the floor is left")
  }

  @Test func blockNeverLeadsToAnUplink() async throws {
    let bench = try Bench()
    try await bench.watch.watch(try bench.plan(fallback: .block), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(10))
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.b), "and back at once, without a hold-down")
    #expect(!bench.flipper.log.contains { $0.hasSuffix("wan0") })
  }

  @Test func anUndisturbedRestartChangesNothing() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    bench.flipper.active = [bench.table: .out(device: bench.a, gateway: nil)]
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(20))
    #expect(bench.flipper.log.isEmpty)
  }

  @Test func aChangedGatewayIsFollowed() async throws {
    let bench = try Bench()
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    #expect(
      bench.flipper.active[bench.table] == .out(device: bench.wan, gateway: .ipv4(IPv4Address(value: 0xc633_6401))))
    try await bench.watch.watch(try bench.plan(gateway: 0xc633_64fe), links: bench.links, generation: 0)
    #expect(
      bench.flipper.active[bench.table] == .out(device: bench.wan, gateway: .ipv4(IPv4Address(value: 0xc633_64fe))))
  }

  @Test func whatAnotherTookAwayIsPutBack() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    bench.flipper.active = [:]
    await bench.watch.inspect()
    #expect(bench.goesBy(bench.a))
    #expect(bench.events.count(.driftRepaired) == 1)
  }

  @Test func aFlipThatFailsIsTriedAgain() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.flipper.fail(with: KernelFailure(operation: "ip route replace", errno: 105, cause: "no buffer"))
    bench.loop.advance(by: .milliseconds(50))
    #expect(bench.events.count(.flipFailed) >= 1)
    bench.flipper.fail(with: nil)
    bench.loop.advance(by: .milliseconds(500))
    #expect(bench.goesBy(bench.a))
  }

  @Test func newsOfALinkIsNotOverwrittenByAnOlderReading() async throws {
    let bench = try Bench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(1))) }
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let generation = await bench.watch.linkGeneration
    await bench.watch.linkChanged(bench.a, bench.link(carrier: false))
    // A reconcile that read the kernel before the carrier went, and hands its reading over only now.
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: generation)
    #expect(bench.goesBy(bench.b))
  }

  @Test func aRuleThatIsTakenAwayGivesItsConnectionsBack() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let before = bench.swept.count
    var empty = try bench.plan()
    empty.rules = []
    try await bench.watch.watch(empty, links: bench.links, generation: 0)
    let new = bench.swept.dropFirst(before)
    #expect(Set(new.map(\.mark)) == [Mark(value: 2 << 20), Mark(value: 3 << 20), Mark(value: 4 << 20)])
    #expect(new.allSatisfy { $0.sources == [0xc0a8_0a00...0xc0a8_0aff] })
  }

  @Test func flowsMadeWhileThereWasNowhereToGoAreMovedWhenThereIs() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    var noWAN = try bench.plan()
    noWAN.uplinks[0].obstacle = "no carrier"
    try await bench.watch.watch(noWAN, links: bench.links, generation: 0)
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(2))
    #expect(bench.goesBy(bench.a), "nothing is torn down with nowhere to go")
    let before = bench.swept.count
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    #expect(bench.goesBy(bench.wan))
    #expect(bench.swept.dropFirst(before).contains { $0.mark == Mark(value: 2 << 20) && $0.sources == nil })
  }

  @Test func aPathThatLeadsElsewhereIsJudgedAnewBeforeItIsUsed() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.prober.set(bench.b, .silent)
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let other = try #require(InterfaceName("bh-c"))
    var moved = try bench.plan()
    moved.paths[0].device = other
    moved.paths[0].mark = Mark(value: 7 << 20)
    moved.paths[0].way = .out(device: other, gateway: nil)
    var links = bench.links
    links[other] = bench.link()
    let before = bench.swept.count
    try await bench.watch.watch(moved, links: links, generation: 0)
    #expect(bench.goesBy(bench.a), "the old device, until the new one has answered")
    #expect(bench.swept.dropFirst(before).contains { $0.mark == Mark(value: 2 << 20) })
    bench.prober.set(other, .answers(.milliseconds(1)))
    bench.loop.advance(by: .milliseconds(300))
    #expect(bench.goesBy(other))
  }

  @Test func aPathThatIsTakenAwayIsLeftForOneThatIsKnownToWork() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let new = try #require(Name("c"))
    let device = try #require(InterfaceName("bh-c"))
    var other = try bench.plan()
    other.paths = [other.paths[1]]
    other.paths[0].name = new
    other.paths[0].device = device
    other.paths[0].mark = Mark(value: 7 << 20)
    other.paths[0].way = .out(device: device, gateway: nil)
    other.paths[0].probes[0].path = new
    other.rules[0].rule.egress.paths = [new]
    var links = bench.links
    links[device] = bench.link()
    try await bench.watch.watch(other, links: links, generation: 0)
    #expect(await bench.watch.devicesInUse == [bench.a], "its device must not be deleted yet")
    let before = bench.swept.count
    bench.prober.set(device, .answers(.milliseconds(1)))
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(device))
    #expect(bench.swept.dropFirst(before).contains { $0.mark == Mark(value: 2 << 20) && $0.sources == nil })
  }

  @Test func anUplinkThatTheRuleNoLongerNamesIsLeftAtOnce() async throws {
    let bench = try Bench()
    let lte = try #require(Name("lte"))
    var named = try bench.plan(fallback: .block)
    named.paths.append(named.paths[0])
    named.paths[2].name = lte
    named.paths[2].isTunnel = false
    named.paths[2].device = bench.wan
    named.paths[2].underlay = nil
    named.paths[2].way = .out(device: bench.wan, gateway: nil)
    named.paths[2].probes = []
    named.rules[0].rule.egress.paths = [lte]
    try await bench.watch.watch(named, links: bench.links, generation: 0)
    #expect(bench.goesBy(bench.wan))
    // Another took its route away, so that the kernel does not tell by what the rule goes.
    bench.flipper.active = [:]
    var unnamed = try bench.plan(fallback: .block)
    unnamed.paths = named.paths
    try await bench.watch.watch(unnamed, links: bench.links, generation: 0)
    #expect(bench.flipper.active[bench.table] == nil, "though neither of the tunnels has a verdict yet")
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    bench.loop.advance(by: .milliseconds(300))
    #expect(bench.goesBy(bench.b))
  }

  @Test func aRouteByAnUplinkDoesNotOutliveAFlipThatTheKernelRefused() async throws {
    let bench = try Bench()
    let lte = try #require(Name("lte"))
    var named = try bench.plan(fallback: .block)
    named.paths.append(named.paths[0])
    named.paths[2].name = lte
    named.paths[2].device = bench.wan
    named.paths[2].underlay = nil
    named.paths[2].way = .out(device: bench.wan, gateway: nil)
    named.paths[2].probes = []
    named.rules[0].rule.egress.paths = [lte, try #require(Name("a"))]
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(named, links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    bench.flipper.fail(with: KernelFailure(operation: "ip route replace", errno: 105, cause: "no buffer"))
    await bench.watch.linkChanged(bench.wan, bench.link(carrier: false))
    #expect(bench.goesBy(bench.wan), "the kernel refuses the flip")
    bench.flipper.fail(with: nil)
    // Path a's device is gone as well, so that there is no route to put in its place.
    var links = bench.links
    links[bench.a] = nil
    var gone = try bench.plan(fallback: .block)
    gone.rules[0].rule.egress.paths = [try #require(Name("b"))]
    try await bench.watch.watch(gone, links: links, generation: 0)
    #expect(!bench.goesBy(bench.wan), "the floor, rather")
    bench.flipper.active = [bench.table: .out(device: bench.wan, gateway: nil)]
    var moved = try bench.plan(fallback: .block)
    moved.paths[0].device = try #require(InterfaceName("bh-c"))
    moved.paths[0].way = .out(device: moved.paths[0].device, gateway: nil)
    links[moved.paths[0].device] = bench.link()
    try await bench.watch.watch(moved, links: links, generation: 0)
    #expect(!bench.goesBy(bench.wan), "not until path a, which leads another way now, has a verdict")
  }

  @Test func anAddressThatChangesMovesNobody() async throws {
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
    try await bench.watch.watch(try plan(0x0a01_0101), links: bench.links, generation: 0)
    bench.loop.advance(by: .milliseconds(1_010))
    #expect(bench.goesBy(bench.a))
    // A probe is on its way, and its answer finds no socket.
    try await bench.watch.watch(try plan(0x0a01_0105), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.a))
    #expect(bench.events.count(.pathDown) == 0)
  }

  @Test func aStrayRouteThatCouldNotBeRemovedIsTriedAgain() async throws {
    let bench = try Bench()
    try await bench.watch.watch(try bench.plan(fallback: .block), links: bench.links, generation: 0)
    bench.flipper.active = [bench.table: .out(device: bench.wan, gateway: nil)]
    bench.flipper.failRemovals(with: KernelFailure(operation: "ip route del", errno: 105, cause: "no buffer"))
    await bench.watch.inspect()
    #expect(bench.goesBy(bench.wan))
    bench.flipper.failRemovals(with: nil)
    bench.loop.advance(by: .milliseconds(250))
    #expect(bench.flipper.active[bench.table] == nil)
  }

  @Test func aFlipThatCameLateIsToldAndSwept() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    bench.flipper.fail(with: KernelFailure(operation: "ip route replace", errno: 105, cause: "no buffer"))
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .milliseconds(450))
    #expect(bench.events.count(.failover) == 0)
    bench.flipper.fail(with: nil)
    let before = bench.swept.count
    bench.loop.advance(by: .milliseconds(500))
    #expect(bench.goesBy(bench.wan))
    #expect(bench.events.count(.failover) == 1)
    #expect(bench.events.count(.driftRepaired) == 0)
    #expect(bench.swept.dropFirst(before).contains { $0.mark == Mark(value: 2 << 20) }, "after the route, not before")
  }

  @Test func whereNoProbeCanBeSentTheLocalWANIsTaken() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .cannotSend("no such device"))
    bench.prober.set(bench.b, .silent)
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.wan))
  }

  @Test func newDirectDestinationsMoveTheirConnections() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let before = bench.swept.count
    var changed = try bench.plan()
    changed.directDestinations = [try #require(IPv4Prefix("10.0.0.0/8"))]
    try await bench.watch.watch(changed, links: bench.links, generation: 0)
    #expect(bench.swept.count > before)
    let after = bench.swept.count
    try await bench.watch.watch(changed, links: bench.links, generation: 0)
    #expect(bench.swept.count == after, "the same plan again sweeps nothing")
  }

  @Test func probesAreBoundToTheirPath() async throws {
    let bench = try Bench()
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .milliseconds(150))
    #expect(!bench.prober.probesSent.isEmpty)
    for probe in bench.prober.probesSent {
      #expect(probe.mark == Mark(value: probe.device == bench.a ? 2 << 20 : 3 << 20))
      #expect(probe.source == IPv4Address(value: 0x0a01_0101))
    }
  }
}
