internal import RuleSets

/// When to ask for the rule set next. Chance comes in as an argument, so that a test can fix it.
///
/// After an answer: the interval ± 10 %, so that a thousand routers that booted together do not ask together for ever.
/// After a failure: 1 s, 2 s, 4 s … up to the interval or five minutes, whichever is less, each cut by up to a half at
/// random ("equal jitter"), so that an orchestrator that comes back is not met by all at once.
package struct PullSchedule: Equatable, Sendable {
  package let interval: Duration
  /// Consecutive failed pulls.
  package private(set) var failures = 0

  package static let firstRetry: Duration = .seconds(1)
  package static let longestRetry: Duration = .seconds(300)

  package init(interval: Duration) { self.interval = interval }

  /// - Parameter chance: 0 up to but not including 1.
  package mutating func succeeded(chance: Double) -> Duration {
    failures = 0
    return scaled(interval, 0.9 + 0.2 * clamped(chance))
  }

  /// A pull failed: returns how long to wait before the next one.
  /// - Parameter chance: 0 up to but not including 1.
  package mutating func failed(chance: Double) -> Duration {
    failures = min(failures + 1, 30)
    let doubled = Self.firstRetry * (1 << min(failures - 1, 20))
    let wait = min(doubled, min(Self.longestRetry, max(interval, Self.firstRetry)))
    return scaled(wait, 0.5 + 0.5 * clamped(chance))
  }

  /// Rounded to whole milliseconds.
  private func scaled(_ duration: Duration, _ factor: Double) -> Duration {
    .milliseconds(Int64((duration.milliseconds * factor).rounded()))
  }

  private func clamped(_ chance: Double) -> Double { min(max(chance, 0), 1) }
}
