package import Core
internal import RuleSets

/// Writes the journal's events to disk, and reports once if that fails. The agent goes on without it.
package actor JournalWriter {
  /// Every event is handed to the kernel at once, so that it outlasts the agent; the disk is synced no more often than
  /// this, so that a flapping path does not wear out a router's flash. After a pause the first event is on disk at
  /// once.
  static let pauseBetweenSyncs: Duration = .milliseconds(250)
  /// How soon the disk is tried again after a failure.
  static let pauseAfterFailure: Duration = .seconds(10)
  /// Readers do not wait for a disk that takes longer.
  static let patience: Duration = .seconds(2)

  private let journal: Journal
  private let store: any JournalStore
  private let surroundings: any Surroundings

  private var isOpen = false
  /// How many events of this life are in the file.
  private var written: UInt64 = 0
  private var isUnsynced = false
  private var lastSync: Instant?
  private var lastFailure: Instant?
  /// Events that memory forgot before the disk took them.
  private var lost: UInt64 = 0
  private var busySince: Instant?
  private var alarmIsSet = false
  /// Why events do not get to the disk; nil while they do.
  package private(set) var trouble: String?

  package init(_ journal: Journal, store: any JournalStore, surroundings: any Surroundings) {
    self.journal = journal
    self.store = store
    self.surroundings = surroundings
  }

  /// Runs until `finish`, and whatever was recorded before that is on disk then, if it takes it.
  package func run() async {
    await work()
    for await _ in journal.bells { await work() }
    lastFailure = nil
    lastSync = nil
    await work()
  }

  /// Makes `run` write what is left and return.
  package nonisolated func finish() { journal.endBells() }

  /// The events on disk; nil if they cannot be read, or the disk is too slow to wait for.
  package func read() async -> [EventRecord]? {
    if let busySince, surroundings.now - busySince > Self.patience { return nil }
    return try? await store.read()
  }

  private func work() async {
    let now = surroundings.now
    if let lastFailure, now < lastFailure + Self.pauseAfterFailure {
      return ring(after: lastFailure + Self.pauseAfterFailure - now)
    }
    busySince = now
    defer { busySince = nil }
    do throws(StoreFailure) {
      if !isOpen { try await open() }
      try await appendAll()
      try await syncSoon()
    } catch {
      return failed(error)
    }
    succeeded()
  }

  private func open() async throws(StoreFailure) {
    let found = try await store.open()
    written = journal.opened(lastNumber: found.lastNumber)
    isOpen = true
    for words in found.setAside {
      journal.record(AgentEvent(.stateDamaged, "journal", "the file in the journal's place is not a journal: \(words)"))
    }
    guard found.bytesCutOff > 0 else { return }
    journal.record(
      AgentEvent(
        .journalRepaired, "journal",
        "\(found.bytesCutOff) bytes at the journal's end were damaged by a crash, and have been cut off",
        details: ["bytes": "\(found.bytesCutOff)"]))
  }

  private func appendAll() async throws(StoreFailure) {
    while true {
      let (records, gone) = journal.waiting(after: written, atMost: 100)
      lost += gone
      written += gone
      if records.isEmpty { return }
      try await store.append(records)
      written += UInt64(records.count)
      isUnsynced = true
    }
  }

  private func syncSoon() async throws(StoreFailure) {
    guard isUnsynced else { return }
    if let lastSync {
      let wait = lastSync + Self.pauseBetweenSyncs - surroundings.now
      if wait > .zero { return ring(after: wait) }
    }
    isUnsynced = false
    try await store.sync()
    lastSync = surroundings.now
  }

  private func succeeded() {
    lastFailure = nil
    let gone = lost > 0 ? "; \(lost) events are missing there" : ""
    if trouble != nil {
      journal.record(
        AgentEvent(
          .journalRecovered, "journal", "events are being saved to disk again\(gone)", details: ["missing": "\(lost)"]))
    } else if lost > 0 {
      journal.record(
        AgentEvent(
          .journalFailed, "journal", "the disk cannot keep up with events\(gone)",
          details: ["missing": "\(lost)"]))
    }
    lost = 0
    trouble = nil
  }

  private func failed(_ failure: StoreFailure) {
    isOpen = false
    // Whatever is there of it.
    isUnsynced = true
    lastFailure = surroundings.now
    ring(after: Self.pauseAfterFailure)
    defer { trouble = "\(failure)" }
    guard trouble == nil else { return }
    journal.record(
      AgentEvent(
        .journalFailed, "journal",
        "events are not being saved to disk, only the last \(Journal.capacity) are kept in memory, until that works "
          + "again: \(failure)",
        details: ["cause": "\(failure)"]))
  }

  private func ring(after pause: Duration) {
    guard !alarmIsSet else { return }
    alarmIsSet = true
    _ = surroundings.alarm(after: pause) { Task { await self.alarmRang() } }
  }

  private func alarmRang() {
    alarmIsSet = false
    journal.ringBell()
  }
}
