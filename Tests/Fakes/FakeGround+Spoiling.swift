package import Core
package import RuleSets

extension FakeGround {
  package func spoil(_ spoiling: Spoiling, table: TableID) throws {
    let priority = spoilPriority
    let wan = try Sample.device("wan0")
    try fake.change("\(spoiling)") { state in
      func chain(_ name: String, _ change: (inout NftChain) -> Void) {
        guard var table = state.nftTable, let index = table.chains.firstIndex(where: { $0.name == name }) else {
          return
        }
        change(&table.chains[index])
        state.nftTable = table
      }
      func replace(_ metric: RouteMetric, _ way: TableRoute.Way) {
        state.routes.removeAll { $0.route.table == table && $0.route.metric == metric }
        state.routes.append(
          FakeState.Route(route: TableRoute(table: table, metric: metric, way: way), isOurs: true))
      }
      func strange(_ kind: UInt8, service: UInt8 = 0, _ text: String) -> TableRoute.Way {
        .strange(TableRoute.Strange(kind: kind, typeOfService: service, text: text))
      }
      switch spoiling {
      case .tableIsDormant: state.nftTable?.flags = 1
      case .chainDropsByDefault:
        chain("pass") { $0.rules.append(NftRule([], [], unrecognised: "policy drop")) }
      case .chainHasAnotherPriority: chain("arrive") { $0.hook?.priority = 10 }
      case .chainHasAnotherHook: chain("arrive") { $0.hook?.point = .forward }
      case .chainIsHookedNowhere: chain("arrive") { $0.hook = nil }
      case .floorLetsThrough: replace(.floor, strange(9, "throw"))
      case .routeIsABlackhole: replace(RouteMetric(20), strange(6, "blackhole"))
      case .routeHasAnMTU: replace(RouteMetric(20), .out(device: wan, gateway: nil, terms: RouteTerms(mtu: 600)))
      case .routeHasASource:
        let terms = RouteTerms(source: state.addresses[wan]?.first?.address)
        replace(RouteMetric(20), .out(device: wan, gateway: nil, terms: terms))
      case .routeHasAWindow: replace(RouteMetric(20), strange(1, "dev \(wan) and more"))
      case .routeOfOneServiceBesideOurs:
        let way = strange(1, service: 0x10, "tos 0x10 dev \(wan)")
        state.routes.append(
          FakeState.Route(route: TableRoute(table: table, metric: RouteMetric(20), way: way), isOurs: true))
      case .betterRouteBesideOurs:
        let way = strange(6, "blackhole")
        state.routes.append(
          FakeState.Route(route: TableRoute(table: table, metric: RouteMetric(5), way: way), isOurs: true))
      case .narrowRuleBesideOurs:
        state.insert(
          FakeState.Rule(
            rule: RoutingRule(priority: priority, action: .strange("lookup 52 and more")), isOurs: true))
      case .blackholeRuleBesideOurs:
        state.insert(
          FakeState.Rule(rule: RoutingRule(priority: priority, action: .strange("action 6")), isOurs: true))
      case .narrowRuleOfIPv6BesideOurs:
        state.insert(
          FakeState.Rule(
            rule: RoutingRule(.ipv6, priority: priority, action: .strange("prohibit and more")), isOurs: true))
      }
    }
  }

  package func spoil(_ spoiling: TunnelSpoiling, of device: TunnelDevice) throws {
    let name = device.name
    let other = try Sample.device("renamed0")
    try fake.change("\(spoiling)") { state in
      switch spoiling {
      case .isDown: state.setLink(name, isUp: false)
      case .hasAnotherMTU: state.links[name]?.mtu = 1300
      case .hasLostItsAlias: state.setAlias(name, nil)
      case .hasAnotherAlias: state.setAlias(name, "the other office")
      case .hasAnotherName: state.rename(name, to: other)
      case .hasAnotherTTL: state.links[name]?.tunnel?.ttl = 7
      case .hasATypeOfService, .findsNoPathMTU: state.links[name]?.tunnel?.hasMore = true
      case .hasNoLookupMark: state.links[name]?.tunnel?.lookupMark = Mark(value: 0)
      case .isEnslaved: state.links[name]?.isInVRF = true
      }
      state.judge(name)
    }
  }

  package func addForeignTunnel(_ name: InterfaceName, alias: String) throws {
    let wan = try Sample.device("wan0")
    try fake.change("ip link add \(name) type gre") { state in
      state.addLink(name, isPointToPoint: true, alias: alias, mtu: 1476, isUp: false)
      state.links[name]?.tunnel = TunnelParameters(
        encapsulation: .gre(key: nil), local: IPv4Address(value: 0xc000_0202), remote: IPv4Address(value: 0xcb00_7109),
        underlay: wan, lookupMark: Mark(value: 0), ttl: 0)
      state.judge(name)
    }
  }

  package func setAlias(_ name: InterfaceName, _ alias: String) throws {
    try fake.change("ip link set \(name) alias") { $0.setAlias(name, alias) }
  }
}
