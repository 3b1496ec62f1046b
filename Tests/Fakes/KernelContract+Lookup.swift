import Agent
import Core
import Glibc
internal import RuleSets

extension KernelGround {
  private var table: TableID { TableID(ranges.tables.lowerBound + 5) }
  private var mark: Mark { Mark(value: 0x1200_0000) }

  /// A LAN and an uplink that forward, and a table of ours that leads out, with its floor.
  private func router() throws -> (lan: InterfaceName, wan: InterfaceName) {
    let (lan, wan) = (try Sample.device("lan0"), try Sample.device("wan0"))
    try addDevice(lan, address: Sample.interfaceAddress("192.168.10.1/24"))
    try addDevice(wan, address: Sample.interfaceAddress("192.0.2.2/24"))
    for device in [lan, wan] {
      for key in [InterfaceSetting.Key.forwarding, .sourceValidMark] {
        try kernel.apply(.changeSettings([InterfaceSetting(device, key): 1]))
      }
    }
    let rule = RoutingRule(
      priority: RulePriority(ranges.priorities.lowerBound + 20), mark: .init(mark, ranges.markMask),
      action: .lookup(table, suppressPrefixLength: nil))
    let gateway = Gateway.ipv4(try Sample.address("192.0.2.1"))
    try apply([
      .addRule(rule), .putRoute(.floor(table)),
      .putRoute(TableRoute(table: table, metric: .active, way: .out(device: wan, gateway: gateway))),
    ])
    return (lan, wan)
  }

  private func answer(
    _ source: String, _ destination: String, in incoming: InterfaceName? = nil, mark: UInt32 = 0,
    _ service: PacketQuestion.Service? = nil, _ port: UInt16? = nil
  ) throws -> LookupAnswer {
    try lookup.lookup(
      LookupQuestion(
        source: Sample.address(source), destination: Sample.address(destination), incoming: incoming, mark: mark,
        service: service, port: port))
  }

  func lookupByMark() throws {
    let (lan, wan) = try router()
    let out = LookupAnswer.out(wan, gateway: .ipv4(try Sample.address("192.0.2.1")), table: table)
    // Other programs' bits do not interfere.
    try expect(try answer("192.168.10.2", "8.8.8.8", in: lan, mark: mark.value | 3), is: out, "with our mark")
    for service in PacketQuestion.Service.allCases {
      let port: UInt16? = service == .icmp ? nil : 53
      try expect(try answer("192.168.10.2", "8.8.8.8", in: lan, mark: mark.value, service, port), is: out, "\(service)")
    }
    try expect(try answer("192.168.10.2", "8.8.8.8", in: lan), is: .unreachable, "without it")
    try expect(try answer("192.0.2.2", "8.8.8.8", mark: mark.value), is: out, "the router's own")
  }

  func lookupOfFloor() throws {
    let (lan, _) = try router()
    try flip.deactivate(table)
    try expect(try answer("192.168.10.2", "8.8.8.8", in: lan, mark: mark.value), is: .unreachable, "on the floor")
  }

  func lookupByIncoming() throws {
    let (lan, wan) = try router()
    try kernel.apply(.changeSettings([InterfaceSetting(wan, .reversePathFilter): 1]))
    try expect(
      try answer("192.168.10.2", "192.168.10.3", in: wan), is: .spoofed, "the LAN's address at the uplink")
    try expect(try answer("192.168.10.2", "192.168.10.1", in: lan), is: .local, "the router's own address")
    let nowhere = LookupQuestion(
      source: try Sample.address("192.168.10.2"), destination: try Sample.address("8.8.8.8"),
      incoming: try Sample.device("lan7"), mark: 0)
    do throws(KernelFailure) { _ = try lookup.lookup(nowhere) } catch {
      return try expect(error.errno, is: ENODEV, "errno of \(error)")
    }
    throw ContractBreach("a device that is not there answers")
  }

  /// A belt holds what comes from a prefix, by any device, but neither the router's own packets from an address in it,
  /// nor packets whose mark leads around it.
  func lookupAroundBelts() throws {
    let (lan, wan) = try router()
    let gateway = try Sample.address("192.0.2.1")
    try addMainDefault(wan, onLink: gateway)
    func priority(_ offset: UInt32) -> RulePriority { RulePriority(ranges.priorities.lowerBound + offset) }
    let floor = TableID(table.value + 1)
    let passed = ranges.markMask.passed
    let nop = RoutingRule(priority: priority(99), action: .nop)
    try apply([
      .putRoute(.floor(floor)), .addRule(nop),
      .addRule(
        RoutingRule(priority: priority(6), mark: .init(passed, ranges.markMask), action: .goto(priority(99)))),
      .addRule(RoutingRule(priority: priority(70), incoming: .loopback, action: .goto(priority(99)))),
      .addRule(
        RoutingRule(
          priority: priority(90), source: try Sample.prefix("192.168.10.0/24"),
          action: .lookup(floor, suppressPrefixLength: nil))),
    ])
    let out = LookupAnswer.out(wan, gateway: .ipv4(gateway), table: .main)
    try expect(try answer("192.168.10.2", "8.8.8.8", in: lan), is: .unreachable, "from the LAN")
    try expect(try answer("192.168.10.2", "8.8.8.8", in: lan, mark: passed.value | 3), is: out, "with the mark")
    try expect(try answer("192.168.10.1", "8.8.8.8"), is: out, "the router's own")
    // The reverse-path check also consults the belt, and ignores the mark unless told otherwise.
    try kernel.apply(.changeSettings([InterfaceSetting(wan, .reversePathFilter): 2]))
    try expect(try answer("8.8.8.8", "192.168.10.2", in: wan), is: .spoofed, "an answer to the LAN")
    try expect(
      try answer("8.8.8.8", "192.168.10.2", in: wan, mark: passed.value) == .spoofed, is: false, "with the mark")
    try expect(try answer("8.8.8.8", "192.168.10.1", in: wan), is: .local, "an answer to the router")
    try apply([.deleteRule(nop)])
    try expect(try answer("192.168.10.1", "8.8.8.8"), is: .unreachable, "where the goto leads nowhere")
  }

  func lookupByForeignRule() throws {
    let (lan, wan) = try router()
    let other = TableID(52)
    try addForeign(TableRoute(table: other, metric: RouteMetric(5), way: .out(device: wan, gateway: nil)))
    try addForeign(
      RoutingRule(
        priority: RulePriority(100), mark: .init(mark, ranges.markMask),
        action: .lookup(other, suppressPrefixLength: nil)))
    try expect(
      try answer("192.168.10.2", "8.8.8.8", in: lan, mark: mark.value), is: .out(wan, gateway: nil, table: other),
      "a foreign rule before ours")
  }

  func mainRoutesTold() throws {
    let (lan, _) = try router()
    let own = try Sample.prefix("192.168.10.0/24")
    func told(_ address: String) throws -> [IPv4Prefix] {
      try lookup.mainRoutes(to: [Sample.address(address)]).map(\.destination)
    }
    try expect(try told("8.8.8.8"), is: [], "routes to an address that none holds")
    try expect(try told("192.168.10.77"), is: [own], "routes to the LAN")
    let ways = try lookup.mainRoutes(to: [Sample.address("192.168.10.77"), Sample.address("8.8.8.8")]).map(\.way)
    // The kernel notes the address of the device in the route to its subnet (fib_magic in net/ipv4/fib_frontend.c).
    let terms = RouteTerms(source: try Sample.address("192.168.10.1"))
    try expect(ways, is: [.out(device: lan, gateway: nil, terms: terms)], "their ways")
  }
}
