import Core
internal import RuleSets
import Testing

/// A record with this text; everything else is ordinary.
private func record(
  _ number: UInt64 = 42, _ text: String = "rule office: traffic goes local_wan:wan0", details: [String: String] = [:]
) -> EventRecord {
  EventRecord(
    number: number, time: WallTime(milliseconds: 1_785_585_600_123), sincePrevious: .milliseconds(250),
    kind: "failover", severity: .warning, subject: "office", text: text, details: details)
}

@Suite struct JournalLineTests {
  @Test func lineReadsLikeALog() {
    let line = String(
      decoding: JournalLine.encode(record(details: ["to": "local_wan:wan0", "cause": "path fra-a is down"])),
      as: UTF8.self)
    #expect(
      line.dropFirst(19) == "42\t2026-08-01T12:00:00.123Z\t250\twarning\tfailover\toffice\trule office: traffic goes "
        + "local_wan:wan0\tcause=path fra-a is down\tto=local_wan:wan0\n")
    #expect(line.prefix(2) == "1 ")
  }

  @Test(arguments: [
    "", "\t\n\r\\", "\\t is no tab", "\u{0}\u{1b}[31m\u{7f}", "zwölf Grüße 🚧", "a=b", "\\", "\\x4", "\u{2028}",
  ])
  func everyTextComesBack(_ text: String) {
    var wanted = record(7, text, details: [text: text, "a\(text)": "b"])
    wanted.subject = text
    wanted.kind = text
    let line = JournalLine.encode(wanted)
    #expect(line.last == 10 && !line.dropLast().contains(10), "one line")
    #expect(JournalLine.decode(line.dropLast()) == wanted)
  }

  @Test(arguments: AgentEvent.Severity.allCases)
  func everySeverityComesBack(_ severity: AgentEvent.Severity) {
    var wanted = record()
    wanted.severity = severity
    wanted.sincePrevious = nil
    #expect(JournalLine.decode(JournalLine.encode(wanted).dropLast()) == wanted)
  }

  @Test func lineWithAnyByteAlteredIsRefused() {
    let line = JournalLine.encode(record(details: ["cause": "x"])).dropLast()
    for index in line.indices {
      for bit in 0..<8 {
        var altered = line
        altered[index] ^= 1 << UInt8(bit)
        #expect(JournalLine.decode(altered) == nil, "bit \(bit) of byte \(index)")
      }
    }
  }

  @Test func whatIsTooLongIsCut() throws {
    let long = String(repeating: "ü\n", count: 5_000)
    var details: [String: String] = [:]
    for number in 0..<50 { details["\(number)\(long)"] = long }
    var endless = record(1, long, details: details)
    endless.subject = long
    endless.kind = long
    let line = JournalLine.encode(endless)
    #expect(line.count < 24 << 10)
    let read = try #require(JournalLine.decode(line.dropLast()))
    #expect(read == endless.bounded)
    #expect(read.text.utf8.count <= 4_096 && read.text.hasSuffix("…"))
    #expect(read.bounded == read, "cut once is cut for good")
  }

  @Test func severalLivesOfClocksAreKept() throws {
    for milliseconds in [0, 1, 999, 951_827_696_789, 253_402_300_799_999] {
      var odd = record()
      odd.time = WallTime(milliseconds: milliseconds)
      #expect(JournalLine.decode(JournalLine.encode(odd).dropLast())?.time.milliseconds == milliseconds)
    }
    var odd = record()
    odd.time = WallTime(secondsSince1970: .nan)
    odd.sincePrevious = .seconds(-5)
    let read = try #require(JournalLine.decode(JournalLine.encode(odd).dropLast()))
    #expect(read.time.milliseconds == 0 && read.sincePrevious == .zero)
  }
}

@Suite struct JournalScanTests {
  private let records = (1...5).map { record(UInt64($0), "event \($0)", details: ["cause": "c\($0)"]) }

  @Test func fileCutAtAnyByteGivesEveryWholeRecordBefore() {
    let lines = records.map(JournalLine.encode)
    let whole = lines.flatMap { $0 }
    for length in 0...whole.count {
      var end = 0
      let before = lines.prefix { line in
        guard end + line.count <= length else { return false }
        end += line.count
        return true
      }.count
      let scan = JournalScan(Array(whole[..<length]))
      #expect(scan.records == Array(records[..<before]), "cut at \(length)")
      #expect(scan.end == end && scan.damaged == 0, "cut at \(length)")
    }
  }

