package import Agent
package import Core
internal import Synchronization

/// A disk for journals, in memory. Refuses to append to what is not open, holds `capacity` records, and fails or hangs
/// when told to. Each store on it is one life of the agent.
package final class FakeJournalDisk: Sendable {
  fileprivate struct State {
    var records: [EventRecord] = []
    /// Handed over, but not yet safely on disk.
    var unsynced = 0
    var syncs = 0
    var tornBytes = 0
    var failure: StoreFailure?
    var isHanging = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }
  fileprivate let state = Mutex(State())
  package let capacity: Int

  package init(capacity: Int = 4_000) { self.capacity = capacity }

  package var records: [EventRecord] { state.withLock { $0.records } }
  package var syncs: Int { state.withLock { $0.syncs } }
  package func fail(with failure: StoreFailure?) { state.withLock { $0.failure = failure } }
  /// From now on calls hang until `goOn`.
  package func hang() { state.withLock { $0.isHanging = true } }
  /// Whether a call is hanging.
  package var isAwaited: Bool { state.withLock { !$0.waiting.isEmpty } }
  package func goOn() {
    let waiting = state.withLock { state in
      state.isHanging = false
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  package func tear() {
    state.withLock {
      guard $0.records.popLast() != nil else { return }
      $0.tornBytes = 17
    }
  }

  package func clear() { state.withLock { $0.records = [] } }
}

package actor FakeJournal: JournalStore {
  private let disk: FakeJournalDisk
  private var isOpen = false

  package init(on disk: FakeJournalDisk) { self.disk = disk }

  package func open() async throws(StoreFailure) -> JournalCondition {
    isOpen = false
    try await pass("open")
    isOpen = true
    return disk.state.withLock { state in
      defer { state.tornBytes = 0 }
      return JournalCondition(lastNumber: state.records.last?.number ?? 0, bytesCutOff: state.tornBytes)
    }
  }

  package func append(_ records: [EventRecord]) async throws(StoreFailure) {
    try await pass("append")
    disk.state.withLock { state in
      let last = state.records.last?.number ?? 0
      state.records += records.filter { $0.number > last }.map(\.bounded)
      state.records.removeFirst(max(0, state.records.count - disk.capacity))
      state.unsynced += records.count
    }
  }

  package func sync() async throws(StoreFailure) {
    try await pass("sync")
    disk.state.withLock {
      $0.unsynced = 0
      $0.syncs += 1
    }
  }

  package func read() async throws(StoreFailure) -> [EventRecord] {
    let failure = disk.state.withLock { $0.failure }
    if let failure { throw failure }
    return disk.records
  }

  private func pass(_ operation: String) async throws(StoreFailure) {
    await withCheckedContinuation { continuation in
      let goesOn = disk.state.withLock { state in
        if state.isHanging { state.waiting.append(continuation) }
        return !state.isHanging
      }
      if goesOn { continuation.resume() }
    }
    if let failure = disk.state.withLock({ $0.failure }) {
      isOpen = false
      throw failure
    }
    guard isOpen || operation == "open" else { throw StoreFailure(operation: operation, cause: "it is not open") }
  }
}

package struct FakeJournalGround: JournalGround {
  private let disk = FakeJournalDisk(capacity: 50)
  package init() {}
  package var capacity: Int { disk.capacity }
  package func restarted() -> any JournalStore { FakeJournal(on: disk) }
  package func tear() { disk.tear() }
}
