import Core
import Synchronization
import Testing

@testable import Agent

private final class ScriptedSource: RuleSetSource {
  private let answers = Mutex<[Result<Fetched, FetchFailure>]>([])
  private let etags = Mutex<[String?]>([])
  func next(_ answer: Result<Fetched, FetchFailure>) { answers.withLock { $0.append(answer) } }
  var asked: [String?] { etags.withLock { $0 } }
  func fetch(etag: String?) async throws(FetchFailure) -> Fetched {
    etags.withLock { $0.append(etag) }
    let answer = answers.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    guard let answer else { throw FetchFailure(operation: "GET", cause: "nothing scripted") }
    return try answer.get()
  }
}

private final class MemoryStore: RuleSetStore {
  private let kept: Mutex<StoredRuleSet?>
  private let failing: Bool
  init(_ stored: StoredRuleSet? = nil, failing: Bool = false) {
    kept = Mutex(stored)
    self.failing = failing
  }
  var stored: StoredRuleSet? { kept.withLock { $0 } }
  func load() throws(StoreFailure) -> StoredRuleSet? {
    if failing { throw StoreFailure(operation: "read rule-set.json", cause: "checksum differs") }
    return stored
  }
  func save(_ stored: StoredRuleSet) throws(StoreFailure) { kept.withLock { $0 = stored } }
}

private final class ScriptedApplier: RuleSetApplier {
  private let applied = Mutex<[UInt64]>([])
  private let refusing = Mutex<UInt64?>(nil)
  var revisions: [UInt64] { applied.withLock { $0 } }
  func refuse(_ revision: UInt64?) { refusing.withLock { $0 = revision } }
  func apply(_ ruleSet: RuleSet, slots: SlotBook) async throws(RuleSetRefusal) {
    if refusing.withLock({ $0 }) == ruleSet.revision { throw RuleSetRefusal(["the kernel refused it"]) }
    applied.withLock { $0.append(ruleSet.revision) }
  }
}

private struct Bench {
  let source = ScriptedSource()
  let store: MemoryStore
  let applier = ScriptedApplier()
  let events = RecordedEvents()
  let keeper: RuleSetKeeper

