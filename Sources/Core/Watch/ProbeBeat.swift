internal import RuleSets

/// The beat on which probes leave while nothing is wrong: those of many paths together, as a thread that is woken for each
/// pays five times the price of sending it.
///
/// A probe leaves on the last beat before its time: never late, and early by a twentieth of its interval or 5 ms at most.
/// Beats are counted from the clock's zero, so that probes of any interval share them; the shorter ones divide the longer.
struct ProbeBeat: Equatable, Sendable {
  /// In nanoseconds.
  let length: Int64

  init(_ interval: Duration) {
    length =
      switch interval.nanoseconds {
      case 100_000_000...: 5_000_000
      case 50_000_000...: 2_500_000
      default: 1
      }
  }

  /// The last beat that is not after `due`.
  func last(notAfter due: Instant) -> Instant {
    let rest = due.nanoseconds % length
    return due.advanced(byNanoseconds: rest < 0 ? -rest - length : -rest)
  }
}
