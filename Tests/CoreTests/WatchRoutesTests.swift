internal import RuleSets
import Testing

@testable import Core

private typealias Bench = WatchBench

/// The active routes: as chosen, as they were found, and as the kernel takes them.
@Suite struct WatchRoutesTests {
  @Test func anUndisturbedRestartChangesNothing() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    bench.flipper.active = [bench.table: .out(device: bench.a, gateway: nil)]
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(20))
    #expect(bench.flipper.log.isEmpty)
  }

  @Test func aChangedGatewayIsFollowed() throws {
    let bench = try Bench()
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    #expect(
      bench.flipper.active[bench.table] == .out(device: bench.wan, gateway: .ipv4(IPv4Address(value: 0xc633_6401))))
    try bench.watch.watch(try bench.plan(gateway: 0xc633_64fe), links: bench.links, generation: 0)
    #expect(
      bench.flipper.active[bench.table] == .out(device: bench.wan, gateway: .ipv4(IPv4Address(value: 0xc633_64fe))))
  }

  @Test func whatAnotherProgramRemovedIsRestored() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    bench.flipper.active = [:]
    bench.watch.inspect()
    #expect(bench.goesBy(bench.a))
    #expect(bench.events.count(.driftRepaired) == 1)
  }

  @Test func aFlipThatFailsIsTriedAgain() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.flipper.fail(with: "no buffer")
    bench.loop.advance(by: .milliseconds(50))
    #expect(bench.events.count(.flipFailed) >= 1)
    bench.flipper.fail(with: nil)
    bench.loop.advance(by: .milliseconds(500))
    #expect(bench.goesBy(bench.a))
  }

  @Test func aPathThatLeadsElsewhereIsJudgedAgainBeforeItIsUsed() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    bench.prober.set(bench.b, .silent)
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    let other = try #require(InterfaceName("bh-c"))
    var moved = try bench.plan()
    moved.paths[0].device = other
    moved.paths[0].mark = Mark(value: 7 << 20)
    moved.paths[0].way = .out(device: other, gateway: nil)
    var links = bench.links
    links[other] = bench.link()
    let before = bench.swept.count
    try bench.watch.watch(moved, links: links, generation: 0)
    #expect(bench.goesBy(bench.a), "the old device, until the new one has answered")
    #expect(bench.swept.dropFirst(before).contains { $0.mark == Mark(value: 2 << 20) })
    bench.prober.set(other, .answers(.milliseconds(1)))
    bench.loop.advance(by: .milliseconds(300))
    #expect(bench.goesBy(other))
  }

  @Test func aPathThatIsRemovedIsLeftForOneThatIsKnownToWork() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
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
    try bench.watch.watch(other, links: links, generation: 0)
    #expect(bench.watch.devicesInUse == [bench.a], "its device must not be deleted yet")
    let before = bench.swept.count
    bench.prober.set(device, .answers(.milliseconds(1)))
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(device))
    #expect(bench.swept.dropFirst(before).contains { $0.mark == Mark(value: 2 << 20) && $0.sources == nil })
  }

  @Test func anUplinkThatTheRuleNoLongerNamesIsLeftAtOnce() throws {
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
    try bench.watch.watch(named, links: bench.links, generation: 0)
    #expect(bench.goesBy(bench.wan))
    // Another program removed its route, so the kernel does not show which way the rule goes.
    bench.flipper.active = [:]
    var unnamed = try bench.plan(fallback: .block)
    unnamed.paths = named.paths
    try bench.watch.watch(unnamed, links: bench.links, generation: 0)
    #expect(bench.flipper.active[bench.table] == nil, "though neither of the tunnels has a verdict yet")
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    bench.loop.advance(by: .milliseconds(300))
    #expect(bench.goesBy(bench.b))
  }

  @Test func aRouteByAnUplinkDoesNotOutliveAFlipThatTheKernelRefused() throws {
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
    try bench.watch.watch(named, links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    bench.flipper.fail(with: "no buffer")
    bench.watch.linkChanged(bench.wan, bench.link(carrier: false))
    #expect(bench.goesBy(bench.wan), "the kernel refuses the flip")
    bench.flipper.fail(with: nil)
    // Path a's device is gone as well, so there is no route to restore.
    var links = bench.links
    links[bench.a] = nil
    var gone = try bench.plan(fallback: .block)
    gone.rules[0].rule.egress.paths = [try #require(Name("b"))]
    try bench.watch.watch(gone, links: links, generation: 0)
    #expect(!bench.goesBy(bench.wan), "the floor, rather")
    bench.flipper.active = [bench.table: .out(device: bench.wan, gateway: nil)]
    var moved = try bench.plan(fallback: .block)
    moved.paths[0].device = try #require(InterfaceName("bh-c"))
    moved.paths[0].way = .out(device: moved.paths[0].device, gateway: nil)
    links[moved.paths[0].device] = bench.link()
    try bench.watch.watch(moved, links: links, generation: 0)
    #expect(!bench.goesBy(bench.wan), "not until path a, which leads another way now, has a verdict")
  }

  @Test func aStrayRouteThatCouldNotBeRemovedIsTriedAgain() throws {
    let bench = try Bench()
    try bench.watch.watch(try bench.plan(fallback: .block), links: bench.links, generation: 0)
    bench.flipper.active = [bench.table: .out(device: bench.wan, gateway: nil)]
    bench.flipper.failRemovals(with: "no buffer")
    bench.watch.inspect()
    #expect(bench.goesBy(bench.wan))
    bench.flipper.failRemovals(with: nil)
    bench.loop.advance(by: .milliseconds(250))
    #expect(bench.flipper.active[bench.table] == nil)
  }

  @Test func aFlipThatCameLateIsReportedAndSwept() throws {
    let bench = try Bench()
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try bench.watch.watch(try bench.plan(), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    bench.flipper.fail(with: "no buffer")
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

  @Test func whoLeavesAPathThatIsNoMoreTakesOnlyItsOwnFlowsAlong() throws {
    let bench = try Bench()
    let shop = IPv4Prefix("192.168.12.0/24")
    var plan = try bench.plan(fallback: .block)
    for number in plan.paths.indices where plan.paths[number].name.text == "b" {
      var third = plan.paths[number]
      third.name = try #require(Name("c"))
      third.device = try #require(InterfaceName("bh-c"))
      third.way = .out(device: third.device, gateway: nil)
      third.mark = Mark(value: 6 << 20)
      third.probes[0].name = third.name
      third.probes[0].path = third.name
      plan.paths.append(third)
    }
    var links = bench.links
    links[plan.paths[2].device] = bench.link()
    var second = plan.rules[0]
    second.rule.name = try #require(Name("shop"))
    second.rule.egress.name = second.rule.name
    second.rule.sources = Sources(prefixes: [try #require(shop)])
    second.sources = AddressRanges.merged(second.rule.sources.prefixes)
    second.table = TableID(7911)
    second.mark = Mark(value: 7 << 20)
    second.rule.egress.paths = [try #require(Name("a")), try #require(Name("c"))]
    plan.rules.append(second)
    let others = Array(plan.paths.dropFirst())
    plan.paths = Array(plan.paths.prefix(1))
    bench.prober.set(bench.a, .answers(.milliseconds(1)))
    try bench.watch.watch(plan, links: links, generation: 0)
    bench.loop.advance(by: .seconds(1))
    #expect(bench.flipper.active.count == 2 && bench.goesBy(bench.a))

    let old = plan.paths[0].mark
    plan.paths = others
    plan.rules[0].rule.egress.paths = [try #require(Name("b"))]
    plan.rules[1].rule.egress.paths = [try #require(Name("c"))]
    var before = bench.swept.count
    func sweptOfOld() -> [ConnectionSweep] { bench.swept.dropFirst(before).filter { $0.mark == old } }
    try bench.watch.watch(plan, links: links, generation: 0)
    #expect(sweptOfOld().isEmpty, "both are still on it, as no other path has a verdict")
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    bench.loop.advance(by: .milliseconds(150))
    #expect(bench.goesBy(bench.b))
    let office = plan.rules[0].sources
    #expect(!sweptOfOld().isEmpty && sweptOfOld().allSatisfy { $0.sources == office }, "\(sweptOfOld())")
    before = bench.swept.count
    bench.prober.set(others[1].device, .answers(.milliseconds(1)))
    bench.loop.advance(by: .milliseconds(300))
    #expect(sweptOfOld().contains { $0.sources == nil }, "nobody is left on it: the mark may be another's soon")
  }
}
