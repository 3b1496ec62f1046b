package import Core

/// Takes note of events: the journal and the log. Callable from any thread; never blocks for long.
package protocol EventSink: Sendable {
  func record(_ event: AgentEvent)
}

/// Clocks and chance, as the loops need them.
package protocol Surroundings: Sendable {
  var now: Instant { get }
  var wallTime: WallTime { get }
  /// 0 up to but not including 1.
  var chance: Double { get }
}
