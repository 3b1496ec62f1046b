import Core
import Fakes
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

/// Clocks that a test sets.
private final class SetSurroundings: Surroundings {
  private let state = Mutex((now: Instant(nanoseconds: 0), wall: WallTime(milliseconds: 1_785_585_600_000)))
  var now: Instant { state.withLock { $0.now } }
  var wallTime: WallTime { state.withLock { $0.wall } }
  var chance: Double { 0.5 }
  func pass(_ duration: Duration) {
    state.withLock {
      $0.now = $0.now + duration
      $0.wall = WallTime(secondsSince1970: $0.wall.secondsSince1970 + duration.inSeconds)
    }
  }
  /// Waiting for time to pass ends at once; the caller checks how late it is.
  func alarm(after wait: Duration, _ body: @escaping @Sendable () -> Void) -> Alarm {
    Task {
      try? await Task.sleep(for: .milliseconds(1))
      pass(wait)
      body()
    }
    return Alarm {}
  }
}

/// One run of the agent with its journal on this disk.
private final class Life: Sendable {
  let disk: FakeJournalDisk
  let surroundings: SetSurroundings
  let journal: Journal
  let writer: JournalWriter
  private let running: Task<Void, Never>

  init(on disk: FakeJournalDisk, _ surroundings: SetSurroundings = SetSurroundings()) {
    self.disk = disk
    self.surroundings = surroundings
    let box = Box()
    journal = Journal(surroundings: surroundings) { event in box.events.withLock { $0.append(event) } }
    let writer = JournalWriter(journal, store: FakeJournal(on: disk), surroundings: surroundings)
    self.writer = writer
    self.box = box
    running = Task { await writer.run() }
  }
  private let box: Box
  private final class Box: Sendable { let events = Mutex<[AgentEvent]>([]) }
  var events: [AgentEvent] { box.events.withLock { $0 } }

  func record(_ text: String, _ kind: AgentEvent.Kind = .failover) {
    journal.record(AgentEvent(kind, "office", text, details: ["cause": "c"]))
  }

  func end() async {
    writer.finish()
    await running.value
  }

  /// Waits until the disk has this many records, at most ten seconds.
  func written(_ count: Int) async {
    for _ in 0..<10_000 where disk.records.count < count { try? await Task.sleep(for: .milliseconds(1)) }
  }
  func until(_ condition: () -> Bool) async {
    for _ in 0..<10_000 where !condition() { try? await Task.sleep(for: .milliseconds(1)) }
  }
}

@Suite struct JournalTests {
  private let disk = FakeJournalDisk()

  @Test func eventsAreOnDiskWithTheirNumbersAndTimes() async {
    let life = Life(on: disk)
    life.record("one")
    life.surroundings.pass(.milliseconds(1_500))
    life.record("two")
    await life.end()
    #expect(disk.records.map(\.number) == [1, 2])
    #expect(disk.records.map(\.text) == ["one", "two"])
    #expect(disk.records.map(\.sincePrevious) == [nil, .milliseconds(1_500)])
    #expect(disk.records.last?.time.text == "2026-08-01T12:00:01.500Z")
    #expect(disk.syncs >= 1)
  }

  @Test func numbersGoOnRisingOverRestarts() async {
    for round in 1...3 {
      let life = Life(on: disk)
      life.record("first of \(round)")
      life.record("second of \(round)")
      await life.end()
    }
    #expect(disk.records.map(\.number) == [1, 2, 3, 4, 5, 6])
    #expect(disk.records.map { $0.sincePrevious == nil } == [true, false, true, false, true, false])
  }

  @Test func whatIsRecordedBeforeTheDiskAnswersGetsItsNumberThen() async {
    await write(["before"])
    disk.hang()
    let life = Life(on: disk)
    life.record("early")
    #expect(life.journal.records(after: 1).records.map(\.number) == [2], "as far as is known")
    disk.goOn()
    await life.end()
    #expect(disk.records.map(\.number) == [1, 2])
    #expect(life.journal.records(after: 0).records.map(\.number) == [2])
  }

  @Test func tornRecordIsReportedAndReplaced() async {
    await write(["one", "two"])
    disk.tear()
    let life = Life(on: disk)
    await life.end()
    #expect(disk.records.map(\.number) == [1, 2])
    #expect(disk.records.last?.kind == "journal_repaired")
    #expect(disk.records.last?.details["bytes"] == "17")
  }

