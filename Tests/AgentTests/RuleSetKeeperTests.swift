import Core
internal import RuleSets
import Testing

@testable import Agent

@Suite struct RuleSetKeeperTests {
  @Test func whatIsAcceptedIsAppliedAndKept() async throws {
    let bench = try RuleSetBench()
    bench.answer(RuleSetBench.document(1), etag: "\"one\"")
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [1])
    #expect(bench.store.stored?.bytes == RuleSetBench.document(1))
    #expect(bench.store.stored?.etag == "\"one\"")
    #expect(bench.store.stored?.slots[.uplink(try #require(InterfaceName("wan0")))] != nil)
    bench.source.next(.success(.unchanged))
    _ = await bench.keeper.pull()
    #expect(bench.source.asked == [nil, "\"one\""])
    #expect(bench.applier.revisions == [1])
  }

  @Test func startsFromTheCache() async throws {
    let slots = SlotBook([.uplink(try #require(InterfaceName("wan0"))): try #require(Slot(9))])
    let bench = try RuleSetBench(MemoryStore(StoredRuleSet(bytes: RuleSetBench.document(7), etag: "x", slots: slots)))
    await bench.keeper.startFromStore()
    #expect(bench.applier.revisions == [7])
    bench.source.next(.success(.unchanged))
    _ = await bench.keeper.pull()
    #expect(bench.source.asked == ["x"])
    #expect(bench.store.stored?.slots == slots, "owners keep their slots over a restart")
  }

  /// What had been applied by the time the keeper reported that it had started.
  private func appliedAtStart(_ bench: RuleSetBench) async -> [UInt64]? {
    let (starts, inbox) = AsyncStream.makeStream(of: [UInt64].self)
    let running = Task { await bench.keeper.run { inbox.yield(bench.applier.revisions) } }
    var first = starts.makeAsyncIterator()
    let applied = await first.next()
    running.cancel()
    await running.value
    return applied
  }

  @Test func saysThatItHasStartedOnceTheCacheRunsOrHoldsNothing() async throws {
    let stored = StoredRuleSet(bytes: RuleSetBench.document(7), etag: nil, slots: SlotBook())
    #expect(await appliedAtStart(try RuleSetBench(MemoryStore(stored))) == [7])
    #expect(await appliedAtStart(try RuleSetBench()) == [])
    #expect(await appliedAtStart(try RuleSetBench(MemoryStore(failing: true))) == [])
    let refused = try RuleSetBench(MemoryStore(stored))
    refused.applier.refuse(7)
    #expect(await appliedAtStart(refused) == [])
  }

  @Test func aTornCacheIsReportedAndTheSourceAsked() async throws {
    let bench = try RuleSetBench(MemoryStore(failing: true))
    await bench.keeper.startFromStore()
    #expect(bench.events.count(.stateDamaged) == 1)
    bench.answer(RuleSetBench.document(1))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [1])
  }

  @Test(arguments: [
    "", "<html>not found</html>", "{", "null", "{\"schema\":2}", "{\"schema\":1,\"device\":\"branch-017\"",
  ])
  func aBadDocumentChangesNothing(_ text: String) async throws {
    let bench = try RuleSetBench()
    bench.answer(RuleSetBench.document(1))
    _ = await bench.keeper.pull()
    bench.answer(Array(text.utf8))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [1])
    #expect(bench.store.stored?.bytes == RuleSetBench.document(1))
    #expect(bench.events.count(.ruleSetRefused) == 1)
  }

  @Test func anotherDevicesRuleSetIsRefused() async throws {
    let bench = try RuleSetBench()
    bench.answer(RuleSetBench.document(1, device: "branch-018"))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions.isEmpty)
    #expect(bench.events.all.last?.text.contains("device") == true)
  }

  @Test func anOlderRevisionIsRefused() async throws {
    let bench = try RuleSetBench()
    bench.answer(RuleSetBench.document(5))
    _ = await bench.keeper.pull()
    bench.answer(RuleSetBench.document(4))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [5])
    bench.answer(RuleSetBench.document(5, direct: "10.0.0.0/8"))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [5], "other content needs a higher revision")
    #expect(bench.events.count(.ruleSetRefused) == 2)
  }

  @Test func whatTheKernelRefusesIsNotKept() async throws {
    let bench = try RuleSetBench()
    bench.answer(RuleSetBench.document(1))
    _ = await bench.keeper.pull()
    bench.applier.refuse(2)
    bench.answer(RuleSetBench.document(2))
    _ = await bench.keeper.pull()
    #expect(bench.store.stored?.bytes == RuleSetBench.document(1))
    #expect(await bench.keeper.status.revision == 1)
  }

  @Test func theSameRefusalIsReportedOnce() async throws {
    let bench = try RuleSetBench()
    for _ in 0..<5 {
      bench.answer(Array("{}".utf8))
      _ = await bench.keeper.pull()
    }
    #expect(bench.events.count(.ruleSetRefused) == 1)
  }

  @Test func failuresBackOffAndAreReportedSparingly() async throws {
    let bench = try RuleSetBench()
    var waits: [Duration] = []
    for _ in 0..<10 {
      bench.source.next(.failure(FetchFailure(operation: "GET http://127.0.0.1/", cause: "500")))
      waits.append(await bench.keeper.pull())
    }
    #expect(zip(waits, waits.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(bench.events.count(.pullFailed) == 4, "at the 1st, 2nd, 4th and 8th")
    bench.answer(RuleSetBench.document(1))
    _ = await bench.keeper.pull()
    #expect(bench.events.count(.pullRecovered) == 1)
  }
}
