internal import Core

/// Any bytes as a journal file, and as the body of a line whose checksum is right: what can be read is written to a
/// line that reads the same, and where a file ends does not affect earlier lines.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJournal(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  check(bytes)
  // The checksum would keep the fuzzer from what lies behind it, so it is always right here.
  let lines = bytes.split(separator: 10).map { body in
    var sum = Checksum()
    sum.add(part: body)
    return Array("1 \(sum.text) ".utf8) + body
  }
  for line in lines {
    guard let record = JournalLine.decode(line[...]) else { continue }
    let kept = record.bounded
    guard kept.bounded == kept else { fatalError("cut anew each time") }
    guard JournalLine.decode(JournalLine.encode(record).dropLast()) == kept else { fatalError("read back as another") }
  }
  check(Array(lines.joined(separator: [10])))
  return 0
}

private func check(_ bytes: [UInt8]) {
  let whole = JournalScan(bytes)
  guard whole.end <= bytes.count, whole.end == 0 || bytes[whole.end - 1] == 10 else { fatalError("ends within a line") }
  guard !bytes[whole.end...].contains(10) else { fatalError("left a line out") }
  var last: UInt64 = 0
  for record in whole.records {
    guard record.number > last else { fatalError("numbers that do not rise") }
    last = record.number
  }
  guard JournalScan(Array(bytes[..<whole.end])).records == whole.records else { fatalError("the tear matters") }
  let half = JournalScan(Array(bytes[..<(bytes.count / 2)])).records
  guard Array(whole.records.prefix(half.count)) == half else { fatalError("what follows changes what stands before") }
}