  @Test func diskThatFailsIsReportedOnceAndTakesAllWhenItIsBack() async {
    let life = Life(on: disk)
    life.record("one")
    await life.written(1)
    disk.fail(with: StoreFailure(operation: "write journal", cause: "No space left on device"))
    for number in 2...20 { life.record("\(number)") }
    await life.until { life.events.contains { $0.kind == .journalFailed } }
    #expect(await life.writer.trouble == "write journal: No space left on device")
    for number in 21...30 { life.record("\(number)") }
    disk.fail(with: nil)
    await life.until { life.events.contains { $0.kind == .journalRecovered } }
    await life.end()
    #expect(life.events.count { $0.kind == .journalFailed } == 1)
    #expect(disk.records.map(\.number) == Array(1...32))
    #expect(disk.records.filter { $0.kind == "failover" }.map(\.text) == ["one"] + (2...30).map(String.init))
    #expect(disk.records.last?.text == "events are being saved to disk again")
    #expect(await life.writer.trouble == nil)
  }

  @Test func diskIsTriedAgainThoughNothingMoreHappens() async {
    let life = Life(on: disk)
    life.record("one")
    await life.until { disk.syncs == 1 }
    life.record("two")
    await life.written(2)
    // A sync is due later; the disk fails before that.
    disk.fail(with: StoreFailure(operation: "write journal", cause: "Input/output error"))
    life.record("three")
    await life.until { life.events.contains { $0.kind == .journalFailed } }
    disk.fail(with: nil)
    await life.until { life.events.contains { $0.kind == .journalRecovered } }
    await life.end()
    #expect(disk.records.map(\.number) == [1, 2, 3, 4, 5])
  }

  @Test func diskThatHangsHoldsNothingUpAndLossesAreCounted() async {
    let life = Life(on: disk)
    life.record("one")
    await life.written(1)
    disk.hang()
    for number in 2...(Journal.capacity + 500) { life.record("\(number)") }
    #expect(life.events.count == Journal.capacity + 500, "told all the same, at once")
    disk.goOn()
    await life.until { life.events.contains { $0.kind == .journalFailed } }
    await life.end()
    // What was being written when it hung is there too.
    let numbers = disk.records.map(\.number)
    #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
    let missing = (Journal.capacity + 500) - disk.records.count { $0.kind == "failover" }
    #expect(missing > 0 && missing <= 500)
    let told = disk.records.first { $0.kind == "journal_failed" }
    #expect(told?.details["missing"] == "\(missing)")
  }

  @Test func readerDoesNotWaitForADiskThatHangs() async {
    let life = Life(on: disk)
    life.record("one")
    await life.written(1)
    disk.hang()
    life.record("two")
    await life.until { disk.isAwaited }
    life.surroundings.pass(.seconds(3))
    #expect(await life.writer.read() == nil)
    disk.goOn()
    await life.end()
    #expect(await life.writer.read()?.count == 2)
  }

  @Test func flappingDoesNotWearOutTheDisk() async {
    let life = Life(on: disk)
    for number in 1...500 {
      life.record("\(number)")
      await life.written(number)
    }
    await life.end()
    #expect(disk.records.count == 500, "each is handed over at once")
    // One sync at the first record, one for each quarter of a second that passed, one at the end.
    let quarters = life.surroundings.now.nanoseconds / 250_000_000
    #expect(disk.syncs <= quarters + 2)
    #expect(disk.syncs < 500)
  }

  @Test func fileThatIsRemovedIsWrittenAgainWithRisingNumbers() async {
    await write(["one", "two", "three"])
    let life = Life(on: disk)
    life.record("four")
    await life.written(4)
    disk.clear()
    disk.fail(with: StoreFailure(operation: "write journal", cause: "Input/output error"))
    life.record("five")
    await life.until { life.events.contains { $0.kind == .journalFailed } }
    disk.fail(with: nil)
    await life.until { life.events.contains { $0.kind == .journalRecovered } }
    await life.end()
    #expect(disk.records.map(\.number) == [4, 5, 6, 7], "with what memory had of this life")
  }

  @Test func memoryHoldsTheLastThousand() {
    let journal = Journal(surroundings: SetSurroundings()) { _ in }
    for number in 1...2_345 { journal.record(AgentEvent(.changed, "office", "\(number)")) }
    let (records, age) = journal.records(after: 7)
    #expect(records.map(\.number) == Array(1_353...2_352))
    #expect(records.map(\.text) == (1_346...2_345).map(String.init))
    #expect(age == .zero)
  }

  private func write(_ texts: [String]) async {
    let life = Life(on: disk)
    for text in texts { life.record(text) }
    await life.end()
  }
}

