internal import RuleSets
import Testing

@testable import Core

/// Traffic went to the second path, and has returned to the first.
private struct Bench {
  let watch: WatchBench
  let limit: Duration
  let b: RuleSelection.Choice

  init(limit: Duration) throws {
    watch = try WatchBench()
    self.limit = limit
    b = .path(try #require(Name("b")))
    watch.prober.set(watch.a, .silent)
    watch.prober.set(watch.b, .answers(.milliseconds(1)))
    try plan(.drain)
    watch.loop.advance(by: .seconds(1))
    watch.prober.set(watch.a, .answers(.milliseconds(1)))
    watch.loop.advance(by: .seconds(6))
    #expect(watch.goesBy(watch.a))
  }

  func plan(_ failback: Egress.Failback, limit: Duration? = nil) throws {
    var plan = try watch.plan(failback: failback)
    plan.rules[0].rule.egress.drainLimit = limit ?? self.limit
    try watch.watch.watch(plan, links: watch.links, generation: 0)
  }

  func draining() -> [Drains.Drain] {
    watch.watch.snapshot().drains.values.flatMap(\.all)
  }
  var markOfB: Mark { Mark(value: 3 << 20) }
  func sweepsOfB() -> [ConnectionSweep] { watch.swept.filter { $0.mark == markOfB } }
}

@Suite struct WatchDrainTests {
  @Test func `without a limit nothing is ever swept`() throws {
    let bench = try Bench(limit: .zero)
    #expect(bench.draining().map(\.way) == [bench.b])
    bench.watch.loop.advance(by: .seconds(3_600))
    #expect(bench.sweepsOfB().isEmpty)
    #expect(bench.draining().count == 1)
    #expect(bench.watch.events.count(.drainStarted) == 1)
    #expect(bench.watch.events.count(.drainEnded) == 0)
  }

  @Test func `when the limit is over, the rule's flows are swept once`() throws {
    let bench = try Bench(limit: .seconds(60))
    bench.watch.loop.advance(by: .seconds(50))
    #expect(bench.sweepsOfB().isEmpty)
    bench.watch.loop.advance(by: .seconds(60))
    #expect(
      bench.sweepsOfB() == [
        ConnectionSweep(
          mark: bench.markOfB, sources: [0xc0a8_0a00...0xc0a8_0aff], way: "path:b", heirs: [Mark(value: 2 << 20)])
      ], "between tunnels they go on by the other")
    #expect(bench.draining().isEmpty)
    let ended = try #require(bench.watch.events.all.first { $0.kind == .drainEnded })
    #expect(ended.details["duration_seconds"] == "60.000")
    #expect(ended.subject == "office")
  }

  @Test func `a way that is chosen again stops draining`() throws {
    let bench = try Bench(limit: .seconds(60))
    bench.watch.prober.set(bench.watch.a, .silent)
    bench.watch.loop.advance(by: .seconds(1))
    #expect(bench.watch.goesBy(bench.watch.b))
    #expect(bench.draining().isEmpty)
    bench.watch.loop.advance(by: .seconds(100))
    #expect(bench.sweepsOfB().isEmpty)
    #expect(bench.watch.events.all.last { $0.kind == .drainEnded }?.details["cause"] == "traffic goes there again")
  }

  @Test func `the flows of a draining way that dies are swept with it`() throws {
    let bench = try Bench(limit: .seconds(60))
    bench.watch.prober.set(bench.watch.b, .silent)
    bench.watch.loop.advance(by: .seconds(1))
    #expect(bench.sweepsOfB().map(\.sources) == [nil])
    #expect(bench.draining().isEmpty)
    bench.watch.loop.advance(by: .seconds(100))
    #expect(bench.sweepsOfB().count == 1)
  }

  @Test func `a new rule set shortens, lengthens or ends it`() throws {
    let bench = try Bench(limit: .zero)
    try bench.plan(.drain, limit: .seconds(3_600))
    #expect(bench.draining().first?.until != nil)
    try bench.plan(.drain, limit: .seconds(1))
    bench.watch.loop.advance(by: .seconds(2))
    #expect(bench.sweepsOfB().count == 1)
    let other = try Bench(limit: .zero)
    try other.plan(.move)
    #expect(other.sweepsOfB().count == 1)
    #expect(other.draining().isEmpty)
  }

  @Test func `a rule that is gone drains nothing`() throws {
    let bench = try Bench(limit: .seconds(60))
    var plan = try bench.watch.plan(failback: .drain)
    plan.rules = []
    try bench.watch.watch.watch(plan, links: bench.watch.links, generation: 0)
    #expect(bench.draining().isEmpty)
    #expect(bench.watch.events.all.last { $0.kind == .drainEnded }?.details["cause"] == "the rule is gone")
    let before = bench.sweepsOfB().count
    bench.watch.loop.advance(by: .seconds(100))
    #expect(bench.sweepsOfB().count == before)
  }

  @Test func `ways left by an earlier agent drain for the limit at most`() throws {
    let watch = try WatchBench()
    watch.flipper.active = [watch.table: .out(device: watch.a, gateway: nil)]
    watch.prober.set(watch.a, .answers(.milliseconds(1)))
    watch.prober.set(watch.b, .answers(.milliseconds(1)))
    var plan = try watch.plan(failback: .drain)
    plan.rules[0].rule.egress.drainLimit = .seconds(60)
    try watch.watch.watch(plan, links: watch.links, generation: 0)
    watch.loop.advance(by: .seconds(59))
    #expect(watch.swept.isEmpty)
    #expect(watch.watch.snapshot().drains.values.flatMap(\.all).allSatisfy { !$0.isCertain })
    watch.loop.advance(by: .seconds(2))
    #expect(watch.swept.map(\.way) == ["path:b", "local_wan:wan0"])
    #expect(
      watch.events.count(.drainStarted) + watch.events.count(.drainEnded) == 0, "nobody knows whether there were any")
  }
}
