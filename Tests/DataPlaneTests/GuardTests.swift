internal import RuleSets
import Testing

@testable import Core

/// What holds before the agent starts.
@Suite struct GuardTests {
  private let internet: IPv4Address = "8.8.8.8"
  private let host: IPv4Address = "192.168.10.50"

  private func rule(_ change: (inout BackhaulRule) -> Void = { _ in }) -> BackhaulRule {
    var rule = Branch.office
    rule.egress.fallback = .block
    change(&rule)
    rule.egress.name = rule.name
    return rule
  }

  /// A router at boot, or in any other state, on which the guard has run.
  private func guarded(_ ruleSet: RuleSet, _ kernel: ActualState = Branch.kernel()) throws -> ActualState {
    var model = ModelKernel(kernel)
    let compiler = Branch.compiler(ruleSet, Branch.configuration(), kernel)
    try model.apply(Planner.guardPlan(desired: compiler.compileGuard(), actual: kernel).steps)
    return model.state
  }

  private func fate(
    _ state: ActualState, to destination: IPv4Address? = nil, from source: IPv4Address? = nil
  ) -> PacketFate {
    PacketWalk(state).fate(of: Packet(incoming: "lan0", source: source ?? host, destination: destination ?? internet))
  }

  @Test func strictSourcesLeaveByNoUplink() throws {
    let state = try guarded(Branch.ruleSet(rules: [rule()]))
    #expect(fate(state).end == .unreachable)
    var withoutIPRules = state
    withoutIPRules.rules = []
    #expect(fate(withoutIPRules).end == .dropped("rule office: block"), "another may delete them: networkd does")
    for direct: [IPv4Prefix] in [[], ["198.18.0.0/15"]] {
      var withoutTable = try guarded(Branch.ruleSet(rules: [rule()], direct: direct))
      withoutTable.nftTable = nil
      #expect(fate(withoutTable).end == .unreachable, "someone flushed the ruleset; direct: \(direct)")
    }
  }

