internal import RuleSets
import Testing

@testable import Core

/// Traffic and neighbours can make probes confirm at once; a metered uplink's budget makes them rare.
@Suite struct WatchHintTests {
  private let wire = (gateway: IPv4Address(value: 0xc633_6401), source: IPv4Address(value: 0xc633_6402))

  private func begin(_ bench: WatchBench, interval: Duration, budget: Int? = nil) throws {
    var plan = try bench.plan()
    for index in plan.paths.indices {
      plan.paths[index].headers = 24
      plan.paths[index].probes[0].interval = interval
      plan.paths[index].probes[0].timeout = .milliseconds(800)
    }
    plan.uplinks[0].source = wire.source
    plan.uplinks[0].probeBudget = budget
    for device in [bench.a, bench.b, bench.wan] { bench.prober.set(device, .answers(.milliseconds(5))) }
    try bench.watch.watch(plan, links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(21))
    #expect(bench.goesBy(bench.a))
  }

  private func traffic(_ bench: WatchBench, _ bytesIn: UInt64, _ bytesOut: UInt64) {
    bench.watch.counted([
      bench.a: Traffic(bytesIn: bytesIn, bytesOut: bytesOut), bench.b: Traffic(), bench.wan: Traffic(),
    ])
  }

  @Test func trafficThatGetsNoAnswerMakesAPathLeftBeforeItsProbesTurn() throws {
    let bench = try WatchBench()
    try begin(bench, interval: .seconds(5))
    #expect(bench.watch.awaitsTraffic)
    traffic(bench, 1_000, 1_000)
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(1))
    traffic(bench, 1_000, 60_000)
    bench.loop.advance(by: .milliseconds(400))
    #expect(bench.goesBy(bench.b))
  }

  @Test func withoutTrafficTheProbesTurnIsAwaited() throws {
    let bench = try WatchBench()
    try begin(bench, interval: .seconds(5))
    traffic(bench, 1_000, 1_000)
    bench.prober.set(bench.a, .silent)
    for _ in 0..<3 {
      bench.loop.advance(by: .seconds(1))
      traffic(bench, 1_000, 1_000)
    }
    #expect(bench.goesBy(bench.a))
    bench.loop.advance(by: .seconds(2))
    #expect(bench.goesBy(bench.b))
  }

  @Test func trafficOfPathsThatAreProbedOftenIsNotAskedFor() throws {
    let bench = try WatchBench()
    try begin(bench, interval: .seconds(1))
    #expect(!bench.watch.awaitsTraffic)
  }

  @Test func aGatewayThatIsNotThereMakesEveryPathOverItAsked() throws {
    let bench = try WatchBench()
    try begin(bench, interval: .seconds(5))
    for device in [bench.a, bench.b] { bench.prober.set(device, .silent) }
    bench.loop.advance(by: .seconds(1))
    bench.watch.neighbourFailed(IPv4Address(value: 0xc633_64fe), on: bench.wan)
    bench.loop.advance(by: .milliseconds(400))
    #expect(bench.goesBy(bench.a), "that was another neighbour")
    bench.watch.neighbourFailed(wire.gateway, on: bench.wan)
    bench.loop.advance(by: .milliseconds(400))
    #expect(bench.goesBy(bench.wan))
    #expect(bench.events.all.last { $0.kind == .causeFound }?.details["evidence"]?.contains("198.51.100.1") == true)
  }

  @Test func aMeteredUplinkIsProbedAsItsBudgetAllowsAndDeadPathsAreLeftAnyway() throws {
    let bench = try WatchBench()
    // Two pings of 216 bytes a second and a gateway: 449 bytes a second, where the budget is 50.
    try begin(bench, interval: .seconds(1), budget: 4_320_000)
    let before = bench.prober.probesSent.count
    bench.loop.advance(by: .seconds(600))
    let sent = bench.prober.probesSent.count - before
    #expect((100...160).contains(sent), "as far apart as the budget asks, not more: \(sent)")
    let meter = try #require(bench.watch.snapshot().meters[bench.wan])
    #expect(meter.budget == 4_320_000 && meter.spent > 20_000 && meter.spent < 40_000)
    #expect((8...14).contains(meter.stretch))
    #expect(bench.watch.awaitsTraffic, "now that it is probed seldom")
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(15))
    #expect(bench.goesBy(bench.b), "one interval and a confirmation, not three intervals")
  }
}
