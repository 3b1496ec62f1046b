internal import RuleSets
import Testing

@testable import Core

@Suite struct PlanTests {
  /// A router on which this rule set runs.
  private func running(_ ruleSet: RuleSet = Branch.ruleSet(), _ kernel: ActualState = Branch.kernel()) throws
    -> ModelKernel
  {
    var model = ModelKernel(kernel)
    let compiler = Branch.compiler(ruleSet, Branch.configuration(), kernel)
    try model.apply(Planner.plan(desired: compiler.compile(), actual: kernel).steps)
    return model
  }

  private func lines(_ ruleSet: RuleSet, _ model: ModelKernel) -> [String] {
    let compiler = Branch.compiler(
      ruleSet, Branch.configuration(), model.state,
      after: Layout.slots(Branch.ruleSet(), Branch.configuration(), after: SlotBook()) ?? SlotBook())
    let plan = Planner.plan(desired: compiler.compile(), actual: model.state, remembered: model.remembered)
    return PlanText(remembered: model.remembered).lines(plan)
  }

  private func lines(_ model: ModelKernel) -> [String] { lines(Branch.ruleSet(), model) }

  @Test func aSecondRunHasNothingToDo() throws {
    #expect(try lines(running()).isEmpty)
  }

  /// They look like ours, but are not of a kind that we make.
  @Test func strangeRoutesAreReplacedOrDeleted() throws {
    let table = TableID(7902)
    let route = TableRoute(table: table, metric: RouteMetric(20), way: .out(device: "wan0", gateway: nil))
    func strange(_ metric: RouteMetric, _ kind: UInt8, service: UInt8 = 0) -> TableRoute {
      TableRoute(
        table: table, metric: metric,
        way: .strange(TableRoute.Strange(kind: kind, typeOfService: service, text: "strange")))
    }
    func steps(_ present: [TableRoute], selected: Set<TableID> = []) -> [Step] {
      var actual = Branch.kernel()
      actual.routes = Set(present)
      let desired = DesiredState(routes: [.floor(table), route], selectedTables: selected)
      return Planner.plan(desired: desired, actual: actual).steps
    }
    let floor = TableRoute.floor(table)
    #expect(steps([floor, strange(RouteMetric(20), 6)]) == [.putRoute(route)], "what it has is the same key")
    #expect(steps([strange(.floor, 9), route]) == [.putRoute(floor)], "a floor that lets through is none")
    for other in [strange(RouteMetric(5), 6), strange(RouteMetric(20), 1, service: 0x10)] {
      #expect(steps([floor, route, other]) == [.deleteRoute(other)])
    }
    #expect(steps([floor, route, strange(.active, 6)], selected: [table]).isEmpty, "that one the watch sees to")
    let ofOneService = strange(.active, 1, service: 0x10)
    #expect(steps([floor, route, ofOneService], selected: [table]) == [.deleteRoute(ofOneService)])
  }

