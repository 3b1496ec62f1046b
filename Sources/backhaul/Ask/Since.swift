internal import ArgumentParser
internal import Core
internal import RuleSets

/// What `--since` takes: how long ago, or when.
enum Since: Equatable, Sendable {
  case age(seconds: Double)
  /// RFC 3339.
  case time(String)

  init(argument: String) throws {
    if let seconds = Self.seconds(argument) {
      self = .age(seconds: seconds)
    } else if let time = WallTime(text: argument) {
      self = .time(time.text)
    } else {
      throw ValidationError(
        "expected how long ago, such as 90s, 15m, 2h or 3d, or a time in UTC, such as \"2026-08-01 14:30\" or "
          + "2026-08-01T14:30:00Z"
      )
    }
  }

  /// `90s`, `15m`, `2h`, `3d`, `1w`; nil for anything else.
  static func seconds(_ text: String) -> Double? {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
    let digits = text.dropLast()
    guard let unit = text.last.flatMap({ units[$0] }), (1...6).contains(digits.count),
      digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Double(digits)
    else { return nil }
    return number * unit
  }
}
