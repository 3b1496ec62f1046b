internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// When a schedule holds by the clock on the wall, and when that changes.
@Suite struct ScheduleClockTests {
  private let berlin: ZoneRules

  init() throws { berlin = try #require(ZoneRules(posix: "CET-1CEST,M3.5.0,M10.5.0/3")) }

  private func moment(_ text: String) throws -> Int64 {
    Int64(try #require(WallTime(text: text), "\(text)").secondsSince1970)
  }

  private func schedule(_ from: String, _ to: String, _ days: [Weekday] = Weekday.allCases) throws -> Schedule {
    Schedule(days: days, from: try #require(TimeOfDay(from)), to: try #require(TimeOfDay(to)))
  }

  @Test func officeHoursBeginAndEnd() throws {
    let office = try schedule("08:00", "17:00", [.monday, .tuesday, .wednesday, .thursday, .friday])
    // A Friday in winter, 17:00 in Berlin, and the Monday after.
    let friday = try moment("2026-01-09T15:59:59Z")
    #expect(office.holds(at: friday, in: berlin))
    #expect(!office.holds(at: friday + 1, in: berlin))
    #expect(office.nextChange(after: friday, in: berlin) == friday + 1)
    #expect(office.nextChange(after: friday + 1, in: berlin) == (try moment("2026-01-12T07:00:00Z")))
  }

  @Test func whatGoesOverMidnightBelongsToTheDayItBeganOn() throws {
    let night = try schedule("22:00", "06:00", [.friday])
    #expect(night.holds(at: try moment("2026-01-09T21:00:00Z"), in: berlin))
    #expect(night.holds(at: try moment("2026-01-10T04:59:59Z"), in: berlin))
    #expect(!night.holds(at: try moment("2026-01-10T05:00:00Z"), in: berlin))
    // The night before belongs to Thursday.
    #expect(!night.holds(at: try moment("2026-01-09T00:00:00Z"), in: berlin))
    #expect(
      night.nextChange(after: try moment("2026-01-09T22:00:00Z"), in: berlin) == (try moment("2026-01-10T05:00:00Z")))
  }

  /// 2026-03-29 has 23 hours: the clock goes from 02:00 to 03:00.
  @Test func anHourThatIsSkippedDoesNotCome() throws {
    let gone = try schedule("02:15", "02:45", [.sunday])
    let before = try moment("2026-03-29T00:00:00Z")
    #expect(gone.nextChange(after: before, in: berlin) == (try moment("2026-04-05T00:15:00Z")))
    // What begins in it begins with the hour after it, and what ends in it ends there.
    let begins = try schedule("02:30", "04:00", [.sunday])
    #expect(begins.nextChange(after: before, in: berlin) == (try moment("2026-03-29T01:00:00Z")))
    let ends = try schedule("01:30", "02:30", [.sunday])
    let during = try moment("2026-03-29T00:45:00Z")
    #expect(ends.holds(at: during, in: berlin))
    #expect(ends.nextChange(after: during, in: berlin) == (try moment("2026-03-29T01:00:00Z")))
  }

  /// 2026-10-25 has 25 hours: the clock goes from 03:00 to 02:00.
  @Test func anHourThatComesTwiceCountsTwice() throws {
    let twice = try schedule("02:15", "02:45", [.sunday])
    var moment = try moment("2026-10-25T00:00:00Z")
    var changes: [Int64] = []
    for _ in 0..<4 {
      guard let next = twice.nextChange(after: moment, in: berlin) else { break }
      changes.append(next)
      moment = next
    }
    #expect(
      changes == (try ["00:15", "00:45", "01:15", "01:45"].map { try self.moment("2026-10-25T\($0):00Z") }))
    // What goes on through it is an hour longer.
    let night = try schedule("22:00", "06:00", [.saturday])
    let start = try self.moment("2026-10-24T20:00:00Z")
    #expect(night.nextChange(after: start - 1, in: berlin) == start)
    #expect(night.nextChange(after: start, in: berlin) == start + 9 * 3_600)
  }

  @Test func whatAlwaysHoldsNeverChanges() throws {
    #expect(Schedule().nextChange(after: 0, in: berlin) == nil)
    #expect(Schedule().nextChange(after: 0, in: .utc) == nil)
    // A minute is all that it does not hold in.
    let nearly = try schedule("00:01", "00:00")
    #expect(nearly.nextChange(after: try moment("2026-01-01T00:01:00Z"), in: .utc) == (try moment("2026-01-02")))
  }

  /// Against each minute asked by itself, over the days on which the clock is set.
  @Test(arguments: 0..<30) func theNextChangeIsTheFirstMinuteThatDiffers(_ seed: UInt64) throws {
    var dice = SteeringDice(random: SeededRandom(seed: seed))
    let zones = [berlin, .utc, try #require(ZoneRules(posix: "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"))]
    let zone = zones[dice.roll(3)]
    let days = Weekday.allCases.filter { _ in dice.roll(2) == 0 }
    let from = dice.roll(1_440)
    let schedule = Schedule(
      days: days.isEmpty ? [.sunday] : days, from: try #require(TimeOfDay(minutes: from)),
      to: try #require(TimeOfDay(minutes: (from + 1 + dice.roll(1_439)) % 1_440)))
    for day in ["2026-03-28", "2026-10-24", "2026-04-04", "2026-10-03", "2026-12-30"] {
      let start = try moment(day) + Int64(dice.roll(1_440) * 60)
      let now = schedule.holds(at: start, in: zone)
      let first = (1...20_000).lazy.map { start + Int64($0 * 60) }.first { schedule.holds(at: $0, in: zone) != now }
      #expect(schedule.nextChange(after: start, in: zone) == first, "\(schedule) after \(day)")
    }
  }

  // MARK: The clock of all rules

  private func rule(_ name: String, _ schedule: Schedule?, enabled: Bool = true) throws -> SteeringRule {
    SteeringRule(
      name: try #require(Name(name)), enabled: enabled, match: SteeringMatch(dscp: DSCP.all, schedule: schedule),
      action: .drop)
  }

  @Test func theClockWakesForTheFirstChangeAndOnceAMinuteAtLeast() throws {
    let clock = ScheduleClock(berlin)
    let rules = [
      try rule("always", nil), try rule("morning", try schedule("08:00", "09:00")),
      try rule("off", try schedule("07:59", "09:00"), enabled: false), try rule("noon", try schedule("12:00", "13:00")),
    ]
    func active(_ text: String) throws -> [String] {
      clock.active(rules, at: try #require(WallTime(text: text))).map(\.name.text)
    }
    func wait(_ text: String) throws -> Duration? { clock.wait(rules, at: try #require(WallTime(text: text))) }
    #expect(try active("2026-01-09T06:59:59.500Z") == ["always"])
    #expect(try wait("2026-01-09T06:59:59.500Z") == .milliseconds(500))
    #expect(try active("2026-01-09T07:00:00Z") == ["always", "morning"])
    #expect(try wait("2026-01-09T07:00:00Z") == ScheduleClock.longestWait)
    #expect(try wait("2026-01-09T07:59:30Z") == .seconds(30))
    // The clock jumps over it, or back: what is asked next is answered for the time that it shows.
    #expect(try active("2026-01-09T11:30:00Z") == ["always", "noon"])
    #expect(try active("2026-01-09T05:00:00Z") == ["always"])
    #expect(try active("1970-01-01T00:00:00Z") == ["always"])
    #expect(clock.wait([try rule("always", nil)], at: WallTime(secondsSince1970: 0)) == nil)
    #expect(clock.wait(rules, at: WallTime(secondsSince1970: .nan)).map { $0 <= ScheduleClock.longestWait } == true)
    #expect(clock.wait(rules, at: WallTime(secondsSince1970: 1e300)).map { $0 <= ScheduleClock.longestWait } == true)
  }
}
