package import RuleSets

/// One address that is pinged over one uplink, always but rarely, and at once when a path over the uplink is suspected:
/// its answers tell a dead hub from a dead uplink.
package struct Scout: Equatable, Sendable {
  /// The roles in which an address is pinged, the nearest first.
  package enum Role: String, CaseIterable, Comparable, Sendable {
    case gateway, hub, target
    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
    private var rank: Int {
      switch self {
      case .gateway: 0
      case .hub: 1
      case .target: 2
      }
    }
  }

  package let address: IPv4Address
  /// One address may be asked for more than one reason.
  package var roles: Set<Role>
  package var machine: ProbeMachine
  /// The kernel has found no neighbour with this address on the link, and it has not answered since.
  package private(set) var isUnreachable = false
  /// When it was last asked because something is suspected of a path over the uplink.
  package var asked: Instant?

  /// The interval while nothing is suspected: 12 packets a minute, six out and six back.
  package static let interval: Duration = .seconds(10)
  package static let timeout: Duration = .seconds(1)
  /// Three consecutive losses at the machine's confirming pace: a quarter of a second after the first ping.
  package static let fall = 3
  /// Ten seconds and the probes at the first answer: traffic should not return to a flapping uplink.
  package static let rise = 2

  /// Nil if no name could be made from the address, which never happens.
  package init?(_ address: IPv4Address, _ role: Role, at now: Instant, phase: Duration) {
    guard let name = Name("scout-" + address.description.split(separator: ".").joined(separator: "-")) else {
      return nil
    }
    self.address = address
    roles = [role]
    machine = ProbeMachine(
      Probe(
        name: name, path: name, kind: .icmp(target: address), interval: Self.interval, timeout: Self.timeout,
        fall: Self.fall, patience: .zero, rise: Self.rise), at: now, phase: phase)
  }

  /// The kernel got no answer when it looked for this address on the link (NUD_FAILED).
  package mutating func neighbourFailed() { isUnreachable = true }
  /// The address has answered, so it is on the link after all.
  package mutating func hasAnswered() { isUnreachable = false }

  package var answer: Diagnosis.Answer {
    if isUnreachable { return .silent }
    switch machine.state {
    case .up: return machine.unsent > 0 ? .unknown : .answers
    // Many gateways and hubs answer no ping at all. For a target, the operator has said that it does.
    case .down: return machine.lastAnswer != nil || roles.contains(.target) ? .silent : .unknown
    case .unknown: return .unknown
    }
  }

  package var firstRole: Role { roles.min() ?? .target }
  /// It has said what it has to say since it was asked.
  package var isSettled: Bool { asked.map(isSettled(since:)) ?? true }

  package var witness: Diagnosis.Witness { Diagnosis.Witness(address, answer) }

  /// What it says is news from after `instant`, or it has nothing new to say.
  package func isSettled(since instant: Instant) -> Bool {
    guard machine.state == .up, machine.unsent == 0, !isUnreachable else { return true }
    return machine.lastAnswer.map { $0 > instant } ?? false
  }
}

/// All addresses that are pinged over one uplink.
package struct UplinkOutlook: Equatable, Sendable {
  package var scouts: [Scout]
  /// When most of them were last asked because something is suspected of a path over the uplink.
  package var asked: Instant?

  package init(scouts: [Scout] = [], asked: Instant? = nil) {
    self.scouts = scouts
    self.asked = asked
  }

  /// How long a doubt may keep traffic from going to this uplink.
  package static let longestDoubt: Duration = .milliseconds(400)

  private var targets: [Scout] { scouts.filter { $0.roles.contains(.target) } }

  /// It has targets, and none of them answers: nothing gets through, whatever its device says.
  package var isCutOff: Bool { !targets.isEmpty && targets.allSatisfy { $0.machine.state == .down } }

  /// When it will be known at the latest whether the uplink is the trouble: a path over it is suspected, and none of
  /// the targets that used to answer has answered since. Nil if there is no doubt.
  package func doubt(at now: Instant) -> Instant? {
    guard let asked, now < asked + Self.longestDoubt, !isCutOff else { return nil }
    let answering = targets.filter { $0.machine.state == .up }
    guard !answering.isEmpty, !answering.contains(where: { $0.isSettled(since: asked) }) else { return nil }
    return asked + Self.longestDoubt
  }

  /// Down if nobody who ever answered still does, up if anyone does.
  package var state: ProbeMachine.State {
    if scouts.contains(where: { $0.answer == .answers }) { return .up }
    return scouts.contains { $0.answer == .silent } ? .down : .unknown
  }
}
