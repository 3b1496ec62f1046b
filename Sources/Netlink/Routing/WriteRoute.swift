internal import CMnl
internal import Glibc

extension MessageBuilder {
  /// RTM_NEWROUTE and RTM_DELROUTE. A deletion takes any scope, and a kind of nil is any.
  mutating func route(_ route: RouteMessage, deleting: Bool = false, anyWay: Bool = false) {
    var header = rtmsg()
    header.rtm_family = UInt8(AF_INET)
    header.rtm_dst_len = route.length
    // Tables of 256 and more are named by RTA_TABLE alone.
    header.rtm_table = route.table < 256 ? UInt8(route.table) : UInt8(RT_TABLE_UNSPEC.rawValue)
    header.rtm_protocol = route.origin
    header.rtm_tos = route.tos
    header.rtm_scope = deleting ? UInt8(RT_SCOPE_NOWHERE.rawValue) : route.scope ?? route.usualScope
    header.rtm_type = anyWay ? 0 : route.kind.number
    if route.hops.count == 1, route.hops.first?.isOnLink == true { header.rtm_flags = UInt32(RTNH_F_ONLINK) }
    self.header(header)
    put(Int(RTA_TABLE.rawValue), route.table)
    if route.length > 0 { put(Int(RTA_DST.rawValue), bigEndian: route.destination) }
    put(Int(RTA_PRIORITY.rawValue), route.metric)
    if anyWay { return }
    if let source = route.source { put(Int(RTA_PREFSRC.rawValue), bigEndian: source) }
    if let mtu = route.mtu { nested(Int(RTA_METRICS.rawValue)) { $0.put(Int(RTAX_MTU), mtu) } }
    guard let hop = route.hops.first else { return }
    guard route.hops.count == 1 else { return several(route.hops) }
    if hop.index != 0 { put(Int(RTA_OIF.rawValue), hop.index) }
    guard let (type, value) = hop.gateway?.attribute else { return }
    value.withUnsafeBytes { put(type, bytes: $0) }
  }

  /// RTA_MULTIPATH: one rtnexthop after the other, each with its attributes and as long as both.
  private mutating func several(_ hops: [RouteMessage.NextHop]) {
    let size = MemoryLayout<rtnexthop>.size
    var bytes: [UInt8] = []
    for hop in hops {
      let gateway = hop.gateway?.attribute
      let length = gateway.map { MemoryLayout<nlattr>.size + $0.value.count } ?? 0
      var header = rtnexthop()
      // Attributes begin at multiples of four.
      header.rtnh_len = UInt16(size + (length + 3) & ~3)
      header.rtnh_flags = hop.isOnLink ? UInt8(RTNH_F_ONLINK) : 0
      header.rtnh_hops = UInt8(clamping: hop.weight - 1)
      header.rtnh_ifindex = Int32(bitPattern: hop.index)
      withUnsafeBytes(of: header) { bytes += $0 }
      guard let (type, value) = gateway else { continue }
      withUnsafeBytes(of: nlattr(nla_len: UInt16(length), nla_type: UInt16(type))) { bytes += $0 }
      bytes += value + [UInt8](repeating: 0, count: (length + 3) & ~3 - length)
    }
    bytes.withUnsafeBytes { put(Int(RTA_MULTIPATH.rawValue), bytes: $0) }
  }

  /// A dump's filter: 0 is any. The kernel filters with NETLINK_GET_STRICT_CHK; older ones do not, so callers look again.
  mutating func routeFilter(table: UInt32, origin: UInt8) {
    var header = rtmsg()
    header.rtm_family = UInt8(AF_INET)
    header.rtm_protocol = origin
    self.header(header)
    if table != 0 { put(Int(RTA_TABLE.rawValue), table) }
  }

  /// Asks for route exceptions alone. Kernels before 5.3 have no such dump, and send routes: callers look again.
  mutating func exceptionFilter() {
    var header = rtmsg()
    header.rtm_family = UInt8(AF_INET)
    header.rtm_flags = UInt32(RTM_F_CLONED)
    self.header(header)
  }

  /// RTM_GETNEXTHOP of one.
  mutating func nexthop(_ object: UInt32) {
    header(nhmsg())
    put(Int(NHA_ID), object)
  }

  /// RTM_NEWRULE and RTM_DELRULE.
  mutating func rule(_ rule: RuleMessage) {
    var header = fib_rule_hdr()
    header.family = rule.family.number
    header.src_len = rule.sourceLength
    header.dst_len = rule.destinationLength
    header.table = rule.table < 256 ? UInt8(rule.table) : UInt8(RT_TABLE_UNSPEC.rawValue)
    header.action = rule.action.number
    header.flags = rule.isInverted ? UInt32(FIB_RULE_INVERT) : 0
    self.header(header)
    put(FRA_PRIORITY, rule.priority)
    put(FRA_PROTOCOL, rule.origin)
    let isIPv6 = rule.family == .ipv6
    if rule.sourceLength > 0 {
      if isIPv6 { put(FRA_SRC, rule.ipv6Source.bigEndian) } else { put(FRA_SRC, bigEndian: rule.source) }
    }
    if rule.destinationLength > 0 {
      if isIPv6 { put(FRA_DST, rule.ipv6Destination.bigEndian) } else { put(FRA_DST, bigEndian: rule.destination) }
    }
    if let incoming = rule.incoming { put(FRA_IIFNAME, string: incoming) }
    if rule.mask != 0 {
      put(FRA_FWMARK, rule.mark)
      put(FRA_FWMASK, rule.mask)
    }
    if rule.action == .lookup { put(FRA_TABLE, rule.table) }
    if case .goto(let priority) = rule.action { put(FRA_GOTO, priority) }
    if let length = rule.suppressPrefixLength { put(FRA_SUPPRESS_PREFIXLEN, length) }
  }
}

extension RouteMessage {
  /// As ip(8) chooses it: a device without a gateway is a link away.
  fileprivate var usualScope: UInt8 {
    let isLink = kind == .unicast && hops.allSatisfy { $0.gateway == nil }
    return UInt8((isLink ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE).rawValue)
  }
}

extension RouteMessage.Gateway {
  /// RTA_GATEWAY with an IPv4 address, or RTA_VIA with a struct rtvia. Nil if it cannot be written.
  fileprivate var attribute: (type: Int, value: [UInt8])? {
    func bytes<T: FixedWidthInteger>(_ number: T) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
    switch self {
    case .ipv4(let address): return (Int(RTA_GATEWAY.rawValue), bytes(address))
    case .ipv6(let high, let low):
      let family = withUnsafeBytes(of: UInt16(AF_INET6)) { Array($0) }
      return (Int(RTA_VIA.rawValue), family + bytes(high) + bytes(low))
    case .other: return nil
    }
  }
}

extension RouteMessage.Kind {
  /// RTN_…
  package var number: UInt8 {
    switch self {
    case .unicast: UInt8(RTN_UNICAST)
    case .unreachable: UInt8(RTN_UNREACHABLE)
    case .other(let number): number
    }
  }
}

extension RuleMessage.Family {
  var number: UInt8 { UInt8(self == .ipv4 ? AF_INET : AF_INET6) }
}

extension RuleMessage.Action {
  /// FR_ACT_…
  package var number: UInt8 {
    switch self {
    case .lookup: UInt8(FR_ACT_TO_TBL)
    case .unreachable: UInt8(FR_ACT_UNREACHABLE)
    case .prohibit: UInt8(FR_ACT_PROHIBIT)
    case .goto: UInt8(FR_ACT_GOTO)
    case .nop: UInt8(FR_ACT_NOP)
    case .other(let number): number
    }
  }
}
