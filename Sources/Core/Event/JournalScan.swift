/// What can be read of one of the journal's files, whatever has happened to it: each whole line is read for itself, so that
/// damage costs the records that it hit and no other.
package struct JournalScan: Equatable, Sendable {
  /// In the order of the file, which is that of their numbers.
  package private(set) var records: [EventRecord] = []
  /// Where the last whole line ends. What follows was torn by a crash, or is being written.
  package private(set) var end = 0
  /// Whole lines that no record can be read from.
  package private(set) var damaged = 0

  /// - Parameter last: the number of the record before this file's first.
  package init(_ bytes: [UInt8], after last: UInt64 = 0) {
    var last = last
    var rest = bytes[...]
    while let newline = rest.firstIndex(of: JournalLine.end) {
      let line = rest[..<newline]
      rest = rest[(newline + 1)...]
      end = rest.startIndex
      // One that does not rise is a copy of what was read already.
      if let record = JournalLine.decode(line) {
        guard record.number > last else { continue }
        last = record.number
        records.append(record)
      } else {
        damaged += 1
      }
    }
  }
}
