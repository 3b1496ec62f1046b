internal import RuleSets

/// How the clock on the wall goes for ever, as a POSIX `TZ` text says it (POSIX.1-2017 section 8.3, with the longer times of
/// RFC 8536 section 3.3.1): `CET-1CEST,M3.5.0,M10.5.0/3`.
struct ZoneRule: Equatable, Sendable {
  /// Seconds ahead of UTC. RFC 8536 section 3.2 has them within -25 and 26 hours.
  static let offsets = -89_999...93_599

  /// When in a year the clock is set.
  struct Turn: Equatable, Sendable {
    enum Day: Equatable, Sendable {
      /// `M`: the n-th such day of the week in the month, 5 being the last; 0 is Sunday.
      case weekday(month: Int, week: Int, day: Int)
      /// `J`: 1 to 365, without a leap day.
      case julian(Int)
      /// 0 to 365, with leap days.
      case ordinal(Int)
    }

    var day: Day
    /// After midnight, by the clock as it was before.
    var seconds: Int

    /// Seconds since 1970, as if the clock on the wall were UTC.
    func moment(in year: Int) -> Int64 {
      let number: Int
      switch day {
      case .julian(let day):
        let isLeap = WallTime.day(year, 3, 1) - WallTime.day(year, 2, 1) == 29
        number = WallTime.day(year, 1, 1) + day - 1 + (isLeap && day > 59 ? 1 : 0)
      case .ordinal(let day): number = WallTime.day(year, 1, 1) + day
      case .weekday(let month, let week, let day):
        let first = WallTime.day(year, month, 1)
        // 1970-01-01 was a Thursday, 4 from Sunday.
        let weekday = ((first + 4) % 7 + 7) % 7
        let next = month == 12 ? WallTime.day(year + 1, 1, 1) : WallTime.day(year, month + 1, 1)
        var found = first + (day - weekday + 7) % 7 + (week - 1) * 7
        while found >= next { found -= 7 }
        number = found
      }
      return Int64(number) * 86_400 + Int64(seconds)
    }
  }

  var standard: Int
  /// Nil: no summer time.
  var summer: (offset: Int, begins: Turn, ends: Turn)?

  static func == (left: Self, right: Self) -> Bool {
    left.standard == right.standard && left.summer?.offset == right.summer?.offset
      && left.summer?.begins == right.summer?.begins && left.summer?.ends == right.summer?.ends
  }

  // MARK: - Questions

  func offset(at moment: Int64) -> Int {
    changes(around: moment).last { $0.at <= moment }?.offset ?? standard
  }

  func nextChange(after moment: Int64) -> Int64? { changes(around: moment).first { $0.at > moment }?.at }

  /// Some years before and after, in order. Where summer time ends no earlier than it begins again, it goes on: so RFC 8536
  /// writes a summer time that lasts all year (section 3.3.1).
  private func changes(around moment: Int64) -> [(at: Int64, offset: Int)] {
    guard let summer else { return [] }
    let year = WallTime.date(ofDay: Int(clamping: max(-100_000_000, min(100_000_000, moment / 86_400)))).year
    func end(_ year: Int) -> Int64 { summer.ends.moment(in: year) - Int64(summer.offset) }
    var summers: [(begins: Int64, ends: Int64)] = []
    let span = (year - 3...year + 3).map { year -> (begins: Int64, ends: Int64) in
      let begins = summer.begins.moment(in: year) - Int64(standard)
      // South of the equator it ends in the year after.
      return (begins, end(year) > begins ? end(year) : end(year + 1))
    }
    for next in span.sorted(by: { ($0.begins, $0.ends) < ($1.begins, $1.ends) }) {
      if let last = summers.last, next.begins <= last.ends {
        summers[summers.count - 1].ends = max(last.ends, next.ends)
      } else {
        summers.append(next)
      }
    }
    let known = summers.flatMap { [(at: $0.begins, offset: summer.offset), (at: $0.ends, offset: standard)] }
    // Nobody has asked whether the last one goes on.
    return Array(known.dropLast())
  }

  // MARK: - Text

  init?(_ text: some StringProtocol) {
    guard text.utf8.count <= 128 else { return nil }
    var reader = RuleReader(text)
    guard reader.name(), let behind = reader.time(hours: 24), Self.offsets.contains(-behind) else { return nil }
    standard = -behind
    guard !reader.isAtEnd else { return }
    guard reader.name() else { return nil }
    var offset = standard + 3_600
    if !reader.take(",") {
      guard let behind = reader.time(hours: 24), reader.take(",") else { return nil }
      offset = -behind
    }
    guard Self.offsets.contains(offset), let begins = reader.turn(), reader.take(","), let ends = reader.turn(),
      reader.isAtEnd
    else { return nil }
    summer = (offset, begins, ends)
  }
}

private struct RuleReader {
  private var rest: ArraySlice<UInt8>

  init(_ text: some StringProtocol) { rest = Array(text.utf8)[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: scalar) else { return false }
    rest.removeFirst()
    return true
  }

  /// Three letters or more, or anything in `<>`. What it says is of no interest.
  mutating func name() -> Bool {
    if take("<") {
      guard let end = rest.firstIndex(of: UInt8(ascii: ">")), end > rest.startIndex else { return false }
      rest = rest[(end + 1)...]
      return true
    }
    let letters = rest.prefix { (0x61...0x7a).contains($0 | 0x20) }
    rest = rest.dropFirst(letters.count)
    return letters.count >= 3
  }

  private mutating func number(_ range: ClosedRange<Int>) -> Int? {
    let digits = rest.prefix { (0x30...0x39).contains($0) }
    guard (1...3).contains(digits.count) else { return nil }
    rest = rest.dropFirst(digits.count)
    let value = digits.reduce(0) { $0 * 10 + Int($1) - 0x30 }
    return range.contains(value) ? value : nil
  }

  /// `[+-]hh[:mm[:ss]]`, in seconds.
  mutating func time(hours: Int) -> Int? {
    let sign = take("-") ? -1 : 1
    if sign == 1 { _ = take("+") }
    guard let hours = number(0...hours) else { return nil }
    var seconds = hours * 3_600
    if take(":") {
      guard let minutes = number(0...59) else { return nil }
      seconds += minutes * 60
      if take(":") {
        guard let more = number(0...59) else { return nil }
        seconds += more
      }
    }
    return sign * seconds
  }

  /// `date[/time]`; two in the morning where there is no time.
  mutating func turn() -> ZoneRule.Turn? {
    guard let day = day() else { return nil }
    guard take("/") else { return ZoneRule.Turn(day: day, seconds: 7_200) }
    return time(hours: 167).map { ZoneRule.Turn(day: day, seconds: $0) }
  }

  private mutating func day() -> ZoneRule.Turn.Day? {
    if take("J") { return number(1...365).map { .julian($0) } }
    guard take("M") else { return number(0...365).map { .ordinal($0) } }
    guard let month = number(1...12), take("."), let week = number(1...5), take("."), let day = number(0...6) else {
      return nil
    }
    return .weekday(month: month, week: week, day: day)
  }
}
