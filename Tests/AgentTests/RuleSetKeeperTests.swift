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
  /// Both copies are damaged, one of them is, or the disk is full.
  private let failing: Bool
  private let halfDamaged: Bool
  private let full: Mutex<Bool>
  private let saves = Mutex(0)
  init(_ stored: StoredRuleSet? = nil, failing: Bool = false, halfDamaged: Bool = false, full: Bool = false) {
    kept = Mutex(stored)
    self.failing = failing
    self.halfDamaged = halfDamaged
    self.full = Mutex(full)
  }
  var stored: StoredRuleSet? { kept.withLock { $0 } }
  var saved: Int { saves.withLock { $0 } }
  func makeRoom() { full.withLock { $0 = false } }
  private let damage = StoreFailure(operation: "read rule-set.json", cause: "checksum differs")
  func load() -> KeptRuleSet {
    if failing { return KeptRuleSet(wasAccepted: true, isWhole: false, damage: [damage]) }
    return KeptRuleSet(
      stored: stored, wasAccepted: stored != nil, isWhole: !halfDamaged, damage: halfDamaged ? [damage] : [])
  }
  func save(_ stored: StoredRuleSet) throws(StoreFailure) {
    if full.withLock({ $0 }) { throw StoreFailure(operation: "write rule-set.json", cause: "No space left on device") }
    saves.withLock { $0 += 1 }
    kept.withLock { $0 = stored }
  }
  func setAsideDamaged() -> [String] { ["rule-set.json is set aside as rule-set.json.damaged"] }
}

private final class MemoryPermits: PermitStore {
  private let kept: Mutex<RevisionPermit?>
  private let damaged: Bool
  init(_ permit: RevisionPermit? = nil, damaged: Bool = false) {
    kept = Mutex(permit)
    self.damaged = damaged
  }
  var permit: RevisionPermit? { kept.withLock { $0 } }
  func load() throws(StoreFailure) -> RevisionPermit? {
    if damaged { throw StoreFailure(operation: "read accept-revision.json", cause: "its checksum is wrong") }
    return permit
  }
  func save(_ permit: RevisionPermit?) throws(StoreFailure) { kept.withLock { $0 = permit } }
  func setAside() -> String { "set aside" }
}

private final class ScriptedApplier: RuleSetApplier {
  private let applied = Mutex<[UInt64]>([])
  private let refusing = Mutex<UInt64?>(nil)
  private let holds = Mutex<[Hold]>([])
  private let book: SlotBook
  private let asked = Mutex(0)
  /// - Parameter book: what the kernel still says of slots.
  init(_ book: SlotBook = SlotBook()) { self.book = book }
  var held: [Hold] { holds.withLock { $0 } }
  var askedForSlots: Int { asked.withLock { $0 } }
  func hold(_ hold: Hold) async { holds.withLock { $0.append(hold) } }
  func slotsInUse(by ruleSet: RuleSet) async -> SlotBook {
    asked.withLock { $0 += 1 }
    return book
  }
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
  let applier: ScriptedApplier
  let permits: MemoryPermits
  let events = RecordedEvents()
  let keeper: RuleSetKeeper

