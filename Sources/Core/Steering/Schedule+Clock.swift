package import RuleSets

/// A schedule held against the clock on the wall.
extension Schedule {
  /// Whether it holds at a moment, in seconds since 1970.
  package func holds(at moment: Int64, in zone: ZoneRules) -> Bool {
    holds(inMinuteOfWeek: zone.minuteOfWeek(at: moment))
  }

  /// Between two settings of the clock nothing but a schedule's own bounds changes anything, so this many of both are
  /// looked at. Zones that set their clocks more often than twice a week do not exist.
  private static let mostSteps = 64

  /// The first moment after this one at which it begins to hold, or no longer holds; nil: it never does.
  ///
  /// It follows what the clock shows: an hour that summer time skips does not come, and one that comes twice counts twice.
  /// The answer is true as long as the router's clock is right: one that is set asks again.
  package func nextChange(after moment: Int64, in zone: ZoneRules) -> Int64? {
    let spans = minutesOfWeek
    let now = holds(at: moment, in: zone)
    var moment = moment
    for _ in 0..<Self.mostSteps {
      let local = moment + Int64(zone.offset(at: moment))
      let bound = Self.nextBound(of: spans, after: local).map { $0 - Int64(zone.offset(at: moment)) }
      guard let next = [bound, zone.nextChange(after: moment)].compactMap({ $0 }).min() else { return nil }
      moment = next
      if holds(at: moment, in: zone) != now { return moment }
    }
    return nil
  }

  /// The next bound of a span after this moment, both by the clock on the wall, in seconds.
  private static func nextBound(of spans: [Range<Int>], after local: Int64) -> Int64? {
    let week = Int64(minutesOfWeek * 60)
    // Monday before 1970-01-01, which was a Thursday.
    let monday: Int64 = -3 * 86_400
    let weeks = (local - monday).quotientAndRemainder(dividingBy: week)
    let start = monday + (weeks.remainder < 0 ? weeks.quotient - 1 : weeks.quotient) * week
    let bounds = spans.flatMap { [Int64($0.lowerBound) * 60, Int64($0.upperBound) * 60] }
    return bounds.flatMap { [start + $0, start + week + $0] }.filter { $0 > local }.min()
  }
}

/// Which of a rule set's steering rules hold now by their schedules, and when to ask again.
package struct ScheduleClock: Equatable, Sendable {
  package let zone: ZoneRules

  package init(_ zone: ZoneRules) { self.zone = zone }

  /// A clock that somebody sets gives no notice that everybody hears, and nobody minds one look a minute.
  package static let longestWait: Duration = .seconds(60)
  /// While the clock has not been set: some traffic waits for it (`withoutTime`), and a look at the clock costs nothing.
  package static let waitForTheTime: Duration = .seconds(5)

  /// The rules that take packets now, in order: enabled, and with a schedule that holds.
  package func active(_ rules: [SteeringRule], at moment: WallTime) -> [SteeringRule] {
    rules.filter { $0.enabled && $0.match.schedule?.holds(at: Self.seconds(moment), in: zone) ?? true }
  }

  /// When `inForce` may next have another answer; nil: no enabled rule has a schedule. Never longer than `longestWait`.
  package func wait(_ rules: [SteeringRule], at moment: WallTime) -> Duration? {
    let schedules = Set(rules.filter(\.enabled).compactMap(\.match.schedule))
    guard !schedules.isEmpty else { return nil }
    guard Self.isCredible(moment) else { return Self.waitForTheTime }
    let next = schedules.compactMap { $0.nextChange(after: Self.seconds(moment), in: zone) }.min()
    guard let next else { return Self.longestWait }
    let wait = max(0, Double(next) - moment.secondsSince1970)
    return min(.milliseconds(Int64((wait * 1_000).rounded(.up))), Self.longestWait)
  }

  /// The whole second; what no clock shows is cut to the years that have four digits.
  private static func seconds(_ moment: WallTime) -> Int64 {
    guard moment.secondsSince1970.isFinite else { return 0 }
    return Int64(max(-62_000_000_000, min(253_402_300_799, moment.secondsSince1970.rounded(.down))))
  }
}
