package import Agent
package import Core
import Glibc
package import RuleSets

/// What the fake kernel holds, foreign objects included.
package struct FakeState: Sendable {
  struct Route: Equatable, Sendable {
    var route: TableRoute
    var isOurs: Bool
  }

  struct Rule: Equatable, Sendable {
    var rule: RoutingRule
    var isOurs: Bool
  }

  let ranges: KernelRanges
  var links: [InterfaceName: Link] = [:]
  var addresses: [InterfaceName: [InterfaceAddress]] = [:]
  var peers: [InterfaceName: [IPv4Address]] = [:]
  package var standings: [InterfaceName: [InterfaceAddress: AddressStanding]] = [:]
  var mainDefaults: [MainDefault] = []
  package var deadEnds: [DeadEnd] = []
  var routes: [Route] = []
  var rules: [Rule] = []
  var hasIPv6Rules = true
  var nft: FakeNftTable?
  package var fast: FakeNftTable?
  /// A kernel that was built without flowtables.
  package var refusesFlowtables = false
  /// Changing it is another program's doing.
  var nftTable: NftTable? {
    get { nft?.table }
    set {
      guard let newValue else { return nft = nil }
      if nft == nil { nft = FakeNftTable(adopting: newValue) } else { nft?.alter { $0 = newValue } }
    }
  }
  var settings: [InterfaceSetting: Int] = [:]
  var remembered: [InterfaceSetting: Int] = [:]
  var connections: [FakeConnection] = []
  var pathMTUs: [PathMTUKey: Int] = [:]
  var traffic: [InterfaceName: Traffic] = [:]
  /// Others' nftables.
  var foreign = ForeignObjects()
  /// What chains of our table have counted.
  package var counts: [String: UInt64] = [:]
  package var filters = SeenFilters()
  package var generation: UInt32 = 1
  /// For IPv6: what is there, and the answers for packets that come in by a device.
  package var ipv6 = SeenIPv6()
  package var ipv6Answers: [InterfaceName: IPv6Question.Answer] = [:]
  /// Callers that only look are refused.
  package var isBlind = false

  var foreignRules: [ForeignRule] {
    rules.filter { !$0.isOurs && $0.rule.family == .ipv4 }.map { foreign in
      let rule = foreign.rule
      let table: TableID? = if case .lookup(let table, _) = rule.action { table } else { nil }
      return ForeignRule(
        priority: rule.priority, mask: rule.mark?.mask.bits ?? 0, mark: rule.mark?.mark.value ?? 0, table: table,
        source: rule.source ?? .all, destination: rule.destination ?? .all, incoming: rule.incoming,
        isInverted: rule.inverted, isRefusal: rule.action == .unreachable)
    }
  }
  private var lastIndex: UInt32 = 1

  /// Every namespace has loopback, up; `all` holds the kernel's defaults.
  init(_ ranges: KernelRanges) {
    self.ranges = ranges
    if let loopback = InterfaceName("lo") {
      traffic[loopback] = Traffic()
      links[loopback] = Link(index: InterfaceIndex(1), isUp: true, hasCarrier: true, mtu: 65_536)
      addresses[loopback] = [InterfaceAddress("127.0.0.1/8")].compactMap(\.self)
      settings(of: loopback)
    }
    if let all = InterfaceSetting.all { settings(of: all) }
  }

  private mutating func settings(of interface: InterfaceName) {
    for key in InterfaceSetting.Key.allCases where !key.isOfAllAlone || interface == InterfaceSetting.all {
      settings[InterfaceSetting(interface, key)] = 0
    }
  }

  // MARK: Reading

  func read(expecting: (ActualState) -> NftTable?) -> ActualState {
    var actual = ActualState(
      links: links, addresses: addresses, standings: standings,
      mainDefaults: mainDefaults.sorted { $0.metric < $1.metric }, deadEnds: deadEnds,
      routes: Set(routes.filter { $0.isOurs && ranges.tables.contains($0.route.table.value) }.map(\.route)),
      rules: [RoutingRule.Family.ipv4, .ipv6].flatMap { family in
        rules.filter { $0.isOurs && $0.rule.family == family && ranges.priorities.contains($0.rule.priority.value) }
          .map(\.rule)
      }, hasIPv6Rules: hasIPv6Rules,
      settings: settings, pathMTUs: pathMTUs.filter { links[$0.key.device]?.isOurs == false })
    tellSites(&actual)
    actual.fastTable = fast?.table
    let expected = expecting(actual)
    actual.nftTable = nftTable.map { recognised($0, expected) }
    return actual
  }

  /// Of IPv4 alone.
  private func tellSites(_ actual: inout ActualState) {
    let connected = addresses.flatMap { device, addresses in
      addresses.filter { device != .loopback && $0.subnet.length < 32 && links[device]?.isUp == true }.map {
        MainSites.Site($0.subnet, devices: [device], isConnected: true)
      }
    }
    let learnt = mainRoutes.filter { $0.destination != .all }.map {
      MainSites.Site($0.destination, devices: $0.way.devices, metric: $0.metric, isConnected: $0.way.isConnected)
    }
    actual.sites = MainSites(connected + learnt)
    let others = routes.map(\.route).filter {
      $0.destination.length <= 1 && !ranges.tables.contains($0.table.value)
    }
    actual.exits = Set(mainDefaults.map(\.device) + others.flatMap(\.way.devices))
  }

  /// All programs' routes and rules, which the kernel uses for lookups.
  var withForeign: ActualState {
    var all = read { _ in nil }
    all.routes = Set(routes.map(\.route).filter { $0.table != .main })
    all.rules = rules.map(\.rule)
    return all
  }

  /// Other programs' routes in the main table.
  var mainRoutes: [TableRoute] { routes.map(\.route).filter { $0.table == .main } }

  /// A rule that is not expected in its chain is reported as text, as from the real kernel.
  private func recognised(_ table: NftTable, _ expecting: NftTable?) -> NftTable {
    var table = table
    for (index, set) in table.sets.enumerated() {
      table.sets[index] = set.isFed ? .fed(set.name) : NftSet(name: set.name, ranges: nft?.held(by: set.name) ?? [])
    }
    for (index, chain) in table.chains.enumerated() {
      let expected = expecting?.chains.first { $0.name == chain.name }?.rules ?? []
      table.chains[index].rules = chain.rules.map { rule in
        expected.contains(rule)
          ? rule : NftRule([], [], comment: rule.comment, unrecognised: "\(rule.matches) \(rule.actions)")
      }
    }
    return table
  }

  // MARK: What an operator does

  package mutating func addLink(
    _ name: InterfaceName, address: InterfaceAddress? = nil, isPointToPoint: Bool = false, alias: String? = nil,
    mtu: Int = 1500, isUp: Bool = true
  ) {
    lastIndex += 1
    links[name] = Link(
      index: InterfaceIndex(lastIndex), isUp: isUp, hasCarrier: isUp, mtu: mtu, isPointToPoint: isPointToPoint,
      alias: alias)
    judge(name)
    addresses[name] = address.map { [$0] }
    traffic[name] = Traffic()
    settings(of: name)
  }

  package mutating func setAlias(_ name: InterfaceName, _ alias: String?) {
    links[name]?.alias = alias
    judge(name)
  }

  /// The device goes down for this, as the kernel requires.
  mutating func rename(_ name: InterfaceName, to other: InterfaceName) {
    setLink(name, isUp: false)
    links[other] = links.removeValue(forKey: name)
    addresses[other] = addresses.removeValue(forKey: name)
    traffic[other] = traffic.removeValue(forKey: name)
    judge(other)
  }

  package mutating func setLink(_ name: InterfaceName, isUp: Bool) {
    links[name]?.isUp = isUp
    links[name]?.hasCarrier = isUp
    // The kernel drops IPv4 routes of a device that goes down, without an event.
    if !isUp { dropRoutes(of: name, isGone: false) }
  }

  package mutating func removeLink(_ name: InterfaceName) {
    links[name] = nil
    fast?.alter { $0.lose(name) }
    // An interface keeps the index that its underlay had: one that comes back under the name has another.
    for other in links.keys where links[other]?.tunnel?.underlay == name { links[other]?.tunnel?.underlay = nil }
    addresses[name] = nil
    standings[name] = nil
    peers[name] = nil
    traffic[name] = nil
    settings = settings.filter { $0.key.interface != name }
    dropRoutes(of: name, isGone: true)
  }

  /// A kernel without IPv6.
  package mutating func loseIPv6() {
    hasIPv6Rules = false
    rules.removeAll { $0.rule.family == .ipv6 }
  }

  package mutating func setMainDefaults(_ defaults: [MainDefault]) { mainDefaults = defaults }
  package mutating func addForeign(_ route: TableRoute) { routes.append(Route(route: route, isOurs: false)) }
  package mutating func addForeign(_ rule: RoutingRule) { insert(Rule(rule: rule, isOurs: false)) }
  /// `nft flush ruleset` and the like, or another program changing our table.
  package mutating func setNftTable(_ table: NftTable?) { nftTable = table }
  /// A router along the path reported this MTU; nil: the kernel forgot it, as it does after ten minutes.
  package mutating func learnPathMTU(_ mtu: Int?, to destination: IPv4Address, by device: InterfaceName) {
    pathMTUs[PathMTUKey(destination, by: device)] = mtu
  }
  /// It carried this much more.
  package mutating func carry(_ more: Traffic, by device: InterfaceName) {
    guard let before = traffic[device] else { return }
    traffic[device] = Traffic(
      bytesIn: before.bytesIn + more.bytesIn, bytesOut: before.bytesOut + more.bytesOut,
      packetsIn: before.packetsIn + more.packetsIn, packetsOut: before.packetsOut + more.packetsOut)
  }
  package mutating func setSetting(_ setting: InterfaceSetting, to value: Int) { settings[setting] = value }

  /// A shared route stays while one of its devices is up, but goes if one is deleted (fib_sync_down_dev,
  /// net/ipv4/fib_semantics.c).
  mutating func dropRoutes(of name: InterfaceName, isGone: Bool) {
    mainDefaults.removeAll { $0.device == name }
    // Each is an exception to a route.
    pathMTUs = pathMTUs.filter { $0.key.device != name }
    routes.removeAll {
      let devices = $0.route.way.devices
      return devices.contains(name) && (isGone || !devices.contains { links[$0]?.isUp == true })
    }
  }

  /// After those of the same priority, as the kernel does.
  mutating func insert(_ rule: Rule) {
    let place = rules.firstIndex { $0.rule.priority > rule.rule.priority } ?? rules.endIndex
    rules.insert(rule, at: place)
  }

  mutating func addTunnel(_ device: TunnelDevice) {
    addLink(device.name, isPointToPoint: true, alias: device.alias, mtu: device.mtu, isUp: false)
    setParameters(device)
  }

  mutating func setParameters(_ device: TunnelDevice) {
    links[device.name]?.mtu = device.mtu
    links[device.name]?.alias = device.alias
    var parameters = TunnelParameters(
      encapsulation: device.encapsulation, local: device.local, remote: device.remote, underlay: device.underlay,
      lookupMark: device.lookupMark, ttl: TunnelDevice.ttl)
    if case .xfrm = device.encapsulation {
      // The kernel keeps no more of it than that.
      parameters.local = IPv4Address(value: 0)
      parameters.remote = IPv4Address(value: 0)
      parameters.lookupMark = Mark(value: 0)
      parameters.ttl = 0
    }
    links[device.name]?.tunnel = parameters
    judge(device.name)
  }

  /// Whose it is, by its present attributes.
  mutating func judge(_ name: InterfaceName) {
    guard let link = links[name] else { return }
    links[name]?.isOurs = link.tunnel?.areOurs(name, alias: link.alias, in: ranges) ?? false
  }
}

extension TableRoute.Way {
  fileprivate var isConnected: Bool { if case .out(_, nil, _) = self { true } else { false } }
}
