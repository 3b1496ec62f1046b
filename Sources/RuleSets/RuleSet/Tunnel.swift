/// A point-to-point link between an uplink of this router and a hub's external address.
package struct Tunnel: Equatable, Sendable {
  /// How a tunnel encapsulates packets, with the settings that only that kind has.
  package enum Kind: Equatable, Sendable {
    /// GRE over IPv4 (RFC 2784) with an optional key (RFC 2890).
    case gre(key: UInt32?)
    /// IPv4 in IPv4 (RFC 2003).
    case ipip
    /// IPv4 in ESP, tunnel mode (RFC 4303), through an XFRM interface; charon makes the keys by the profile of this name.
    case ipsec(profile: Name)
    /// A device that something else makes (WireGuard, a vendor's VPN). It is used, never made, changed or deleted.
    case external(device: InterfaceName)

    /// The word in rule sets, reports and metrics.
    package var word: String {
      switch self {
      case .gre: "gre"
      case .ipip: "ipip"
      case .ipsec: "ipsec"
      case .external: "external"
      }
    }
  }

  package var name: Name
  package var kind: Kind
  package var hub: Name
  /// The uplink that the outer packets leave by. Nil only for `external`, whose maker decides that.
  package var uplink: InterfaceName?
  /// Our address inside the tunnel; nil for an unnumbered one (and for `external`, whose maker sets it).
  package var innerLocal: InterfaceAddress?
  /// The hub's address inside the tunnel.
  package var innerRemote: IPv4Address?
  /// An MTU that the operator insists on, in bytes; nil: computed from the underlay.
  package var mtu: Int?
  /// The IPsec profile whose transport mode SA the outer packets of a `gre` or `ipip` tunnel travel in; nil: in the clear.
  package var protection: Name?

  package init(
    name: Name, kind: Kind, hub: Name, uplink: InterfaceName? = nil, innerLocal: InterfaceAddress? = nil,
    innerRemote: IPv4Address? = nil, mtu: Int? = nil, protection: Name? = nil
  ) {
    self.name = name
    self.kind = kind
    self.hub = hub
    self.uplink = uplink
    self.innerLocal = innerLocal
    self.innerRemote = innerRemote
    self.mtu = mtu
    self.protection = protection
  }

  /// The IP protocol of its outer packets, before any IPsec around it; nil for a tunnel that we do not make.
  package var outerProtocol: UInt8? {
    switch kind {
    case .gre: 47
    case .ipip: 4
    case .ipsec: 50
    case .external: nil
    }
  }

  package var isIPsec: Bool { if case .ipsec = kind { true } else { false } }

  /// The IPsec profile that encrypts it, as its kind or around it; nil: nothing that we know of encrypts it.
  package var profile: Name? { if case .ipsec(let profile) = kind { profile } else { protection } }
}
