import Core
import Fakes
internal import RuleSets
import Testing

@testable import Agent

/// A keeper over the watch of two tunnels, both of which answer.
private struct Bench {
  let watch: WatchBench
  let time: VirtualTime
  let store: FakeForceStore
  let keeper: ForceKeeper
  private let running: Task<Void, Never>
  let a: Name
  let b: Name

  init(_ time: VirtualTime, _ store: FakeForceStore = FakeForceStore()) throws {
    self.time = time
    self.store = store
    watch = try WatchBench()
    keeper = ForceKeeper(store: store, watch: watch.watch, events: watch.events, surroundings: time)
    running = Task(executorPreference: time) { [keeper] in await keeper.run() }
    a = try #require(Name("a"))
    b = try #require(Name("b"))
    watch.prober.set(watch.a, .answers(.milliseconds(1)))
    watch.prober.set(watch.b, .answers(.milliseconds(1)))
  }

  /// The agent ends.
  func end() async {
    running.cancel()
    await running.value
  }

  func begin(_ fallback: Egress.Fallback = .localWAN) async throws {
    await keeper.start()
    try await watch.watch.watch(try watch.plan(fallback: fallback), links: watch.links, generation: 0)
    watch.loop.advance(by: .seconds(1))
  }

  func force(_ path: Name, _ force: PathHealth.Force, for lasting: Duration? = nil) async throws -> StoreFailure? {
    try await keeper.force(path, force, for: lasting, by: 0, reason: "test")
  }
  func state(of path: Name) async -> PathHealth.State? { await watch.watch.snapshot().health[path]?.state }
}

