internal import RuleSets
import Testing

@testable import Core

/// `fallback: underlay` in the kernel's routes, the events and after a restart.
@Suite struct WatchUnderlayTests {
  /// The tunnels `a` and `b` run over the private line `mpls0`; `wan0` is an ordinary uplink.
  private struct Bench {
    let bench: WatchBench
    let line: InterfaceName

    init() throws {
      bench = try WatchBench()
      line = try #require(InterfaceName("mpls0"))
    }

    var links: [InterfaceName: Link] { bench.links.merging([line: bench.link()]) { $1 } }

    func plan(_ fallback: Egress.Fallback = .underlay) throws -> WatchPlan {
      var plan = try bench.plan(fallback: fallback, secured: true)
      for index in plan.paths.indices { plan.paths[index].underlay = line }
      // It has the better tier; `local_wan` must still not use it.
      plan.uplinks.insert(
        .init(
          interface: line, tier: 1, isPrivate: true, mark: Mark(value: 6 << 20),
          way: .out(device: line, gateway: .ipv4(IPv4Address(value: 0x0a63_0001))), obstacle: nil), at: 0)
      plan.rules[0].underlays = fallback == .underlay ? [line] : []
      return plan
    }

    func watch(_ plan: WatchPlan) throws {
      try bench.watch.watch(plan, links: links, generation: 0)
    }

    /// Up, then both tunnels dead.
    func fallBack() throws {
      for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(1))) }
      try watch(try plan())
      bench.loop.advance(by: .seconds(1))
      for device in [bench.a, bench.b] { bench.prober.set(device, .silent) }
      bench.loop.advance(by: .seconds(1))
    }
  }

  @Test func withItsTunnelsDeadTrafficGoesByTheLineInTheClearAndSaysSo() throws {
    let bench = try Bench()
    try bench.fallBack()
    #expect(
      bench.bench.flipper.active[bench.bench.table]
        == .out(device: bench.line, gateway: .ipv4(IPv4Address(value: 0x0a63_0001))))
    let event = try #require(bench.bench.events.all.first { $0.kind == .unencryptedStarted })
    #expect(
      event.text == "rule office: traffic goes by the private line mpls0 in the clear, until its tunnel is back")
    #expect(event.details == ["uplink": "mpls0"])
    #expect(event.severity == .warning)
    let order = bench.bench.kinds()
    #expect(order.contains(.failover))
    let selection = try #require(bench.bench.watch.snapshot().selections.values.first)
    #expect(selection.isUnencrypted)
  }

  @Test func theEndIsReportedWithTheSecondsThatItTook() throws {
    let bench = try Bench()
    try bench.fallBack()
    bench.bench.prober.set(bench.bench.a, .answers(.milliseconds(1)))
    bench.bench.loop.advance(by: .seconds(10))
    #expect(bench.bench.goesBy(bench.bench.a))
    let ended = bench.bench.events.all.filter { $0.kind == .unencryptedEnded }
    let report = try #require(ended.first)
    #expect(ended.count == 1)
    // From 1.3 s, when the third probe was lost, to 7.3 s, five after the third answer.
    #expect(report.text == "rule office: no longer in the clear, after 6 s")
    #expect(report.details == ["seconds": "6"])
    #expect(bench.bench.events.count(.unencryptedStarted) == 1)
  }

  @Test func connectionsOfTheLineAreSetUpAgainWhenItIsLeft() throws {
    let bench = try Bench()
    try bench.fallBack()
    let before = bench.bench.swept.count
    bench.bench.prober.set(bench.bench.a, .answers(.milliseconds(1)))
    bench.bench.loop.advance(by: .seconds(10))
    let new = bench.bench.swept.dropFirst(before)
    #expect(new.map(\.mark) == [Mark(value: 6 << 20)])
    #expect(new.first?.way == "underlay:mpls0")
  }

  @Test func withTheLineGoneTooItIsBlockedAndNeverByTheWAN() throws {
    let bench = try Bench()
    try bench.fallBack()
    bench.bench.watch.linkChanged(bench.line, bench.bench.link(carrier: false))
    #expect(bench.bench.flipper.active[bench.bench.table] == nil, "only the floor is left")
    bench.bench.loop.advance(by: .seconds(60))
    bench.bench.watch.linkChanged(bench.line, bench.bench.link())
    #expect(bench.bench.goesBy(bench.line), "and back at once")
    #expect(!bench.bench.flipper.log.contains { $0.hasSuffix("wan0") })
    #expect(bench.bench.events.count(.unencryptedStarted) == 2)
    #expect(bench.bench.events.count(.unencryptedEnded) == 1)
  }

  @Test func aLocalWANIsNeverAPrivateLine() throws {
    let bench = try Bench()
    try bench.watch(try bench.plan(.localWAN))
    bench.bench.loop.advance(by: .seconds(1))
    #expect(bench.bench.goesBy(bench.bench.wan))
    bench.bench.watch.linkChanged(bench.bench.wan, nil)
    bench.bench.loop.advance(by: .seconds(1))
    #expect(!bench.bench.flipper.log.contains { $0.hasSuffix("mpls0") })
    #expect(bench.bench.events.count(.unencryptedStarted) == 0)
  }

  @Test func aRestartKeepsTheLineAndReportsItAgain() throws {
    let bench = try Bench()
    bench.bench.flipper.active = [
      bench.bench.table: .out(device: bench.line, gateway: .ipv4(IPv4Address(value: 0x0a63_0001)))
    ]
    try bench.watch(try bench.plan())
    #expect(bench.bench.events.all.map(\.kind) == [.unencryptedStarted], "the last life's journal is gone")
    bench.bench.loop.advance(by: .seconds(20))
    #expect(bench.bench.flipper.log.isEmpty, "an undisturbed restart changes nothing")
    #expect(bench.bench.events.count(.unencryptedStarted) == 1)
    bench.bench.prober.set(bench.bench.a, .answers(.milliseconds(1)))
    bench.bench.loop.advance(by: .seconds(10))
    #expect(bench.bench.goesBy(bench.bench.a))
    #expect(bench.bench.events.count(.unencryptedEnded) == 1)
  }

  @Test func aRestartUnderARuleThatForbidsTheLineLeavesItAtOnce() throws {
    let bench = try Bench()
    bench.bench.flipper.active = [
      bench.bench.table: .out(device: bench.line, gateway: .ipv4(IPv4Address(value: 0x0a63_0001)))
    ]
    try bench.watch(try bench.plan(.block))
    #expect(bench.bench.flipper.active[bench.bench.table] == nil)
    #expect(bench.bench.events.count(.unencryptedStarted) == 0)
  }

  @Test func aRuleThatGoesWhileInTheClearIsToldToHaveEnded() throws {
    let bench = try Bench()
    try bench.fallBack()
    var none = try bench.plan()
    none.rules = []
    try bench.watch(none)
    bench.bench.loop.advance(by: .seconds(1))
    #expect(bench.bench.events.count(.unencryptedEnded) == 1)
  }
}