  @Test func fromNothing() {
    let kernel = ModelKernel(Branch.kernel())
    let all = lines(Branch.ruleSet(tunnels: [Branch.gre]), kernel)
    let table = all.firstIndex(of: "nft -f - <<'EOF'") ?? all.endIndex
    #expect(
      all[..<table] == [
        "ip link add bh-fra-a mtu 1472 type gre local 192.0.2.2 remote 203.0.113.2 ttl 64 pmtudisc dev wan0 "
          + "fwmark 0x4000000 key 7",
        "ip link set bh-fra-a alias 'backhaul tunnel fra-a'",
        "sysctl -w net.ipv4.icmp_errors_use_inbound_ifaddr=1",
        "sysctl -w net.ipv4.conf.bh-fra-a.forwarding=1",
        "sysctl -w net.ipv4.conf.bh-fra-a.rp_filter=2",
        "sysctl -w net.ipv4.conf.bh-fra-a.src_valid_mark=1",
        "sysctl -w net.ipv6.conf.bh-fra-a.disable_ipv6=1",
        "sysctl -w net.ipv4.conf.lan0.src_valid_mark=1",
        "sysctl -w net.ipv4.conf.wan0.rp_filter=2",
        "sysctl -w net.ipv4.conf.wan0.src_valid_mark=1",
        "sysctl -w net.ipv4.conf.wan1.src_valid_mark=1",
        "ip address add 10.1.1.1/30 dev bh-fra-a",
        "ip route replace unreachable default table 7902 metric 4294967295 proto 201",
        "ip route replace unreachable default table 7904 metric 4294967295 proto 201",
        "ip route replace unreachable default table 7905 metric 4294967295 proto 201",
        "ip route replace unreachable default table 7906 metric 4294967295 proto 201",
        "ip route replace default via 192.0.2.1 dev wan0 table 7904 metric 10 proto 201",
        "ip route replace default via 198.51.100.1 dev wan1 table 7905 metric 10 proto 201",
        "ip rule add priority 9200 fwmark 0x1000000/0x7f000000 lookup main protocol 201",
        "ip rule add priority 9210 not fwmark 0x0/0x7f000000 lookup main suppress_prefixlength 0 protocol 201",
        "ip rule add priority 9220 fwmark 0x6000000/0x7f000000 lookup 7906 protocol 201",
        "ip rule add priority 9220 fwmark 0x2000000/0x7f000000 lookup 7902 protocol 201",
        "ip rule add priority 9220 fwmark 0x4000000/0x7f000000 lookup 7904 protocol 201",
        "ip rule add priority 9220 fwmark 0x5000000/0x7f000000 lookup 7905 protocol 201",
      ])
    #expect(
      all[table...].prefix(4) == [
        "nft -f - <<'EOF'", "table inet backhaul", "delete table inet backhaul", "table inet backhaul {",
      ])
    // What ties packets to the SA, or to their way, is in place before the way is.
    #expect(
      all.suffix(3) == [
        "EOF", "ip link set bh-fra-a up", "ip route replace default dev bh-fra-a table 7902 metric 10 proto 201",
      ])
  }

  @Test func aTunnelGetsAnotherFarEndOnceNftablesKnowsIt() throws {
    let before = Branch.secureRuleSet(tunnels: [Branch.protected])
    var model = ModelKernel(Branch.secureKernel())
    try model.apply(Planner.plan(desired: Branch.secureCompiler(before).compile(), actual: model.state).steps)
    var after = before
    after.hubs[0].address = "203.0.113.99"
    let steps = Planner.plan(
      desired: Branch.secureCompiler(after, model.state).compile(), actual: model.state
    ).steps
    let guarded = try #require(steps.firstIndex { if case .changeNftTable = $0 { true } else { false } })
    let changed = try #require(steps.firstIndex { if case .changeTunnel = $0 { true } else { false } })
    #expect(guarded < changed)
  }

  @Test func aNewLeaseChangesTheTunnelAndTheRoute() throws {
    var model = try running()
    model.state.addresses["wan0"] = ["192.0.2.77/24"]
    model.state.mainDefaults[0].gateway = "192.0.2.254"
    #expect(
      lines(model) == [
        "ip link change bh-fra-a type gre local 192.0.2.77 remote 203.0.113.2 ttl 64 pmtudisc dev wan0 "
          + "fwmark 0x4000000 key 7",
        "ip link set bh-fra-a alias 'backhaul tunnel fra-a'",
        "ip route replace default via 192.0.2.254 dev wan0 table 7904 metric 10 proto 201",
      ])
  }

  @Test func anotherEncapsulationIsAnotherDevice() throws {
    let model = try running()
    var ruleSet = Branch.ruleSet()
    ruleSet.tunnels[0].kind = .ipip
    let all = lines(ruleSet, model)
    #expect(all.first == "ip link delete bh-fra-a")
    #expect(all.dropFirst().first?.hasPrefix("ip link add bh-fra-a mtu 1480 type ipip") == true)
    #expect(all.contains("ip address add 10.1.1.1/30 dev bh-fra-a"))
    #expect(
      all.contains("ip route replace default dev bh-fra-a table 7902 metric 10 proto 201"), "it went with the device")
  }

  @Test func onlyElementsThatDiffer() throws {
    let model = try running(Branch.ruleSet(direct: ["198.18.0.0/15", "203.0.113.0/24"]))
    #expect(
      lines(Branch.ruleSet(direct: ["203.0.113.0/24", "203.0.114.0/24", "198.18.0.0/15"]), model) == [
        "nft -f - <<'EOF'",
        "delete element inet backhaul direct { 203.0.113.0/24 }",
        "add element inet backhaul direct { 203.0.113.0-203.0.114.255 }",
        "EOF",
      ])
  }

  @Test func theLastDirectDestinationTakesTheSetWithIt() throws {
    let all = try lines(Branch.ruleSet(direct: []), running())
    #expect(all.first == "nft -f - <<'EOF'" && all.last == "EOF")
    #expect(
      all.filter { $0.contains("@direct") || $0.contains("set inet backhaul direct") } == [
        "delete set inet backhaul direct"
      ])
    // What used it goes first, and no chain is rewritten.
    let set = try #require(all.firstIndex(of: "delete set inet backhaul direct"))
    let rest = all[1..<set].filter { !$0.contains("left_direct") && !$0.contains("left_by") }
    #expect(rest.allSatisfy { $0.hasPrefix("delete rule inet backhaul ") }, "\(all)")
    #expect(all.count < 20, "\(all)")
  }

  @Test func activeRoutesBelongToTheWatch() throws {
    var model = try running()
    let flipped = TableRoute(table: TableID(7906), metric: .active, way: .out(device: "wan1", gateway: "198.51.100.1"))
    try model.apply(.putRoute(flipped))
    #expect(lines(model).isEmpty)
    let gone = Branch.ruleSet(rules: [])
    #expect(
      lines(gone, model).suffix(3) == [
        "ip rule del priority 9220 fwmark 0x6000000/0x7f000000 lookup 7906 protocol 201",
        "ip route del default via 198.51.100.1 dev wan1 table 7906 metric 10 proto 201",
        "ip route del unreachable default table 7906 metric 4294967295 proto 201",
      ], "the floor is the last to go")
  }

  @Test func addsBeforeItDeletes() throws {
    let model = try running()
    var ruleSet = Branch.ruleSet(tunnels: [Branch.ipip, Branch.external])
    ruleSet.backhaulRules[0].egress.paths = ["fra-b"]
    let compiler = Branch.compiler(
      ruleSet, Branch.configuration(), model.state,
      after: Branch.compiler().layout.slots)
    let plan = Planner.plan(desired: compiler.compile(), actual: model.state)
    #expect(plan.deleting.last == .deleteDevice("bh-fra-a"))
    for step in plan.creating {
      switch step {
      case .deleteDevice, .deleteRoute, .deleteRule, .deleteNftTable: Issue.record("deletes early: \(step)")
      default: break
      }
    }
  }

  @Test func aRenamedTunnelMakesRoomFirst() throws {
    var model = try running()
    var ruleSet = Branch.ruleSet()
    ruleSet.tunnels[0].name = "paris"
    ruleSet.paths[0] = Path(name: "fra-a", way: .tunnel("paris"))
    let compiler = Branch.compiler(ruleSet, Branch.configuration(), model.state, after: Branch.compiler().layout.slots)
    let plan = Planner.plan(desired: compiler.compile(), actual: model.state)
    #expect(plan.steps.first == .deleteDevice("bh-fra-a"), "the kernel allows only one with the same ends and key")
    try model.apply(plan.steps)
    #expect(model.state.links["bh-paris"]?.isUp == true)
  }

  @Test func tunnelsThatSwapTheirKeys() throws {
    var other = Branch.gre
    other.name = "fra-c"
    other.kind = .gre(key: 8)
    other.innerLocal = nil
    var model = try running(Branch.ruleSet(tunnels: [Branch.gre, other]))
    var ruleSet = Branch.ruleSet(tunnels: [Branch.gre, other])
    ruleSet.tunnels[0].kind = .gre(key: 8)
    ruleSet.tunnels[1].kind = .gre(key: 7)
    let compiler = Branch.compiler(ruleSet, Branch.configuration(), model.state)
    try model.apply(Planner.plan(desired: compiler.compile(), actual: model.state).steps)
    #expect(model.state.links["bh-fra-a"]?.tunnel?.encapsulation == .gre(key: 8))
    #expect(model.state.links["bh-fra-c"]?.tunnel?.encapsulation == .gre(key: 7))
  }

  @Test func addressesOfOurDevices() throws {
    var model = try running()
    model.state.addresses["bh-fra-a"] = ["10.1.1.1/30", "10.8.0.1/24"]
    #expect(lines(model) == ["ip address del 10.8.0.1/24 dev bh-fra-a"])
    model.state.addresses["bh-fra-a"] = ["10.1.1.2/30"]
    #expect(
      lines(model) == [
        "ip address del 10.1.1.2/30 dev bh-fra-a",
        "ip address add 10.1.1.1/30 dev bh-fra-a",
        "ip route replace default dev bh-fra-a table 7902 metric 10 proto 201",
      ], "as a secondary it would go with its primary; and routes go with the last address")
    model.state.addresses["bh-fra-a"] = ["10.7.0.1/30"]
    #expect(
      lines(model) == ["ip address add 10.1.1.1/30 dev bh-fra-a", "ip address del 10.7.0.1/30 dev bh-fra-a"],
      "add before delete")
  }

  @Test func settingsAreRememberedAndPutBack() throws {
    var model = try running(Branch.ruleSet(tunnels: [Branch.external]), Branch.withWireGuard(Branch.kernel()))
    #expect(model.remembered[InterfaceSetting("wan0", .reversePathFilter)] == 1)
    let all = lines(Branch.ruleSet(tunnels: []), model)
    #expect(all.last == "sysctl -w net.ipv4.conf.wg0.src_valid_mark=0")
    #expect(!all.contains { $0.contains("wan0.rp_filter") }, "still needed")
    model.delete("wg0")
    #expect(!lines(Branch.ruleSet(tunnels: []), model).contains { $0.hasPrefix("sysctl") && $0.contains("wg0") })
  }

  @Test func teardownLeavesTheKernelAsItWas() throws {
    let before = Branch.withWireGuard(Branch.kernel())
    var model = try running(Branch.ruleSet(tunnels: [Branch.gre, Branch.ipip, Branch.external]), before)
    try model.apply(
      .putRoute(TableRoute(table: TableID(7907), metric: .active, way: .out(device: "wg0", gateway: nil))))
    try model.apply(Planner.teardown(actual: model.state, remembered: model.remembered).steps)
    #expect(model.state == before)
    #expect(Planner.teardown(actual: model.state, remembered: model.remembered).isEmpty)
  }

  @Test func foreignDevicesAreNeverTouched() throws {
    var model = ModelKernel(Branch.kernel())
    model.state.links["bh-fra-a"] = Link(index: InterfaceIndex(8), isUp: false, hasCarrier: false, mtu: 1300)
    model.state.addresses["bh-fra-a"] = ["10.99.0.1/24"]
    #expect(!lines(model).contains { $0.hasPrefix("ip ") && $0.contains("bh-fra-a") })
    #expect(Planner.teardown(actual: model.state, remembered: [:]).isEmpty)
  }

  @Test func rulesThatDifferInTheirDestination() {
    func rule(_ destination: IPv4Prefix?) -> RoutingRule {
      RoutingRule(
        priority: RulePriority(9230), source: "192.0.2.2/32", destination: destination,
        action: .lookup(TableID(7904), suppressPrefixLength: nil))
    }
    let kernel = ActualState(rules: [rule("203.0.113.2/32"), rule(nil)])
    let plan = Planner.plan(
      desired: DesiredState(rules: [rule("203.0.113.3/32"), rule("203.0.113.2/32")]), actual: kernel)
    #expect(
      PlanText().lines(plan) == [
        "ip rule add priority 9230 from 192.0.2.2/32 to 203.0.113.3/32 lookup 7904 protocol 201",
        "ip rule del priority 9230 from 192.0.2.2/32 lookup 7904 protocol 201",
      ])
  }

  @Test func namesWithDotsInSysctls() {
    let step = Step.changeSettings([InterfaceSetting("eth0.100", .reversePathFilter): 2])
    #expect(PlanText().lines(step) == ["sysctl -w net/ipv4/conf/eth0.100/rp_filter=2"])
  }
}
