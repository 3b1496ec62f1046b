/// A network device as rtnetlink reports it.
package struct LinkMessage: Equatable, Sendable {
  package var index: UInt32
  package var name: String
  /// IFF_UP.
  package var isUp: Bool
  /// IFF_LOWER_UP.
  package var hasCarrier: Bool
  /// IFF_POINTOPOINT.
  package var isPointToPoint: Bool
  /// IFF_NOARP.
  package var asksNoNeighbours: Bool
  package var mtu: UInt32
  package var alias: String?
  /// IFLA_INFO_KIND: `bridge`, `vlan`, `vrf`; empty for a network card.
  package var kind: String
  /// IFLA_MASTER: the index of the device that it is part of; 0: none.
  package var master: UInt32
  /// IFLA_INFO_SLAVE_KIND: the kind of `master`: `bridge`, `bond`, `vrf`.
  package var masterKind: String
  /// IFLA_LINK: the index of the device below it in this namespace; 0: none.
  package var lower: UInt32
  /// Set where the device is a GRE or IPIP tunnel or an XFRM interface.
  package var tunnel: TunnelMessage?
  package var settings: SettingsMessage

  package init(
    index: UInt32, name: String, isUp: Bool, hasCarrier: Bool, isPointToPoint: Bool,
    asksNoNeighbours: Bool = false, mtu: UInt32, alias: String? = nil, kind: String = "", master: UInt32 = 0,
    masterKind: String = "", lower: UInt32 = 0, tunnel: TunnelMessage? = nil,
    settings: SettingsMessage = SettingsMessage()
  ) {
    self.index = index
    self.name = name
    self.isUp = isUp
    self.hasCarrier = hasCarrier
    self.isPointToPoint = isPointToPoint
    self.asksNoNeighbours = asksNoNeighbours
    self.mtu = mtu
    self.alias = alias
    self.kind = kind
    self.master = master
    self.masterKind = masterKind
    self.lower = lower
    self.tunnel = tunnel
    self.settings = settings
  }
}

/// A device's own numbers in /proc/sys/net/ipv4/conf and …/ipv6/conf, by the names of their files. Nil if it has no
/// such file.
package struct SettingsMessage: Equatable, Sendable {
  package var forwarding: Int32?
  package var reversePathFilter: Int32?
  package var disableXFRM: Int32?
  package var disablePolicy: Int32?
  package var sourceValidMark: Int32?
  package var disableIPv6: Int32?

  package init() {}
}

/// The parameters of a GRE, IPIP or XFRM device (IFLA_INFO_DATA). Addresses are numbers in host order.
package struct TunnelMessage: Equatable, Sendable {
  /// The driver (IFLA_INFO_KIND), with what only it has. Keys and IDs are in host order.
  package enum Kind: Equatable, Sendable {
    /// The same key is sent and expected.
    case gre(key: UInt32?)
    case ipip
    /// It has an ID and an underlay only: the other fields are not sent, and are read back as zeros.
    case xfrm(interfaceID: UInt32)
  }

  package var kind: Kind
  package var local: UInt32
  package var remote: UInt32
  /// The device that outer packets leave by; 0: any.
  package var underlay: UInt32
  /// The mark of the outer packets' route lookup.
  package var mark: UInt32
  /// 0: the inner packet's.
  package var ttl: UInt8
  /// Outer packets carry DF, so that the path MTU is found.
  package var discoversPathMTU: Bool
  /// It has a parameter that we always write as zero (IFLA_GRE_TOS, _IKEY, _ENCAP_TYPE, …), or no path MTU discovery.
  package var hasMore = false

  package init(
    kind: Kind, local: UInt32, remote: UInt32, underlay: UInt32, mark: UInt32, ttl: UInt8,
    discoversPathMTU: Bool = true
  ) {
    self.kind = kind
    self.local = local
    self.remote = remote
    self.underlay = underlay
    self.mark = mark
    self.ttl = ttl
    self.discoversPathMTU = discoversPathMTU
  }
}

/// What a network device has carried.
package struct TrafficMessage: Equatable, Sendable {
  package var name: String
  package var packetsIn: UInt64
  package var packetsOut: UInt64
  package var bytesIn: UInt64
  package var bytesOut: UInt64

  package init(name: String, packetsIn: UInt64, packetsOut: UInt64, bytesIn: UInt64, bytesOut: UInt64) {
    self.name = name
    self.packetsIn = packetsIn
    self.packetsOut = packetsOut
    self.bytesIn = bytesIn
    self.bytesOut = bytesOut
  }
}

/// An IPv4 address on a device. Numbers in host order.
package struct AddressMessage: Equatable, Sendable {
  package var index: UInt32
  package var local: UInt32
  /// The other end's address where there is one; else the same as `local`.
  package var peer: UInt32
  /// The length of the subnet's prefix, or with a peer that of the peer's.
  package var length: UInt8
  package var isSecondary: Bool
  /// ifa_scope: how far it is good.
  package var scope: UInt8
  /// IFA_F_TENTATIVE, IFA_F_DADFAILED and IFA_F_DEPRECATED.
  package var isTentative: Bool
  package var isDuplicate: Bool
  package var isDeprecated: Bool

  package init(
    index: UInt32, local: UInt32, peer: UInt32, length: UInt8, isSecondary: Bool = false, scope: UInt8 = 0,
    isTentative: Bool = false, isDuplicate: Bool = false, isDeprecated: Bool = false
  ) {
    self.index = index
    self.local = local
    self.peer = peer
    self.length = length
    self.isSecondary = isSecondary
    self.scope = scope
    self.isTentative = isTentative
    self.isDuplicate = isDuplicate
    self.isDeprecated = isDeprecated
  }
}