  @Test func theAnswerOfADirectDestinationMayWaitForTheAgentWhereAnUplinkComesLate() throws {
    let ruleSet = Branch.ruleSet(rules: [rule()])
    var early = Branch.kernel()
    early.links["wan1"] = nil
    let compiler = Branch.compiler(ruleSet, Branch.configuration(), early)
    #expect(
      compiler.compileGuard().settings == [
        InterfaceSetting("lan0", .sourceValidMark): 1, InterfaceSetting("wan0", .sourceValidMark): 1,
      ])
  }

  @Test func settingsAreTheLastThatTheGuardChanges() throws {
    let kernel = Branch.kernel()
    let compiler = Branch.compiler(Branch.ruleSet(rules: [rule()]), Branch.configuration(), kernel)
    let plan = Planner.guardPlan(desired: compiler.compileGuard(), actual: kernel)
    guard case .changeSettings? = plan.steps.last else { return #expect(Bool(false), "\(plan.steps)") }
  }

  @Test func anUplinkOfTheRulesOwnWaitsForItsVerdict() throws {
    let state = try guarded(Branch.ruleSet(rules: [rule { $0.egress.paths = ["fra-a", "lte"] }]))
    #expect(fate(state).end == .unreachable)
  }

  @Test func otherTrafficFollowsTheMainTable() throws {
    let guests = rule {
      $0.name = "guests"
      $0.egress.fallback = .localWAN
      $0.sources = Sources(prefixes: ["192.168.20.0/24"])
    }
    let state = try guarded(Branch.ruleSet(rules: [guests, rule()]))
    let free = fate(state, from: "192.168.20.9")
    #expect(free.end == .left("wan0", gateway: "192.0.2.1"))
    #expect((free.packet.mark, free.packet.connectionMark) == (0, 0))
    #expect(fate(state).end == .unreachable)
    #expect(fate(state, from: "192.168.99.9").end == .left("wan0", gateway: "192.0.2.1"))
    let own = Packet(incoming: nil, source: "192.168.10.1", destination: internet)
    #expect(PacketWalk(state).fate(of: own).devices == ["wan0"])
  }

  @Test func directDestinationsAreReached() throws {
    let state = try guarded(Branch.ruleSet(rules: [rule()]))
    let direct = fate(state, to: "198.18.0.9")
    #expect(direct.end == .left("wan0", gateway: "192.0.2.1"))
    #expect(direct.isMasqueraded)
    let bypass = try #require(direct.packet.connectionMark)
    let answer = Packet(
      incoming: "wan0", source: "198.18.0.9", destination: host,
      tracking: .connection(.reply, mark: bypass, isNew: false))
    #expect(PacketWalk(state).fate(of: answer).end == .left("lan0", gateway: nil), "past a strict reverse-path check")
  }

  @Test func beforeAnyDeviceIsThereTheGuardIsTheSame() throws {
    let ruleSet = Branch.ruleSet(rules: [rule()])
    let early = Branch.compiler(ruleSet, Branch.configuration(), ActualState()).compileGuard()
    let plan = Planner.guardPlan(desired: early, actual: ActualState())
    #expect(plan.steps.count { if case .replaceNftTable = $0 { true } else { false } } == 1)
    #expect(plan.firstDeletion == plan.steps.count)
    #expect(early.tunnels.isEmpty && early.settings.isEmpty && early.routes.allSatisfy { $0.way == .unreachable })
  }

  @Test func aSecondRunAddsNothing() throws {
    let ruleSet = Branch.ruleSet(rules: [rule()])
    let state = try guarded(ruleSet)
    let again = Branch.compiler(ruleSet, Branch.configuration(), state).compileGuard()
    #expect(Planner.guardPlan(desired: again, actual: state).isEmpty)
  }

  @Test func anAgentsDataPlaneIsLeftAsItIs() throws {
    let ruleSet = Branch.ruleSet(rules: [rule()])
    var model = ModelKernel(Branch.kernel())
    let agent = Branch.compiler(ruleSet, Branch.configuration(), model.state)
    try model.apply(Planner.plan(desired: agent.compile(), actual: model.state).steps)
    let compiler = EdgeCompiler(agent.layout, model.state)
    #expect(Planner.guardPlan(desired: compiler.compileGuard(), actual: model.state).isEmpty)
    var emptied = model.state
    emptied.nftTable?.chains.removeAll { $0.name == "guard" }
    #expect(!Planner.guardPlan(desired: compiler.compileGuard(), actual: emptied).isEmpty)
    var asleep = model.state
    asleep.nftTable?.flags = 1
    #expect(!Planner.guardPlan(desired: compiler.compileGuard(), actual: asleep).isEmpty, "it holds nothing back")
    var unhooked = model.state
    let index = try #require(unhooked.nftTable?.chains.firstIndex { $0.name == "pass" })
    unhooked.nftTable?.chains[index].hook = nil
    #expect(!Planner.guardPlan(desired: compiler.compileGuard(), actual: unhooked).isEmpty, "no packet comes by")
  }

  @Test func theAgentTakesOverWithoutADeletion() throws {
    let ruleSet = Branch.ruleSet(rules: [rule()])
    let state = try guarded(ruleSet)
    let compiler = Branch.compiler(ruleSet, Branch.configuration(), state)
    let plan = Planner.plan(desired: compiler.compile(), actual: state)
    #expect(plan.deleting.isEmpty)
    for count in 0...plan.steps.count {
      var model = ModelKernel(state)
      try model.apply(Array(plan.steps.prefix(count)))
      #expect(!fate(model.state).devices.contains { $0 == "wan0" || $0 == "wan1" }, "after \(count) steps")
    }
  }

  @Test func whereNothingIsHeldBackNothingIsPut() throws {
    let free = Branch.compiler(Branch.ruleSet(rules: [Branch.office]))
    #expect(!free.needsGuard)
    #expect(Planner.guardPlan(desired: free.compileGuard(), actual: Branch.kernel()).isEmpty)
    let disabled = Branch.compiler(Branch.ruleSet(rules: [rule { $0.enabled = false }]))
    #expect(!disabled.needsGuard)
  }

  @Test func ipv6OfARuleThatBlocksItIsHeldBackWhateverItsFallback() throws {
    let state = try guarded(
      Branch.ruleSet(
        rules: [
          rule {
            $0.egress.fallback = .localWAN; $0.ipv6 = .block
          }
        ]))
    let packet = Packet(
      incoming: "lan0", source: host, destination: internet, isIPv6: true, boundDevice: "wan0")
    #expect(PacketWalk(state).fate(of: packet).end == .prohibited)
    var withoutIPRules = state
    withoutIPRules.rules = []
    #expect(PacketWalk(withoutIPRules).fate(of: packet).end == .rejected("rule office: no IPv6"))
    var withoutTable = state
    withoutTable.nftTable = nil
    #expect(PacketWalk(withoutTable).fate(of: packet).end == .prohibited)
    #expect(fate(state).end == .left("wan0", gateway: "192.0.2.1"))
  }
}

