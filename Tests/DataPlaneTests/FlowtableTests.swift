internal import RuleSets
import Testing

@testable import Core

/// The table of the flowtable: what it is, and when it comes and goes.
@Suite struct FlowtableTests {
  private static func configuration(_ lans: [InterfaceName] = ["lan0"]) -> AgentConfiguration {
    var configuration = Branch.configuration(lans: lans)
    configuration.kernel.usesFlowtable = true
    return configuration
  }

  private func table(
    _ ruleSet: RuleSet = Branch.ruleSet(), _ configuration: AgentConfiguration = configuration(),
    _ change: (inout ActualState) -> Void = { _ in }
  ) -> NftTable? {
    var kernel = Branch.kernel()
    change(&kernel)
    return Branch.compiler(ruleSet, configuration, kernel).compile().fastTable
  }

  @Test func readsLikeThis() throws {
    let layout = Branch.compiler(Branch.ruleSet(), Self.configuration()).layout
    func text(_ owner: SlotBook.Owner) throws -> String {
      "0x0" + String(try #require(layout.mark(owner)).value, radix: 16)
    }
    let bits = try text(.egress("office"))
    let (a, b) = (try text(.tunnel("fra-a")), try text(.tunnel("fra-b")))
    #expect(
      table()?.text == """
        table inet backhaul_fast {
        \tflowtable fast {
        \t\thook ingress priority filter
        \t\tdevices = { "bh-fra-a", "bh-fra-b", "lan0" }
        \t}

        \tmap fast_by {
        \t\ttype mark : verdict
        \t\telements = {
        \t\t\t\(bits) : goto fast_office,
        \t\t}
        \t}

        \tchain settled {
        \t\ttype filter hook forward priority 2147483647; policy accept;
        \t\tmeta nfproto ipv4 ct direction original ct state established meta mark & 0x7f000000 vmap @fast_by comment \
        "what has an egress"
        \t}

        \tchain fast_office {
        \t\tct mark & 0x7f000000 == \(bits) oifname "bh-fra-a" flow add @fast comment "has its way"
        \t\tct mark & 0x7f000000 == \(a) oifname "bh-fra-a" flow add @fast comment "has its way"
        \t\tct mark & 0x7f000000 == \(bits) oifname "bh-fra-b" flow add @fast comment "has its way"
        \t\tct mark & 0x7f000000 == \(b) oifname "bh-fra-b" flow add @fast comment "has its way"
        \t}
        }

        """)
  }

  @Test func isThereOnlyWhereItIsAskedForAndOfUse() {
    #expect(table(Branch.ruleSet(), Branch.configuration()) == nil, "by default")
    #expect(table { $0.links["lan0"] = nil } == nil, "no LAN")
    var draining = Branch.office
    draining.egress.failback = .drain
    #expect(table(Branch.ruleSet(rules: [draining])) == nil, "its connections stay bound to their tunnel")
    #expect(table(Branch.ruleSet(rules: [])) == nil)
    var uplinks = Branch.office
    uplinks.egress.paths = ["dsl", "lte"]
    #expect(table(Branch.ruleSet(rules: [uplinks])) == nil, "no tunnel")
  }

  @Test func hasNoUplinkAndNoPartOfAnotherDevice() {
    let lans: [InterfaceName] = ["lan0", "lan1", "lan2", "gone0"]
    var rule = Branch.office
    rule.sources = Sources(interfaces: [], prefixes: ["192.168.10.0/24"])
    let found = table(Branch.ruleSet(rules: [rule]), Self.configuration(lans)) { kernel in
      kernel.links["lan1"] = Link(
        index: InterfaceIndex(21), isUp: true, hasCarrier: true, mtu: 1500, stack: LinkStack(master: "br0"))
      kernel.links["lan2"] = Link(
        index: InterfaceIndex(22), isUp: true, hasCarrier: true, mtu: 1500, isInVRF: true)
    }
    #expect(found?.flowtables.first?.devices == ["bh-fra-a", "bh-fra-b", "lan0"])
  }

  @Test func aTunnelThatIsNotThereIsNoWay() {
    var rule = Branch.office
    rule.egress.paths = ["fra-a", "wg"]
    let ruleSet = Branch.ruleSet(tunnels: [Branch.gre, Branch.external], rules: [rule])
    func devices(_ change: (inout ActualState) -> Void) -> [InterfaceName]? {
      table(ruleSet, Self.configuration(), change)?.flowtables.first?.devices
    }
    #expect(devices { _ in } == ["bh-fra-a", "lan0"])
    #expect(devices { $0 = Branch.withWireGuard($0) } == ["bh-fra-a", "lan0", "wg0"])
  }

  @Test func comesBackWhenItIsChangedAndIsNoDifferenceWhileAllElseChanges() throws {
    var model = ModelKernel(Branch.kernel())
    let before = Branch.compiler(Branch.ruleSet(), Self.configuration())
    try model.apply(Planner.plan(desired: before.compile(), actual: model.state).steps)
    let wanted = try #require(model.state.fastTable)
    func lines(_ change: (inout ActualState) -> Void) -> [String] {
      var state = model.state
      change(&state)
      return Difference.all(
        desired: EdgeCompiler(before.layout, state).compile(), actual: state, remembered: model.remembered,
        ranges: KernelRanges(), active: [:]
      ).map(\.line)
    }
    func steps(_ change: (inout ActualState) -> Void) -> [Step] {
      var state = model.state
      change(&state)
      return Planner.plan(
        desired: EdgeCompiler(before.layout, state).compile(), actual: state, remembered: model.remembered
      ).steps
    }
    #expect(lines { _ in } == [])
    #expect(lines { $0.fastTable = nil } == ["+ nft table inet backhaul_fast"])
    #expect(steps { $0.fastTable = nil } == [.putFastTable(wanted)])
    #expect(
      lines { $0.fastTable?.flowtables = [NftFlowtable(name: "fast", devices: ["lan0"])] } == [
        "~ nft flowtable inet backhaul_fast fast { \"bh-fra-a\", \"bh-fra-b\", \"lan0\" }, not { \"lan0\" }"
      ])
    #expect(lines { $0.nftTable = nil } == ["+ nft table inet backhaul"], "it is only away for as long as that takes")
    let all = steps { $0.nftTable = nil }
    #expect(all.first == .deleteFastTable(table: wanted.name) && all.last == .putFastTable(wanted))
    let off = Branch.compiler(Branch.ruleSet(), Branch.configuration()).compile()
    let plan = Planner.plan(desired: off, actual: model.state, remembered: model.remembered)
    #expect(plan.steps == [.deleteFastTable(table: wanted.name)], "switched off")
  }

  @Test func theGuardLeavesItWhereItLeavesTheOtherTable() throws {
    var model = ModelKernel(Branch.kernel())
    var strict = Branch.office
    strict.egress.fallback = .block
    let compiler = Branch.compiler(Branch.ruleSet(rules: [strict]), Self.configuration())
    try model.apply(Planner.plan(desired: compiler.compile(), actual: model.state).steps)
    let desired = EdgeCompiler(compiler.layout, model.state).compileGuard()
    #expect(desired.fastTable == nil)
    #expect(Planner.guardPlan(desired: desired, actual: model.state).isEmpty)
    model.state.nftTable = nil
    #expect(
      Planner.guardPlan(desired: desired, actual: model.state).steps.first
        == .deleteFastTable(table: KernelRanges().fastTable))
  }
}
