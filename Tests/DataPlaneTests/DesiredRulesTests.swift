internal import RuleSets
import Testing

@testable import Core

@Suite struct DesiredRulesTests {
  private func lines(_ rules: [BackhaulRule]) -> [String] {
    Branch.compiler(Branch.ruleSet(rules: rules)).compile().rules.flatMap { PlanText().lines(.addRule($0)) }
  }

  @Test func readLikeTheOperatorsOwn() {
    #expect(
      lines([Branch.office]) == [
        "ip rule add priority 9200 fwmark 0x1000000/0x7f000000 lookup main protocol 201",
        "ip rule add priority 9210 not fwmark 0x0/0x7f000000 lookup main suppress_prefixlength 0 protocol 201",
        "ip rule add priority 9220 fwmark 0x6000000/0x7f000000 lookup 7906 protocol 201",
        "ip rule add priority 9220 fwmark 0x2000000/0x7f000000 lookup 7902 protocol 201",
        "ip rule add priority 9220 fwmark 0x3000000/0x7f000000 lookup 7903 protocol 201",
        "ip rule add priority 9220 fwmark 0x4000000/0x7f000000 lookup 7904 protocol 201",
        "ip rule add priority 9220 fwmark 0x5000000/0x7f000000 lookup 7905 protocol 201",
      ])
  }

  @Test func aBlockRuleWearsBelts() {
    var rule = Branch.office
    rule.egress.fallback = .block
    #expect(
      lines([rule]).suffix(4) == [
        "ip rule add priority 9230 iif lo goto 9299 protocol 201",
        "ip rule add priority 9280 from 192.168.10.0/24 lookup main suppress_prefixlength 0 protocol 201",
        "ip rule add priority 9290 from 192.168.10.0/24 lookup 7906 protocol 201",
        "ip rule add priority 9299 nop protocol 201",
      ])
    #expect(lines([rule]).contains("ip rule add priority 9206 fwmark 0x7f000000/0x7f000000 goto 9299 protocol 201"))
    rule.sources = Sources(interfaces: ["lan0"])
    #expect(lines([rule]).last == "ip rule add priority 9290 iif lan0 lookup 7906 protocol 201")
    #expect(!lines([rule]).contains { $0.contains("goto") }, "by a LAN they are exact")
  }

  @Test func ipv6ThatIsBlockedHasBeltsOfItsOwn() {
    var rule = Branch.office
    rule.ipv6 = .block
    let belts = [
      "ip -6 rule add priority 9280 iif lan0 lookup main suppress_prefixlength 3 protocol 201",
      "ip -6 rule add priority 9290 iif lan0 prohibit protocol 201",
    ]
    #expect(lines([rule]).suffix(2) == belts)
    var kernel = Branch.kernel()
    kernel.hasIPv6Rules = false
    let without = Branch.compiler(Branch.ruleSet(rules: [rule]), Branch.configuration(), kernel).compile()
    #expect(!without.rules.contains { $0.family == .ipv6 })
    #expect(without.nftTable?.chains.flatMap(\.rules).contains { $0.comment == "rule office: no IPv6" } == true)
  }

  @Test func whatTakesTheLANsPlaceIsHeldForIPv6Too() {
    var rule = Branch.office
    rule.ipv6 = .block
    var kernel = Branch.kernel()
    kernel.links["enp3s0"] = kernel.links.removeValue(forKey: "lan0")
    kernel.addresses["enp3s0"] = kernel.addresses.removeValue(forKey: "lan0")
    // Neither a device in another network nor a way out counts.
    kernel.addresses["docker0"] = ["172.17.0.1/16"]
    kernel.addresses["wan0"] = ["192.168.10.99/24"]
    let compiler = Branch.compiler(Branch.ruleSet(rules: [rule]), Branch.configuration(), kernel)
    #expect(compiler.ipv6Blocks.map(\.interface) == ["lan0", "enp3s0"])
  }

  @Test func twoBlockRulesOfOneSourceAskMainOnce() {
    var first = Branch.office
    first.egress.fallback = .block
    var second = first
    second.name = "again"
    let all = lines([first, second])
    #expect(Set(all).count == all.count, "the kernel refuses the same rule twice")
  }

  @Test func aRuleWithManyPrefixesHasWiderBelts() {
    var rule = Branch.office
    rule.egress.fallback = .block
    // The mark's goto, the router's own, and the nop.
    let others = lines([Branch.office]).count + 3
    rule.sources.prefixes = (0..<64).compactMap { IPv4Prefix(IPv4Address(value: 0x0a00_0000 + $0 << 9), length: 24) }
    #expect(lines([rule]).count == others + 128, "each prefix has its own")
    rule.sources.prefixes.append("10.255.0.0/24")
    let belts = lines([rule]).filter { $0.contains("9290") }
    #expect(belts.count == 33, "neighbours share one")
    #expect(belts.last == "ip rule add priority 9290 from 10.255.0.0/24 lookup 7906 protocol 201")
    func wider() -> [Int?] {
      let layout = Branch.compiler(Branch.ruleSet(rules: [rule])).layout
      return layout.activeEgresses.map { layout.belts.wider(than: $0) }
    }
    #expect(wider() == [33])
    rule.sources.prefixes.removeLast()
    #expect(wider() == [nil])
  }

  @Test func aDisabledRuleKeepsItsSlotAndNothingElse() {
    var rule = Branch.office
    rule.enabled = false
    var second = Branch.office
    second.name = "guests"
    second.egress.name = "guests"
    second.egress.holdDown = .seconds(5)
    let state = Branch.compiler(Branch.ruleSet(rules: [rule, second])).compile()
    #expect(state.selectedTables == [TableID(7907)])
    #expect(!state.rules.contains { $0.action == .lookup(TableID(7906), suppressPrefixLength: nil) })
    #expect(state.nftTable?.sets.map(\.name) == ["groups", "direct", "source_guests"])
  }

  @Test func everyTableHasItsFloor() {
    let state = Branch.compiler().compile()
    let floors = state.routes.filter { $0.way == .unreachable }.map(\.table)
    #expect(floors == (7902...7906).map { TableID($0) })
    #expect(state.routes.filter { $0.metric == .floor }.allSatisfy { $0.way == .unreachable })
  }

  @Test func ownersKeepTheirSlotsAndFreedOnesAreGivenLast() throws {
    let configuration = Branch.configuration()
    let book = try #require(Layout.slots(Branch.ruleSet(), configuration, after: SlotBook()))
    var later = Branch.ruleSet(tunnels: [Branch.ipip, Branch.external])
    let next = try #require(Layout.slots(later, configuration, after: book))
    #expect(next[.tunnel("fra-b")] == book[.tunnel("fra-b")])
    #expect(next[.egress("office")] == book[.egress("office")])
    #expect(next[.tunnel("wg")] == Slot(7), "2 was fra-a's until now, and flows may carry its mark")
    later.tunnels.append(Branch.gre)
    #expect(Layout.slots(later, configuration, after: next)?[.tunnel("fra-a")] == Slot(2))
    #expect(book.assigning(Layout.owners(later, configuration), of: 5) == nil, "6 owners, 4 slots")
  }
}

