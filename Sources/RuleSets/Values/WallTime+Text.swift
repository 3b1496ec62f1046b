/// Times as people write them: RFC 3339, without Foundation's formatters, which weigh more than the rest of this file.
extension WallTime {
  /// In UTC with milliseconds: `2026-08-01T12:00:00.123Z`. What lies before 1970 or after the year 9999 is cut to that.
  package var text: String {
    let total = milliseconds
    let (days, rest) = total.quotientAndRemainder(dividingBy: 86_400_000)
    let date = Self.date(ofDay: days)
    let clock = [rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60].map { padded($0, 2) }
    return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))"
      + "T\(clock[0]):\(clock[1]):\(clock[2]).\(padded(rest % 1_000, 3))Z"
  }

  /// Since 1970, to the nearest, within what `text` can say.
  package var milliseconds: Int {
    let latest = 253_402_300_799_999.0
    guard secondsSince1970.isFinite else { return 0 }
    return Int(min(max(0, (secondsSince1970 * 1_000).rounded()), latest))
  }

  package init(milliseconds: Int) { self.init(secondsSince1970: Double(milliseconds) / 1_000) }

  /// Reads RFC 3339, and what people make of it: a blank for the `T`, seconds or the whole time of day left out. Where no
  /// zone is said it is UTC, as in `text`. Nil for anything else, and for days that no calendar has.
  package init?(text: some StringProtocol) {
    var reader = DigitReader(text)
    guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
      let day = reader.number(2), (1...12).contains(month), (1...Self.days(in: month, of: year)).contains(day)
    else { return nil }
    var milliseconds = Self.day(year, month, day) * 86_400_000
    if !reader.isAtEnd {
      guard reader.take("T") || reader.take("t") || reader.take(" "), let hour = reader.number(2), hour < 24,
        reader.take(":"), let minute = reader.number(2), minute < 60
      else { return nil }
      milliseconds += hour * 3_600_000 + minute * 60_000
      if reader.take(":") {
        // 60 is a leap second.
        guard let second = reader.number(2), second <= 60, let fraction = reader.fraction() else { return nil }
        milliseconds += second * 1_000 + fraction
      }
      guard let zone = reader.zone() else { return nil }
      milliseconds -= zone * 60_000
    }
    guard reader.isAtEnd, milliseconds >= 0 else { return nil }
    self.init(milliseconds: milliseconds)
  }

  // Days and dates after Howard Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that the
  // leap day is the last.

  /// The date of a day since 1970-01-01, in the Gregorian calendar.
  package static func date(ofDay days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }

  /// Days since 1970-01-01 of a date in the Gregorian calendar; `month` is 1 to 12.
  package static func day(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func days(in month: Int, of year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

private func padded(_ number: Int, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

private struct DigitReader {
  private var rest: ArraySlice<UInt8>

  init(_ text: some StringProtocol) { rest = Array(text.utf8)[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard let first = rest.first, first == UInt8(ascii: scalar) else { return false }
    rest.removeFirst()
    return true
  }

  /// Exactly so many digits.
  mutating func number(_ digits: Int) -> Int? {
    guard rest.count >= digits else { return nil }
    var value = 0
    for byte in rest.prefix(digits) {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      value = value * 10 + Int(byte - UInt8(ascii: "0"))
    }
    rest.removeFirst(digits)
    return value
  }

  /// Milliseconds; 0 where no point follows. Further digits are cut off.
  mutating func fraction() -> Int? {
    guard take(".") else { return 0 }
    var milliseconds = 0
    var scale = 100
    var digits = 0
    while let digit = number(1) {
      milliseconds += digit * scale
      scale /= 10
      digits += 1
    }
    return digits > 0 ? milliseconds : nil
  }

  /// Minutes ahead of UTC; 0 where nothing follows.
  mutating func zone() -> Int? {
    if isAtEnd || take("Z") || take("z") { return 0 }
    let sign = take("+") ? 1 : take("-") ? -1 : 0
    guard sign != 0, let hours = number(2), hours < 24, take(":"), let minutes = number(2), minutes < 60 else {
      return nil
    }
    return sign * (hours * 60 + minutes)
  }
}
