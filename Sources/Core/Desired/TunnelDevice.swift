/// A tunnel device that we make and own, complete: what `ip link add … type gre|ipip …` would be given.
package struct TunnelDevice: Equatable, Sendable {
  package enum Encapsulation: Equatable, Sendable {
    case gre(key: UInt32?)
    case ipip
  }

  package var name: InterfaceName
  package var encapsulation: Encapsulation
  /// Outer source and destination.
  package var local: IPv4Address
  package var remote: IPv4Address
  /// The uplink that outer packets leave by (IFLA_GRE_LINK, IFLA_IPTUN_LINK).
  package var underlay: InterfaceName
  /// The mark of the outer packets' route lookup (IFLA_GRE_FWMARK): the uplink's, so that they use its table and never a
  /// backhaul rule's.
  package var lookupMark: Mark
  /// Bytes of the largest inner packet.
  package var mtu: Int
  /// Our address inside; nil: unnumbered.
  package var address: InterfaceAddress?
  /// The hub's address inside, where `address` is a /32 and so does not cover it.
  package var peer: IPv4Address?
  /// IFLA_IFALIAS: says that the device is ours and whose it is.
  package var alias: String

  /// Without an explicit TTL the outer packet takes the inner one's, and what starts with 1 dies at the first router.
  package static let ttl: UInt8 = 64
  /// Every device of ours carries an alias that starts so; a device without it is foreign, whatever its name.
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
}
