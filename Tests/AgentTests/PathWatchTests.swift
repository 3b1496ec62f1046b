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

/// The driver: the machine's requests reach the ports, and their answers reach the machine. The decisions themselves
/// are tested beside the machine, in CoreTests.
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
    #expect(!bench.swept.isEmpty)
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

  @Test func aLostCarrierIsAVerdictAtOnce() async throws {
    let bench = try Bench()
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(1))) }
    try await bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    await bench.watch.linkChanged(bench.a, bench.link(carrier: false))
    #expect(bench.goesBy(bench.b), "without a moment passing")
  }

  @Test func whatAnotherProgramRemovedIsRestored() async throws {
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

  @Test func anAddressThatChangesMovesNoTraffic() async throws {
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
    // A probe is in flight, and its answer finds no socket.
    try await bench.watch.watch(try plan(0x0a01_0105), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.a))
    #expect(bench.events.count(.pathDown) == 0)
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
