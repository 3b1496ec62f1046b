import Agent
import Core
internal import RuleSets

extension KernelGround {
  /// Neither ours nor the kernel's own for local addresses are among them.
  func foreignRulesTold() throws {
    let lan = try Sample.device("lan0")
    try addDevice(lan, address: Sample.interfaceAddress("192.168.10.1/24"))
    try kernel.apply(
      .addRule(
        RoutingRule(
          priority: RulePriority(ranges.priorities.lowerBound), mark: .init(Mark(value: 0x0010_0000), ranges.markMask),
          action: .lookup(.main, suppressPrefixLength: nil))))
    let rule = RoutingRule(
      priority: RulePriority(5270), source: try Sample.prefix("192.168.10.0/25"),
      destination: try Sample.prefix("128.0.0.0/1"), incoming: lan,
      action: .lookup(TableID(52), suppressPrefixLength: nil))
    try addForeign(rule)
    let seen = try sight.network(tables: [])
    let told = ForeignRule(
      priority: rule.priority, mask: 0, mark: 0, table: TableID(52), source: try Sample.prefix("192.168.10.0/25"),
      destination: try Sample.prefix("128.0.0.0/1"), incoming: lan)
    // The kernel's default ones look up main and default, after ours.
    try expect(seen.rules.filter { $0.priority < RulePriority(32_766) }, is: [told], "rules of others")
    try expect(seen.addresses[lan], is: [try Sample.interfaceAddress("192.168.10.1/24")], "addresses")
  }

  func entryTold() throws {
    let lan = try Sample.device("lan0")
    try addDevice(lan, address: Sample.interfaceAddress("192.168.10.1/24"))
    func entry(_ destination: String) throws -> IPv4Prefix? {
      try sight.grounds(
        for: LookupQuestion(
          source: IPv4Address(value: 0), destination: Sample.address(destination), incoming: nil, mark: 0)
      ).entry
    }
    try expect(try entry("192.168.10.77"), is: try Sample.prefix("192.168.10.0/24"), "the LAN's")
    try expect(try entry("8.8.8.8"), is: nil, "where no route leads")
    for value in [0, 1] {
      try kernel.apply(.changeSettings([InterfaceSetting(lan, .forwarding): value]))
      let grounds = try sight.grounds(
        for: LookupQuestion(
          source: Sample.address("192.168.10.2"), destination: Sample.address("8.8.8.8"), incoming: lan, mark: 0))
      try expect(grounds.isForwarded, is: value == 1, "forwarding \(value)")
    }
    let table = TableID(52)
    try addForeign(TableRoute(table: table, metric: RouteMetric(5), way: .out(device: lan, gateway: nil)))
    try addForeign(RoutingRule(priority: RulePriority(100), action: .lookup(table, suppressPrefixLength: nil)))
    try expect(try entry("8.8.8.8"), is: .all, "a default route's")
  }

  func countsTold() throws {
    let before = try sight.counted(in: ["passed_office"])
    try expect(before.packets, is: [:], "without a table")
    let counting = NftChain(name: "passed_office", rules: [NftRule([], [.count], comment: "rule office")])
    let silent = NftChain(name: "silent", rules: [NftRule([.ipv4], [.return])])
    try kernel.apply(.replaceNftTable(NftTable(name: ranges.nftTable, sets: [], chains: [counting, silent])))
    let seen = try sight.counted(in: ["passed_office", "silent", "gone"])
    try expect(seen.packets, is: ["passed_office": 0], "counters")
    try expect(seen.generation != before.generation, "a transaction makes no new generation")
  }

  func filtersTold() throws {
    try expect(try sight.filters(), is: SeenFilters(), "in a fresh kernel")
    let docker = PacketFilter(
      table: "ip filter", chain: "FORWARD", place: .forward, priority: 0, dropsByDefault: true)
    let firewall = PacketFilter(
      table: "inet fw4", chain: "raw_prerouting", place: .prerouting, priority: -300, mayDrop: true)
    try addForeign(docker)
    try addForeign(firewall)
    let seen = try sight.filters()
    try expect(seen.filters.sorted { $0.table < $1.table }, is: [firewall, docker], "filters")
    try expect(seen.filters.suspects(of: .afterForward), is: [docker], "who may drop after our forward chain")
    try expect(seen.filters.suspects(of: .beforeForward), is: [], "who may drop before it")
    try expect(seen.filters.suspects(of: .answers), is: [docker], "who drops answers")
  }
}
