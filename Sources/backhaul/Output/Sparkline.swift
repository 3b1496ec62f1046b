/// Numbers as a row of bars, one character each.
enum Sparkline {
  /// Between the least and the most: the lowest bar and the highest. Where they are the same, or nearly, bars are low: a
  /// steady line has no peaks. Nil: `absent`.
  static func relative(_ values: [Double?], absent: Character) -> String {
    let known = values.compactMap { $0 }.filter(\.isFinite)
    guard let least = known.min(), let most = known.max() else { return String(repeating: absent, count: values.count) }
    // At least a tenth of the value is worth the full height.
    let range = max(most - least, most / 10)
    return String(
      values.map { value in
        guard let value, value.isFinite else { return absent }
        return range > 0 ? bar(Int(((value - least) / range * 7).rounded())) : bar(0)
      })
  }

  /// Shares, 0...1. Only none at all is the lowest bar, and only all of it the highest.
  static func shares(_ values: [Double?], absent: Character) -> String {
    String(
      values.map { value in
        guard let value, value.isFinite else { return absent }
        if value <= 0 { return bar(0) }
        return value >= 1 ? bar(7) : bar(1 + Int(value * 6))
      })
  }

  private static func bar(_ level: Int) -> Character {
    let bars: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    return bars[min(max(level, 0), bars.count - 1)]
  }
}
