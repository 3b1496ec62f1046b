package import Agent
internal import Core
internal import RuleSets

/// What every journal store must do: each case is one promise, tried on the fake and on files.
package enum JournalContract: String, CaseIterable, Sendable, CustomStringConvertible {
  case emptyJournalEndsAtZero
  case whatWasAppendedIsReadInItsOrder
  case nothingIsAppendedToWhatIsNotOpen
  case restartGoesOnWhereItEnded
  case tornRecordIsCutOffAlone
  case numberThatIsThereIsNotAppendedAgain
  case oldestGoFirst

  package var description: String { rawValue }

  package func check(on ground: some JournalGround) async throws {
    switch self {
    case .emptyJournalEndsAtZero: try await ground.empty()
    case .whatWasAppendedIsReadInItsOrder: try await ground.readInOrder()
    case .nothingIsAppendedToWhatIsNotOpen: try await ground.notOpen()
    case .restartGoesOnWhereItEnded: try await ground.restart()
    case .tornRecordIsCutOffAlone: try await ground.torn()
    case .numberThatIsThereIsNotAppendedAgain: try await ground.appendedTwice()
    case .oldestGoFirst: try await ground.oldestGo()
    }
  }
}

/// A disk to try the contract on, empty.
package protocol JournalGround: Sendable {
  /// The number of the contract's records that it can hold.
  var capacity: Int { get }
  /// The journal as the next agent finds it.
  func restarted() throws -> any JournalStore
  /// A crash loses the end of the last record, at least its last byte.
  func tear() throws
}

extension JournalGround {
  private func expect<T: Equatable>(_ actual: T, is expected: T, _ what: String) throws {
    if actual != expected { throw ContractBreach("\(what): \(actual), not \(expected)") }
  }

  private func record(_ number: UInt64) -> EventRecord {
    EventRecord(
      number: number, time: WallTime(milliseconds: 1_785_585_600_000 + Int(number)),
      sincePrevious: number == 1 ? nil : .milliseconds(1), kind: "failover", severity: .warning, subject: "office",
      text: "rule office:\ttraffic\ngoes \\t by „wan0“ \u{1b}[1m\r", details: ["cause": "a=b\tc", "to=o": "", "": "x"])
  }

  private func opened() async throws -> any JournalStore {
    let store = try restarted()
    _ = try await store.open()
    return store
  }

  fileprivate func empty() async throws {
    let store = try restarted()
    try expect(try await store.read(), is: [], "read before it is opened")
    try expect(try await store.open(), is: JournalCondition(lastNumber: 0, bytesCutOff: 0), "opened")
    try expect(try await store.read(), is: [], "read")
  }

  fileprivate func readInOrder() async throws {
    let store = try await opened()
    try await store.append([record(1), record(2)])
    try await store.append([record(3)])
    try await store.sync()
    try expect(try await store.read(), is: [record(1), record(2), record(3)], "read")
  }

  fileprivate func notOpen() async throws {
    let store = try restarted()
    do throws(StoreFailure) { try await store.append([record(1)]) } catch { return }
    throw ContractBreach("appended to a journal that is not open")
  }

  fileprivate func restart() async throws {
    let first = try await opened()
    try await first.append([record(1), record(2)])
    let second = try restarted()
    try expect(try await second.open(), is: JournalCondition(lastNumber: 2, bytesCutOff: 0), "opened again")
    try await second.append([record(3)])
    try expect(try await second.read().map(\.number), is: [1, 2, 3], "numbers")
  }

  fileprivate func torn() async throws {
    let first = try await opened()
    try await first.append([record(1), record(2)])
    try tear()
    let second = try restarted()
    let found = try await second.open()
    try expect(found.lastNumber, is: 1, "last number after the tear")
    if found.bytesCutOff == 0 { throw ContractBreach("the tear is not told") }
    try await second.append([record(2), record(3)])
    let third = try restarted()
    try expect(try await third.open(), is: JournalCondition(lastNumber: 3, bytesCutOff: 0), "opened after that")
    try expect(try await third.read(), is: [record(1), record(2), record(3)], "read after that")
  }

  fileprivate func appendedTwice() async throws {
    let store = try await opened()
    try await store.append([record(1), record(2)])
    try await store.append([record(2), record(3)])
    try expect(try await store.read().map(\.number), is: [1, 2, 3], "numbers")
  }

  fileprivate func oldestGo() async throws {
    let store = try await opened()
    let last = UInt64(capacity * 3)
    for number in 1...last { try await store.append([record(number)]) }
    let numbers = try await store.read().map(\.number)
    if numbers.count > capacity { throw ContractBreach("\(numbers.count) records, \(capacity) are the most") }
    if numbers.count < capacity / 3 { throw ContractBreach("only \(numbers.count) of \(capacity) are left") }
    try expect(numbers, is: Array((last - UInt64(numbers.count) + 1)...last), "numbers")
    try expect(try await (try restarted()).open().lastNumber, is: last, "last number")
  }
}
