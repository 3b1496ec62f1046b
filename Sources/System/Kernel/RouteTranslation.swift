internal import Core
internal import Glibc
internal import Netlink

/// Core's words for routes, rules and devices, and rtnetlink's.
struct RouteTranslation {
  let ranges: KernelRanges

  // MARK: Routes

  /// Throws ENODEV where the device is not there.
  func message(_ route: TableRoute) throws(NetlinkFailure) -> RouteMessage {
    var message = RouteMessage(
      table: route.table.value, destination: route.destination.address.value, length: route.destination.length,
      metric: route.metric.value, origin: ranges.routeProtocol.value)
    switch route.way {
    case .unreachable: message.kind = .unreachable
    case .strange(let strange):
      message.kind = RouteMessage.Kind(strange.kind)
      message.typeOfService = strange.typeOfService
    case .out(let device, let gateway):
      message.hops = [RouteMessage.NextHop(index: try index(of: device), gateway: gateway?.value)]
    case .shared(let shares):
      for share in shares {
        message.hops.append(
          RouteMessage.NextHop(
            index: try index(of: share.device), gateway: share.gateway?.value, weight: share.weight))
      }
    }
    return message
  }

  /// Nil where it is not ours, or leads by a device that is gone meanwhile.
  func route(_ message: RouteMessage, _ names: [UInt32: InterfaceName]) -> TableRoute? {
    guard message.origin == ranges.routeProtocol.value, ranges.tables.contains(message.table),
      let destination = IPv4Prefix(IPv4Address(value: message.destination), length: message.length),
      let way = way(message, names)
    else { return nil }
    return TableRoute(
      table: TableID(message.table), destination: destination, metric: RouteMetric(message.metric), way: way)
  }

  private func way(_ message: RouteMessage, _ names: [UInt32: InterfaceName]) -> TableRoute.Way? {
    if message.hasMore || message.typeOfService != 0 { return .strange(strange(message, names)) }
    switch message.kind {
    case .unreachable: return .unreachable
    case .other: return .strange(strange(message, names))
    case .unicast:
      let shares = message.hops.compactMap { hop in
        names[hop.index].map {
          TableRoute.Share(device: $0, gateway: hop.gateway.map { IPv4Address(value: $0) }, weight: hop.weight)
        }
      }
      guard shares.count == message.hops.count, let first = shares.first else { return nil }
      return shares.count == 1 ? .out(device: first.device, gateway: first.gateway) : .shared(shares)
    }
  }

  private func strange(_ message: RouteMessage, _ names: [UInt32: InterfaceName]) -> TableRoute.Strange {
    var words: [String] = []
    if message.kind != .unicast { words.append(message.kind.description) }
    if message.typeOfService != 0 { words.append("tos \(hexadecimal(UInt32(message.typeOfService)))") }
    words += message.hops.compactMap { names[$0.index] }.map { "dev \($0)" }
    if message.hasMore { words.append("and more") }
    return TableRoute.Strange(
      kind: message.kind.number, typeOfService: message.typeOfService, text: words.joined(separator: " "))
  }

  /// Empty where it is no default route. One for each way of a balanced route.
  func mainDefaults(_ message: RouteMessage, _ names: [UInt32: InterfaceName]) -> [MainDefault] {
    guard message.length == 0, message.kind == .unicast else { return [] }
    return message.hops.compactMap { hop in
      names[hop.index].map {
        MainDefault(
          device: $0, gateway: hop.gateway.map { IPv4Address(value: $0) }, metric: RouteMetric(message.metric))
      }
    }
  }

  func index(of device: InterfaceName) throws(NetlinkFailure) -> UInt32 {
    let index = if_nametoindex(device.text)
    guard index != 0 else {
      throw NetlinkFailure(operation: "device \(device)", errno: ENODEV, kernelText: "there is no device \(device)")
    }
    return index
  }

