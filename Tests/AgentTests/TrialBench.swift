import Core
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

/// A disk that outlasts agents. It can refuse all writes from some point on, as if the process had been killed just
/// before.
final class FakeDisk: RuleSetStore, TrialStore {
  struct State {
    var confirmed: StoredRuleSet?
    var copy: StoredRuleSet?
    var note: RuleSetTrial.Note?
    var candidate: StoredRuleSet?
    var isFull = false
    /// Nil: no limit.
    var writesLeft: Int?
    var writes = 0
  }
  let state: Mutex<State>

  init(_ confirmed: StoredRuleSet?) { state = Mutex(State(confirmed: confirmed, copy: confirmed)) }

  func alter(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }
  var generations: KeptGenerations { KeptGenerations(self, self) }
  var writes: Int { state.withLock { $0.writes } }

  private func write(_ change: (inout State) -> Void) throws(StoreFailure) {
    let isTaken = state.withLock { state in
      state.writes += 1
      if let left = state.writesLeft {
        // The process is dead by then, so nothing is reported.
        guard left > 0 else { return true }
        state.writesLeft = left - 1
      }
      guard !state.isFull else { return false }
      change(&state)
      return true
    }
    guard isTaken else { throw StoreFailure(operation: "write", cause: "No space left on device") }
  }

  func load() -> KeptRuleSet {
    state.withLock { state in
      KeptRuleSet(
        stored: state.confirmed ?? state.copy, wasAccepted: true, isWhole: state.confirmed == state.copy)
    }
  }
  func save(_ stored: StoredRuleSet) throws(StoreFailure) {
    try write { $0.confirmed = stored }
    try write { $0.copy = stored }
  }
  func setAsideDamaged() -> [String] { [] }
  func note() throws(StoreFailure) -> RuleSetTrial.Note? { state.withLock { $0.note } }
  func write(_ note: RuleSetTrial.Note?) throws(StoreFailure) { try write { $0.note = note } }
  func setAside() -> String { "set aside" }
  func candidate() throws(StoreFailure) -> StoredRuleSet? { state.withLock { $0.candidate } }
  func store(_ candidate: StoredRuleSet) throws(StoreFailure) { try write { $0.candidate = candidate } }
  func dropCandidate() throws(StoreFailure) { try write { $0.candidate = nil } }
}

/// A clock that a test sets.
final class SetClock: Surroundings {
  private let time = Mutex(Instant(nanoseconds: 0))
  var now: Instant { time.withLock { $0 } }
  var wallTime: WallTime { WallTime(secondsSince1970: 0) }
  var chance: Double { 0.5 }
  func pass(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
}

/// One run of an agent on that disk, with a source on the web.
struct TrialBench {
  let disk: FakeDisk
  let clock = SetClock()
  let source = ScriptedSource()
  let applier = ScriptedApplier()
  let events = RecordedEvents()
  let keeper: RuleSetKeeper

  init(_ disk: FakeDisk) throws {
    self.disk = disk
    let configuration = AgentConfiguration(
      device: try #require(Name("branch-017")),
      ruleSet: RuleSetSourceConfiguration(location: .web(url: "https://203.0.113.1/")),
      uplinks: [UplinkConfiguration(interface: try #require(InterfaceName("wan0")))],
      lans: [try #require(InterfaceName("lan0"))])
    keeper = RuleSetKeeper(
      configuration: configuration, source: source, store: disk, permits: MemoryPermits(), applier: applier,
      events: events,
      surroundings: clock, trials: disk)
  }

  static func stored(_ revision: Int) -> StoredRuleSet {
    StoredRuleSet(bytes: RuleSetBench.document(revision), etag: nil, slots: SlotBook())
  }
  /// A disk on which revision 7 is confirmed.
  static var disk: FakeDisk { FakeDisk(stored(7)) }

  func gives(_ revision: Int) async -> Duration {
    source.next(.success(.document(bytes: RuleSetBench.document(revision), etag: "\(revision)")))
    return await keeper.pull()
  }
  func answers() async {
    source.next(.success(.unchanged))
    _ = await keeper.pull()
  }
  func isSilent() async { _ = await keeper.pull() }
  func pass(_ duration: Duration) async {
    clock.pass(duration)
    await keeper.timePassed()
  }
  var revision: UInt64? { get async { await keeper.status.revision } }
}
