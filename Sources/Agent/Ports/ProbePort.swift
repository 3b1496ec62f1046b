package import Core
package import RuleSets

/// A way to send probes. Called only on the event loop, and delivers only there. At most one outcome is delivered for
/// each probe sent; none at all means silence, and the caller counts the time.
package protocol ProbePort: Sendable {
  func open(_ probe: Probe, bound: ProbeBinding, deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void)
    -> any OpenProbe
}

/// One probe's socket or handle. Closing it ends all deliveries.
package protocol OpenProbe: Sendable {
  /// Sends one probe; `number` comes back with its outcome.
  func send(_ number: UInt64)
  /// Gives up waiting for this one.
  func abandon(_ number: UInt64)
  func close()
  /// The tracked connection that all its packets belong to; nil if each packet makes its own.
  var flow: TrackedFlow? { get }
}

extension OpenProbe {
  package var flow: TrackedFlow? { nil }
}
