/// An IPv4 route, as rtnetlink tells it. Addresses are numbers in host order.
package struct RouteMessage: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case unicast
    case unreachable
    /// Another RTN_… value.
    case other(UInt8)
  }

  /// One way of a route: several where it balances.
  package struct NextHop: Hashable, Sendable {
    /// 0: none.
    package var index: UInt32
    package var gateway: UInt32?
    /// RTNH_F_ONLINK: the gateway is a neighbour though no address of the device covers it.
    package var isOnLink: Bool
    /// Of a balanced route: how many of the flows, beside the others' weights; 1 to 256.
    package var weight: Int

    package init(index: UInt32, gateway: UInt32? = nil, isOnLink: Bool = false, weight: Int = 1) {
      self.index = index
      self.gateway = gateway
      self.isOnLink = isOnLink
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
  /// Only packets of this type of service take it; part of what tells one route from another.
  package var typeOfService: UInt8 = 0
  /// It says more than is in this value: a source address, metrics such as an MTU, a next-hop object.
  package var hasMore = false

  package init(
    table: UInt32, kind: Kind = .unicast, destination: UInt32 = 0, length: UInt8 = 0, metric: UInt32, origin: UInt8,
    hops: [NextHop] = []
  ) {
    self.table = table
    self.kind = kind
    self.destination = destination
    self.length = length
    self.metric = metric
    self.origin = origin
    self.hops = hops
  }
}

/// What the kernel has learnt of the way to one address (a route exception). The address is a number in host order.
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

/// A policy routing rule, as rtnetlink tells it. Addresses are numbers in host order.
package struct RuleMessage: Hashable, Sendable {
  package enum Action: Hashable, Sendable {
    case lookup
    case unreachable
    /// Another FR_ACT_… value.
    case other(UInt8)
  }

  package var priority: UInt32
  package var isInverted: Bool
  package var mark: UInt32
  /// 0: the mark is not looked at.
  package var mask: UInt32
  package var source: UInt32
  package var sourceLength: UInt8
  package var destination: UInt32
  package var destinationLength: UInt8
  package var incoming: String?
  package var action: Action
  package var table: UInt32
  package var suppressPrefixLength: UInt32?
  /// FRA_PROTOCOL: who made it.
  package var origin: UInt8
  /// It has selectors that are not in this value (a port, a user, …).
  package var hasMore: Bool

  package init(
    priority: UInt32, isInverted: Bool = false, mark: UInt32 = 0, mask: UInt32 = 0, source: UInt32 = 0,
    sourceLength: UInt8 = 0, destination: UInt32 = 0, destinationLength: UInt8 = 0, incoming: String? = nil,
    action: Action = .lookup, table: UInt32 = 0, suppressPrefixLength: UInt32? = nil, origin: UInt8,
    hasMore: Bool = false
  ) {
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
