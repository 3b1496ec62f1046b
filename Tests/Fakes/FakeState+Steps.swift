import Core
import Glibc
internal import RuleSets

extension FakeState {
  mutating func apply(_ step: Step) throws(FakeRefusal) {
    switch step {
    case .createTunnel(let device): try create(device)
    case .changeTunnel(let device):
      try own(device.name)
      try change(device)
    case .deleteDevice(let name):
      guard links[name] != nil else { return }
      try own(name)
      removeLink(name)
    case .setMTU(let name, let mtu):
      try own(name)
      try checkMTU(mtu, links[name]?.tunnel?.encapsulation)
      links[name]?.mtu = mtu
    case .setUp(let name):
      try own(name)
      links[name]?.isUp = true
      links[name]?.hasCarrier = true
    case .addAddress(let name, let address, let peer):
      try own(name)
      if addresses[name]?.contains(address) != true { addresses[name, default: []].append(address) }
      if let peer { peers[name, default: []].append(peer) }
    case .removeAddress(let name, let address):
      guard links[name] != nil else { return }
      try own(name)
      addresses[name]?.removeAll { $0 == address }
    case .changeSettings(let values): for (setting, value) in values { try change(setting, to: value) }
    case .restoreSettings(let changed):
      for setting in changed {
        guard let value = remembered.removeValue(forKey: setting), settings[setting] != nil else { continue }
        settings[setting] = value
      }
    case .putRoute(let route): try put(route)
    case .deleteRoute(let route): routes.removeAll { $0.isOurs && $0.route == route }
    case .addRule(let rule):
      try check(rule)
      let ours = Rule(rule: rule, isOurs: true)
      if !rules.contains(ours) { insert(ours) }
    case .deleteRule(let rule): rules.removeAll { $0.isOurs && $0.rule == rule }
    case .replaceNftTable(let table): nft = try FakeNftTable(table, after: nft)
    case .changeNftTable(let change):
      guard nft != nil else { throw missing(change.wanted.name) }
      try nft?.change(change)
    case .changeSets(let table, let changes):
      guard nft?.table.name == table else { throw missing(table) }
      try nft?.change(changes)
    case .renewSets(let table, let renewal):
      guard nft?.table.name == table else { throw missing(table) }
      try nft?.renew(renewal)
    case .deleteNftTable(let table): if nftTable?.name == table { nftTable = nil }
    case .putFastTable(let table): try putFast(table)
    case .deleteFastTable(let table): if fast?.table.name == table { fast = nil }
    case .moveMarks(let migration):
      for index in connections.indices {
        let mark = connections[index].mark.value
        guard let move = migration.moves.first(where: { $0.from.value == mark & migration.mask.bits }) else { continue }
        connections[index].mark = Mark(value: mark & ~migration.mask.bits | move.to.value)
      }
    }
  }

  /// nft_flowtable_parse_hook, net/netfilter/nf_tables_api.c, and nft_flow_offload_init and nft_flow_offload_validate,
  /// net/netfilter/nft_flow_offload.c.
  private mutating func putFast(_ table: NftTable) throws(FakeRefusal) {
    if refusesFlowtables { throw FakeRefusal(EOPNOTSUPP, "flowtable inet \(table.name)") }
    for device in table.flowtables.flatMap(\.devices) where links[device] == nil {
      throw FakeRefusal(ENOENT, "there is no device \(device)")
    }
    fast = try FakeNftTable(table, after: fast)
  }

  // MARK: Devices

  private func own(_ name: InterfaceName) throws(FakeRefusal) {
    guard let link = links[name] else { throw FakeRefusal(ENODEV, "there is no device \(name)") }
    guard link.isOurs else { throw FakeRefusal.foreign("device \(name)") }
  }

  private mutating func create(_ device: TunnelDevice) throws(FakeRefusal) {
    if links[device.name] != nil {
      try own(device.name)
      return try change(device)
    }
    try check(device)
    addTunnel(device)
  }

  private mutating func change(_ device: TunnelDevice) throws(FakeRefusal) {
    let present = links[device.name]?.tunnel
    switch (present?.encapsulation, device.encapsulation) {
    case (.gre, .gre), (.ipip, .ipip), (.xfrm, .xfrm): break
    default: throw FakeRefusal(EOPNOTSUPP, "the device is of another kind")
    }
    try check(device)
    // xfrmi_change; the number may change (net/xfrm/xfrm_interface_core.c).
    if case .xfrm = device.encapsulation, present?.underlay != device.underlay {
      throw FakeRefusal(EINVAL, "an XFRM interface keeps its underlay")
    }
    setParameters(device)
  }

