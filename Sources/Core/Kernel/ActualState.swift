package import RuleSets

/// What the kernel says: everything of ours in it (own by tag: route protocol, priority and table range, table name,
/// device alias), and of the rest only what decisions need: links, addresses, main's default routes.
package struct ActualState: Equatable, Sendable {
  package var links: [InterfaceName: Link]
  /// IPv4 addresses, primary first.
  package var addresses: [InterfaceName: [InterfaceAddress]]
  /// The kernel's further data about addresses that are not plain; see `standing(of:on:)`.
  package var standings: [InterfaceName: [InterfaceAddress: AddressStanding]]
  /// Default routes of the main table, best metric first; then those of tables that other programs' ip rules lead to.
  package var mainDefaults: [MainDefault]
  /// Default routes of the main table that are no way out.
  package var deadEnds: [DeadEnd]
  /// Main's routes that are better than a default, halves of all addresses among them.
  package var sites = MainSites<IPv4Prefix>()
  package var ipv6Sites = MainSites<IPv6Prefix>()
  /// Devices that a default route of any table, or one to half of all addresses, leads out of. For IPv6, a route as
  /// wide as an eighth counts: 2000::/3 is all that has been allocated. Our own tables are left out.
  package var exits: Set<InterfaceName> = []
  package var ipv6Exits: Set<InterfaceName> = []
  /// Routes with our protocol in our table range.
  package var routes: Set<TableRoute>
  /// Rules with our protocol in our priority range, in the kernel's order; those of IPv6 after those of IPv4.
  package var rules: [RoutingRule]
  /// The kernel has IPv6 with policy routing. Without it (EAFNOSUPPORT) none of its rules can be wanted.
  package var hasIPv6Rules: Bool
  /// Our nftables table; nil if there is none.
  package var nftTable: NftTable?
  /// The table of our flowtable; nil if there is none. Its rules need not be expected to be recognised.
  package var fastTable: NftTable?
  /// Present values of the settings of every interface, and of `all` under the name "all".
  package var settings: [InterfaceSetting: Int]
  /// Smaller path MTUs that the kernel has learned (ICMP "fragmentation needed", RFC 1191) and still remembers, on
  /// devices that are not ours. Complete enough to decide by, never exhaustive.
  package var pathMTUs: [PathMTUKey: Int]

  package init(
    links: [InterfaceName: Link] = [:], addresses: [InterfaceName: [InterfaceAddress]] = [:],
    standings: [InterfaceName: [InterfaceAddress: AddressStanding]] = [:], mainDefaults: [MainDefault] = [],
    deadEnds: [DeadEnd] = [], routes: Set<TableRoute> = [], rules: [RoutingRule] = [], hasIPv6Rules: Bool = true,
    nftTable: NftTable? = nil, settings: [InterfaceSetting: Int] = [:], pathMTUs: [PathMTUKey: Int] = [:]
  ) {
    self.links = links
    self.addresses = addresses
    self.standings = standings
    self.mainDefaults = mainDefaults
    self.deadEnds = deadEnds
    self.routes = routes
    self.rules = rules
    self.hasIPv6Rules = hasIPv6Rules
    self.nftTable = nftTable
    self.settings = settings
    self.pathMTUs = pathMTUs
  }

  /// The part that decides where packets may go: addresses, main's specific routes, and the devices that lead out.
  package var surroundings: ActualState {
    var part = ActualState(addresses: addresses)
    (part.sites, part.ipv6Sites, part.exits, part.ipv6Exits) = (sites, ipv6Sites, exits, ipv6Exits)
    return part
  }

  /// The kernel's data about an address beyond the address itself; `plain` where nothing else was noted.
  package func standing(of address: InterfaceAddress, on device: InterfaceName) -> AddressStanding {
    standings[device]?[address] ?? .plain
  }
}

