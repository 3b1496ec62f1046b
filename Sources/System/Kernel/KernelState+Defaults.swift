internal import Core
internal import Glibc
internal import Netlink
internal import RuleSets

/// Other programs' default routes, in every form that the kernel has for them.
struct DefaultRoutes {
  private(set) var defaults: [MainDefault] = []
  private(set) var deadEnds: [DeadEnd] = []

  /// - Parameters:
  ///   - messages: routes of 0.0.0.0/0, and main's of 0.0.0.0/1 and 128.0.0.0/1, main's first; each leads by hops, and by
  ///     an object only where that could not be read.
  init(_ messages: [RouteMessage], _ names: [UInt32: InterfaceName]) {
    // One for packets of one TOS alone is no default.
    for message in messages where message.length == 0 && message.tos == 0 { take(message, names) }
    defaults += Self.halves(messages.filter { $0.length == 1 && $0.tos == 0 }, names)
    // Stable: of two with one metric the kernel's first stays first.
    let mains = defaults.filter { $0.table == .main }.enumerated().sorted { one, other in
      (one.element.isInHalves ? 0 : 1, one.element.metric, one.offset)
        < (other.element.isInHalves ? 0 : 1, other.element.metric, other.offset)
    }
    defaults = mains.map(\.element) + defaults.filter { $0.table != .main }
    deadEnds.sort { $0.metric < $1.metric }
  }

  private mutating func take(_ message: RouteMessage, _ names: [UInt32: InterfaceName]) {
    let isMain = message.table == TableID.main.value
    let metric = RouteMetric(message.metric)
    guard message.kind == .unicast else {
      if isMain { deadEnds.append(DeadEnd(.type(message.kind.words), metric: metric)) }
      return
    }
    if message.hops.isEmpty, isMain {
      let words = message.object.map { "nexthop object \($0)" } ?? "no next hop"
      deadEnds.append(DeadEnd(.form(words), metric: metric))
    }
    for hop in message.hops {
      guard let device = names[hop.index] else { continue }
      if let oddity = hop.oddity {
        if isMain { deadEnds.append(DeadEnd(.form(oddity), metric: metric, device: device)) }
        continue
      }
      defaults.append(MainDefault(message, hop, device))
    }
  }

  /// Pairs of halves by the same device and gateway: as PPP scripts and VPN programs write a default route that shall
  /// come before another's.
  private static func halves(_ messages: [RouteMessage], _ names: [UInt32: InterfaceName]) -> [MainDefault] {
    let (lower, upper) = (messages.filter { $0.destination == 0 }, messages.filter { $0.destination != 0 })
    return lower.flatMap { half -> [MainDefault] in
      guard half.kind == .unicast else { return [] }
      return half.hops.compactMap { hop in
        guard hop.oddity == nil, let device = names[hop.index],
          upper.contains(where: { $0.hops.contains { $0.index == hop.index && $0.gateway == hop.gateway } })
        else { return nil }
        var found = MainDefault(half, hop, device)
        found.isInHalves = true
        return found
      }
    }
  }
}

extension MainDefault {
  fileprivate init(_ message: RouteMessage, _ hop: RouteMessage.NextHop, _ device: InterfaceName) {
    self.init(
      device: device, gateway: hop.gateway.flatMap { Gateway($0) }, metric: RouteMetric(message.metric),
      table: TableID(message.table), source: message.source.map { IPv4Address(value: $0) },
      mtu: message.mtu.map { Int($0) }, scope: message.scope.map { Scope($0) }, isDead: hop.isDead)
  }
}

extension KernelState {
  /// More tables than this are not looked into: someone has an ip rule for each of his clients.
  private static let maximumTables = 64

  /// Those that others' ip rules lead to, in the kernel's order: their default routes may be an uplink's. Of main and the
  /// router's own addresses more is known, and our own are ours.
  func tables(of rules: [RuleMessage]) -> [UInt32] {
    var tables: [UInt32] = []
    for rule in rules where rule.action == .lookup && !translation.isOurs(rule) {
      let table = rule.table
      // 0 is a VRF's rule (l3mdev), 255 RT_TABLE_LOCAL.
      if table == 0 || table == 255 || table == TableID.main.value || ranges.tables.contains(table) { continue }
      if !tables.contains(table), tables.count < Self.maximumTables { tables.append(table) }
    }
    return tables
  }

  /// With net.ipv4.nexthop_compat_mode 0 a route by an object says nothing but its number (fib_dump_info,
  /// net/ipv4/fib_semantics.c).
  mutating func resolved(_ messages: [RouteMessage]) throws(NetlinkFailure) -> [RouteMessage] {
    var result: [RouteMessage] = []
    for var message in messages {
      if message.hops.isEmpty, message.kind == .unicast, let object = message.object {
        message.hops = try hops(of: object)
      }
      result.append(message)
    }
    return result
  }

  /// A group's members are single ones (nh_check_attr_group, net/ipv4/nexthop.c).
  mutating func hops(of object: UInt32) throws(NetlinkFailure) -> [RouteMessage.NextHop] {
    guard let nexthop = try routing.nexthop(object) else { return [] }
    if let hop = nexthop.hop { return [hop] }
    var hops: [RouteMessage.NextHop] = []
    for member in nexthop.members {
      guard var hop = try routing.nexthop(member.object)?.hop else { continue }
      hop.weight = member.weight
      hops.append(hop)
    }
    return hops
  }

  /// Puts a route of ours. A gateway that no address covers is refused, unless another's default route itself has it "on
  /// link", as some providers' DHCP servers hand out: then it is followed as it is.
  static func put(_ route: RouteMessage, followingOthersOver routing: inout RoutingSocket) throws(NetlinkFailure) {
    do throws(NetlinkFailure) { try routing.put(route) } catch {
      // fib_check_nh, net/ipv4/fib_semantics.c; the others of IPv6 gateways (ip6_route_check_nh, net/ipv6/route.c).
      guard [ENETUNREACH, EHOSTUNREACH, EINVAL].contains(error.errno), route.hops.contains(where: { $0.gateway != nil })
      else { throw error }
      var onLink = route
      var known: [RouteMessage.NextHop] = []
      try routing.eachRoute(restart: { known = [] }) { if $0.length <= 1 { known += $0.hops.filter(\.isOnLink) } }
      for (place, hop) in route.hops.enumerated() where hop.gateway != nil {
        onLink.hops[place].isOnLink = known.contains { $0.index == hop.index && $0.gateway == hop.gateway }
      }
      guard onLink != route else { throw error }
      try routing.put(onLink)
    }
  }
}
