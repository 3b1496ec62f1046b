import Core
import Fakes
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

/// A client fills the connection tracking table, and the hub dies.
@Suite struct ConnectionKeeperTests {
  private let outer = TrackedFlow(.ipip, from: IPv4Address(value: 1), to: IPv4Address(value: 2))
  private let other = TrackedFlow(.esp, from: IPv4Address(value: 1), to: IPv4Address(value: 2))
  private let own = TrackedFlow(
    .icmp(identifier: 7), from: IPv4Address(value: 0x0a01_0101), to: IPv4Address(value: 0x0a01_0102))

  /// Traffic goes by the first path, whose outer packets are one of two connections.
  private func bench(tracks: Bool) async throws -> WatchBench {
    let bench = try WatchBench()
    bench.prober.tracks.withLock { $0 = tracks }
    var plan = try bench.plan()
    plan.paths[0].outer = [[outer, other]]
    for device in [bench.a, bench.b] { bench.prober.set(device, .answers(.milliseconds(2))) }
    try await bench.watch.watch(plan, links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(2))
    #expect(bench.goesBy(bench.a))
    return bench
  }

  private func silence(_ bench: WatchBench) async throws -> PathHealth.State? {
    bench.prober.set(bench.a, .silent)
    bench.loop.advance(by: .seconds(2))
    return await bench.watch.snapshot().health[try #require(Name("a"))]?.state
  }

  @Test func theKeeperHoldsWhatIsNewAndWhatWasMissingAndTellsOnceOfAFullTable() async throws {
    let bench = try await bench(tracks: true)
    let table = FakeConnectionTable(limit: 4)
    let keeper = ConnectionKeeper(
      port: table, watch: bench.watch, events: bench.events, surroundings: StillSurroundings())
    await keeper.turn()
    #expect(table.asked == [[outer, other, own]])
    try table.track(own)
    try table.track(outer)
    await keeper.turn()
    await keeper.turn()
    #expect(table.asked.dropFirst() == [[outer, other, own], [other]])
    #expect(table.isHeld(own) && table.isHeld(outer))
    #expect(bench.events.count(.connectionTableFull) == 0)
    table.flood()
    await keeper.turn()
    await keeper.turn()
    #expect(bench.events.count(.connectionTableFull) == 1)
    #expect(await keeper.table.isFull)
    #expect(table.isHeld(own) && table.isHeld(outer), "a flood throws out others")
    #expect(try await silence(bench) == .down)
  }
}
