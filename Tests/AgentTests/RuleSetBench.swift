import Core
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

final class ScriptedSource: RuleSetSource {
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

/// The note of a trial, and the rule set on trial, in memory.
final class MemoryTrials: TrialStore {
  struct State {
    var note: RuleSetTrial.Note?
    var candidate: StoredRuleSet?
    var isFull = false
  }
  let state: Mutex<State>

  init(_ note: RuleSetTrial.Note? = nil, _ candidate: StoredRuleSet? = nil) {
    state = Mutex(State(note: note, candidate: candidate))
  }

  func fill() { state.withLock { $0.isFull = true } }
  func setAside() -> String { "set aside" }
  func note() -> RuleSetTrial.Note? { state.withLock { $0.note } }
  func candidate() -> StoredRuleSet? { state.withLock { $0.candidate } }
  func write(_ note: RuleSetTrial.Note?) throws(StoreFailure) {
    if note != nil { try checkRoom() }
    state.withLock { $0.note = note }
  }
  func store(_ candidate: StoredRuleSet) throws(StoreFailure) {
    try checkRoom()
    state.withLock { $0.candidate = candidate }
  }
  func dropCandidate() { state.withLock { $0.candidate = nil } }
  private func checkRoom() throws(StoreFailure) {
    if state.withLock({ $0.isFull }) {
      throw StoreFailure(operation: "write rule-set.trial.json", cause: "No space left on device")
    }
  }
}

final class MemoryStore: RuleSetStore {
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

final class MemoryPermits: PermitStore {
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

final class ScriptedApplier: RuleSetApplier {
  private let applied = Mutex<[UInt64]>([])
  private let refusing = Mutex<UInt64?>(nil)
  private let holds = Mutex<[Hold]>([])
  private let book: SlotBook
  private let asked = Mutex(0)
  /// - Parameter book: what the kernel still says of slots.
  init(_ book: SlotBook = SlotBook()) { self.book = book }
  var held: [Hold] { holds.withLock { $0 } }
  var askedForSlots: Int { asked.withLock { $0 } }
  private let left = Mutex<Leftovers?>(nil)
  func leave(_ leftovers: Leftovers?) { left.withLock { $0 = leftovers } }
  func leftovers() async -> Leftovers? { left.withLock { $0 } }
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

struct RuleSetBench {
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
      events: events,
      surroundings: StillSurroundings(), trials: MemoryTrials())
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
