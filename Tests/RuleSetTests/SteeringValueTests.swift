internal import RuleSets
import Testing

@testable import Core

/// The values that steering rules are made of.
@Suite struct SteeringValueTests {
  // MARK: MAC addresses

  @Test func aMACAddressIsWrittenInSmallLetters() {
    #expect(MACAddress("02:00:5E:10:aB:01")?.description == "02:00:5e:10:ab:01")
    #expect(MACAddress("02:00:5e:10:ab:01")?.value == 0x0200_5e10_ab01)
    #expect(MACAddress("02:00:5e:10:ab:01")?.bytes == [2, 0, 0x5e, 0x10, 0xab, 1])
  }

  @Test(arguments: [
    "", "02:00:5e:10:ab", "02:00:5e:10:ab:01:02", "02-00-5e-10-ab-01", "0200.5e10.ab01", "02:00:5e:10:ab:0g",
    "02:00:5e:10:ab:1", "+2:00:5e:10:ab:01", "02:00:5e:10:ab:01 ",
    // Of nobody, of a group, of everybody.
    "00:00:00:00:00:00", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff",
  ]) func thisIsNoDevicesMACAddress(_ text: String) { #expect(MACAddress(text) == nil) }

  // MARK: Ports

  @Test func portsAreReadAsWritten() {
    #expect(PortRange("5000-5999")?.range == 5_000...5_999)
    #expect(PortRange("1-65535")?.description == "1-65535")
    #expect(PortRange("443-443")?.description == "443")
    for text in ["443", "5999-5000", "0-10", "1-65536", "01-10", "1-10-20", "-10", "1-", "1 - 10", "+1-10", "a-b", ""] {
      #expect(PortRange(text) == nil, "\(text)")
    }
  }

  @Test func rangesThatOverlapOrTouchAreOne() throws {
    let ranges = try ["80-90", "443-443", "91-100", "95-99", "65535-65535", "65000-65534"].map {
      try #require(PortRange($0))
    }
    #expect(PortRange.merged(ranges).map(\.description) == ["80-100", "443", "65000-65535"])
  }

  // MARK: DSCP

  @Test func classesHaveTheNumbersOfTheirRFCs() {
    let known: [(String, UInt8)] = [
      ("CS1", 8), ("CS7", 56), ("AF11", 10), ("AF23", 22), ("AF41", 34), ("AF43", 38), ("EF", 46), ("VA", 44),
      ("LE", 1),
    ]
    for (name, value) in known {
      #expect(DSCP(name: name)?.value == value)
      #expect(DSCP(value: value)?.description == name)
    }
    #expect(DSCP(name: "CS0")?.description == "0")
    #expect(DSCP(value: 2)?.description == "2")
    #expect(DSCP(value: 64) == nil)
    #expect(DSCP(name: "AF14") == nil)
    #expect(DSCP.all.map(\.value) == Array(0...63))
    #expect(Set(DSCP.classes.map(\.value)).count == DSCP.classes.count)
  }

  // MARK: Protocols

  @Test func commonProtocolsHaveWords() {
    #expect(["tcp", "udp", "icmp", "gre", "esp"].map { ProtocolNumber(word: $0)?.value } == [6, 17, 1, 47, 50])
    #expect(ProtocolNumber(132).description == "132")
    #expect(ProtocolNumber(6).description == "tcp")
    #expect(ProtocolNumber(word: "TCP") == nil)
    #expect((UInt8(0)...255).filter { ProtocolNumber($0).hasPorts } == [6, 17])
  }

  // MARK: Domains

  @Test(arguments: ["example.com", "a", "xn--bcher-kva.example", "_sip._udp.example", "1.example", "a-b--c.example"])
  func thisIsADomain(_ text: String) { #expect(DomainName(text)?.text == text) }

  @Test(arguments: [
    "", ".", "a.", ".a", "a..b", "*.a", "a b", "-a.b", "a-.b", "192.0.2.1", "a.1", "bücher.example", "a/b", "a:53",
    "a\n", String(repeating: "a", count: 64), String(repeating: "a.", count: 126) + "aa",
  ]) func thisIsNoDomain(_ text: String) { #expect(DomainName(text) == nil) }

  @Test func aDomainOfTheLongestNameIsOne() {
    let text = String(repeating: "a.", count: 126) + "a"
    #expect(text.utf8.count == DomainName.maximumLength)
    #expect(DomainName(text)?.lineage.reduce(0) { count, _ in count + 1 } == 127)
  }

  @Test func aDomainHoldsItsSubdomains() throws {
    let domain = try #require(DomainName("Example.COM"))
    #expect(domain.text == "example.com")
    for text in ["example.com", "www.example.com", "a.b.example.com"] {
      #expect(domain.contains(try #require(DomainName(text))), "\(text)")
    }
    for text in ["com", "badexample.com", "example.org", "www.example.com.org", "xample.com"] {
      #expect(!domain.contains(try #require(DomainName(text))), "\(text)")
    }
    #expect(try #require(DomainName("a.b.c")).lineage.map(\.text) == ["a.b.c", "b.c", "c"])
  }

  // MARK: Times

  @Test func aTimeOfDayHasFourDigits() {
    #expect(TimeOfDay("00:00") == .midnight)
    #expect(TimeOfDay("24:00") == .endOfDay)
    #expect(TimeOfDay("08:05")?.minutes == 485)
    #expect(TimeOfDay("08:05")?.description == "08:05")
    for text in ["8:05", "08:5", "08:60", "24:01", "25:00", "08.05", "08:05:00", "-8:05", "aa:bb", "", "0805", "+8:05"]
    {
      #expect(TimeOfDay(text) == nil, "\(text)")
    }
  }

  private func schedule(_ days: [Weekday], _ from: String, _ to: String) throws -> Schedule {
    Schedule(days: days, from: try #require(TimeOfDay(from)), to: try #require(TimeOfDay(to)))
  }

  @Test func aScheduleKnowsItsMinutes() throws {
    #expect(Schedule().minutesOfWeek == [0..<10_080])
    #expect(try schedule([.tuesday], "08:00", "17:00").minutesOfWeek == [1_920..<2_460])
    // Over midnight it ends on the next day, and Sunday's next is Monday.
    #expect(try schedule([.friday], "22:00", "06:00").minutesOfWeek == [7_080..<7_560])
    #expect(try schedule([.sunday], "22:00", "06:00").minutesOfWeek == [0..<360, 9_960..<10_080])
    // Whole days in a row are one span; nothing is left of a time that does not pass.
    #expect(Schedule(days: [.sunday, .saturday]).minutesOfWeek == [7_200..<10_080])
    #expect(try schedule([.monday], "08:00", "08:00").minutesOfWeek == [])
    #expect(try schedule([.monday], "22:00", "00:00").minutesOfWeek == [1_320..<1_440])
    #expect(try schedule(Weekday.allCases, "12:00", "11:59").minutesOfWeek.count == 8)
  }

  @Test func aSchedulesWordsAreItsFields() throws {
    #expect(try schedule([.tuesday, .monday], "08:00", "17:00").description == "mon, tue 08:00-17:00")
    #expect(try schedule(Weekday.allCases, "22:00", "06:00").description == "every day 22:00-06:00")
    #expect(Schedule(days: [.sunday]).description == "sun")
  }

  /// The spans against each minute asked by itself.
  @Test func everyMinuteOfTheWeekIsWhereTheFieldsSay() throws {
    for (from, to) in [("08:00", "17:00"), ("22:00", "06:00"), ("00:00", "24:00"), ("00:01", "00:00")] {
      for days in [[Weekday.sunday], [.monday, .wednesday], Weekday.allCases] {
        let schedule = try schedule(days, from, to)
        let spans = schedule.minutesOfWeek
        for minute in 0..<Schedule.minutesOfWeek {
          let (day, time) = minute.quotientAndRemainder(dividingBy: Schedule.minutesOfDay)
          let isToday = days.contains { $0.number == day }
          let wasYesterday = days.contains { $0.number == (day + 6) % 7 }
          let expected =
            schedule.from < schedule.to
            ? isToday && (schedule.from.minutes..<schedule.to.minutes).contains(time)
            : isToday && time >= schedule.from.minutes || wasYesterday && time < schedule.to.minutes
          #expect(spans.contains { $0.contains(minute) } == expected, "\(schedule) at \(minute)")
        }
      }
    }
  }
}
