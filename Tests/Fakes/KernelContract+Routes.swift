import Agent
import Core
internal import RuleSets

#if canImport(Glibc)
  import Glibc
#endif

extension KernelGround {
  private var table: TableID { TableID(ranges.tables.lowerBound + 5) }

  private func out(_ device: InterfaceName, _ gateway: String? = nil) throws -> TableRoute {
    TableRoute(
      table: table, metric: .active,
      way: .out(device: device, gateway: try gateway.map { .ipv4(try Sample.address($0)) }))
  }

  func nothingOfOurs() throws {
    let actual = try read()
    try expect(actual.routes.isEmpty && actual.rules.isEmpty && actual.nftTable == nil, "a fresh kernel has \(actual)")
    try expect(actual.links[try Sample.device("lo")] != nil, "no loopback")
  }

  func routePutTwice() throws {
    try apply([.putRoute(.floor(table)), .putRoute(.floor(table))])
    try expect(try read().routes, is: [.floor(table)], "routes")
  }

  func flipReplaces() throws {
    let uplink = try Sample.device("wan0")
    let second = try Sample.device("wan1")
    try addDevice(uplink, address: try Sample.interfaceAddress("192.0.2.2/24"))
    try addDevice(second, address: try Sample.interfaceAddress("198.51.100.2/24"))
    try apply([.putRoute(.floor(table))])
    let first = try out(uplink, "192.0.2.1")
    let other = try out(second, "198.51.100.1")
    try flip.activate(first)
    try flip.activate(first)
    try expect(try read().routes, is: [.floor(table), first], "routes after the first")
    try flip.activate(other)
    try expect(try read().routes, is: [.floor(table), other], "routes after the flip")
    try expect(try flip.activeRoutes(of: [table]), is: [table: other.way], "active routes")
    try expect(try flip.activeRoutes(of: []), is: [:], "active routes of no table")
    try flip.deactivate(table)
    try flip.deactivate(table)
    try expect(try read().routes, is: [.floor(table)], "routes with nothing active")
  }

  /// Two devices with an address each, and a route that shares between them.
  private func shared() throws -> TableRoute {
    let uplink = try Sample.device("wan0")
    let second = try Sample.device("wan1")
    try addDevice(uplink, address: try Sample.interfaceAddress("192.0.2.2/24"))
    try addDevice(second, address: try Sample.interfaceAddress("198.51.100.2/24"))
    return TableRoute(
      table: table, metric: .active,
      way: .shared([
        .init(device: uplink, gateway: nil, weight: 256),
        .init(device: second, gateway: .ipv4(try Sample.address("198.51.100.1")), weight: 1),
      ]))
  }

  func sharedRoute() throws {
    let route = try shared()
    try apply([.putRoute(.floor(table))])
    let single = try out(try Sample.device("wan0"))
    try flip.activate(single)
    try flip.activate(route)
    try flip.activate(route)
    try expect(try read().routes, is: [.floor(table), route], "routes")
    try expect(try flip.activeRoutes(of: [table]), is: [table: route.way], "active routes")
    try flip.activate(single)
    try expect(try flip.activeRoutes(of: [table]), is: [table: single.way], "active routes with one way again")
    try flip.activate(route)
    try flip.deactivate(table)
    try expect(try read().routes, is: [.floor(table)], "routes with nothing active")
  }

  func sharedRouteLosesDevice() throws {
    let route = try shared()
    try flip.activate(route)
    try setDown(try Sample.device("wan0"))
    try expect(try flip.activeRoutes(of: [table]), is: [table: route.way], "active routes with one device down")
    try expect(.putRoute(route), failsWith: ENETDOWN)
    try removeDevice(try Sample.device("wan0"))
    try expect(try flip.activeRoutes(of: [table]), is: [:], "active routes with one device gone")
  }

  func routeOutOfMissingDevice() throws {
    try expect(.putRoute(try out(try Sample.device("gone0"))), failsWith: ENODEV)
  }

  func routeOutOfDownDevice() throws {
    let device = try Sample.device("wan0")
    try addDevice(device, address: nil)
    try setDown(device)
    try expect(.putRoute(try out(device)), failsWith: ENETDOWN)
  }

  func gatewayOutOfReach() throws {
    let device = try Sample.device("wan0")
    try addDevice(device, address: try Sample.interfaceAddress("192.0.2.2/24"))
    try expect(.putRoute(try out(device, "203.0.113.1")), failsWith: ENETUNREACH)
  }

