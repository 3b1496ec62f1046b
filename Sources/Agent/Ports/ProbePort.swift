package import Core
package import RuleSets

/// How a probe is tied to its path: device, mark and source address, all three.
package struct ProbeBinding: Hashable, Sendable {
  package var device: InterfaceName
  package var mark: Mark
  package var source: IPv4Address

  package init(device: InterfaceName, mark: Mark, source: IPv4Address) {
    self.device = device
    self.mark = mark
    self.source = source
  }
}

/// What became of one probe.
package enum ProbeOutcome: Equatable, Sendable {
  case answered(roundTrip: Duration)
  /// Something answered, but not what counts: a wrong status or body, ICMP "unreachable".
  case refused(String)
  /// It never left: no route, no buffer, no device. Says nothing about the path's far end.
  case couldNotSend(String)
}

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
  /// The tracked connection that all its packets belong to; nil where each makes one of its own.
  var flow: TrackedFlow? { get }
}

extension OpenProbe {
  package var flow: TrackedFlow? { nil }
}