@Suite struct EventQueryTests {
  private let now = WallTime(milliseconds: 1_785_585_600_000)

  /// `ages` in seconds by the wall clock; each record comes a second after the one before by the monotonic one; nil
  /// where a run begins.
  private func records(_ ages: [Double], beginning lives: Set<Int> = [0]) -> [EventRecord] {
    ages.enumerated().map { index, age in
      EventRecord(
        AgentEvent(index % 2 == 0 ? .failover : .failback, index < 3 ? "office" : "guest", "\(index)"),
        number: UInt64(index + 1), time: WallTime(secondsSince1970: now.secondsSince1970 - age),
        sincePrevious: lives.contains(index) ? nil : .seconds(1))
    }
  }

  private func query(_ change: (inout EventQuery) -> Void) -> EventQuery {
    var query = EventQuery()
    change(&query)
    return query
  }

  private func texts(_ query: EventQuery, _ records: [EventRecord], newestAge: Duration? = nil) -> [String] {
    query.select(from: records, newestAge: newestAge, now: now).matching.map(\.text)
  }

  @Test func allByDefaultAndTheNewestWithinALimit() {
    let all = records([50, 40, 30, 20, 10])
    #expect(texts(EventQuery(), all) == ["0", "1", "2", "3", "4"])
    let selected = query { $0.limit = 2 }.select(from: all, newestAge: nil, now: now)
    #expect(selected.matching.map(\.text) == ["3", "4"] && selected.omitted == 3)
    #expect(texts(EventQuery(), []).isEmpty)
  }

  @Test func kindSubjectAndTimeNarrowItDown() {
    let all = records([50, 40, 30, 20, 10])
    #expect(texts(query { $0.kinds = ["failback"] }, all) == ["1", "3"])
    #expect(texts(query { $0.subject = "guest" }, all) == ["3", "4"])
    #expect(
      texts(query { $0.since = .time(WallTime(secondsSince1970: now.secondsSince1970 - 30)) }, all) == ["2", "3", "4"])
    #expect(texts(query { $0.since = .age(.seconds(25)) }, all) == ["3", "4"])
  }

  @Test func inThisLifeAnAgeIsThatOfTheMonotonicClock() {
    // Booted in 1970, then the time was set.
    let all = records([1e9, 1e9, 1e9, 11, 10])
    #expect(texts(query { $0.since = .age(.seconds(14)) }, all, newestAge: .seconds(10)) == ["0", "1", "2", "3", "4"])
    #expect(texts(query { $0.since = .age(.seconds(12)) }, all, newestAge: .seconds(10)) == ["2", "3", "4"])
  }

  @Test func beforeThisLifeItIsThatOfTheWallClock() {
    let all = records([100, 90, 80, 11, 10], beginning: [0, 3])
    #expect(texts(query { $0.since = .age(.seconds(85)) }, all, newestAge: .seconds(10)) == ["2", "3", "4"])
    // Ages cannot be followed across a gap either.
    var gap = all
    gap.remove(at: 1)
    #expect(texts(query { $0.since = .age(.seconds(95)) }, gap, newestAge: .seconds(10)) == ["2", "3", "4"])
  }

  @Test func wordsOfARequestAreRead() throws {
    var request = LocalAPI.Request(.events)
    #expect(try EventQuery(request) == EventQuery())
    request.since = "2026-08-01T12:00:00Z"
    request.kinds = ["failover", "path_down"]
    request.subject = "office"
    request.limit = 7
    let query = try EventQuery(request)
    #expect(query.since == .time(now))
    #expect(query.kinds == ["failover", "path_down"] && query.subject == "office" && query.limit == 7)
  }

  @Test(arguments: [
    ("\"since\":\"yesterday\"", "since: \"yesterday\" is not a time"),
    ("\"since_seconds\":-1", "since_seconds takes 0 to 1000000000"),
    ("\"since_seconds\":1e300", "since_seconds takes 0 to 1000000000"),
    ("\"kinds\":[\"failovr\"]", "there is no kind of event \"failovr\"; did you mean \"failover\"?"),
    ("\"limit\":0", "limit takes 1 to 20000"), ("\"limit\":1099511627776", "limit takes 1 to 20000"),
  ])
  func anythingElseIsRefusedInWords(_ parameter: String, _ words: String) throws {
    let text = "{\"schema\":1,\"verb\":\"events\",\(parameter)}"
    let (_, request) = try LocalAPI.read(Array(text.utf8))
    #expect(throws: LocalAPI.Refusal(words)) { try EventQuery(request) }
  }
}
