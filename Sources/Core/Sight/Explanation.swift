package import RuleSets

/// Where the first packet of a connection goes, and what sent it there.
package struct Explanation: Equatable, Sendable {
  /// What decided over it first.
  package enum Taker: Equatable, Sendable {
    case rule(Name)
    /// A steering rule.
    case steering(Name)
    /// The list of direct destinations.
    case direct
    /// It is the router's own, which no rule ever takes.
    case router
    case nobody

    /// The rule, of either kind.
    package var rule: Name? {
      switch self {
      case .rule(let name), .steering(let name): name
      case .direct, .router, .nobody: nil
      }
    }
  }

  /// What happens to the packet. The raw values are those of `outcome` in the JSON of `backhaul explain`.
  package enum Outcome: String, CaseIterable, Equatable, Sendable {
    /// Through a tunnel.
    case hub
    case localWAN = "local_wan"
    case privateLine = "private_line"
    /// By a device that is not one of our ways: a LAN, another program's tunnel.
    case site
    /// The router takes it itself.
    case router
    /// A rule of the rule set holds it back.
    case blocked
    /// No route.
    case unreachable
    /// The reverse-path check refuses its source.
    case spoofed
    /// It enters a tunnel that cannot send it on.
    case lost
    /// Other software makes the kernel send it another way than the rule set wants.
    case diverted
    /// Something on this router drops it.
    case obstructed
  }

  package var packet: Packet
  package var taker: Taker
  package var outcome: Outcome
  /// Our bits of the mark that it is looked up with.
  package var mark: Mark
  /// The ip rule that decided; nil if none was consulted.
  package var rule: RoutingRule?
  /// Nil if the lookup found none, or where the rule itself says `unreachable`.
  package var route: TableRoute?
  /// The device that it leaves by.
  package var device: InterfaceName?
  package var gateway: Gateway?
  /// That device, where it is one of ours.
  package var way: Layout.Way?
  package var path: Name?
  package var tunnel: Tunnel?
  package var isTranslated: Bool
  /// The tunnel's outer packet, as far as it is known.
  package var outer: Packet?
  package var outerDevice: InterfaceName?
  /// What held it back: a rule's comment.
  package var reason: String?
  /// Why each steering rule before the one that takes it does not; all of them where none takes it.
  package var passed: [String] = []
  /// One sentence.
  package var verdict: String

  /// The lookup to ask the kernel for; nil if nothing is looked up, or it is not IPv4.
  package func lookup(_ question: PacketQuestion) -> LookupQuestion? {
    // What a rule drops before the lookup has none.
    guard !packet.isIPv6, outcome != .blocked || rule != nil else { return nil }
    return LookupQuestion(
      source: packet.source, destination: packet.destination, incoming: packet.incoming, mark: mark.value,
      service: question.service, port: question.port)
  }

  /// How the kernel's answer differs from this; nil if it comes to the same.
  package func contradiction(by answer: LookupAnswer) -> String? {
    let expected = expectation
    let isSame =
      switch (answer, expected) {
      case (.out(let device, let gateway, _), .ways(let ways)):
        ways.contains { $0.device == device && $0.gateway == gateway }
      case (.local, .local), (.unreachable, .nowhere), (.discarded, .nowhere), (.spoofed, .spoofed): true
      default: false
      }
    return isSame ? nil : "the kernel's answer differs from the rule set's: \(answer) instead of \(expected)"
  }

  /// The devices that the rule set wants it to leave by.
  package var wanted: WayQuestion.Wanted {
    guard case .ways(let ways) = expectation else { return .nowhere }
    return .devices(Set(ways.map(\.device)))
  }

  /// What the kernel does with it instead: the kernel's answer is what happens.
  ///
  /// - Parameter finding: what causes it, as far as that is known.
  package mutating func corrected(by answer: LookupAnswer, _ finding: TrafficFinding?) {
    let rule =
      switch taker {
      case .rule(let name): " as rule \(name) wants"
      case .steering(let name): " as steering rule \(name) wants"
      case .direct, .router, .nobody: " as the rule set wants"
      }
    (path, tunnel, outer, outerDevice, way) = (nil, nil, nil, nil, nil)
    reason = finding?.cause
    outcome = .diverted
    switch answer {
    case .out(let device, let gateway, let table):
      (self.device, self.gateway) = (device, gateway)
      let why = finding.map { "it \($0.cause)" } ?? "table \(table) says so"
      verdict = "It leaves by \(device) and not\(rule): \(why)."
    case .local:
      (device, gateway) = (nil, nil)
      outcome = .router
      verdict = "The router takes it itself, and does not send it on\(rule)."
    case .unreachable, .discarded:
      (device, gateway) = (nil, nil)
      outcome = .unreachable
      verdict =
        "It goes nowhere, and not\(rule): \(finding.map { "it \($0.cause)" } ?? "the kernel has no route for it")."
    case .spoofed:
      (device, gateway) = (nil, nil)
      outcome = .spoofed
      verdict =
        "It goes nowhere, and not\(rule): \(finding.map { "it \($0.cause)" } ?? "the kernel refuses its source")."
    }
  }

  /// It is IPv6 that should be refused but leaves anyway.
  package mutating func leaks(_ leak: IPv6Leak) {
    outcome = .diverted
    device = leak.device
    reason = leak.words
    verdict = "It \(leak.way)."
  }

  /// It has the right way, and what was seen of others of its rule says that it does not get along it.
  package mutating func obstructed(by finding: TrafficFinding) {
    outcome = .obstructed
    reason = finding.cause
    verdict = "It does not get through: its rule's traffic \(finding.cause)."
  }

  private struct Hop: Equatable, CustomStringConvertible {
    var device: InterfaceName
    var gateway: Gateway?
    var description: String { gateway.map { "via \($0) dev \(device)" } ?? "dev \(device)" }
  }

  private enum Expectation: Equatable, CustomStringConvertible {
    case ways([Hop])
    case local, nowhere, spoofed

    var description: String {
      switch self {
      case .ways(let ways): ways.map(\.description).joined(separator: " or ")
      case .local: "the router itself"
      case .nowhere: "unreachable"
      case .spoofed: "a refused source"
      }
    }
  }

  /// Only the lookup's result: a packet that nftables drops later still has a route.
  private var expectation: Expectation {
    if outcome == .spoofed { return .spoofed }
    if outcome == .router { return .local }
    switch route?.way {
    case .out(let device, let gateway, _)?: return .ways([Hop(device: device, gateway: gateway)])
    case .shared(let shares)?: return .ways(shares.map { Hop(device: $0.device, gateway: $0.gateway) })
    case .unreachable?, .strange?, nil: return .nowhere
    }
  }
}
