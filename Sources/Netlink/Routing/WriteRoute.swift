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
    header.rtm_tos = route.typeOfService
    header.rtm_scope = UInt8((deleting ? RT_SCOPE_NOWHERE : route.scope).rawValue)
    header.rtm_type = anyWay ? 0 : route.kind.number
    if route.hops.count == 1, route.hops.first?.isOnLink == true { header.rtm_flags = UInt32(RTNH_F_ONLINK) }
    self.header(header)
    put(Int(RTA_TABLE.rawValue), route.table)
    if route.length > 0 { put(Int(RTA_DST.rawValue), bigEndian: route.destination) }
    put(Int(RTA_PRIORITY.rawValue), route.metric)
    guard !anyWay, let hop = route.hops.first else { return }
    guard route.hops.count == 1 else { return several(route.hops) }
    if hop.index != 0 { put(Int(RTA_OIF.rawValue), hop.index) }
    if let gateway = hop.gateway { put(Int(RTA_GATEWAY.rawValue), bigEndian: gateway) }
  }

  /// RTA_MULTIPATH: one rtnexthop after the other, each with its attributes and as long as both.
  private mutating func several(_ hops: [RouteMessage.NextHop]) {
    let size = MemoryLayout<rtnexthop>.size
    let attribute = MemoryLayout<nlattr>.size + MemoryLayout<UInt32>.size
    var bytes: [UInt8] = []
    for hop in hops {
      var header = rtnexthop()
      header.rtnh_len = UInt16(size + (hop.gateway == nil ? 0 : attribute))
      header.rtnh_flags = hop.isOnLink ? UInt8(RTNH_F_ONLINK) : 0
      header.rtnh_hops = UInt8(clamping: hop.weight - 1)
      header.rtnh_ifindex = Int32(bitPattern: hop.index)
      withUnsafeBytes(of: header) { bytes += $0 }
      guard let gateway = hop.gateway else { continue }
      withUnsafeBytes(of: nlattr(nla_len: UInt16(attribute), nla_type: UInt16(RTA_GATEWAY.rawValue))) { bytes += $0 }
      withUnsafeBytes(of: gateway.bigEndian) { bytes += $0 }
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

  /// RTM_NEWRULE and RTM_DELRULE.
  mutating func rule(_ rule: RuleMessage) {
    var header = fib_rule_hdr()
    header.family = UInt8(AF_INET)
    header.src_len = rule.sourceLength
    header.dst_len = rule.destinationLength
    header.table = rule.table < 256 ? UInt8(rule.table) : UInt8(RT_TABLE_UNSPEC.rawValue)
    header.action = rule.action.number
    header.flags = rule.isInverted ? UInt32(FIB_RULE_INVERT) : 0
    self.header(header)
    put(FRA_PRIORITY, rule.priority)
    put(FRA_PROTOCOL, rule.origin)
    if rule.sourceLength > 0 { put(FRA_SRC, bigEndian: rule.source) }
    if rule.destinationLength > 0 { put(FRA_DST, bigEndian: rule.destination) }
    if let incoming = rule.incoming { put(FRA_IIFNAME, string: incoming) }
    if rule.mask != 0 {
      put(FRA_FWMARK, rule.mark)
      put(FRA_FWMASK, rule.mask)
    }
    if rule.action == .lookup { put(FRA_TABLE, rule.table) }
    if let length = rule.suppressPrefixLength { put(FRA_SUPPRESS_PREFIXLEN, length) }
  }
}

extension RouteMessage {
  /// As ip(8) chooses it: a device without a gateway is a link away.
  fileprivate var scope: rt_scope_t {
    kind == .unicast && hops.allSatisfy { $0.gateway == nil } ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE
  }
}

extension RouteMessage.Kind: CustomStringConvertible {
  /// As ip(8) names it.
  package var description: String {
    switch Int(number) {
    case RTN_UNICAST: "unicast"
    case RTN_UNREACHABLE: "unreachable"
    case RTN_BLACKHOLE: "blackhole"
    case RTN_PROHIBIT: "prohibit"
    case RTN_THROW: "throw"
    case RTN_LOCAL: "local"
    default: "type \(number)"
    }
  }

  /// RTN_…
  package var number: UInt8 {
    switch self {
    case .unicast: UInt8(RTN_UNICAST)
    case .unreachable: UInt8(RTN_UNREACHABLE)
    case .other(let number): number
    }
  }
}

extension RuleMessage.Action {
  var number: UInt8 {
    switch self {
    case .lookup: UInt8(FR_ACT_TO_TBL)
    case .unreachable: UInt8(FR_ACT_UNREACHABLE)
    case .other(let number): number
    }
  }
}
