package import Agent
package import Core
internal import Glibc

/// The journal, in two files of lines: `journal`, and `journal.1` with what came before. When the first is full it
/// takes the second's place. Both have mode 0600.
///
/// A thread of its own does the work, so that a hanging disk holds up only those who ask for the journal.
package actor FileJournal: JournalStore {
  /// The size of one file, some 2,000 events.
  package static let segmentBytes = 512 << 10

  private let path: String
  private var older: String { path + ".1" }
  private let segmentBytes: Int
  private let thread: Reactor
  private var file: OpenFile?
  /// Whether a name was created or moved since the last `sync`.
  private var nameIsNew = false
  private var lastNumber: UInt64 = 0

  private final class OpenFile {
    let descriptor: FileDescriptor
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    var number: Int32 { descriptor.number }
  }

  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// - Parameter directory: must be there. Nothing is opened or made yet.
  package init(directory: String, segmentBytes: Int = FileJournal.segmentBytes) throws(SystemCallFailure) {
    path = directory + "/journal"
    self.segmentBytes = segmentBytes
    thread = try Reactor(name: "journal")
  }

  deinit { thread.stop() }

  /// Sets aside what cannot be a journal, and cuts the newer file off behind its last whole record.
  package func open() throws(StoreFailure) -> JournalCondition {
    do throws(SystemCallFailure) {
      file = nil
      let setAside = [path, older].compactMap { clear($0) }
      let bytes = try Self.contents(of: path, segmentBytes)
      let scan = JournalScan(bytes)
      try take(existing: !bytes.isEmpty)
      if scan.end < bytes.count, let file {
        guard ftruncate(file.number, scan.end) == 0 else { throw SystemCallFailure.last("cut \(path)") }
      }
      let before = JournalScan(try Self.contents(of: older, segmentBytes)).records.last?.number ?? 0
      lastNumber = max(scan.records.last?.number ?? 0, before)
      return JournalCondition(
        lastNumber: lastNumber, bytesCutOff: bytes.count - scan.end, setAside: setAside)
    } catch {
      file = nil
      throw StoreFailure(error)
    }
  }

  /// Begins a new file where a record no longer fits. Records whose numbers are on disk already are passed over.
  package func append(_ records: [EventRecord]) throws(StoreFailure) {
    do throws(SystemCallFailure) {
      var size = try currentSize()
      var lines: [UInt8] = []
      for record in records where record.number > lastNumber {
        let line = JournalLine.encode(record)
        if size + lines.count + line.count > segmentBytes, size + lines.count > 0 {
          try write(lines)
          try turnOver()
          size = 0
          lines = []
        }
        lines += line
        lastNumber = record.number
      }
      try write(lines)
    } catch {
      file = nil
      throw StoreFailure(error)
    }
  }

  /// Syncs the file's data, and the directory where a name in it is new.
  package func sync() throws(StoreFailure) {
    do throws(SystemCallFailure) { try syncAll() } catch {
      file = nil
      throw StoreFailure(error)
    }
  }

  /// Reads both files again: nothing of them is kept in memory.
  package func read() throws(StoreFailure) -> [EventRecord] {
    try Self.read(directory: Directory.holding(path), segmentBytes: segmentBytes)
  }

  /// Reads a journal that another process may be writing to; empty if there is none. Changes nothing.
  package static func read(
    directory: String, segmentBytes: Int = FileJournal.segmentBytes
  ) throws(StoreFailure) -> [EventRecord] {
    let path = directory + "/journal"
    do throws(SystemCallFailure) {
      // The newer file first: if it becomes the older one in between, it is read twice rather than not at all.
      let newer = try contents(of: path, segmentBytes)
      let older = JournalScan(try contents(of: path + ".1", segmentBytes)).records
      return older + JournalScan(newer, after: older.last?.number ?? 0).records
    } catch {
      throw StoreFailure(error)
    }
  }

  // MARK: - Files

  /// Sets aside anything that is no journal: a directory, a pipe, a link, or a file larger than any version lets it
  /// grow. Nil if nothing is in the way.
  private func clear(_ path: String) -> String? {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    if status.st_mode & S_IFMT == S_IFREG && status.st_size <= Self.mostBytes(segmentBytes) { return nil }
    return SetAside.move(path)
  }

  /// Another version may have used larger files.
  private static func mostBytes(_ segmentBytes: Int) -> Int { 8 * max(segmentBytes, FileJournal.segmentBytes) }

  /// The file's bytes; empty if there is no file.
  private static func contents(of path: String, _ segmentBytes: Int) throws(SystemCallFailure) -> [UInt8] {
    do throws(SystemCallFailure) {
      return try BoundedFile.read(path, atMost: mostBytes(segmentBytes))
    } catch {
      guard error.errno == ENOENT else { throw error }
      return []
    }
  }

  private func take(existing: Bool) throws(SystemCallFailure) {
    // O_NONBLOCK: opening a pipe must not wait for its reader.
    let flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
    let opened = OpenFile(try FileDescriptor.adopting(Glibc.open(path, flags, 0o600), "open \(path)"))
    if !existing { nameIsNew = true }
    file = opened
  }

  /// The file's size. Where somebody has removed the file, a new one is begun.
  private func currentSize() throws(SystemCallFailure) -> Int {
    guard let file else { throw SystemCallFailure("write \(path)", cause: "it is not open") }
    var status = stat()
    guard fstat(file.number, &status) == 0 else { throw SystemCallFailure.last("stat \(path)") }
    if status.st_nlink > 0 { return Int(status.st_size) }
    try take(existing: false)
    return 0
  }

  private func write(_ bytes: [UInt8]) throws(SystemCallFailure) {
    guard let file else { throw SystemCallFailure("write \(path)", cause: "it is not open") }
    try file.descriptor.writeAll(bytes, "write \(path)")
  }

  /// The full file takes the older one's place, and an empty one takes its own. After a kill in between there is only
  /// the older one.
  private func turnOver() throws(SystemCallFailure) {
    try syncAll()
    file = nil
    guard rename(path, older) == 0 else { throw SystemCallFailure.last("rename \(path) to \(older)") }
    try take(existing: false)
  }

  private func syncAll() throws(SystemCallFailure) {
    guard let file else { throw SystemCallFailure("sync \(path)", cause: "it is not open") }
    guard fdatasync(file.number) == 0 else { throw SystemCallFailure.last("sync \(path)") }
    guard nameIsNew else { return }
    try Directory.sync(Directory.holding(path))
    nameIsNew = false
  }
}