  init(_ store: MemoryStore = MemoryStore()) throws {
    self.store = store
    let configuration = AgentConfiguration(
      device: try #require(Name("branch-017")),
      ruleSet: RuleSetSourceConfiguration(location: .file(path: "/nowhere")),
      uplinks: [UplinkConfiguration(interface: try #require(InterfaceName("wan0")))],
      lans: [try #require(InterfaceName("lan0"))])
    keeper = RuleSetKeeper(
      configuration: configuration, source: source, store: store, applier: applier,
      parse: { (bytes) throws(Complaints) in try RuleSetDecoder.decode(bytes) }, events: events,
      surroundings: StillSurroundings())
  }

  static func document(_ revision: Int, device: String = "branch-017", direct: String = "198.18.0.0/15") -> [UInt8] {
    Array(
      """
      {"schema":1,"device":"\(device)","revision":\(revision),"hubs":[],"tunnels":[],"paths":[],"probes":[],
       "backhaul_rules":[],"direct_destinations":["\(direct)"]}
      """.utf8)
  }
  func answer(_ bytes: [UInt8], etag: String? = nil) { source.next(.success(.document(bytes: bytes, etag: etag))) }
}

@Suite struct RuleSetKeeperTests {
  @Test func whatIsAcceptedIsAppliedAndKept() async throws {
    let bench = try Bench()
    bench.answer(Bench.document(1), etag: "\"one\"")
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [1])
    #expect(bench.store.stored?.bytes == Bench.document(1))
    #expect(bench.store.stored?.etag == "\"one\"")
    #expect(bench.store.stored?.slots[.uplink(try #require(InterfaceName("wan0")))] != nil)
    bench.source.next(.success(.unchanged))
    _ = await bench.keeper.pull()
    #expect(bench.source.asked == [nil, "\"one\""])
    #expect(bench.applier.revisions == [1])
  }

  @Test func startsFromTheCache() async throws {
    let slots = SlotBook([.uplink(try #require(InterfaceName("wan0"))): try #require(Slot(9))])
    let bench = try Bench(MemoryStore(StoredRuleSet(bytes: Bench.document(7), etag: "x", slots: slots)))
    await bench.keeper.startFromCache()
    #expect(bench.applier.revisions == [7])
    bench.source.next(.success(.unchanged))
    _ = await bench.keeper.pull()
    #expect(bench.source.asked == ["x"])
    #expect(bench.store.stored?.slots == slots, "owners keep their slots over a restart")
  }

  /// What had been applied when the keeper said that it has started.
  private func appliedAtStart(_ bench: Bench) async -> [UInt64]? {
    let (starts, inbox) = AsyncStream.makeStream(of: [UInt64].self)
    let running = Task { await bench.keeper.run { inbox.yield(bench.applier.revisions) } }
    var first = starts.makeAsyncIterator()
    let applied = await first.next()
    running.cancel()
    await running.value
    return applied
  }

  @Test func saysThatItHasStartedOnceTheCacheRunsOrHoldsNothing() async throws {
    let stored = StoredRuleSet(bytes: Bench.document(7), etag: nil, slots: SlotBook())
    #expect(await appliedAtStart(try Bench(MemoryStore(stored))) == [7])
    #expect(await appliedAtStart(try Bench()) == [])
    #expect(await appliedAtStart(try Bench(MemoryStore(failing: true))) == [])
    let refused = try Bench(MemoryStore(stored))
    refused.applier.refuse(7)
    #expect(await appliedAtStart(refused) == [])
  }

  @Test func aTornCacheIsToldAndTheSourceAsked() async throws {
    let bench = try Bench(MemoryStore(failing: true))
    await bench.keeper.startFromCache()
    #expect(bench.events.count(.storeFailed) == 1)
    bench.answer(Bench.document(1))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [1])
  }

  @Test(arguments: [
    "", "<html>not found</html>", "{", "null", "{\"schema\":2}", "{\"schema\":1,\"device\":\"branch-017\"",
  ])
  func aBadDocumentChangesNothing(_ text: String) async throws {
    let bench = try Bench()
    bench.answer(Bench.document(1))
    _ = await bench.keeper.pull()
    bench.answer(Array(text.utf8))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [1])
    #expect(bench.store.stored?.bytes == Bench.document(1))
    #expect(bench.events.count(.ruleSetRefused) == 1)
  }

  @Test func anotherDevicesRuleSetIsRefused() async throws {
    let bench = try Bench()
    bench.answer(Bench.document(1, device: "branch-018"))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions.isEmpty)
    #expect(bench.events.all.last?.text.contains("device") == true)
  }

  @Test func anOlderRevisionIsRefused() async throws {
    let bench = try Bench()
    bench.answer(Bench.document(5))
    _ = await bench.keeper.pull()
    bench.answer(Bench.document(4))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [5])
    bench.answer(Bench.document(5, direct: "10.0.0.0/8"))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [5], "other content needs a higher revision")
    #expect(bench.events.count(.ruleSetRefused) == 2)
  }

  @Test func whatTheKernelRefusesIsNotKept() async throws {
    let bench = try Bench()
    bench.answer(Bench.document(1))
    _ = await bench.keeper.pull()
    bench.applier.refuse(2)
    bench.answer(Bench.document(2))
    _ = await bench.keeper.pull()
    #expect(bench.store.stored?.bytes == Bench.document(1))
    #expect(await bench.keeper.status.revision == 1)
  }

  @Test func theSameRefusalIsToldOnce() async throws {
    let bench = try Bench()
    for _ in 0..<5 {
      bench.answer(Array("{}".utf8))
      _ = await bench.keeper.pull()
    }
    #expect(bench.events.count(.ruleSetRefused) == 1)
  }

  @Test func failuresBackOffAndAreToldSparingly() async throws {
    let bench = try Bench()
    var waits: [Duration] = []
    for _ in 0..<10 {
      bench.source.next(.failure(FetchFailure(operation: "GET http://127.0.0.1/", cause: "500")))
      waits.append(await bench.keeper.pull())
    }
    #expect(zip(waits, waits.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(bench.events.count(.pullFailed) == 4, "at the 1st, 2nd, 4th and 8th")
    bench.answer(Bench.document(1))
    _ = await bench.keeper.pull()
    #expect(bench.events.count(.pullRecovered) == 1)
  }
}
