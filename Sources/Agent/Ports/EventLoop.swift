internal import Core
package import RuleSets

/// One thread with timers that is also a serial executor: actors pinned to it run on it and need no locks.
package protocol EventLoop: SerialExecutor {
  /// The monotonic clock.
  var now: Instant { get }
  /// Runs `body` on the loop at `deadline` or as soon after as it can, within half a millisecond where the loop is
  /// idle. Callable from the loop only.
  func at(_ deadline: Instant, _ body: @escaping @Sendable (Instant) -> Void) -> TimerID
  /// A timer that has fired or was cancelled is ignored. Callable from the loop only.
  func cancel(_ timer: TimerID)
  /// Runs `body` on the loop soon. Callable from any thread.
  func enqueue(_ body: @escaping @Sendable () -> Void)
}

/// Names one timer of one loop. Numbers rise with each timer set and are never reused.
package struct TimerID: Hashable, Sendable {
  package let number: UInt64
  package init(_ number: UInt64) { self.number = number }
}