@Suite struct DesiredQueriesTests {
  @Test func probesAreTiedToDeviceMarkAndSource() {
    let compiler = Branch.compiler(
      Branch.ruleSet(tunnels: [Branch.gre, Branch.ipip, Branch.external]), Branch.configuration(),
      Branch.withWireGuard(Branch.kernel()))
    func binding(_ path: Name) -> PathBinding? {
      compiler.layout.path(named: path).flatMap { compiler.binding(of: $0) }
    }
    #expect(binding("fra-a") == PathBinding(device: "bh-fra-a", mark: Mark(value: 0x200_0000), source: "10.1.1.1"))
    #expect(binding("fra-b")?.source == "192.168.10.1", "unnumbered: the first LAN's")
    #expect(binding("wg")?.source == "10.9.0.2", "external: what its maker gave it")
    #expect(binding("lte") == PathBinding(device: "wan1", mark: Mark(value: 0x600_0000), source: "198.51.100.2"))
  }

  @Test func choicesBecomeRoutes() {
    let compiler = Branch.compiler(
      Branch.ruleSet(tunnels: [Branch.external]), Branch.configuration(), Branch.withWireGuard(Branch.kernel()))
    for choice: RuleSelection.Choice in [.path("wg"), .path("lte"), .localWAN("wan0")] {
      let route = compiler.activeRoute(of: "office", for: choice)
      #expect(route?.table == TableID(7905))
    }
    #expect(compiler.activeRoute(of: "office", for: .blocked) == nil)
  }
}