  /// Nil where there is no such device.
  static func name(of index: UInt32) -> InterfaceName? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE)) { buffer in
      guard let start = buffer.baseAddress, if_indextoname(index, start) != nil else { return nil }
      return InterfaceName(String(cString: start))
    }
  }

  // MARK: Rules

  func message(_ rule: RoutingRule) -> RuleMessage {
    var message = RuleMessage(priority: rule.priority.value, origin: ranges.routeProtocol.value)
    message.isInverted = rule.inverted
    message.mark = rule.mark?.mark.value ?? 0
    message.mask = rule.mark?.mask.bits ?? 0
    message.source = rule.source?.address.value ?? 0
    message.sourceLength = rule.source?.length ?? 0
    message.destination = rule.destination?.address.value ?? 0
    message.destinationLength = rule.destination?.length ?? 0
    message.incoming = rule.incoming?.text
    switch rule.action {
    case .unreachable, .strange: message.action = .unreachable
    case .lookup(let table, let suppressed):
      message.table = table.value
      message.suppressPrefixLength = suppressed
    }
    return message
  }

  /// Nil where it is not ours.
  func rule(_ message: RuleMessage) -> RoutingRule? {
    guard isOurs(message) else { return nil }
    var rule = RoutingRule(
      priority: RulePriority(message.priority), inverted: message.isInverted, action: action(message))
    if message.mask != 0 {
      if let mask = MarkMask(bits: message.mask) {
        rule.mark = RoutingRule.MarkMatch(Mark(value: message.mark), mask)
      } else {
        rule.action = .strange("fwmark \(hexadecimal(message.mark))/\(hexadecimal(message.mask))")
      }
    }
    if message.sourceLength > 0 {
      rule.source = IPv4Prefix(IPv4Address(value: message.source), length: message.sourceLength)
    }
    if message.destinationLength > 0 {
      rule.destination = IPv4Prefix(IPv4Address(value: message.destination), length: message.destinationLength)
    }
    if let incoming = message.incoming {
      rule.incoming = InterfaceName(incoming)
      if rule.incoming == nil { rule.action = .strange("iif \(incoming)") }
    }
    return rule
  }

  func isOurs(_ message: RuleMessage) -> Bool {
    message.origin == ranges.routeProtocol.value && ranges.priorities.contains(message.priority)
  }

  private func action(_ message: RuleMessage) -> RoutingRule.Action {
    switch message.action {
    case .lookup where message.hasMore: .strange("lookup \(TableID(message.table)) and more")
    case .unreachable where message.hasMore: .strange("unreachable and more")
    case .lookup: .lookup(TableID(message.table), suppressPrefixLength: message.suppressPrefixLength)
    case .unreachable: .unreachable
    case .other(let number): .strange("action \(number)")
    }
  }

  // MARK: Devices

  func message(_ device: TunnelDevice) throws(NetlinkFailure) -> TunnelMessage {
    let kind: TunnelMessage.Kind
    switch device.encapsulation {
    case .gre(let key): kind = .gre(key: key)
    case .ipip: kind = .ipip
    case .xfrm(let number): kind = .xfrm(interfaceID: number)
    }
    let parameters = device.parameters
    return TunnelMessage(
      kind: kind, local: parameters.local.value, remote: parameters.remote.value,
      underlay: try index(of: device.underlay), mark: parameters.lookupMark.value, ttl: parameters.ttl)
  }

  func link(_ message: LinkMessage, _ names: [UInt32: InterfaceName]) -> Link {
    let tunnel = message.tunnel.map { parameters($0, names) }
    // IFF_NOARP alone: it has no neighbours, and so needs no gateway (xfrmi_dev_setup, net/xfrm/xfrm_interface_core.c).
    let isXFRM = if case .xfrm? = tunnel?.encapsulation { true } else { false }
    return Link(
      index: InterfaceIndex(message.index), isUp: message.isUp, hasCarrier: message.hasCarrier, mtu: Int(message.mtu),
      isPointToPoint: message.isPointToPoint || isXFRM, alias: message.alias, isEnslaved: message.master != 0,
      tunnel: tunnel, isOurs: isOurs(message))
  }

  func isOurs(_ message: LinkMessage) -> Bool {
    guard let tunnel = message.tunnel, let name = InterfaceName(message.name) else { return false }
    return parameters(tunnel, [:]).areOurs(name, alias: message.alias, in: ranges)
  }

  func settings(_ message: SettingsMessage, of name: InterfaceName) -> [InterfaceSetting: Int] {
    var settings: [InterfaceSetting: Int] = [:]
    for key in InterfaceSetting.Key.allCases {
      let value =
        switch key {
        case .reversePathFilter: message.reversePathFilter
        case .sourceValidMark: message.sourceValidMark
        case .forwarding: message.forwarding
        case .disableXFRM: message.disableXFRM
        case .disablePolicy: message.disablePolicy
        case .disableIPv6: message.disableIPv6
        case .multipathHash, .errorSource: nil as Int32?
        }
      if let value { settings[InterfaceSetting(name, key)] = Int(value) }
    }
    return settings
  }

  private func parameters(_ message: TunnelMessage, _ names: [UInt32: InterfaceName]) -> TunnelParameters {
    let encapsulation: TunnelDevice.Encapsulation
    switch message.kind {
    case .gre(let key): encapsulation = .gre(key: key)
    case .ipip: encapsulation = .ipip
    case .xfrm(let number): encapsulation = .xfrm(interfaceID: number)
    }
    return TunnelParameters(
      encapsulation: encapsulation, local: IPv4Address(value: message.local),
      remote: IPv4Address(value: message.remote), underlay: names[message.underlay],
      lookupMark: Mark(value: message.mark), ttl: message.ttl, hasMore: message.hasMore)
  }
}

extension RoutingSocket {
  /// Puts a route of ours. A gateway that no address covers is refused (ENETUNREACH), unless the main table itself has a
  /// default route by it, as some providers' DHCP servers hand out: then it is followed as it is, "on link".
  mutating func putFollowingMain(_ route: RouteMessage) throws(NetlinkFailure) {
    do throws(NetlinkFailure) { try put(route) } catch {
      guard error.errno == ENETUNREACH, var hop = route.hops.first, hop.gateway != nil else { throw error }
      hop.isOnLink = true
      var isMains = false
      try eachRoute(table: TableID.main.value, restart: { isMains = false }) {
        isMains = isMains || ($0.length == 0 && $0.hops.contains(hop))
      }
      guard isMains else { throw error }
      var onLink = route
      onLink.hops = [hop]
      try put(onLink)
    }
  }
}
