/// A day of the week.
package enum Weekday: String, CaseIterable, Comparable, Writable {
  case monday = "mon"
  case tuesday = "tue"
  case wednesday = "wed"
  case thursday = "thu"
  case friday = "fri"
  case saturday = "sat"
  case sunday = "sun"

  /// 0 is Monday (ISO 8601).
  package var number: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  package static func < (left: Self, right: Self) -> Bool { left.number < right.number }
}

/// What a clock on the wall shows, in whole minutes: `08:30`. The end of a day is `24:00`.
package struct TimeOfDay: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Since midnight: 0...1440.
  package let minutes: Int

  package static let midnight = TimeOfDay(known: 0)
  package static let endOfDay = TimeOfDay(known: 1_440)

  /// Nil outside of a day.
  package init?(minutes: Int) {
    guard (0...1_440).contains(minutes) else { return nil }
    self.minutes = minutes
  }

  private init(known minutes: Int) { self.minutes = minutes }

  /// Two digits, `:`, two digits; up to `24:00`.
  package init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    let digits = bytes.enumerated().filter { $0.offset != 2 }.map(\.element)
    guard bytes.count == 5, bytes[2] == UInt8(ascii: ":"), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return nil
    }
    let numbers = digits.map { Int($0) - 0x30 }
    let (hour, minute) = (numbers[0] * 10 + numbers[1], numbers[2] * 10 + numbers[3])
    guard minute < 60 else { return nil }
    self.init(minutes: hour * 60 + minute)
  }

  package var description: String {
    let (hour, minute) = minutes.quotientAndRemainder(dividingBy: 60)
    return (hour < 10 ? "0" : "") + "\(hour):" + (minute < 10 ? "0" : "") + "\(minute)"
  }

  package static func < (left: Self, right: Self) -> Bool { left.minutes < right.minutes }
}

/// When a rule holds: on these days, between two times of day, by the clock on the wall where the router stands.
package struct Schedule: Hashable, Sendable {
  /// In the order of the week; never empty. The days on which it begins: what goes over midnight ends on the next.
  package var days: [Weekday]
  package var from: TimeOfDay
  /// The first minute that is no longer in it. Earlier than `from`: on the next day.
  package var to: TimeOfDay

  package init(days: [Weekday] = Weekday.allCases, from: TimeOfDay = .midnight, to: TimeOfDay = .endOfDay) {
    self.days = days.sorted()
    self.from = from
    self.to = to
  }

  package static let minutesOfDay = 1_440
  package static let minutesOfWeek = 7 * minutesOfDay

  /// The minutes of a week in which it holds, counted from Monday 00:00: in order, neither overlapping nor touching, all
  /// within a week. What goes over Sunday's midnight is in two.
  package var minutesOfWeek: [Range<Int>] {
    var spans: [Range<Int>] = []
    for day in days {
      let start = day.number * Self.minutesOfDay + from.minutes
      let end = day.number * Self.minutesOfDay + to.minutes + (to < from ? Self.minutesOfDay : 0)
      guard start < end else { continue }
      spans.append(start..<min(end, Self.minutesOfWeek))
      if end > Self.minutesOfWeek { spans.append(0..<end - Self.minutesOfWeek) }
    }
    return spans.sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { merged, next in
      guard let open = merged.last, next.lowerBound <= open.upperBound else { return merged.append(next) }
      merged[merged.count - 1] = open.lowerBound..<max(open.upperBound, next.upperBound)
    }
  }

  /// Whether it holds in this minute of the week; 0 is Monday 00:00.
  package func holds(inMinuteOfWeek minute: Int) -> Bool { minutesOfWeek.contains { $0.contains(minute) } }
}

extension Schedule: CustomStringConvertible {
  /// `mon, tue 08:00-17:00`, `every day 22:00-06:00`.
  package var description: String {
    let names = days.count == 7 ? "every day" : days.map(\.rawValue).joined(separator: ", ")
    return from == .midnight && to == .endOfDay ? names : "\(names) \(from)-\(to)"
  }
}
