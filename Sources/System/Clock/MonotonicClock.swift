internal import Core
internal import Glibc
package import RuleSets

/// CLOCK_MONOTONIC: what intervals and timeouts are measured on.
package enum MonotonicClock {
  package static var now: Instant { Instant(nanoseconds: read(CLOCK_MONOTONIC)) }
}

/// CLOCK_REALTIME: for people, files and the kernel's packet time stamps; it can jump.
package enum WallClock {
  package static var now: WallTime { WallTime(secondsSince1970: Double(nanoseconds) / 1_000_000_000) }

  /// Since 1970, in the resolution of the kernel's time stamps.
  static var nanoseconds: Int64 { read(CLOCK_REALTIME) }
}

private func read(_ clock: clockid_t) -> Int64 {
  var time = timespec()
  clock_gettime(clock, &time)
  return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
}