/// What holds if nobody knows which rules are strict.
@Suite struct DoubtTests {
  private let internet: IPv4Address = "8.8.8.8"
  private let host: IPv4Address = "192.168.10.50"

  private func held(_ kernel: ActualState = Branch.kernel()) throws -> ActualState {
    var model = ModelKernel(kernel)
    try model.apply(
      Planner.holdPlan(desired: .holdingEverything(Branch.configuration(), in: kernel), actual: kernel).steps)
    return model.state
  }

  private func fate(
    _ state: ActualState, _ incoming: InterfaceName? = "lan0", to: IPv4Address? = nil, isIPv6: Bool = false
  )
    -> PacketFate.End
  {
    PacketWalk(state).fate(
      of: Packet(
        incoming: incoming, source: host, destination: to ?? internet, isIPv6: isIPv6,
        boundDevice: isIPv6 ? "wan0" : nil)
    ).end
  }

  @Test func nothingThatIsForwardedLeavesByAnUplink() throws {
    let state = try held()
    #expect(fate(state) == .unreachable)
    for device: InterfaceName in ["lan0", "wan9", "enp3s0"] {
      #expect(fate(state, device, isIPv6: true) == .prohibited)
    }
    var withoutIPRules = state
    withoutIPRules.rules = []
    #expect(fate(withoutIPRules) == .dropped("held: no rule set can be read, uplink wan0"))
    var withoutTable = state
    withoutTable.nftTable = nil
    #expect(fate(withoutTable) == .unreachable)
  }

  @Test func theRouterItselfAndItsOtherNetworksGoOn() throws {
    let state = try held()
    let own = Packet(incoming: nil, source: "192.168.10.1", destination: internet)
    #expect(PacketWalk(state).fate(of: own).devices == ["wan0"])
    // The reverse-path check refuses what could not be answered.
    #expect(fate(state, "wan0", to: host) == .spoofed)
  }

  @Test func aSecondRunAddsNothingAndAnAgentsTableIsLeftAsItIs() throws {
    let state = try held()
    let desired = DesiredState.holdingEverything(Branch.configuration(), in: state)
    #expect(Planner.holdPlan(desired: desired, actual: state).isEmpty)
    var flushed = state
    flushed.nftTable = nil
    #expect(Planner.holdPlan(desired: desired, actual: flushed).steps.count == 1)
    var model = ModelKernel(Branch.kernel())
    let agent = Branch.compiler(Branch.ruleSet(rules: [Branch.office]))
    try model.apply(Planner.plan(desired: agent.compile(), actual: model.state).steps)
    #expect(Planner.holdPlan(desired: desired, actual: model.state).isEmpty)
  }

  /// Its own table replaces the other in one transaction, and no strict rule's traffic leaves meanwhile.
  @Test func theAgentTakesOverAndNothingIsLeftBehind() throws {
    var rule = Branch.office
    rule.egress.fallback = .block
    let state = try held()
    let compiler = Branch.compiler(Branch.ruleSet(rules: [rule]), Branch.configuration(), state)
    let plan = Planner.plan(desired: compiler.compile(), actual: state)
    for count in 0...plan.steps.count {
      var model = ModelKernel(state)
      try model.apply(Array(plan.steps.prefix(count)))
      let end = fate(model.state)
      #expect(end != .left("wan0", gateway: "192.0.2.1"), "after \(count) steps: \(end)")
    }
    var model = ModelKernel(state)
    try model.apply(plan.steps)
    #expect(Planner.plan(desired: compiler.compile(), actual: model.state).isEmpty)
    #expect(!model.state.rules.contains { $0.action == .unreachable })
  }

