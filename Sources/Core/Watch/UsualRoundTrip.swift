internal import RuleSets

/// How long answers take, smoothed as TCP does it (RFC 6298 section 2).
struct UsualRoundTrip: Equatable, Sendable {
  /// In nanoseconds: at most an hour, as no timeout is longer.
  private var mean: Int64?
  private var deviation: Int64 = 0

  mutating func add(_ roundTrip: Duration) {
    let roundTrip = min(max(0, roundTrip.nanoseconds), 3_600_000_000_000)
    guard let mean else {
      self.mean = roundTrip
      deviation = roundTrip / 2
      return
    }
    deviation = deviation * 3 / 4 + abs(roundTrip - mean) / 4
    self.mean = mean * 7 / 8 + roundTrip / 8
  }

  /// Like RFC 6298's clock granularity: if every answer takes exactly as long, the next one must not be late by a
  /// rounded-off nanosecond.
  private static let granularity: Int64 = 1_000_000

  /// An answer later than this is later than usual; nil before the first answer.
  var longest: Int64? { mean.map { $0 + max(deviation * 4, Self.granularity) } }
}
