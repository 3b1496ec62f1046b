package import RuleSets

/// One packet on its way through the router, as far as our data plane looks at it.
package struct Packet: Equatable, Sendable {
  /// What connection tracking knows about a packet.
  package enum Tracking: Equatable, Sendable {
    /// Whether the packet goes the way of the connection's first packet, or the way back.
    package enum Direction: Equatable, Sendable { case original, reply }
    /// `mark` is the connection's, all bits. NAT rules see the first packet of a connection alone.
    case connection(Direction, mark: UInt32, isNew: Bool)
    /// It is about a connection: an ICMP error, or the reset of a firewall. Its direction is that in which it goes, and so
    /// the other one than that of the packet that it is about.
    case related(Direction, mark: UInt32)
    case invalid
    case untracked
  }

  /// Nil: the router sent it.
  package var incoming: InterfaceName?
  /// The device that it came in by, where that is in a VRF: `incoming` is the VRF's then, from routing on.
  package var slave: InterfaceName?
  package var source: IPv4Address
  package var destination: IPv4Address
  /// The addresses mean nothing then: we never look at those of IPv6.
  package var isIPv6: Bool
  package var isTCPSYN: Bool
  package var isTCPReset = false
  /// Something has translated its connection's source.
  package var isSourceTranslated = false
  package var icmpType: UInt8?
  /// The protocol of the packet that an ICMP error quotes.
  package var quotedProtocol: UInt8?
  /// Nil: none that a rule asks for.
  package var protocolNumber: UInt8?
  /// What stands where TCP and UDP have the destination port. Nil: nothing that a rule asks for.
  package var port: UInt16?
  /// A fragment other than the first: it has no transport header.
  package var isLaterFragment = false
  /// The second byte of the IPv4 header: the DSCP in the upper six bits, ECN in the others.
  package var trafficClass: UInt8 = 0
  /// It came in by an Ethernet device.
  package var isEthernet = false
  /// Its source in the Ethernet header. Nil: none that a rule asks for.
  package var sender: MACAddress?
  /// It came out of an IPsec packet and is still recognisable as such, by a policy or an XFRM interface.
  package var wasEncrypted: Bool
  /// An IPsec policy applies to its route. Packets that an XFRM interface will encrypt have none until they get there.
  package var willBeEncrypted: Bool
  package var tracking: Tracking
  /// The packet's mark, all bits; of a packet of the router's own, what its socket gave it.
  package var mark: UInt32
  /// The device that the router's own socket is bound to; for forwarded IPv6 the one that its routes lead to.
  package var boundDevice: InterfaceName?
  /// Only for IPv6: the destination, if anything needs it; a prefix of one address.
  package var ipv6Destination: IPv6Prefix?
  package var ipv6Source: IPv6Prefix?
  /// Only for forwarded IPv6: a route more specific than a default leads there.
  package var hasSpecificRoute: Bool
  /// A tunnel's outer packet: the mark that it is looked up with instead of its own.
  package var lookupMark: UInt32?

  package init(
    incoming: InterfaceName?, source: IPv4Address, destination: IPv4Address, isIPv6: Bool = false,
    isTCPSYN: Bool = false, protocolNumber: UInt8? = nil, wasEncrypted: Bool = false, willBeEncrypted: Bool = false,
    tracking: Tracking = .connection(.original, mark: 0, isNew: true), mark: UInt32 = 0,
    boundDevice: InterfaceName? = nil, hasSpecificRoute: Bool = false, lookupMark: UInt32? = nil
  ) {
    self.incoming = incoming
    self.source = source
    self.destination = destination
    self.isIPv6 = isIPv6
    self.isTCPSYN = isTCPSYN
    self.protocolNumber = protocolNumber
    self.wasEncrypted = wasEncrypted
    self.willBeEncrypted = willBeEncrypted
    self.tracking = tracking
    self.mark = mark
    self.boundDevice = boundDevice
    self.hasSpecificRoute = hasSpecificRoute
    self.lookupMark = lookupMark
  }

  /// The connection's mark; nil if no connection is known.
  package var connectionMark: UInt32? {
    switch tracking {
    case .connection(_, let mark, _), .related(_, let mark): mark
    case .invalid, .untracked: nil
    }
  }
}

/// What happened to a packet, and why.
package struct PacketFate: Equatable, Sendable {
  /// Where the packet's way through the router ended.
  package enum End: Equatable, Sendable {
    /// It left by a device.
    case left(InterfaceName, gateway: Gateway?)
    /// The router itself took it.
    case delivered
    /// The rule's comment.
    case dropped(String)
    case rejected(String)
    /// A route or rule says `unreachable`, or there is no route.
    case unreachable
    /// An ip rule refuses it: the sender gets ICMP "administratively prohibited".
    case prohibited
    /// The kernel's reverse-path check took its source for a false one.
    case spoofed
  }

  package var end: End
  /// The packet as it was at the end.
  package var packet: Packet
  package var isMasqueraded: Bool
  /// What a SYN was clamped to.
  package var segmentSize: UInt16?
  /// What each stage said, in order.
  package var stages: [Stage]
  /// What happened to the outer packet, if it left by a tunnel of ours. One element at most.
  package var outer: [PacketFate]

  /// One decision on the packet's way.
  package enum Stage: Equatable, Sendable {
    /// A rule of our table took the packet.
    case nft(chain: String, NftRule)
    /// A lookup ended at this rule; the route is nil if the rule itself refuses.
    case lookup(RoutingRule, TableRoute?)
    case local
    case noRoute
  }

  /// The stages as lines for people.
  package var trace: [String] { stages.map(\.description) }

  /// The devices that the packet left by, the outer packets' too.
  package var devices: [InterfaceName] {
    let own: [InterfaceName] = if case .left(let device, _) = end { [device] } else { [] }
    return own + outer.flatMap(\.devices)
  }
}

extension PacketFate.Stage: CustomStringConvertible {
  package var description: String {
    switch self {
    case .nft(let chain, let rule): "\(chain): \(rule.text)"
    case .lookup(let rule, nil):
      "\(PlanText.command(of: rule)) \(rule.priority): \(rule.action == .prohibit ? "prohibit" : "unreachable")"
    case .lookup(let rule, let route?):
      switch route.way {
      case .unreachable: "ip rule \(rule.priority): table \(route.table): unreachable \(route.destination)"
      case .strange: "ip rule \(rule.priority): table \(route.table): \(route.words)"
      case .shared(let shares):
        "ip rule \(rule.priority): table \(route.table): \(route.destination) dev "
          + shares.map(\.device.text).joined(separator: " or ")
      case .out(let device, _, _): "ip rule \(rule.priority): table \(route.table): \(route.destination) dev \(device)"
      }
    case .local: "local"
    case .noRoute: "no route"
    }
  }
}