  func gatewayOnLink() throws {
    let device = try Sample.device("wan0")
    let gateway = try Sample.address("203.0.113.1")
    try addDevice(device, address: try Sample.interfaceAddress("192.0.2.2/32"))
    try addMainDefault(device, onLink: gateway)
    let mains = try read().mainDefaults
    try expect(
      mains, is: [MainDefault(device: device, gateway: .ipv4(gateway), metric: RouteMetric(0))], "main's defaults")
    let route = try out(device, "203.0.113.1")
    try apply([.putRoute(route)])
    try flip.activate(route)
    try expect(try read().routes, is: [route], "routes")
    try apply([.deleteRoute(route)])
    try expect(try read().routes, is: [], "routes")
  }

  func ipv6Gateway() throws {
    let (first, second) = (try Sample.device("wan0"), try Sample.device("wan1"))
    try addDevice(first, address: try Sample.interfaceAddress("192.0.2.2/24"))
    try addDevice(second, address: try Sample.interfaceAddress("198.51.100.2/24"))
    let gateway = try Gateway.ipv6(Sample.ipv6("fe80::1"))
    let single = TableRoute(table: table, metric: .active, way: .out(device: first, gateway: gateway))
    try flip.activate(single)
    try expect(try read().routes, is: [single], "routes")
    try expect(try flip.activeRoutes(of: [table]), is: [table: single.way], "active routes")
    let shared = TableRoute(
      table: table, metric: .active,
      way: .shared([
        .init(device: first, gateway: gateway, weight: 3),
        .init(device: second, gateway: .ipv4(try Sample.address("198.51.100.1")), weight: 1),
      ]))
    try flip.activate(shared)
    try expect(try read().routes, is: [shared], "a shared one")
    try apply([.deleteRoute(shared), .putRoute(single), .deleteRoute(single)])
    try expect(try read().routes, is: [], "routes in the end")
    let far = try Gateway.ipv6(Sample.ipv6("2001:db8::1"))
    try expect(
      .putRoute(TableRoute(table: table, metric: .active, way: .out(device: first, gateway: far))),
      failsWith: EHOSTUNREACH)
  }

  func routeTerms() throws {
    let device = try Sample.device("wan0")
    try addDevice(device, address: try Sample.interfaceAddress("192.0.2.2/24"))
    let gateway = Gateway.ipv4(try Sample.address("192.0.2.1"))
    let source = try Sample.address("192.0.2.2")
    func route(_ terms: RouteTerms) -> TableRoute {
      TableRoute(table: table, metric: .active, way: .out(device: device, gateway: gateway, terms: terms))
    }
    for terms in [
      RouteTerms(source: source), RouteTerms(mtu: 1400), RouteTerms(source: source, mtu: 1400), .none,
    ] {
      try flip.activate(route(terms))
      try expect(try read().routes, is: [route(terms)], "routes")
    }
    try flip.activate(route(RouteTerms(source: source, mtu: 1400)))
    try apply([.deleteRoute(route(RouteTerms(source: source, mtu: 1400)))])
    try expect(try read().routes, is: [], "routes in the end")
  }

  func sourceOfNobody() throws {
    let device = try Sample.device("wan0")
    try addDevice(device, address: try Sample.interfaceAddress("192.0.2.2/24"))
    let terms = RouteTerms(source: try Sample.address("192.0.2.77"))
    try expect(
      .putRoute(TableRoute(table: table, metric: .active, way: .out(device: device, gateway: nil, terms: terms))),
      failsWith: EINVAL)
  }

  func deleteWhatIsGone() throws {
    let device = try Sample.device("gone0")
    try apply([
      .deleteRoute(.floor(table)), .deleteRoute(try out(device)), .deleteDevice(device),
      .removeAddress(device, try Sample.interfaceAddress("10.1.1.1/30")),
      .deleteRule(RoutingRule(priority: RulePriority(ranges.priorities.lowerBound), action: .unreachable)),
      .deleteNftTable(table: ranges.nftTable),
    ])
  }

  func deviceTakesRoutesAlong() throws {
    let device = try Sample.device("wan0")
    try addDevice(device, address: nil)
    try apply([.putRoute(.floor(table)), .putRoute(try out(device))])
    try removeDevice(device)
    let actual = try read()
    try expect(actual.routes, is: [.floor(table)], "routes")
    try expect(actual.links[device] == nil, "the device is still told")
  }