/// A network device.
package struct Link: Hashable, Sendable {
  package var index: InterfaceIndex
  /// IFF_UP: someone wants it up.
  package var isUp: Bool
  /// IFF_LOWER_UP: the layer below can carry.
  package var hasCarrier: Bool
  package var mtu: Int
  /// No gateway is needed to send by it: IFF_POINTOPOINT (PPP, GRE, WireGuard), or an XFRM interface, which has no
  /// neighbours either but not that flag.
  package var isPointToPoint: Bool
  /// It has neighbours that it asks for by ARP: not IFF_NOARP.
  package var asksNeighbours: Bool
  /// It is in a VRF, which routes by a table of its own.
  package var isInVRF: Bool
  package var alias: String?
  /// The device was made by us: see `TunnelParameters.areOurs`.
  package var isOurs: Bool
  /// Set where the device is a GRE or IPIP tunnel or an XFRM interface, ours or not.
  @Apart package var tunnel: TunnelParameters?
  /// Set where other devices stand above or below it.
  @Apart package var stack: LinkStack?

  package init(
    index: InterfaceIndex, isUp: Bool, hasCarrier: Bool, mtu: Int, isPointToPoint: Bool = false,
    asksNeighbours: Bool? = nil, isInVRF: Bool = false, alias: String? = nil, tunnel: TunnelParameters? = nil,
    isOurs: Bool = false, stack: LinkStack? = nil
  ) {
    self.index = index
    self.isUp = isUp
    self.hasCarrier = hasCarrier
    self.mtu = mtu
    self.isPointToPoint = isPointToPoint
    self.asksNeighbours = asksNeighbours ?? !isPointToPoint
    self.isInVRF = isInVRF
    self.alias = alias
    self.isOurs = isOurs
    self.tunnel = tunnel
    self.stack = stack
  }

  /// It is part of another device (a VRF, a bridge), and packets that come by it are looked up as that one's.
  package var isEnslaved: Bool { isInVRF || stack?.master != nil }
}

/// How a device is stacked with others. It decides under which name the device's packets come in.
package struct LinkStack: Hashable, Sendable {
  /// The bridge, bond or team that it is a port of: packets come in by that one. Also nil if it is in a VRF, which
  /// leaves it its name.
  package var master: InterfaceName?
  /// The device that it stands on, as a VLAN or macvlan (VRRP) does: what comes in by it does not come in by that one.
  package var lower: InterfaceName?
  /// It has another address on the lower device's wire (macvlan, ipvlan); a VLAN, by contrast, is a network of its own.
  package var sharesWire: Bool

  package init(master: InterfaceName? = nil, lower: InterfaceName? = nil, sharesWire: Bool = false) {
    self.master = master
    self.lower = lower
    self.sharesWire = sharesWire
  }
}

/// The kernel's data about a tunnel device, as far as we set it.
package struct TunnelParameters: Hashable, Sendable {
  package var encapsulation: TunnelDevice.Encapsulation
  package var local: IPv4Address
  package var remote: IPv4Address
  /// The device that it is bound to; nil if there is none or it is gone.
  package var underlay: InterfaceName?
  package var lookupMark: Mark
  package var ttl: UInt8
  /// Something else is set that ours have not: a type of service, packets without DF, another key for what comes in,
  /// checksums, a second encapsulation.
  package var hasMore: Bool

  package init(
    encapsulation: TunnelDevice.Encapsulation, local: IPv4Address, remote: IPv4Address, underlay: InterfaceName?,
    lookupMark: Mark, ttl: UInt8, hasMore: Bool = false
  ) {
    self.encapsulation = encapsulation
    self.local = local
    self.remote = remote
    self.underlay = underlay
    self.lookupMark = lookupMark
    self.ttl = ttl
    self.hasMore = hasMore
  }

  /// The kernel knows no more than this about an XFRM interface.
  package init(xfrm interfaceID: UInt32, underlay: InterfaceName?) {
    let none = IPv4Address(value: 0)
    self.init(
      encapsulation: .xfrm(interfaceID: interfaceID), local: none, remote: none, underlay: underlay,
      lookupMark: Mark(value: 0), ttl: 0)
  }
}
