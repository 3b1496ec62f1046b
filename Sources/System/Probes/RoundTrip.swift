internal import Core
internal import RuleSets

/// How long an answer took. The kernel stamps the answer's arrival with CLOCK_REALTIME, which leaves out the time until
/// our thread ran; but that clock may be set in between, and then the monotonic clock is what counts.
package struct RoundTrip: Equatable, Sendable {
  /// Both clocks when the probe was sent, in nanoseconds.
  package var sentWall: Int64
  package var sentMonotonic: Int64

  package init(sentWall: Int64, sentMonotonic: Int64) {
    self.sentWall = sentWall
    self.sentMonotonic = sentMonotonic
  }

  static func starting() -> RoundTrip {
    RoundTrip(sentWall: WallClock.nanoseconds, sentMonotonic: MonotonicClock.now.nanoseconds)
  }

  /// `stamp`: the kernel's; 0 where it gave none. `wall` and `monotonic`: both clocks now.
  package func duration(stamp: Int64, wall: Int64, monotonic: Int64) -> Duration {
    let elapsed = max(0, monotonic &- sentMonotonic)
    let wallElapsed = wall &- sentWall
    // adjtime slews by at most 500 ppm; more than that, and beyond what reading two clocks takes, was a step.
    let slack = 1_000_000 + elapsed / 1_000
    let stepped = wallElapsed < elapsed - slack || wallElapsed > elapsed + slack
    let measured = stamp &- sentWall
    guard stamp != 0, !stepped, measured >= 0, measured <= wallElapsed else { return .nanoseconds(elapsed) }
    return .nanoseconds(measured)
  }
}
