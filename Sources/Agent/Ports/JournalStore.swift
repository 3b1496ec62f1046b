package import Core

/// Where the timetable of events outlasts the agent: of bounded size, the oldest goes first. Every call may wait for a
/// disk; nobody who steers may wait for it.
///
/// Contract: what was appended outlasts the agent, and once `sync` has returned, the power too. Whatever a crash did in
/// between, the records before it can be read. After a failure only `open` and `read` are called, until `open` succeeds.
package protocol JournalStore: Sendable {
  /// Takes up the journal where it ends, and cuts off what a crash tore there.
  func open() async throws(StoreFailure) -> JournalCondition
  /// Records whose numbers rise, and above the last.
  func append(_ records: [EventRecord]) async throws(StoreFailure)
  func sync() async throws(StoreFailure)
  /// All that can be read, oldest first, with rising numbers.
  func read() async throws(StoreFailure) -> [EventRecord]
}

/// What `open` found.
package struct JournalCondition: Equatable, Sendable {
  /// 0 where there is none.
  package var lastNumber: UInt64
  /// Of a torn record, now gone.
  package var bytesCutOff: Int
  /// What was in the journal's place but was not a journal, and where it is now.
  package var setAside: [String]

  package init(lastNumber: UInt64, bytesCutOff: Int, setAside: [String] = []) {
    self.setAside = setAside
    self.lastNumber = lastNumber
    self.bytesCutOff = bytesCutOff
  }
}
