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

/// The driver: what the machine asks for reaches the ports, and what they answer reaches the machine. What is decided has
/// its tests beside the machine, in CoreTests.
@Suite struct PathWatchTests {
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

  @Test func aLostCarrierIsAVerdictAtOnce() async throws {
    let bench = try Bench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(1))) }
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    await bench.watch.linkChanged(bench.a, bench.link(carrier: false))
    #expect(bench.goesBy(bench.b), "without a moment passing")
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

  @Test func aKernelThatCannotBeReadChangesNothing() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    bench.flipper.fail(with: KernelFailure(operation: "ip route show", errno: 105, cause: "no buffer"))
    var empty = try bench.plan()
    empty.rules = []
    await #expect(throws: KernelFailure.self) {
      try await bench.watch.watch(empty, links: bench.links, generation: 0)
    }
    bench.flipper.fail(with: nil)
    #expect(await bench.watch.snapshot().plan.rules.count == 1)
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.wan), "it watches on")
  }

  @Test func whatIsStoppedSendsNothingMoreAndLeavesTheRoute() async throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    await bench.watch.stop()
    let before = bench.prober.probesSent.count
    bench.loop.advance(by: .seconds(60))
    #expect(bench.prober.probesSent.count == before)
    #expect(bench.goesBy(bench.a))
    await bench.watch.inspectSoon()
    await bench.watch.linkChanged(bench.a, bench.link())
    bench.loop.advance(by: .seconds(1))
    #expect(bench.prober.probesSent.count == before)
  }
}
