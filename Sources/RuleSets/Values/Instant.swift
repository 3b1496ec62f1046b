/// A point on the monotonic clock. Decisions get it as an argument and never read a clock.
package struct Instant: InstantProtocol, Hashable, Comparable, Sendable {
  /// Counted from an arbitrary start (CLOCK_MONOTONIC's on Linux); never negative in practice.
  package let nanoseconds: Int64

  package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// The instant `duration` later, or earlier where it is negative. Overflow wraps around, 292 years away.
  package func advanced(by duration: Duration) -> Instant {
    Instant(nanoseconds: nanoseconds &+ duration.nanoseconds)
  }
  /// How long after this instant the other one is; negative where it is earlier.
  package func duration(to other: Instant) -> Duration { .nanoseconds(other.nanoseconds &- nanoseconds) }
  package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

  /// The same in whole nanoseconds, for hot loops that would otherwise convert a `Duration` each time.
  package func advanced(byNanoseconds count: Int64) -> Instant { Instant(nanoseconds: nanoseconds &+ count) }

  /// The instant so much later.
  package static func + (instant: Instant, duration: Duration) -> Instant { instant.advanced(by: duration) }
  /// The instant so much earlier.
  package static func - (instant: Instant, duration: Duration) -> Instant { instant.advanced(by: .zero - duration) }
  /// The time from `earlier` to `later`; negative where they are the other way round.
  package static func - (later: Instant, earlier: Instant) -> Duration { earlier.duration(to: later) }
}

extension Duration {
  /// Whole nanoseconds, cut to what an Int64 holds (292 years).
  package var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    if overflow { return seconds < 0 ? .min : .max }
    let (sum, over) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return over ? (seconds < 0 ? .min : .max) : sum
  }

  /// Milliseconds as a number for people and JSON.
  package var milliseconds: Double { Double(nanoseconds) / 1_000_000 }
  /// Seconds as a number for people and JSON.
  package var inSeconds: Double { Double(nanoseconds) / 1_000_000_000 }
}

/// A wall-clock time: seconds since 1970-01-01 00:00 UTC. Only for people, files and certificates; never for an interval.
package struct WallTime: Hashable, Comparable, Sendable {
  package let secondsSince1970: Double
  package init(secondsSince1970: Double) { self.secondsSince1970 = secondsSince1970 }
  package static func < (left: Self, right: Self) -> Bool { left.secondsSince1970 < right.secondsSince1970 }
}
