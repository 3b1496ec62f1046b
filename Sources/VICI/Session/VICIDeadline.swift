internal import Glibc

/// The end of the time that a call may take as a whole, on the monotonic clock.
struct VICIDeadline {
  private let nanoseconds: Int64

  init(after timeout: Duration) {
    let (seconds, attoseconds) = timeout.components
    // A century is as good as for ever, and its sum overflows nothing.
    let bounded = min(max(seconds, 0), 100 * 365 * 86_400)
    nanoseconds = Self.now + bounded * 1_000_000_000 + max(0, attoseconds) / 1_000_000_000
  }

  var hasPassed: Bool { nanoseconds <= Self.now }

  /// What poll(2) may wait: rounded up, so that it does not return just before the deadline, and a minute at most.
  var milliseconds: Int32 {
    Int32(truncatingIfNeeded: min(max(0, (nanoseconds - Self.now + 999_999) / 1_000_000), 60_000))
  }

  private static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
