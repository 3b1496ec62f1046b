/// How bad a path may be and still be taken for good: beyond a limit it is `degraded`, and another path that is up is
/// preferred to it. Each limit has two values, so that a path on the brink does not flap.
package struct PathLimits: Hashable, Sendable {
  /// One limit with hysteresis: a value is too high once it passes `over`, and stays so until it is back at `under`.
  package struct Limit<Value: Comparable & Hashable & Sendable>: Hashable, Sendable {
    /// More than this is too bad.
    package var over: Value
    /// At most this is good again.
    package var under: Value

    package init(over: Value, under: Value) {
      self.over = over
      self.under = under
    }

    /// - Parameter wasOver: what the last answer was.
    package func isOver(_ value: Value, wasOver: Bool) -> Bool { wasOver ? value > under : value > over }
  }

  /// Share of probes without an answer, in percent: 0 to 100.
  package var loss: Limit<Double>?
  package var roundTrip: Limit<Duration>?
  package var jitter: Limit<Duration>?
  /// The last so many results of each probe are looked at: 5 to `windowCapacity`.
  package var window: Int
  /// How many results of each probe are kept: at one probe a second, a little under two minutes.
  package static let windowCapacity = 100

  package init(
    loss: Limit<Double>? = nil, roundTrip: Limit<Duration>? = nil, jitter: Limit<Duration>? = nil, window: Int = 30
  ) {
    self.loss = loss
    self.roundTrip = roundTrip
    self.jitter = jitter
    self.window = window
  }
}