@Suite struct DesiredCheckTests {
  private func complaints(_ ruleSet: RuleSet, _ configuration: AgentConfiguration = Branch.configuration()) -> [String]
  {
    RuleSetCheck.complaints(ruleSet, configuration).map(\.description)
  }

  @Test func aFittingRuleSetHasNone() { #expect(complaints(Branch.ruleSet()).isEmpty) }

  @Test func everythingThatDoesNotFitAtOnce() {
    var ruleSet = Branch.ruleSet()
    ruleSet.device = "branch-018"
    ruleSet.tunnels[1].uplink = "wan7"
    ruleSet.paths.append(Path(name: "sat", way: .uplink("sat0")))
    ruleSet.backhaulRules[0].sources.interfaces = ["lan0", "lan9"]
    #expect(
      complaints(ruleSet) == [
        "device: expected branch-017, this router's name, found branch-018",
        "tunnels[1].uplink: expected an uplink of this router (wan0, wan1), found wan7",
        "paths[4].uplink: expected an uplink of this router (wan0, wan1), found sat0",
        "backhaul_rules[0].sources.interfaces[1]: expected a LAN interface of this router (lan0), found lan9",
      ])
  }

  @Test func aLANThatIsNotThereIsAWarning() {
    func warnings(_ fallback: Egress.Fallback, _ prefixes: [IPv4Prefix], present: Set<InterfaceName>) -> [String] {
      var rule = Branch.office
      rule.egress.fallback = fallback
      rule.sources.prefixes = prefixes
      return RuleSetCheck.missingLANs(
        Branch.ruleSet(rules: [rule]), Branch.configuration(lans: ["lan0", "lan1"]), present: present
      ).map(\.description)
    }
    #expect(warnings(.block, [], present: ["lan0", "lan1", "lo"]).isEmpty)
    let place = "backhaul_rules[0].sources.interfaces[0]: this machine has no interface lan0: "
    #expect(
      warnings(.block, ["192.168.10.0/24"], present: ["enp3s0"]) == [
        place
          + "traffic from the prefixes of rule office is steered and held whichever interface it comes in by; "
          + "nothing else that comes in by another interface is",
        "lans: this machine has no interface lan1",
      ])
    #expect(
      warnings(.block, [], present: ["lan1"]) == [
        place + "nothing that comes in by another interface is steered or held by rule office"
      ])
    #expect(
      warnings(.localWAN, [], present: ["lan1"]) == [
        place + "nothing that comes in by another interface is steered by rule office"
      ])
  }

  @Test func devicesThatClash() {
    var twin = Branch.gre
    twin.name = "fra-c"
    var long = Branch.ipip
    long.name = "a-tunnel-with-a-long-name"
    let lan = Tunnel(name: "odd", kind: .external(device: "lan0"), hub: "fra")
    let same = Tunnel(name: "same", kind: .external(device: "bh-fra-a"), hub: "fra")
    #expect(
      complaints(Branch.ruleSet(tunnels: [Branch.gre, twin, long, lan, same])) == [
        "tunnels[1]: same kind, uplink, hub address and key as tunnel fra-a: the kernel allows only one such tunnel",
        "tunnels[2].name: expected at most 12 characters, since the device is called bh-a-tunnel-with-a-long-name, "
          + "found 25",
        "tunnels[3].device: lan0 is a LAN or an uplink of this router",
        "tunnels[4].device: tunnel fra-a has the device bh-fra-a already",
      ])
  }

  @Test func tooFewSlots() {
    var configuration = Branch.configuration()
    configuration.kernel.tables = 7900...7904
    #expect(
      complaints(Branch.ruleSet(), configuration) == [
        "5 tunnels, uplinks and egresses in all, but kernel.mark_mask and the table range in the local "
          + "configuration have room for only 3"
      ])
  }
}