  /// A rule's LAN is no longer among those of the local configuration.
  @Test func interfacesOfStrictRulesAreHeldWhateverTheConfigurationSays() throws {
    var rule = Branch.office
    rule.egress.fallback = .block
    let ruleSet = Branch.ruleSet(rules: [rule], direct: [])
    var configuration = Branch.configuration()
    configuration.lans = ["lan7"]
    let covering = configuration.covering(ruleSet)
    #expect(covering.lans.contains("lan0") && covering.lans.contains("lan7"))
    configuration.uplinks.append(UplinkConfiguration(interface: "lan0"))
    #expect(!configuration.covering(ruleSet).lans.contains("lan0"), "an uplink is none")
  }
}

/// Which slot belongs to what, if the book is lost but the kernel is not.
@Suite struct SlotsReadBackTests {
  @Test func flowsKeepTheirMarks() throws {
    let configuration = Branch.configuration()
    let ruleSet = Branch.ruleSet(rules: [Branch.office])
    // As after a long time: nothing has the slot that a fresh book would give it.
    let owners = Layout.owners(ruleSet, configuration)
    let scattered = Dictionary(
      uniqueKeysWithValues: zip(owners, stride(from: 40, to: 0, by: -3).compactMap { Slot($0) }))
    let before = SlotBook(scattered)
    var model = ModelKernel(Branch.kernel())
    let compiler = EdgeCompiler(ruleSet, configuration, before, model.state)
    try model.apply(Planner.plan(desired: compiler.compile(), actual: model.state).steps)

    let readBack = SlotBook.readBack(from: model.state, ruleSet, configuration)
    let after = try #require(Layout.slots(ruleSet, configuration, after: readBack))
    for owner in owners { #expect(after[owner] == before[owner], "\(owner)") }
    // The kernel is asked about the rule that is there.
    let asked = SlotBook.marking(model.state, ruleSet, configuration).chains.flatMap(\.rules)
    let there = try #require(model.state.nftTable?.chains.first { $0.name == "steer" }?.rules)
    #expect(there.contains { $0.comment == "rule office" && asked.contains($0) })
    var unrecognised = model.state
    unrecognised.nftTable?.chains.removeAll { $0.name == "steer" }
    unrecognised.nftTable?.maps.removeAll { $0.name == EdgeCompiler.owners }
    let without = try #require(
      Layout.slots(ruleSet, configuration, after: .readBack(from: unrecognised, ruleSet, configuration)))
    let rule = try #require(without[.egress(Branch.office.name)])
    #expect(!scattered.values.contains(rule), "not known, but never another's")
  }

  /// A rule that has fallen back to an uplink also has a route by it, so it is not clear which table belongs to which.
  @Test func whatIsInUseGoesToNobodyElse() throws {
    let configuration = Branch.configuration()
    let ruleSet = Branch.ruleSet(rules: [Branch.office])
    let before = try #require(Layout.slots(ruleSet, configuration, after: SlotBook()))
    var model = ModelKernel(Branch.kernel())
    let compiler = EdgeCompiler(ruleSet, configuration, before, model.state)
    try model.apply(Planner.plan(desired: compiler.compile(), actual: model.state).steps)
    let table = try #require(compiler.layout.table(.egress(Branch.office.name)))
    try model.apply([
      .putRoute(TableRoute(table: table, metric: .active, way: .out(device: "wan0", gateway: "192.0.2.1")))
    ])
    let after = try #require(
      Layout.slots(
        ruleSet, configuration, after: SlotBook.readBack(from: model.state, ruleSet, configuration)))
    let inUse = Set(before.slots.values)
    for (owner, slot) in after.slots where before[owner] != slot { #expect(!inUse.contains(slot), "\(owner)") }
    for case .tunnel(let name) in before.slots.keys { #expect(after[.tunnel(name)] == before[.tunnel(name)]) }
  }

  @Test func anEmptyKernelSaysNothing() {
    let book = SlotBook.readBack(from: Branch.kernel(), Branch.ruleSet(rules: [Branch.office]), Branch.configuration())
    #expect(book == SlotBook())
  }
}
