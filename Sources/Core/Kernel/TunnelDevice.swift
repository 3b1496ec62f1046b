package import RuleSets

/// A tunnel device that we make and own, complete: what `ip link add … type gre|ipip|xfrm …` would be given.
package struct TunnelDevice: Hashable, Sendable {
  /// The device's kind, with what only that kind has.
  package enum Encapsulation: Hashable, Sendable {
    case gre(key: UInt32?)
    case ipip
    /// An XFRM interface: what is routed to it is encrypted by the IPsec policies that carry the same number (`if_id`),
    /// and what those decrypt comes in by it. Never 0.
    case xfrm(interfaceID: UInt32)
  }

  package var name: InterfaceName
  package var encapsulation: Encapsulation
  /// Outer source and destination. Of an XFRM interface the kernel does not know them: its security associations do.
  package var local: IPv4Address
  package var remote: IPv4Address
  /// The uplink that outer packets leave by (IFLA_GRE_LINK, IFLA_IPTUN_LINK, IFLA_XFRM_LINK).
  package var underlay: InterfaceName
  /// The mark of the outer packets' route lookup (IFLA_GRE_FWMARK): the uplink's, so that they use its table and never a
  /// backhaul rule's. ESP is looked up without a mark: an `ip rule` knows it by its addresses.
  package var lookupMark: Mark
  /// Bytes of the largest inner packet.
  package var mtu: Int
  /// Our address inside; nil: unnumbered.
  package var address: InterfaceAddress?
  /// The hub's address inside, where `address` is a /32 and so does not cover it.
  package var peer: IPv4Address?
  /// IFLA_IFALIAS: says that the device is ours and which tunnel it belongs to.
  package var alias: String

  /// Without an explicit TTL the outer packet takes the inner one's, and what starts with 1 dies at the first router.
  package static let ttl: UInt8 = 64
  /// Every device of ours carries an alias that starts so, with the tunnel's name behind it.
  package static let aliasPrefix = "backhaul tunnel "

  package init(
    name: InterfaceName, encapsulation: Encapsulation, local: IPv4Address, remote: IPv4Address,
    underlay: InterfaceName, lookupMark: Mark, mtu: Int, address: InterfaceAddress?, peer: IPv4Address?, alias: String
  ) {
    self.name = name
    self.encapsulation = encapsulation
    self.local = local
    self.remote = remote
    self.underlay = underlay
    self.lookupMark = lookupMark
    self.mtu = mtu
    self.address = address
    self.peer = peer
    self.alias = alias
  }

  /// The kernel's data about this device once it is made: its parameters are right only if they equal these.
  package var parameters: TunnelParameters {
    switch encapsulation {
    case .gre, .ipip:
      TunnelParameters(
        encapsulation: encapsulation, local: local, remote: remote, underlay: underlay, lookupMark: lookupMark,
        ttl: Self.ttl)
    case .xfrm(let number): TunnelParameters(xfrm: number, underlay: underlay)
    }
  }
}
