/// An IPv4 route as rtnetlink reports it. Addresses are numbers in host order.
package struct RouteMessage: Hashable, Sendable {
  /// What the route does with a packet (rtm_type, linux/rtnetlink.h).
  package enum Kind: Hashable, Sendable {
    case unicast
    case unreachable
    /// Another RTN_… value.
    case other(UInt8)
  }

  /// The next router on the way. A route without one leads straight to its device's link.
  package enum Gateway: Hashable, Sendable {
    case ipv4(UInt32)
    /// RTA_VIA of an IPv4 route. The first and the last eight bytes.
    case ipv6(high: UInt64, low: UInt64)
    /// RTA_VIA of another family.
    case other(family: UInt16)
  }

  /// One way of a route; a balanced route has several.
  package struct NextHop: Hashable, Sendable {
    /// The device's index; 0: none.
    package var index: UInt32
    package var gateway: Gateway?
    /// RTNH_F_ONLINK: the gateway is a neighbour though no address of the device covers it.
    package var isOnLink: Bool
    /// RTNH_F_DEAD: its device is down. A device that merely has no carrier (RTNH_F_LINKDOWN) shows in its own message.
    package var isDead: Bool
    /// RTA_ENCAP_TYPE: packets are wrapped on their way (enum lwtunnel_encap_types); 0: they are not.
    package var encapsulation: UInt16
    /// In a balanced route, this way's share of the flows relative to the others' weights; 1 to 256.
    package var weight: Int

    package init(
      index: UInt32, gateway: Gateway? = nil, isOnLink: Bool = false, isDead: Bool = false, encapsulation: UInt16 = 0,
      weight: Int = 1
    ) {
      self.index = index
      self.gateway = gateway
      self.isOnLink = isOnLink
      self.isDead = isDead
      self.encapsulation = encapsulation
      self.weight = weight
    }
  }

  package var table: UInt32
  package var kind: Kind
  package var destination: UInt32
  package var length: UInt8
  package var metric: UInt32
  /// rtm_protocol: who made it.
  package var origin: UInt8
  package var hops: [NextHop]
  /// RTA_PREFSRC: the source address of the router's own packets on this route.
  package var source: UInt32?
  /// RTAX_MTU.
  package var mtu: UInt32?
  /// rtm_scope; nil: as ip(8) chooses it.
  package var scope: UInt8?
  /// rtm_tos: only packets with this TOS take the route; 0: all do. It is part of a route's key.
  package var tos: UInt8
  /// RTA_NH_ID: a nexthop object says where it leads. `hops` is empty if the kernel leaves that to the object
  /// (net.ipv4.nexthop_compat_mode is 0).
  package var object: UInt32?
  /// The route has more than this value holds: a metric other than the MTU, or a realm.
  package var hasMore = false

  package init(
    table: UInt32, kind: Kind = .unicast, destination: UInt32 = 0, length: UInt8 = 0, metric: UInt32, origin: UInt8,
    hops: [NextHop] = [], source: UInt32? = nil, mtu: UInt32? = nil, scope: UInt8? = nil, tos: UInt8 = 0,
    object: UInt32? = nil
  ) {
    self.table = table
    self.kind = kind
    self.destination = destination
    self.length = length
    self.metric = metric
    self.origin = origin
    self.hops = hops
    self.source = source
    self.mtu = mtu
    self.scope = scope
    self.tos = tos
    self.object = object
  }
}

/// A nexthop object (ip-nexthop(8)): one way, or a group that shares the flows.
package struct NexthopMessage: Equatable, Sendable {
  /// One nexthop of a group (struct nexthop_grp, linux/nexthop.h), with its weight of 1 to 256.
  package struct Member: Equatable, Sendable {
    package var object: UInt32
    package var weight: Int

    package init(object: UInt32, weight: Int) {
      self.object = object
      self.weight = weight
    }
  }

  package var object: UInt32
  package var isBlackhole: Bool
  /// Nil if it is a group, or nothing but a blackhole.
  package var hop: RouteMessage.NextHop?
  package var members: [Member]

  package init(object: UInt32, isBlackhole: Bool = false, hop: RouteMessage.NextHop? = nil, members: [Member] = []) {
    self.object = object
    self.isBlackhole = isBlackhole
    self.hop = hop
    self.members = members
  }
}

/// What the kernel has learnt about the way to one address (a route exception). The address is a number in host order.
package struct PathMTUMessage: Equatable, Sendable {
  package var destination: UInt32
  /// The device that leads there.
  package var index: UInt32
  package var mtu: UInt32

  package init(destination: UInt32, index: UInt32, mtu: UInt32) {
    self.destination = destination
    self.index = index
    self.mtu = mtu
  }
}

/// A policy routing rule as rtnetlink reports it. Addresses are numbers in host order.
package struct RuleMessage: Hashable, Sendable {
  /// AF_INET or AF_INET6.
  package enum Family: Hashable, Sendable { case ipv4, ipv6 }

  /// What happens to a packet that the rule selects (FR_ACT_…, linux/fib_rules.h).
  package enum Action: Hashable, Sendable {
    case lookup
    case unreachable
    case prohibit
    /// Evaluation continues at the rule of this priority.
    case goto(UInt32)
    case nop
    /// Another FR_ACT_… value.
    case other(UInt8)
  }

  package var family: Family
  package var priority: UInt32
  package var isInverted: Bool
  package var mark: UInt32
  /// 0: the mark is not looked at.
  package var mask: UInt32
  /// The addresses of an IPv4 rule; the lengths serve both families.
  package var source: UInt32
  package var sourceLength: UInt8
  package var destination: UInt32
  package var destinationLength: UInt8
  package var ipv6Source: UInt128 = 0
  package var ipv6Destination: UInt128 = 0
  package var incoming: String?
  package var action: Action
  package var table: UInt32
  package var suppressPrefixLength: UInt32?
  /// FRA_PROTOCOL: who made it.
  package var origin: UInt8
  /// It has selectors that our rules never have: those in `selectors`, or others that this value does not hold.
  package var hasMore: Bool
  /// The selectors for the transport layer and the type of service.
  package var selectors = Selectors()

  /// What a rule asks of a packet beyond its addresses, mark and incoming device; nil is anything.
  package struct Selectors: Hashable, Sendable {
    package var protocolNumber: UInt8?
    package var sourcePorts: ClosedRange<UInt16>?
    package var destinationPorts: ClosedRange<UInt16>?
    /// 0: every one.
    package var typeOfService: UInt8 = 0
    /// The rule has other selectors: a user, an outgoing device, …
    package var hasMore = false

    package init() {}
  }

  package init(
    _ family: Family = .ipv4, priority: UInt32, isInverted: Bool = false, mark: UInt32 = 0, mask: UInt32 = 0,
    source: UInt32 = 0, sourceLength: UInt8 = 0, destination: UInt32 = 0, destinationLength: UInt8 = 0,
    incoming: String? = nil,
    action: Action = .lookup, table: UInt32 = 0, suppressPrefixLength: UInt32? = nil, origin: UInt8,
    hasMore: Bool = false
  ) {
    self.family = family
    self.priority = priority
    self.isInverted = isInverted
    self.mark = mark
    self.mask = mask
    self.source = source
    self.sourceLength = sourceLength
    self.destination = destination
    self.destinationLength = destinationLength
    self.incoming = incoming
    self.action = action
    self.table = table
    self.suppressPrefixLength = suppressPrefixLength
    self.origin = origin
    self.hasMore = hasMore
  }
}
