package import Agent
package import Core
package import RuleSets

/// Sends every kind of probe through the prober for its kind.
package struct Probers: ProbePort {
  private let icmp: any ProbePort
  private let http: any ProbePort

  package init(icmp: any ProbePort, http: any ProbePort) {
    self.icmp = icmp
    self.http = http
  }

  /// Hands the probe to the prober of its kind.
  package func open(
    _ probe: Probe, bound: ProbeBinding, deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void
  ) -> any OpenProbe {
    switch probe.kind {
    case .icmp: icmp.open(probe, bound: bound, deliver: deliver)
    case .http: http.open(probe, bound: bound, deliver: deliver)
    }
  }
}

/// A probe that can never be sent, and says so each time. Used on the loop only.
final class UnsendableProbe: OpenProbe, @unchecked Sendable {
  private let loop: any EventLoop
  private let reason: String
  private let deliver: @Sendable (UInt64, ProbeOutcome) -> Void
  private var outstanding: Set<UInt64> = []

  init(on loop: any EventLoop, _ reason: String, _ deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void) {
    self.loop = loop
    self.reason = reason
    self.deliver = deliver
  }

  func send(_ number: UInt64) {
    outstanding.insert(number)
    loop.enqueue { [self] in
      if outstanding.remove(number) != nil { deliver(number, .couldNotSend(reason)) }
    }
  }

  func abandon(_ number: UInt64) { outstanding.remove(number) }
  func close() { outstanding = [] }
}
