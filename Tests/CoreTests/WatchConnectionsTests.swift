internal import RuleSets
import Testing

@testable import Core

/// A client fills the connection tracking table, and the hub lives, or does not.
@Suite struct WatchConnectionsTests {
  private let outer = TrackedFlow(.ipip, from: IPv4Address(value: 1), to: IPv4Address(value: 2))
  private let other = TrackedFlow(.esp, from: IPv4Address(value: 1), to: IPv4Address(value: 2))
  private let own = TrackedFlow(
    .icmp(identifier: 7), from: IPv4Address(value: 0x0a01_0101), to: IPv4Address(value: 0x0a01_0102))

  /// Traffic goes by the first path, whose outer packets are one of two connections.
  private func bench(tracks: Bool) throws -> WatchBench {
    let bench = try WatchBench()
    bench.prober.tracks = tracks
    var plan = try bench.plan()
    plan.paths[0].outer = [[outer, other]]
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(2))) }
    try bench.watch.watch(plan, links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(2))
    #expect(bench.goesBy(bench.a))
    return bench
  }

  private func silence(_ bench: WatchBench) throws -> PathHealth.State? {
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(2))
    return bench.watch.snapshot().health[try #require(Name("a"))]?.state
  }

  @Test func theFlowsAreThoseOfProbesAndOuterPackets() throws {
    let bench = try bench(tracks: true)
    #expect(bench.watch.trackedFlows == [outer, other, own])
  }

  @Test func whatNeedsANewConnectionShowsNothing() throws {
    let bench = try bench(tracks: false)
    bench.watch.connectionTableChanged(isFull: true, missing: [])
    #expect(try silence(bench) == .up)
    #expect(bench.goesBy(bench.a))
    #expect(
      bench.watch.snapshot().health[try #require(Name("a"))]?.cause.contains("connection tracking table is full")
        == true)
    bench.watch.connectionTableChanged(isFull: false, missing: [])
    bench.loop.advance(by: .seconds(1))
    #expect(bench.goesBy(bench.b), "there was room, and no answer")
  }

  @Test func aHubThatDiesIsFoundByWhatIsHeld() throws {
    let bench = try bench(tracks: true)
    bench.watch.connectionTableChanged(isFull: true, missing: [other])
    #expect(try silence(bench) == .down)
    #expect(bench.goesBy(bench.b))
  }

  @Test("what is missing hinders", arguments: [false, true])
  func missing(_ isOwn: Bool) throws {
    let bench = try bench(tracks: true)
    bench.watch.connectionTableChanged(isFull: true, missing: isOwn ? [own] : [outer, other])
    #expect(try silence(bench) == .up)
    #expect(bench.goesBy(bench.a))
  }
}