  private func check(_ device: TunnelDevice) throws(FakeRefusal) {
    guard links[device.underlay] != nil else { throw FakeRefusal(ENODEV, "there is no device \(device.underlay)") }
    try checkMTU(device.mtu, device.encapsulation)
    if device.encapsulation == .xfrm(interfaceID: 0) { throw FakeRefusal(EINVAL, "if_id must be non zero") }
    for (name, link) in links where name != device.name {
      guard let other = link.tunnel, other.encapsulation == device.encapsulation else { continue }
      switch device.encapsulation {
      // One tunnel of a kind between two addresses, by key (ip_tunnel_find, net/ipv4/ip_tunnel.c).
      case .gre, .ipip:
        guard other.local == device.local, other.remote == device.remote, other.underlay == device.underlay
        else { continue }
        throw FakeRefusal(EEXIST, "\(name) is the same tunnel")
      // One of a number, whatever its underlay (xfrmi_locate, net/xfrm/xfrm_interface_core.c).
      case .xfrm(let number): throw FakeRefusal(EEXIST, "\(name) has number \(number)")
      }
    }
  }

  /// From ETH_MIN_MTU up to 65,535: an XFRM interface may use all of it (xfrmi_dev_setup), a tunnel leaves room for the
  /// outer header.
  private func checkMTU(_ mtu: Int, _ encapsulation: TunnelDevice.Encapsulation?) throws(FakeRefusal) {
    let most = if case .xfrm? = encapsulation { 65_535 } else { 65_515 }
    guard (68...most).contains(mtu) else { throw FakeRefusal(EINVAL, "MTU \(mtu) is out of range") }
  }

  private mutating func change(_ setting: InterfaceSetting, to value: Int) throws(FakeRefusal) {
    guard let present = settings[setting] else { throw FakeRefusal(ENOENT, "no such setting") }
    if present == value { return }
    if links[setting.interface]?.isOurs != true && remembered[setting] == nil { remembered[setting] = present }
    settings[setting] = value
  }

  // MARK: Routes

  mutating func put(_ route: TableRoute) throws(FakeRefusal) {
    for (device, gateway) in route.way.hops {
      guard let link = links[device] else { throw FakeRefusal(ENODEV, "there is no device \(device)") }
      guard link.isUp else { throw FakeRefusal(ENETDOWN, "Device for nexthop is not up") }
      guard let gateway, !mainDefaults.contains(where: { $0.device == device && $0.gateway == gateway }) else {
        continue
      }
      switch gateway {
      case .ipv4(let address):
        if addresses[device]?.contains(where: { $0.subnet.contains(address) }) == true { continue }
        throw FakeRefusal(ENETUNREACH, "Nexthop has invalid gateway")
      // For anything but a link-local one, IPv6 routes decide, and the fake has none.
      case .ipv6(let address):
        if !address.isLinkLocal { throw FakeRefusal(EHOSTUNREACH, "Nexthop has invalid gateway") }
      }
    }
    if case .out(_, _, let terms) = route.way, let source = terms.source {
      // fib_valid_prefsrc, net/ipv4/fib_semantics.c
      guard addresses.values.contains(where: { $0.contains { $0.address == source } }) else {
        throw FakeRefusal(EINVAL, "Invalid prefsrc address")
      }
    }
    let sameKey = routes.firstIndex {
      $0.route.table == route.table && $0.route.destination == route.destination && $0.route.metric == route.metric
    }
    if let sameKey {
      guard routes[sameKey].isOurs else {
        throw FakeRefusal.foreign("the route that has this table, destination and metric")
      }
      routes[sameKey].route = route
    } else {
      routes.append(Route(route: route, isOurs: true))
    }
  }

  // MARK: Rules

  /// fib_nl2rule, net/core/fib_rules.c
  private func check(_ rule: RoutingRule) throws(FakeRefusal) {
    if case .goto(let target) = rule.action, target <= rule.priority {
      throw FakeRefusal(EINVAL, "Backward goto not supported")
    }
    if rule.family == .ipv6 && !hasIPv6Rules { throw FakeRefusal(EAFNOSUPPORT, "Rule family not supported") }
  }

  private func missing(_ name: String) -> FakeRefusal { FakeRefusal(ENOENT, "there is no \(name)") }
}

extension TableRoute.Way {
  fileprivate var hops: [(InterfaceName, Gateway?)] {
    switch self {
    case .out(let device, let gateway, _): [(device, gateway)]
    case .shared(let shares): shares.map { ($0.device, $0.gateway) }
    case .unreachable, .strange: []
    }
  }
}