  @Test func damageCostsTheRecordsThatItHit() {
    var bytes = records.flatMap(JournalLine.encode)
    let second = JournalLine.encode(records[0]).count
    for index in second + 30..<second + 40 { bytes[index] = 0 }
    let scan = JournalScan(bytes)
    #expect(scan.records == [records[0]] + records[2...])
    #expect(scan.damaged == 1 && scan.end == bytes.count)
  }

  @Test func zeroesAtTheEndAreATear() {
    let bytes = records.flatMap(JournalLine.encode)
    let scan = JournalScan(bytes + [UInt8](repeating: 0, count: 4_096))
    #expect(scan.records == records && scan.end == bytes.count)
  }

  @Test func whatWasReadAlreadyIsNotReadAgain() {
    let bytes = records.flatMap(JournalLine.encode)
    #expect(JournalScan(bytes, after: 3).records == Array(records[3...]))
    #expect(JournalScan(bytes + bytes).records == records)
  }

  /// Text of the right form with the right checksum that is still not a record.
  @Test(arguments: [
    "", "1", "x\t2026-08-01T12:00:00.000Z\t-\tinfo\tk\ts\tt", "0\t2026-08-01T12:00:00.000Z\t-\tinfo\tk\ts\tt",
    "1\tnow\t-\tinfo\tk\ts\tt", "1\t2026-08-01T12:00:00.000Z\t-1\tinfo\tk\ts\tt",
    "1\t2026-08-01T12:00:00.000Z\t-\tloud\tk\ts\tt", "1\t2026-08-01T12:00:00.000Z\t-\tinfo\tk\ts\tt\tno equals",
    "1\t2026-08-01T12:00:00.000Z\t-\tinfo\tk\ts\tt\ta=1\ta=2", "1\t2026-08-01T12:00:00.000Z\t-\tinfo\tk\ts\t\\q",
    "1\t2026-08-01T12:00:00.000Z\t-\tinfo\tk\ts\t\\", "1\t2026-08-01T12:00:00.000Z\t-\tinfo\tk\ts\t\\xff",
    "99999999999999999999\t2026-08-01T12:00:00.000Z\t-\tinfo\tk\ts\tt",
    "9007199254740993\t2026-08-01T12:00:00.000Z\t-\tinfo\tk\ts\tt",
  ])
  func nonsenseWithTheRightChecksumIsNoRecord(_ body: String) {
    var sum = Checksum()
    sum.add(part: Array(body.utf8)[...])
    #expect(JournalLine.decode(Array("1 \(sum.text) \(body)".utf8)[...]) == nil)
  }
}

@Suite struct WallTimeTextTests {
  @Test(arguments: [
    ("1970-01-01", 0), ("1970-01-01T00:00:00Z", 0), ("2000-02-29 12:30", 951_827_400_000),
    ("2026-08-01T12:00:00.123Z", 1_785_585_600_123), ("2026-08-01t14:00:00.1239+02:00", 1_785_585_600_123),
    ("2026-08-01 08:30:00-03:30", 1_785_585_600_000), ("2026-12-31 23:59:60", 1_798_761_600_000),
    ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
  ])
  func timesAreRead(_ text: String, _ milliseconds: Int) {
    #expect(WallTime(text: text)?.milliseconds == milliseconds)
  }

  @Test(arguments: [
    "", "now", "2026-8-1", "2026-08-01T", "2026-08-01 12", "2026-08-01 24:00", "2026-08-01 12:60", "2026-02-29",
    "2026-13-01", "2026-00-01", "2026-01-00", "2026-04-31", "1900-02-29", "2026-08-01 12:00:61", "2026-08-01 12:00:00.",
    "2026-08-01 12:00+2", "2026-08-01 12:00Zx", " 2026-08-01", "1969-12-31", "1970-01-01T00:00:00+01:00", "٢٠٢٦-08-01",
  ])
  func anythingElseIsNotATime(_ text: String) { #expect(WallTime(text: text) == nil) }

  @Test func everyDayIsWrittenAsItIsRead() {
    // A prime number of hours, so that days and times of day mix, over five centuries.
    for hours in stride(from: 0, to: 4_400_000, by: 977) {
      let time = WallTime(milliseconds: hours * 3_600_000 + hours % 1_000)
      #expect(WallTime(text: time.text) == time, "\(time.text)")
    }
  }
}
