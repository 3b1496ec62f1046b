import Agent
import Core
import Fakes
import FoundationEssentials
import Glibc
internal import RuleSets
import System
import Testing

private func record(_ number: UInt64, _ text: String = "rule office: traffic goes local_wan:wan0") -> EventRecord {
  EventRecord(
    number: number, time: WallTime(milliseconds: 1_785_585_600_000), sincePrevious: .milliseconds(5), kind: "failover",
    severity: .warning, subject: "office", text: text, details: ["cause": "path fra-a is down"])
}

private struct FolderGround: JournalGround {
  let folder: Folder
  // Two files with a little over thirty of the contract's records each.
  let capacity = 70
  func restarted() throws -> any JournalStore { try FileJournal(directory: folder.path, segmentBytes: 5_000) }
  func tear() throws {
    let bytes = try folder.bytes(of: "journal")
    try folder.write(Array(bytes.dropLast(Int.random(in: 1...40))), to: "journal")
  }
}

@Suite struct FileJournalTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  private func opened(_ segmentBytes: Int = FileJournal.segmentBytes) async throws -> (FileJournal, JournalCondition) {
    let store = try FileJournal(directory: folder.path, segmentBytes: segmentBytes)
    return (store, try await store.open())
  }

  @Test("keeps the contract", arguments: JournalContract.allCases)
  func contract(_ promise: JournalContract) async throws { try await promise.check(on: FolderGround(folder: folder)) }

  @Test func `files are readable by their owner alone, and no larger than they may be`() async throws {
    let (store, _) = try await opened(5_000)
    for number in 1...200 { try await store.append([record(UInt64(number))]) }
    #expect(try folder.names == ["journal", "journal.1"])
    for name in try folder.names {
      let mode = try FileManager.default.attributesOfItem(atPath: folder.file(name))[.posixPermissions] as? Int
      #expect(mode == 0o600)
      #expect(try folder.bytes(of: name).count <= 5_000)
    }
  }

  @Test func `a batch larger than a file is spread over files`() async throws {
    let (store, _) = try await opened(5_000)
    try await store.append((1...100).map { record(UInt64($0)) })
    let numbers = try await store.read().map(\.number)
    #expect(numbers.last == 100 && numbers.count > 20)
    #expect(numbers == Array((100 - UInt64(numbers.count) + 1)...100))
  }

  @Test func `a file cut at any byte is read up to there, and then continued`() async throws {
    let (store, _) = try await opened()
    try await store.append((1...4).map { record($0, "event \($0)") })
    let whole = try folder.bytes(of: "journal")
    let ends = whole.indices.filter { whole[$0] == 10 }.map { $0 + 1 }
    for length in 0...whole.count {
      try folder.write(Array(whole[..<length]), to: "journal")
      let before = UInt64(ends.count { $0 <= length })
      let (store, found) = try await opened()
      #expect(found.lastNumber == before, "cut at \(length)")
      #expect(found.bytesCutOff == length - (ends.last { $0 <= length } ?? 0), "cut at \(length)")
      try await store.append([record(before + 1)])
      #expect(try await store.read().map(\.number) == Array(1...before + 1), "cut at \(length)")
    }
  }

  @Test func `whatever is in the files, readable events are read and writing goes on`() async throws {
    var chance = SystemRandomNumberGenerator()
    let good = (1...20).flatMap { JournalLine.encode(record($0)) }
    for _ in 0..<50 {
      for name in ["journal", "journal.1"] {
        var bytes = good
        for _ in 0..<Int.random(in: 0...8, using: &chance) {
          let start = Int.random(in: 0..<bytes.count, using: &chance)
          let end = min(bytes.count, start + Int.random(in: 0...300, using: &chance))
          bytes.replaceSubrange(start..<end, with: (start..<end).map { _ in UInt8.random(in: 0...255, using: &chance) })
        }
        try folder.write(bytes, to: name)
      }
      let (store, found) = try await opened()
      try await store.append([record(found.lastNumber + 1)])
      let numbers = try await store.read().map(\.number)
      #expect(numbers.last == found.lastNumber + 1)
      #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
    }
  }

  @Test func `killed while the files change places, only the older one is there`() async throws {
    let (store, _) = try await opened()
    try await store.append([record(1), record(2)])
    try FileManager.default.moveItem(atPath: folder.file("journal"), toPath: folder.file("journal.1"))
    let (next, found) = try await opened()
    #expect(found.lastNumber == 2)
    try await next.append([record(3)])
    #expect(try await next.read().map(\.number) == [1, 2, 3])
  }

  @Test func `a file that is removed under us is started again`() async throws {
    let (store, _) = try await opened()
    try await store.append([record(1)])
    try FileManager.default.removeItem(atPath: folder.file("journal"))
    try await store.append([record(2)])
    try await store.sync()
    #expect(try await store.read().map(\.number) == [2])
  }

  @Test func `a place that cannot be written to is reported`() async throws {
    let nowhere = try FileJournal(directory: folder.file("none"))
    #expect(try await nowhere.read().isEmpty)
    await #expect(
      throws: StoreFailure(operation: "open \(folder.file("none"))/journal", cause: "No such file or directory")
    ) { try await nowhere.open() }
  }

  /// Whatever is in its place, nothing waits for it, and a new journal is started.
  @Test(arguments: ["directory", "pipe", "circle of links", "huge file"])
  func `whatever is in its place is set aside`(_ kind: String) async throws {
    let path = folder.file("journal")
    switch kind {
    case "directory": try FileManager.default.createDirectory(atPath: "\(path)/d", withIntermediateDirectories: true)
    case "pipe": #expect(mkfifo(path, 0o600) == 0)
    case "circle of links": #expect(symlink(path, path) == 0)
    default:
      try folder.write("", to: "journal")
      #expect(truncate(path, 1 << 30) == 0)
    }
    let journal = try FileJournal(directory: folder.path)
    #expect(try await journal.open().setAside == ["\(path) is set aside as \(path).damaged"])
    try await journal.append([record(1)])
    try await journal.sync()
    #expect(try await journal.read().map(\.number) == [1])
  }

  @Test func `a full disk loses nothing that was there, and takes more when it has room`() async throws {
    let disk = try Mount(size: "64k")
    try disk.folder.write([UInt8](repeating: 0, count: 32 << 10), to: "ballast")
    let store = try FileJournal(directory: disk.path)
    _ = try await store.open()
    var taken: UInt64 = 0
    let failure = await #expect(throws: StoreFailure.self) {
      while taken < 10_000 {
        try await store.append([record(taken + 1)])
        taken += 1
      }
    }
    #expect(failure == StoreFailure(operation: "write \(disk.path)/journal", cause: "No space left on device"))
    #expect(taken > 50)
    #expect(try await store.read().map(\.number) == Array(1...taken))
    await #expect(throws: StoreFailure.self) { try await store.append([record(taken + 1)]) }
    try FileManager.default.removeItem(atPath: "\(disk.path)/ballast")
    #expect(try await store.open().lastNumber == taken)
    try await store.append([record(taken + 1)])
    try await store.sync()
    #expect(try await store.read().map(\.number) == Array(1...taken + 1))
  }

  @Test func `a read-only file system is read`() async throws {
    let disk = try Mount(size: "64k")
    let store = try FileJournal(directory: disk.path)
    _ = try await store.open()
    try await store.append([record(1)])
    // A file open for writing would prevent the remount as read-only.
    try TestProcess.run("mount", "-o", "bind,ro", disk.path, disk.path)
    defer { try? TestProcess.run("umount", disk.path) }
    let next = try FileJournal(directory: disk.path)
    await #expect(throws: StoreFailure(operation: "open \(disk.path)/journal", cause: "Read-only file system")) {
      try await next.open()
    }
    #expect(try await next.read().map(\.number) == [1])
  }

  @Test func `the largest answer fits into a reply`() throws {
    let worst = record(1, String(repeating: "\u{1}", count: 5_000)).bounded
    var largest = worst
    for number in 0..<100 { largest.details["\(number)"] = String(repeating: "\u{1}", count: 1_024) }
    let inMemory = LocalAPI.encode(EventReport(largest.bounded)).count * Journal.capacity
    // A control character takes four bytes on disk and six in JSON; the rest of JSON's overhead is largest for the
    // shortest events.
    let shortest = EventRecord(
      AgentEvent(.saUp, "", ""), number: 1, time: WallTime(milliseconds: 0), sincePrevious: nil)
    let lines = 2 * FileJournal.segmentBytes / JournalLine.encode(shortest).count
    let onDisk = 2 * FileJournal.segmentBytes * 6 / 4 + lines * LocalAPI.encode(EventReport(shortest)).count
    #expect(inMemory + onDisk < LocalFrame.maximumReply)
    #expect(lines < EventQuery.maximumLimit)
  }
}

/// A tiny file system of its own, which goes with its owner.
private final class Mount: Sendable {
  let folder: Folder
  var path: String { folder.path }

  init(size: String) throws {
    folder = try Folder()
    try TestProcess.run("mount", "-t", "tmpfs", "-o", "size=\(size)", "tmpfs", folder.path)
  }

  deinit { try? TestProcess.run("umount", folder.path) }
}
