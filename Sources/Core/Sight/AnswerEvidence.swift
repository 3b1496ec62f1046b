package import RuleSets

/// Whether what comes back by a tunnel gets to where it leaves for the clients, by counters: where clients' packets
/// leave by it and more comes in than probes are answered, and nothing gets there, somebody drops the answers. A
/// reverse-path check does, because the main table leads elsewhere, and so does a firewall that does not know about
/// tunnels.
package struct AnswerEvidence: Equatable, Sendable {
  /// What the device itself has got, in packets.
  package struct Received: Equatable, Sendable {
    package var all: UInt64
    /// The share of those that the router's own probes account for, estimated generously.
    package var own: UInt64

    package init(all: UInt64, own: UInt64) {
      self.all = all
      self.own = own
    }
  }

  private struct Suspicion: Equatable {
    var left: UInt64
    var received: Received
    var since: Instant
  }

  private var left: UInt64?
  private var returned: UInt64 = 0
  private var suspicion: Suspicion?
  package private(set) var isLost = false

  package init() {}

  package var isSuspicious: Bool { suspicion != nil && !isLost }

  /// - Parameters:
  ///   - left: packets of clients that left by the device.
  ///   - returned: packets that came by it and are about to leave the router.
  ///   - device: its own counters; asked only where clients' packets left and none came back.
  package mutating func counted(left: UInt64, returned: UInt64, device: () -> Received?, at now: Instant) {
    defer { (self.left, self.returned) = (left, returned) }
    guard let before = self.left, left >= before, returned == self.returned else {
      suspicion = nil
      isLost = false
      return
    }
    guard left > before, let received = device() else { return }
    guard let suspicion, received.all >= suspicion.received.all, received.own >= suspicion.received.own else {
      suspicion = Suspicion(left: left, received: received, since: now)
      return
    }
    let strangers = received.all - suspicion.received.all
    if now - suspicion.since >= FlowEvidence.leastTime, left - suspicion.left >= FlowEvidence.few,
      strangers >= received.own - suspicion.received.own + FlowEvidence.few
    {
      isLost = true
    }
  }
}
