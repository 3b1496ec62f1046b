import Core
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

/// What is asked while the kernel is being changed.
private final class WatchfulApplier: RuleSetApplier {
  private let seen = Mutex<[RuleSetTrial.Candidate?]>([])
  private let trials: MemoryTrials
  private let isRefusing: Bool

  init(_ trials: MemoryTrials, isRefusing: Bool = false) {
    self.trials = trials
    self.isRefusing = isRefusing
  }

  var duringEach: [RuleSetTrial.Candidate?] { seen.withLock { $0 } }

  func apply(_ ruleSet: RuleSet, slots: SlotBook) async throws(RuleSetRefusal) {
    let now = trials.note()?.candidate
    seen.withLock { $0.append(now) }
    if isRefusing { throw RuleSetRefusal(["the kernel refused it"]) }
  }

  func leftovers() async -> Leftovers? { nil }
  func hold(_ hold: Hold) async {}
  func slotsInUse(by ruleSet: RuleSet) async -> SlotBook { SlotBook() }
}

private final class OneDocument: RuleSetSource {
  private let document: Mutex<[UInt8]>
  init(_ bytes: [UInt8]) { document = Mutex(bytes) }
  func publish(_ bytes: [UInt8]) { document.withLock { $0 = bytes } }
  func fetch(etag: String?) async throws(FetchFailure) -> Fetched {
    .document(bytes: document.withLock { $0 }, etag: nil)
  }
}

@Suite("A rule set that took the agent down") struct RuleSetThatDiedTests {
  private let events = RecordedEvents()

  private func document(_ revision: UInt64) -> [UInt8] {
    Array(
      """
      {"schema":1,"device":"branch-017","revision":\(revision),"hubs":[],"tunnels":[],"paths":[],"probes":[],
       "backhaul_rules":[],"direct_destinations":["198.18.0.0/15"]}
      """.utf8)
  }

  private func died(_ bytes: [UInt8], _ revision: UInt64) -> RuleSetTrial.Note {
    RuleSetTrial.Note(candidate: .init(bytes, revision: revision), phase: .applying, left: .seconds(600))
  }

  private func keeper(
    _ source: OneDocument, _ applier: WatchfulApplier, _ trials: MemoryTrials, cached: [UInt8]? = nil
  ) throws -> RuleSetKeeper {
    let configuration = AgentConfiguration(
      device: try #require(Name("branch-017")),
      ruleSet: RuleSetSourceConfiguration(location: .file(path: "/nowhere")),
      uplinks: [UplinkConfiguration(interface: try #require(InterfaceName("wan0")))],
      lans: [try #require(InterfaceName("lan0"))])
    return RuleSetKeeper(
      configuration: configuration, source: source,
      store: MemoryStore(cached.map { StoredRuleSet(bytes: $0, etag: nil, slots: SlotBook()) }),
      permits: MemoryPermits(), applier: applier,
      events: events,
      surroundings: StillSurroundings(), trials: trials)
  }

  @Test("is noted only while it is being applied", arguments: [false, true])
  func noted(isRefusing: Bool) async throws {
    let trials = MemoryTrials()
    let applier = WatchfulApplier(trials, isRefusing: isRefusing)
    let keeper = try keeper(OneDocument(document(7)), applier, trials)
    _ = await keeper.pull()
    #expect(applier.duringEach == [RuleSetTrial.Candidate(document(7), revision: 7)])
    #expect(trials.note() == nil)
  }

  @Test("is not tried again automatically; the cached one runs, and the reason is reported")
  func refused() async throws {
    let trials = MemoryTrials(died(document(8), 8))
    let applier = WatchfulApplier(trials)
    let keeper = try keeper(OneDocument(document(8)), applier, trials, cached: document(7))
    await keeper.startFromStore()
    _ = await keeper.pull()
    _ = await keeper.pull()
    #expect(await keeper.status.revision == 7)
    #expect(applier.duringEach.count == 1)
    let told = events.all.filter { $0.kind == .ruleSetRefused }
    #expect(told.count == 1)
    #expect(told.first?.text.contains("went down while revision 8 was being applied") == true)
    #expect(await keeper.status.lastTrouble?.contains("systemctl reload backhaul") == true)
    #expect(trials.note() != nil, "the next start must know it too")
  }

  @Test("is tried again when an operator asks for it")
  func asked() async throws {
    let trials = MemoryTrials(died(document(8), 8))
    let keeper = try keeper(OneDocument(document(8)), WatchfulApplier(trials), trials)
    await keeper.startFromStore()
    _ = await keeper.pull()
    #expect(await keeper.status.revision == nil)
    await keeper.pullNow()
    _ = await keeper.pull()
    #expect(await keeper.status.revision == 8)
    #expect(trials.note() == nil)
  }

  @Test("gives way to another revision")
  func another() async throws {
    let trials = MemoryTrials(died(document(8), 8))
    let source = OneDocument(document(8))
    let keeper = try keeper(source, WatchfulApplier(trials), trials)
    await keeper.startFromStore()
    _ = await keeper.pull()
    #expect(await keeper.status.revision == nil)
    source.publish(document(9))
    _ = await keeper.pull()
    #expect(await keeper.status.revision == 9)
    #expect(trials.note() == nil)
  }

  @Test("from the cache is used all the same, because it has run before")
  func cached() async throws {
    let trials = MemoryTrials(died(document(7), 7))
    let keeper = try keeper(OneDocument(document(7)), WatchfulApplier(trials), trials, cached: document(7))
    await keeper.startFromStore()
    #expect(await keeper.status.revision == 7)
  }

  @Test("is applied even where no note can be written")
  func full() async throws {
    let trials = MemoryTrials()
    trials.fill()
    let keeper = try keeper(OneDocument(document(7)), WatchfulApplier(trials), trials)
    _ = await keeper.pull()
    #expect(await keeper.status.revision == 7)
    #expect(events.count(.storeFailed) == 1)
  }
}
