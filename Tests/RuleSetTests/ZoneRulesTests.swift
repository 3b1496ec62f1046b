import FoundationEssentials
internal import RuleSets
import Testing

@testable import Core

/// Time zones, from their files and from their rules.
@Suite struct ZoneRulesTests {
  private func moment(_ text: String) throws -> Int64 {
    Int64(try #require(WallTime(text: text), "\(text)").secondsSince1970)
  }

  private static let berlin = "CET-1CEST,M3.5.0,M10.5.0/3"

  // MARK: Rules

  @Test func summerTimeBeginsAndEndsByTheRule() throws {
    let zone = try #require(ZoneRules(posix: Self.berlin))
    let begins = try moment("2026-03-29T01:00:00Z")
    let ends = try moment("2026-10-25T01:00:00Z")
    #expect(zone.offset(at: begins - 1) == 3_600 && zone.offset(at: begins) == 7_200)
    #expect(zone.offset(at: ends - 1) == 7_200 && zone.offset(at: ends) == 3_600)
    #expect(zone.nextChange(after: try moment("2026-01-01")) == begins)
    #expect(zone.nextChange(after: begins) == ends)
    #expect(zone.nextChange(after: ends) == (try moment("2027-03-28T01:00:00Z")))
  }

  @Test func theSouthHasItsSummerInWinter() throws {
    let zone = try #require(ZoneRules(posix: "AEST-10AEDT,M10.1.0,M4.1.0/3"))
    #expect(zone.offset(at: try moment("2026-01-01")) == 39_600)
    #expect(zone.offset(at: try moment("2026-07-01")) == 36_000)
    #expect(zone.nextChange(after: try moment("2026-07-01")) == (try moment("2026-10-03T16:00:00Z")))
  }

  @Test(
    "summer time may last all year, from one year into the next",
    arguments: ["EST5EDT,0/0,J365/25", "XXX2EDT4,0/0,J365/23", "XXX3EDT4,J1/0,J1/1", "AAA0BBB-1,0/0,0/0"])
  func perpetual(_ text: String) throws {
    let zone = try #require(ZoneRules(posix: text))
    for year in 1999...2031 {
      for day in ["01-01", "01-02", "06-30", "12-30", "12-31"] {
        let moment = try moment("\(year)-\(day)")
        guard let next = zone.nextChange(after: moment) else { continue }
        #expect(next > moment && zone.offset(at: next - 1) == zone.offset(at: moment), "\(year)-\(day)")
      }
    }
    let all = try #require(ZoneRules(posix: "EST5EDT,0/0,J365/25"))
    #expect(try all.offset(at: moment("2026-01-01")) == -14_400 && all.nextChange(after: moment("2026-07-01")) == nil)
  }

  @Test func otherWaysToSayADay() throws {
    let julian = try #require(ZoneRules(posix: "XXX5YYY,J60/0,J305/0"))
    // J60 is the first of March in every year; 59 from 0 is the 29th of February where there is one.
    #expect(julian.nextChange(after: try moment("2028-01-01")) == (try moment("2028-03-01T05:00:00Z")))
    let ordinal = try #require(ZoneRules(posix: "XXX5YYY,59/0,304/0"))
    #expect(ordinal.nextChange(after: try moment("2028-01-01")) == (try moment("2028-02-29T05:00:00Z")))
    #expect(ordinal.nextChange(after: try moment("2027-01-01")) == (try moment("2027-03-01T05:00:00Z")))
    // A time before the day begins, as in Greenland, and summer time for ever.
    let nuuk = try #require(ZoneRules(posix: "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"))
    #expect(nuuk.nextChange(after: try moment("2026-01-01")) == (try moment("2026-03-29T01:00:00Z")))
    let always = try #require(ZoneRules(posix: "XXX3EDT4,0/0,J365/23"))
    for day in ["2026-01-01", "2026-07-01", "2026-12-31T23:59:59Z"] {
      #expect(always.offset(at: try moment(day)) == -14_400)
    }
    #expect(ZoneRules(posix: "UTC0") == ZoneRules(posix: "<+00>0"))
    #expect(ZoneRules(posix: "UTC") == ZoneRules(posix: "UTC0") && ZoneRules(posix: "GMT") == ZoneRules(posix: "UTC0"))
    #expect(ZoneRules(posix: "IST-5:30")?.offset(at: 0) == 19_800)
    #expect(ZoneRules(posix: "IST-5:30")?.nextChange(after: 0) == nil)
  }

  @Test(arguments: [
    "", "CET", "CE-1", "CET-25", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
    "CET-1CEST,M3.6.0,M10.5.0",
    "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J365", "CET-1CEST,366,1", "CET-1CEST,M3.5.0,M10.5.0/168", "<CET-1", "<>1",
    "CET-1CEST,M3.5.0,M10.5.0 ", ":Europe/Berlin", "CET-1:60", "CET-99999999999999999999",
    String(repeating: "A", count: 200),
  ]) func thisIsNoRule(_ text: String) { #expect(ZoneRules(posix: text) == nil) }

  @Test func theMinuteOfTheWeekIsTheClocks() throws {
    let zone = try #require(ZoneRules(posix: Self.berlin))
    // 2026-08-03 is a Monday.
    #expect(zone.minuteOfWeek(at: try moment("2026-08-02T22:00:00Z")) == 0)
    #expect(zone.minuteOfWeek(at: try moment("2026-08-02T21:59:59Z")) == 10_079)
    #expect(ZoneRules.utc.minuteOfWeek(at: 0) == 3 * 1_440)
    #expect(ZoneRules.utc.minuteOfWeek(at: -1) == 3 * 1_440 - 1)
    #expect(ZoneRules.utc.minuteOfWeek(at: -10 * 7 * 86_400 - 86_400 * 3) == 0)
  }

  // MARK: Files

  /// A file with these changes, and nothing that nobody reads.
  private func file(
    version: UInt8 = UInt8(ascii: "2"), _ changes: [(at: Int64, kind: UInt8)], offsets: [Int32],
    footer: String? = "CET-1"
  ) -> [UInt8] {
    func number(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    func block(_ version: UInt8, _ width: Int) -> [UInt8] {
      var bytes = Array("TZif".utf8) + [version] + [UInt8](repeating: 0, count: 15)
      for count in [0, 0, 0, changes.count, offsets.count, 4] { bytes += number(UInt32(count)) }
      for change in changes { bytes += width == 8 ? number(change.at) : number(Int32(truncatingIfNeeded: change.at)) }
      bytes += changes.map(\.kind)
      for offset in offsets { bytes += number(offset) + [0, 0] }
      return bytes + Array("CET\0".utf8)
    }
    let first = block(version, 4)
    return version == 0 ? first : first + block(version, 8) + Array((footer.map { "\n\($0)\n" } ?? "").utf8)
  }

  @Test func aFileHasChangesAndARuleForLater() throws {
    let late: Int64 = 8_000_000_000
    let bytes = file([(100, 1), (late, 0)], offsets: [3_600, 7_200], footer: Self.berlin)
    let zone = try ZoneRules(tzif: bytes)
    #expect([99, 100, late - 1].map { zone.offset(at: $0) } == [3_600, 7_200, 7_200])
    #expect(zone.nextChange(after: 0) == 100)
    #expect(zone.nextChange(after: 100) == late)
    // Then the rule goes on: this is in June 2223.
    #expect(zone.offset(at: late) == 7_200)
    #expect(zone.nextChange(after: late).map { $0 > late } == true)
    // Version 1 has 32 bits, and no rule.
    let old = try ZoneRules(tzif: file(version: 0, [(100, 1), (200, 0)], offsets: [3_600, 7_200]))
    #expect([99, 150, 250].map { old.offset(at: $0) } == [3_600, 7_200, 3_600])
    #expect(old.nextChange(after: 200) == nil)
  }

  @Test func whatIsNoZoneIsRefused() throws {
    let good = file([(100, 1)], offsets: [3_600, 7_200], footer: Self.berlin)
    _ = try ZoneRules(tzif: good)
    for length in 0..<good.count {
      #expect(throws: ZoneRules.Refusal.self, "\(length) bytes") { try ZoneRules(tzif: Array(good.prefix(length))) }
    }
    let bad: [(String, [UInt8])] = [
      ("not in order", file([(100, 1), (100, 0)], offsets: [0, 60])),
      ("unknown kind", file([(100, 2)], offsets: [0, 60])),
      ("no offset", file([], offsets: [])), ("out of range", file([], offsets: [100_000])),
      ("no rule", file([], offsets: [0], footer: "CET-1CEST")), ("text", Array("TZ=Europe/Berlin".utf8)),
      ("long", [UInt8](repeating: 0, count: ZoneRules.mostBytes + 1)),
    ]
    for (name, bytes) in bad { #expect(throws: ZoneRules.Refusal.self, "\(name)") { try ZoneRules(tzif: bytes) } }
  }

  /// Damaged files are refused or are some zone; neither takes long, and nothing traps.
  @Test func noByteMakesItTrap() throws {
    let good = file([(100, 1), (200, 0)], offsets: [3_600, 7_200], footer: Self.berlin)
    for index in good.indices {
      for byte: UInt8 in [0, 1, 0x7f, 0x80, 0xff] {
        var bytes = good
        bytes[index] = byte
        guard let zone = try? ZoneRules(tzif: bytes) else { continue }
        for moment in [Int64.min / 4, -1, 0, 150, 4_102_444_800, Int64.max / 4] {
          _ = (zone.offset(at: moment), zone.nextChange(after: moment))
        }
      }
    }
  }

  /// As Python's zoneinfo has them, for machines that have the files.
  private static let known: [(name: String, offsets: [Int])] = [
    ("Europe/Berlin", [3_600, 3_600, 3_600, 7_200, 3_600, 7_200, 3_600, 3_600, 7_200, 3_600, 3_600, 3_600, 3_600]),
    (
      "America/New_York",
      [
        -18_000, -18_000, -18_000, -14_400, -14_400, -14_400, -14_400, -14_400, -14_400, -14_400, -14_400, -18_000,
        -18_000,
      ]
    ),
    (
      "Australia/Lord_Howe",
      [36_000, 36_000, 39_600, 37_800, 39_600, 39_600, 39_600, 39_600, 39_600, 39_600, 39_600, 39_600, 39_600]
    ),
    (
      "Asia/Kolkata",
      [19_800, 19_800, 19_800, 19_800, 19_800, 19_800, 19_800, 19_800, 19_800, 19_800, 19_800, 19_800, 19_800]
    ),
    ("Africa/Casablanca", [-1_820, 0, 3_600, 0, 3_600, 3_600, 3_600, 3_600, 3_600, 3_600, 3_600, 3_600, 3_600]),
    (
      "America/Nuuk",
      [-12_416, -10_800, -10_800, -7_200, -7_200, -3_600, -7_200, -7_200, -3_600, -7_200, -7_200, -7_200, -7_200]
    ),
    (
      "Pacific/Apia",
      [-41_216, -39_600, -39_600, -39_600, 46_800, 46_800, 46_800, 46_800, 46_800, 46_800, 46_800, 46_800, 46_800]
    ),
    (
      "America/Sao_Paulo",
      [
        -11_188, -10_800, -7_200, -10_800, -10_800, -10_800, -10_800, -10_800, -10_800, -10_800, -10_800, -10_800,
        -10_800,
      ]
    ),
    ("Antarctica/Troll", [0, 0, 0, 0, 0, 7_200, 0, 0, 7_200, 0, 0, 0, 0]),
  ]
  private static let folder = "/usr/share/zoneinfo/"

  /// Of Debian's package tzdata.
  @Test func theFilesOfThisMachineSayWhatOthersReadInThem() throws {
    let moments: [Int64] = [
      -2_000_000_000, 0, 500_000_000, 1_000_000_000, 1_774_745_999, 1_774_746_000, 1_793_494_799, 1_793_494_800,
      1_792_889_999, 1_792_890_000, 1_900_000_000, 2_147_483_648, 4_102_444_800,
    ]
    for (name, offsets) in Self.known {
      let zone = try ZoneRules(tzif: [UInt8](try Data(contentsOf: URL(filePath: Self.folder + name))))
      #expect(moments.map { zone.offset(at: $0) } == offsets, "\(name)")
      // Every change is one, and none is missed in between.
      var (moment, steps) = (Int64(1_700_000_000), 0)
      while let next = zone.nextChange(after: moment), steps < 20 {
        #expect(next > moment)
        #expect(zone.offset(at: next - 1) == zone.offset(at: moment), "\(name) at \(next)")
        (moment, steps) = (next, steps + 1)
      }
    }
  }
}