  func foreignRoute() throws {
    let device = try Sample.device("wan0")
    try addDevice(device, address: nil)
    try addForeign(try out(device))
    try expect(try read().routes, is: [], "a foreign route is told as ours")
    try expect(.putRoute(try out(device)), failsWith: 0)
    try apply([.deleteRoute(try out(device))])
    try expect(try foreignRoutes(table), is: 1, "foreign routes")
  }

  func foreignDevice() throws {
    let device = try Sample.device("wan0")
    try addDevice(device, address: nil)
    for step in [
      Step.deleteDevice(device), .setMTU(device, 1400), .setUp(device),
      .addAddress(device, try Sample.interfaceAddress("10.1.1.1/30"), peer: nil),
      .removeAddress(device, try Sample.interfaceAddress("10.1.1.1/30")),
    ] {
      try expect(step, failsWith: 0)
    }
    let link = try read().links[device]
    try expect(link?.isUp == true && link?.isOurs == false && link?.mtu == 1500, "the device is now \(link as Any)")
  }

  /// Whatever it is called.
  func foreignAlias() throws {
    for name in ["wan0", "bh-wan0"] {
      let device = try Sample.device(name)
      try addDevice(device, address: nil)
      for alias in ["\(TunnelDevice.aliasPrefix)wan0", TunnelDevice.aliasPrefix] {
        try setAlias(device, alias)
        try checkForeign(device)
      }
    }
  }

  /// No plan removes it and no step touches it.
  func checkForeign(_ device: InterfaceName) throws {
    let actual = try read()
    try expect(actual.links[device]?.isOurs, is: false, "\(device) is told as ours")
    try expect(Planner.teardown(actual: actual, remembered: [:]).isEmpty, "a teardown would take \(device)")
    for step in [Step.deleteDevice(device), .setMTU(device, 1400), .setUp(device)] {
      try expect(step, failsWith: 0)
    }
    try expect(try read().links[device] == actual.links[device], "\(device) has changed")
  }

  func pathMTUTold() throws {
    let device = try Sample.device("wan0")
    let router = try Sample.address("192.0.2.1")
    let hub = try Sample.address("203.0.113.2")
    try addDevice(device, address: try Sample.interfaceAddress("192.0.2.2/24"))
    try addMainDefault(device, onLink: router)
    try expect(try read().pathMTUs, is: [:], "before anything was sent")
    try learnPathMTU(1400, to: hub, by: device, from: router)
    try expect(try read().pathMTUs, is: [PathMTUKey(hub, by: device): 1400], "path MTUs")
    try expect(try read().routes, is: [], "an exception is no route")
    try removeDevice(device)
    try expect(try read().pathMTUs, is: [:], "without the device")
  }

  func countersTold() throws {
    let device = try Sample.device("wan0")
    try addDevice(device, address: nil)
    try expect(Set(try traffic.traffic().keys), is: Set(try read().links.keys), "devices")
    try setDown(device)
    try expect(try traffic.traffic()[device] != nil, "a device that is down has none")
    try removeDevice(device)
    try expect(try traffic.traffic()[device] == nil, "a device that is gone has some")
  }

  func settingPutBack() throws {
    let device = try Sample.device("wan0")
    try addDevice(device, address: nil)
    let setting = InterfaceSetting(device, .reversePathFilter)
    guard let before = try read().settings[setting] else { throw ContractBreach("no rp_filter") }
    let other = before == 2 ? 1 : 2
    try apply([.changeSettings([setting: before])])
    try expect(kernel.rememberedSettings().values, is: [:], "remembered without a change")
    let second = InterfaceSetting(device, .sourceValidMark)
    guard let secondBefore = try read().settings[second] else { throw ContractBreach("no src_valid_mark") }
    try apply([
      .changeSettings([setting: other, second: 1 - secondBefore]), .changeSettings([setting: 0]),
    ])
    try expect(try read().settings[setting], is: 0, "rp_filter")
    try expect(kernel.rememberedSettings().values, is: [setting: before, second: secondBefore], "remembered")
    try apply([.restoreSettings([setting, second]), .restoreSettings([setting])])
    try expect(try read().settings[setting], is: before, "rp_filter put back")
    try expect(try read().settings[second], is: secondBefore, "src_valid_mark put back")
    try expect(kernel.rememberedSettings().values, is: [:], "still remembered")
  }
}
