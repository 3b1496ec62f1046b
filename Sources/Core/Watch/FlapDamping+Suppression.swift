package import RuleSets

/// When a path that comes and goes may have traffic again.
extension FlapDamping {
  /// What one fall costs.
  static let fall = 1_000.0
  /// Three falls within less than half a half-life are more.
  static let suppression = 2_500.0
  /// Below this traffic may return: a half-life and a half after the third fall of three at once.
  static let reuse = 1_000.0
  /// However often it fell: three half-lives to wait at most.
  static let ceiling = 8_000.0

  /// Until when traffic must not return to a path that fell at these times, ascending; nil if it may.
  package func suppressed(falls: [Instant], at now: Instant) -> Instant? {
    guard halfLife > .zero else { return nil }
    var penalty = 0.0
    var last: Instant?
    var until: Instant?
    for fall in falls where fall <= now {
      if let last { penalty *= decay(over: fall - last) }
      penalty = min(penalty + Self.fall, Self.ceiling)
      last = fall
      // One that is suppressed stays so until its penalty is small, also where another fall comes meanwhile.
      if penalty > Self.suppression || until.map({ fall < $0 }) ?? false { until = fall + wait(for: penalty) }
    }
    return until.flatMap { $0 > now ? $0 : nil }
  }

  /// How long a penalty takes to decay to `reuse`.
  private func wait(for penalty: Double) -> Duration {
    var shortest: Duration = .zero
    var longest = halfLife * 4
    for _ in 0..<40 {
      let middle = (shortest + longest) / 2
      if penalty * decay(over: middle) > Self.reuse { shortest = middle } else { longest = middle }
    }
    return longest
  }

  /// 2^(−time/halfLife), without a mathematical library: the part of a half-life by its power series, whose error is
  /// below a thousandth.
  private func decay(over time: Duration) -> Double {
    let halves = Double(max(0, time.nanoseconds)) / Double(halfLife.nanoseconds)
    let whole = halves.rounded(.down)
    guard whole < 60 else { return 0 }
    let x = (halves - whole) * 0.693_147_18
    let series = 1 - x + x * x / 2 - x * x * x / 6 + x * x * x * x / 24
    return series / Double(UInt64(1) << UInt64(whole))
  }
}