@Suite(.timeLimit(.minutes(5))) struct ForceKeeperTests {
  @Test func `down flips before the answer, and auto leaves the way back to the hold-down`() async throws {
    try await VirtualTime.run { time in
      let bench = try Bench(time)
      try await bench.begin()
      #expect(bench.watch.goesBy(bench.watch.a))
      #expect(try await bench.force(bench.a, .down) == nil)
      #expect(bench.watch.goesBy(bench.watch.b))
      #expect(await bench.state(of: bench.a) == .disabled)
      #expect(bench.store.kept[bench.a]?.force == .down)
      let event = try #require(bench.watch.events.all.first { $0.kind == .pathForced })
      #expect(event.details == ["force": "down", "user": "0", "reason": "test"])
      #expect(event.text == "path a is forced down by user 0: test")
      // It answers all the while.
      bench.watch.loop.advance(by: .seconds(60))
      #expect(bench.watch.goesBy(bench.watch.b))
      #expect(await bench.keeper.takeBack(bench.a, by: 0, reason: nil).was)
      #expect(await bench.state(of: bench.a) == .up)
      #expect(bench.watch.goesBy(bench.watch.b), "the hold-down of five seconds is not over")
      bench.watch.loop.advance(by: .seconds(6))
      #expect(bench.watch.goesBy(bench.watch.a))
      #expect(bench.store.kept.isEmpty)
      #expect(await bench.keeper.takeBack(bench.a, by: 0, reason: nil).was == false)
    }
  }

  @Test func `up takes a silent path at once, but not one whose device is gone`() async throws {
    try await VirtualTime.run { time in
      let bench = try Bench(time)
      try await bench.begin()
      bench.watch.prober.set(bench.watch.a, .silent)
      bench.watch.loop.advance(by: .seconds(1))
      #expect(bench.watch.goesBy(bench.watch.b))
      _ = try await bench.force(bench.a, .up)
      #expect(bench.watch.goesBy(bench.watch.a), "no hold-down")
      bench.watch.loop.advance(by: .seconds(60))
      #expect(bench.watch.goesBy(bench.watch.a))
      await bench.watch.watch.linkChanged(bench.watch.a, bench.watch.link(carrier: false))
      #expect(bench.watch.goesBy(bench.watch.b))
      let snapshot = await bench.watch.watch.snapshot()
      #expect(
        ForceReport.warnings(of: bench.a, .up, snapshot) == ["path a is still down: bh-a has no carrier"])
      await bench.watch.watch.linkChanged(bench.watch.a, bench.watch.link())
      #expect(bench.watch.goesBy(bench.watch.a))
      _ = await bench.keeper.takeBack(bench.a, by: 0, reason: nil)
      #expect(bench.watch.goesBy(bench.watch.b), "its probes say that it is down")
    }
  }

  @Test func `the last living path can be forced down, with a warning`() async throws {
    try await VirtualTime.run { time in
      let bench = try Bench(time)
      try await bench.begin(.block)
      _ = try await bench.force(bench.a, .down)
      #expect(ForceReport.warnings(of: bench.a, .down, await bench.watch.watch.snapshot()).isEmpty)
      _ = try await bench.force(bench.b, .down)
      #expect(bench.watch.flipper.active.isEmpty)
      #expect(
        ForceReport.warnings(of: bench.b, .down, await bench.watch.watch.snapshot()) == [
          "rule office has no path left that is up: its traffic is blocked (fallback: block)"
        ])
    }
  }

  @Test func `a force with an end ends by itself`() async throws {
    try await VirtualTime.run { time in
      let bench = try Bench(time)
      try await bench.begin()
      _ = try await bench.force(bench.a, .down, for: .seconds(10))
      await time.pass(.seconds(9))
      #expect(await bench.state(of: bench.a) == .disabled)
      await time.pass(.seconds(2))
      #expect(await bench.state(of: bench.a) == .up)
      #expect(bench.store.kept.isEmpty)
      #expect(bench.watch.events.count(.pathForced) == 2)
    }
  }

  @Test func `a force survives a restart, even if no such path exists`() async throws {
    try await VirtualTime.run { time in
      let gone = try #require(Name("gone"))
      let store = FakeForceStore()
      let first = try Bench(time, store)
      try await first.begin()
      _ = try await first.force(first.a, .down, for: .seconds(100))
      _ = try await first.force(gone, .up)
      await first.end()
      await time.pass(.seconds(40))
      let second = try Bench(time, store)
      try await second.begin()
      #expect(second.watch.goesBy(second.watch.b), "not for a moment by the path that is forced down")
      #expect(second.watch.flipper.log.count == 1)
      let entries = await second.keeper.entries
      let stray = PathForceReport.stray(entries, await second.watch.watch.snapshot())
      #expect(stray.map(\.path) == ["gone"])
      await time.pass(.seconds(61))
      #expect(await second.state(of: second.a) == .up)
      #expect(store.kept.keys.sorted() == [gone])
    }
  }

  @Test func `a force that expired while the agent was away is reported and forgotten`() async throws {
    try await VirtualTime.run { time in
      let store = FakeForceStore()
      let first = try Bench(time, store)
      try await first.begin()
      _ = try await first.force(first.a, .down, for: .seconds(10))
      await first.end()
      await time.pass(.seconds(60))
      #expect(store.kept.count == 1, "an agent that is stopped takes nothing back")
      let second = try Bench(time, store)
      try await second.begin()
      #expect(second.watch.goesBy(second.watch.a))
      #expect(second.watch.events.count(.pathForced) == 1)
      #expect(store.kept.isEmpty)
    }
  }

  @Test func `a damaged file is reported and set aside, and stops nothing`() async throws {
    try await VirtualTime.run { time in
      let a = try #require(Name("a"))
      let store = FakeForceStore([
        a: .init(.down, since: time.wallTime, until: nil, user: 0, reason: nil)
      ])
      store.damage()
      let bench = try Bench(time, store)
      try await bench.begin()
      #expect(bench.watch.goesBy(bench.watch.a))
      #expect(store.aside == ["forces.damaged"])
      let event = try #require(bench.watch.events.all.first { $0.kind == .storeFailed })
      #expect(event.text.contains("set aside as forces.damaged"))
    }
  }

  @Test func `a full disk does not prevent a force, and is reported`() async throws {
    try await VirtualTime.run { time in
      let bench = try Bench(time)
      try await bench.begin()
      let full = StoreFailure(operation: "write forces", cause: "No space left on device")
      bench.store.fail(with: full)
      #expect(try await bench.force(bench.a, .down) == full)
      #expect(bench.watch.goesBy(bench.watch.b))
      #expect(bench.watch.events.count(.storeFailed) == 1)
    }
  }
}
