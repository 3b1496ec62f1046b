/// Policy-based routing for what a backhaul rule is too coarse for: packets of this kind go there. Steering rules stand
/// before backhaul rules, and the first one that matches decides.
package struct SteeringRule: Equatable, Sendable {
  /// Where packets go that the rule matches.
  package enum Action: Hashable, Sendable {
    /// By one of the rule set's egresses.
    case egress(Name)
    /// Where the router's main table says.
    case direct
    /// Nowhere.
    case drop

    /// As in a rule set: `egress`, `direct`, `drop`.
    package var word: String {
      switch self {
      case .egress: "egress"
      case .direct: "direct"
      case .drop: "drop"
      }
    }

    /// As in reports: `egress:fast`, `direct`, `drop`.
    package var words: String {
      switch self {
      case .egress(let name): "egress:\(name)"
      case .direct: "direct"
      case .drop: "drop"
      }
    }
  }

  package var name: Name
  package var enabled: Bool
  package var match: SteeringMatch
  package var action: Action

  package init(name: Name, enabled: Bool = true, match: SteeringMatch, action: Action) {
    self.name = name
    self.enabled = enabled
    self.match = match
    self.action = action
  }

  /// The egress that it names; nil where it names none.
  package var egress: Name? { if case .egress(let name) = action { name } else { nil } }
}

/// What a packet must be like for a rule to take it. Fields that are empty take anything; of the others each must match,
/// by one of its items. At least one is not empty.
package struct SteeringMatch: Hashable, Sendable {
  /// The LAN interfaces that the packet came in by.
  package var lans: [InterfaceName]
  package var sources: [IPv4Prefix]
  package var destinations: [IPv4Prefix]
  /// The hardware addresses of the senders on a LAN. Behind another router they are that router's.
  package var macs: [MACAddress]
  package var protocols: [ProtocolNumber]
  /// The destination's. With TCP, UDP or both in `protocols`, and no other.
  package var ports: [PortRange]
  package var dscp: [DSCP]
  /// The destination is an address that the router's resolver gave for one of them, or for a subdomain.
  package var domains: [DomainName]
  /// Nil: always.
  package var schedule: Schedule?

  package init(
    lans: [InterfaceName] = [], sources: [IPv4Prefix] = [], destinations: [IPv4Prefix] = [], macs: [MACAddress] = [],
    protocols: [ProtocolNumber] = [], ports: [PortRange] = [], dscp: [DSCP] = [], domains: [DomainName] = [],
    schedule: Schedule? = nil
  ) {
    self.lans = lans
    self.sources = sources
    self.destinations = destinations
    self.macs = macs
    self.protocols = protocols
    self.ports = ports
    self.dscp = dscp
    self.domains = domains
    self.schedule = schedule
  }

  /// It asks for nothing but where packets come from, and when.
  package var isOfHostsAlone: Bool {
    destinations.isEmpty && macs.isEmpty && protocols.isEmpty && ports.isEmpty && dscp.isEmpty && domains.isEmpty
  }
}