  init(
    _ store: MemoryStore = MemoryStore(), permits: MemoryPermits = MemoryPermits(),
    applier: ScriptedApplier = ScriptedApplier(), whenInDoubt: GuardConfiguration.Doubt = .hold
  ) throws {
    self.store = store
    self.permits = permits
    self.applier = applier
    let configuration = AgentConfiguration(
      device: try #require(Name("branch-017")),
      ruleSet: RuleSetSourceConfiguration(location: .file(path: "/nowhere")),
      uplinks: [UplinkConfiguration(interface: try #require(InterfaceName("wan0")))],
      lans: [try #require(InterfaceName("lan0"))], guard: GuardConfiguration(whenInDoubt: whenInDoubt))
    keeper = RuleSetKeeper(
      configuration: configuration, source: source, store: store, permits: permits, applier: applier,
      parse: { (bytes) throws(Complaints) in try RuleSetDecoder.decodeWithRemarks(bytes) }, events: events,
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
    #expect(bench.events.count(.stateDamaged) == 1)
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

/// What was stored is damaged, lost or unfit.
@Suite struct RuleSetDoubtTests {
  private func stored(_ bytes: [UInt8], slots: SlotBook = SlotBook()) -> StoredRuleSet {
    StoredRuleSet(bytes: bytes, etag: nil, slots: slots)
  }

  @Test func whatIsLostHoldsEverythingUntilTheSourceGivesARuleSet() async throws {
    let bench = try Bench(MemoryStore(failing: true))
    await bench.keeper.startFromCache()
    #expect(bench.applier.held == [.everything])
    #expect(await bench.keeper.status.hold?.word == .everything)
    bench.source.next(.failure(FetchFailure(operation: "GET", cause: "500")))
    _ = await bench.keeper.pull()
    #expect(await bench.keeper.status.hold != nil)
    bench.answer(Bench.document(1))
    _ = await bench.keeper.pull()
    #expect(await bench.keeper.status.hold == nil)
    #expect(bench.events.all.first { $0.kind == .stateDamaged }?.text.contains("set aside") == true)
  }

  @Test func aSettingLetsItGoAndSaysSo() async throws {
    let bench = try Bench(MemoryStore(failing: true), whenInDoubt: .open)
    await bench.keeper.startFromCache()
    #expect(bench.applier.held.isEmpty)
    #expect(bench.events.all.last?.text.contains("guard.when_in_doubt") == true)
  }

  @Test func aRouterThatNeverHadARuleSetHoldsNothing() async throws {
    let bench = try Bench()
    await bench.keeper.startFromCache()
    #expect(bench.applier.held.isEmpty && bench.events.all.isEmpty)
  }

  @Test func theOtherCopyRunsAndBothAreWrittenAnew() async throws {
    let bench = try Bench(MemoryStore(stored(Bench.document(7)), halfDamaged: true))
    await bench.keeper.startFromCache()
    #expect(bench.applier.revisions == [7] && bench.applier.held.isEmpty)
    #expect(bench.store.saved == 1)
    #expect(bench.events.count(.stateDamaged) == 1)
  }

  @Test func strictRulesOfWhatDoesNotFitAnyMoreAreHeld() async throws {
    let bench = try Bench(MemoryStore(stored(Bench.document(7, device: "branch-018"))))
    await bench.keeper.startFromCache()
    #expect(bench.applier.revisions.isEmpty)
    guard case .strictRules(let ruleSet, _)? = bench.applier.held.first else {
      Issue.record("held: \(bench.applier.held)")
      return
    }
    #expect(ruleSet.revision == 7)
    #expect(await bench.keeper.status.hold?.cause.contains("branch-017") == true)
  }

  @Test func whatCannotBeReadAnyMoreHoldsEverything() async throws {
    let bench = try Bench(MemoryStore(stored(Array("{}".utf8))))
    await bench.keeper.startFromCache()
    #expect(bench.applier.held == [.everything])
  }

  @Test func aFullDiskIsToldOnceAndTriedAgain() async throws {
    let bench = try Bench(MemoryStore(full: true))
    bench.answer(Bench.document(1))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [1])
    #expect(await bench.keeper.status.storeTrouble?.contains("No space left") == true)
    await bench.keeper.saveAtLast()
    #expect(bench.events.count(.storeFailed) == 1)
    bench.store.makeRoom()
    await bench.keeper.saveAtLast()
    #expect(await bench.keeper.status.storeTrouble == nil)
    #expect(bench.store.stored?.bytes == Bench.document(1))
  }

  /// Live flows carry marks: with the book lost, the kernel is asked.
  @Test func aLostBookIsReadBackFromTheKernel() async throws {
    let wan = SlotBook.Owner.uplink(try #require(InterfaceName("wan0")))
    let bench = try Bench(
      MemoryStore(failing: true), applier: ScriptedApplier(SlotBook([wan: try #require(Slot(9))])))
    await bench.keeper.startFromCache()
    bench.answer(Bench.document(1))
    _ = await bench.keeper.pull()
    #expect(bench.store.stored?.slots[wan] == Slot(9))
    bench.answer(Bench.document(2))
    _ = await bench.keeper.pull()
    #expect(bench.applier.askedForSlots == 1)
  }
}

/// An operator lets a lower revision in.
@Suite struct RevisionPermitTests {
  private static let last = (1 << 53) - 1

  @Test func theLastRevisionIsNoPrison() async throws {
    let bench = try Bench()
    bench.answer(Bench.document(Self.last))
    _ = await bench.keeper.pull()
    bench.answer(Bench.document(43))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [UInt64(Self.last)])
    #expect(bench.events.all.last?.text.contains("backhaul accept-revision 43") == true)
    #expect(await bench.keeper.permit(43, by: 0) == nil)
    #expect(bench.permits.permit?.revision == 43)
    bench.answer(Bench.document(42))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions.last == UInt64(Self.last), "42 is lower than what was said")
    bench.answer(Bench.document(44))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions.last == 44)
    #expect(bench.permits.permit == nil, "used up")
    bench.answer(Bench.document(43))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions.last == 44)
    #expect(bench.events.count(.revisionPermitted) == 2)
  }

  @Test func otherContentOfTheSameRevisionToo() async throws {
    let bench = try Bench()
    bench.answer(Bench.document(5))
    _ = await bench.keeper.pull()
    _ = await bench.keeper.permit(5, by: 0)
    bench.answer(Bench.document(5, direct: "10.0.0.0/8"))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [5, 5])
  }

  @Test func itOutlastsARestartAndTheCacheDoesNotUseItUp() async throws {
    let permit = RevisionPermit(revision: 3, user: 0, since: WallTime(milliseconds: 0))
    let stored = StoredRuleSet(bytes: Bench.document(9), etag: nil, slots: SlotBook())
    let bench = try Bench(MemoryStore(stored), permits: MemoryPermits(permit))
    await bench.keeper.startFromCache()
    #expect(await bench.keeper.permittedRevision == 3)
    bench.answer(Bench.document(3))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [9, 3])
    #expect(await bench.keeper.permittedRevision == nil)
  }

  @Test func aHigherOneUsesItUpAndItCanBeTakenBack() async throws {
    let bench = try Bench()
    bench.answer(Bench.document(5))
    _ = await bench.keeper.pull()
    _ = await bench.keeper.permit(3, by: 0)
    bench.answer(Bench.document(6))
    _ = await bench.keeper.pull()
    bench.answer(Bench.document(4))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [5, 6])
    _ = await bench.keeper.permit(3, by: 0)
    _ = await bench.keeper.permit(nil, by: 0)
    bench.answer(Bench.document(4))
    _ = await bench.keeper.pull()
    #expect(bench.applier.revisions == [5, 6])
  }

  @Test func aDamagedWordAcceptsNothing() async throws {
    let bench = try Bench(permits: MemoryPermits(damaged: true))
    await bench.keeper.startFromCache()
    #expect(await bench.keeper.permittedRevision == nil)
    #expect(bench.events.count(.stateDamaged) == 1)
  }
}
