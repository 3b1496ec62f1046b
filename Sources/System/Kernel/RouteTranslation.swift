internal import Core
internal import Glibc
internal import Netlink
internal import RuleSets

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
      message.tos = strange.typeOfService
    case .out(let device, let gateway, let terms):
      message.hops = [RouteMessage.NextHop(index: try index(of: device), gateway: gateway?.message)]
      message.source = terms.source?.value
      message.mtu = terms.mtu.map { UInt32(clamping: $0) }
    case .shared(let shares):
      for share in shares {
        message.hops.append(
          RouteMessage.NextHop(
            index: try index(of: share.device), gateway: share.gateway?.message, weight: share.weight))
      }
    }
    return message
  }

  /// Nil if it is not ours, or leads by a device that is gone meanwhile.
  func route(_ message: RouteMessage, _ names: [UInt32: InterfaceName]) -> TableRoute? {
    guard message.origin == ranges.routeProtocol.value, ranges.tables.contains(message.table),
      let destination = IPv4Prefix(IPv4Address(value: message.destination), length: message.length),
      let way = message.way(names)
    else { return nil }
    return TableRoute(
      table: TableID(message.table), destination: destination, metric: RouteMetric(message.metric), way: way)
  }

  func index(of device: InterfaceName) throws(NetlinkFailure) -> UInt32 {
    let index = if_nametoindex(device.text)
    guard index != 0 else {
      throw NetlinkFailure(operation: "device \(device)", errno: ENODEV, kernelText: "there is no device \(device)")
    }
    return index
  }

  /// Nil if there is no such device.
  static func name(of index: UInt32) -> InterfaceName? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE)) { buffer in
      guard let start = buffer.baseAddress, if_indextoname(index, start) != nil else { return nil }
      return InterfaceName(String(cString: start))
    }
  }

  // MARK: Rules

  func message(_ rule: RoutingRule) -> RuleMessage {
    var message = RuleMessage(
      rule.family == .ipv4 ? .ipv4 : .ipv6, priority: rule.priority.value, origin: ranges.routeProtocol.value)
    message.isInverted = rule.inverted
    message.mark = rule.mark?.mark.value ?? 0
    message.mask = rule.mark?.mask.bits ?? 0
    message.source = rule.source?.address.value ?? 0
    message.sourceLength = rule.source?.length ?? 0
    message.destination = rule.destination?.address.value ?? 0
    message.destinationLength = rule.destination?.length ?? 0
    if rule.family == .ipv6 {
      message.sourceLength = rule.ipv6Source?.length ?? 0
      message.destinationLength = rule.ipv6Destination?.length ?? 0
      message.ipv6Source = rule.ipv6Source?.value ?? 0
      message.ipv6Destination = rule.ipv6Destination?.value ?? 0
    }
    message.incoming = rule.incoming?.text
    switch rule.action {
    // Strange objects are only ever deleted, exactly as they were read.
    case .unreachable, .strange: message.action = .unreachable
    case .prohibit: message.action = .prohibit
    case .goto(let priority): message.action = .goto(priority.value)
    case .nop: message.action = .nop
    case .lookup(let table, let suppressed):
      message.table = table.value
      message.suppressPrefixLength = suppressed
    }
    return message
  }

  /// Nil if it is not ours.
  func rule(_ message: RuleMessage) -> RoutingRule? {
    guard isOurs(message) else { return nil }
    var rule = RoutingRule(
      message.family == .ipv4 ? .ipv4 : .ipv6, priority: RulePriority(message.priority), inverted: message.isInverted,
      action: action(message))
    if message.mask != 0 {
      if let mask = ranges.markMask.block(bits: message.mask) ?? MarkMask(bits: message.mask) {
        rule.mark = RoutingRule.MarkMatch(Mark(value: message.mark), mask)
      } else {
        rule.action = .strange("fwmark \(hexadecimal(message.mark))/\(hexadecimal(message.mask))")
      }
    }
    takePrefixes(of: message, &rule)
    if let incoming = message.incoming {
      rule.incoming = InterfaceName(incoming)
      if rule.incoming == nil { rule.action = .strange("iif \(incoming)") }
    }
    return rule
  }

  private func takePrefixes(of message: RuleMessage, _ rule: inout RoutingRule) {
    let (source, destination) = (message.sourceLength, message.destinationLength)
    switch message.family {
    case .ipv4:
      if source > 0 { rule.source = IPv4Prefix(IPv4Address(value: message.source), length: source) }
      if destination > 0 {
        rule.destination = IPv4Prefix(IPv4Address(value: message.destination), length: destination)
      }
    case .ipv6:
      if source > 0 { rule.ipv6Source = IPv6Prefix(message.ipv6Source, length: source) }
      if destination > 0 { rule.ipv6Destination = IPv6Prefix(message.ipv6Destination, length: destination) }
    }
  }

  func isOurs(_ message: RuleMessage) -> Bool {
    message.origin == ranges.routeProtocol.value && ranges.priorities.contains(message.priority)
  }

  private func action(_ message: RuleMessage) -> RoutingRule.Action {
    let action: RoutingRule.Action
    switch message.action {
    case .lookup: action = .lookup(TableID(message.table), suppressPrefixLength: message.suppressPrefixLength)
    case .unreachable: action = .unreachable
    case .prohibit: action = .prohibit
    case .goto(let priority): action = .goto(RulePriority(priority))
    case .nop: action = .nop
    case .other(let number): action = .strange("action \(number)")
    }
    return message.hasMore ? .strange("\(action.words) and more") : action
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
      isPointToPoint: message.isPointToPoint || isXFRM,
      asksNeighbours: !message.isPointToPoint && !message.asksNoNeighbours, isInVRF: message.masterKind == "vrf",
      alias: message.alias, tunnel: tunnel, isOurs: isOurs(message), stack: stack(message, names))
  }

  func isOurs(_ message: LinkMessage) -> Bool {
    guard let tunnel = message.tunnel, let name = InterfaceName(message.name) else { return false }
    return parameters(tunnel, [:]).areOurs(name, alias: message.alias, in: ranges)
  }

  /// Kinds of devices that take packets off another one under a name of their own. A veth's IFLA_LINK is its peer, and a
  /// tunnel's says where its outer packets leave.
  private static let kindsOnTop = kindsOnOneWire.union(["vlan", "dsa"])
  private static let kindsOnOneWire: Set<String> = ["macvlan", "macvtap", "ipvlan", "ipvtap"]

  private func stack(_ message: LinkMessage, _ names: [UInt32: InterfaceName]) -> LinkStack? {
    let master = message.masterKind == "vrf" ? nil : names[message.master]
    let lower = Self.kindsOnTop.contains(message.kind) ? names[message.lower] : nil
    guard master != nil || lower != nil else { return nil }
    return LinkStack(
      master: master, lower: lower, sharesWire: lower != nil && Self.kindsOnOneWire.contains(message.kind))
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
