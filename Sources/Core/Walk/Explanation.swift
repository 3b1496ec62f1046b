/// Where the first packet of a connection goes, and what sent it there.
package struct Explanation: Equatable, Sendable {
  /// What decided over it first.
  package enum Taker: Equatable, Sendable {
    case rule(Name)
    /// The list of direct destinations.
    case direct
    /// It is the router's own, which no rule ever takes.
    case router
    case nobody
  }

  package enum Outcome: String, CaseIterable, Equatable, Sendable {
    /// Through a tunnel.
    case hub
    case localWAN = "local_wan"
    case privateLine = "private_line"
    /// By a device that is no way of ours: a LAN, another's tunnel.
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
  }

  package var packet: Packet
  package var taker: Taker
  package var outcome: Outcome
  /// Our bits of the mark that it is looked up with.
  package var mark: Mark
  /// The ip rule that decided; nil where none was asked.
  package var rule: RoutingRule?
  /// Nil where there is none, or the rule itself says `unreachable`.
  package var route: TableRoute?
  /// The device that it leaves by.
  package var device: InterfaceName?
  package var gateway: IPv4Address?
  /// That device, where it is one of ours.
  package var way: Layout.Way?
  package var path: Name?
  package var tunnel: Tunnel?
  package var isTranslated: Bool
  /// Of the tunnel's outer packet, as far as it is known.
  package var outer: Packet?
  package var outerDevice: InterfaceName?
  /// What held it back: a rule's comment.
  package var reason: String?
  /// One sentence.
  package var verdict: String

  /// What the kernel would be asked about it; nil: nothing was looked up, or it is no IPv4.
  package func lookup(_ question: PacketQuestion) -> LookupQuestion? {
    guard !packet.isIPv6 else { return nil }
    return LookupQuestion(
      source: packet.source, destination: packet.destination, incoming: packet.incoming, mark: mark.value,
      service: question.service, port: question.port)
  }

  /// How what the kernel says differs from this; nil where it comes to the same.
  package func contradiction(by answer: LookupAnswer) -> String? {
    let expected = expectation
    let isSame =
      switch (answer, expected) {
      case (.out(let device, let gateway, _), .ways(let ways)):
        ways.contains { $0.device == device && $0.gateway == gateway }
      case (.local, .local), (.unreachable, .nowhere), (.spoofed, .spoofed): true
      default: false
      }
    return isSame ? nil : "the kernel answers otherwise than the rule set wants: \(answer) instead of \(expected)"
  }

  private struct Hop: Equatable, CustomStringConvertible {
    var device: InterfaceName
    var gateway: IPv4Address?
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

  /// Of the lookup alone: what nftables drops later has a route all the same.
  private var expectation: Expectation {
    if outcome == .spoofed { return .spoofed }
    if outcome == .router { return .local }
    switch route?.way {
    case .out(let device, let gateway)?: return .ways([Hop(device: device, gateway: gateway)])
    case .shared(let shares)?: return .ways(shares.map { Hop(device: $0.device, gateway: $0.gateway) })
    case .unreachable?, .strange?, nil: return .nowhere
    }
  }
}
