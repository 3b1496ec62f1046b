import Testing

@testable import Core

/// What holds before there is an agent.
@Suite struct GuardTests {
  private let internet: IPv4Address = "8.8.8.8"
  private let host: IPv4Address = "192.168.10.50"

  private func rule(_ change: (inout BackhaulRule) -> Void = { _ in }) -> BackhaulRule {
    var rule = Branch.office
    rule.fallback = .block
    change(&rule)
    return rule
  }

  /// A router at boot, or in whatever state it is, on which the guard was put.
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
    var withoutTable = try guarded(Branch.ruleSet(rules: [rule()], direct: []))
    #expect(fate(withoutTable).end == .unreachable)
    withoutTable.steering = nil
    #expect(fate(withoutTable).end == .unreachable)
  }

  @Test func anUplinkOfTheRulesOwnWaitsForItsVerdict() throws {
    let state = try guarded(Branch.ruleSet(rules: [rule { $0.paths = ["fra-a", "lte"] }]))
    #expect(fate(state).end == .unreachable)
  }

  @Test func othersGoAsTheMainTableSays() throws {
    let guests = rule {
      $0.name = "guests"
      $0.fallback = .localWAN
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
    #expect(plan.steps.count { if case .replaceSteering = $0 { true } else { false } } == 1)
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
    let compiler = DesiredStateCompiler(agent.layout, model.state)
    #expect(Planner.guardPlan(desired: compiler.compileGuard(), actual: model.state).isEmpty)
    var emptied = model.state
    emptied.steering?.chains.removeAll { $0.name == "guard" }
    #expect(!Planner.guardPlan(desired: compiler.compileGuard(), actual: emptied).isEmpty)
    var asleep = model.state
    asleep.steering?.flags = 1
    #expect(!Planner.guardPlan(desired: compiler.compileGuard(), actual: asleep).isEmpty, "it holds nothing back")
    var unhooked = model.state
    let index = try #require(unhooked.steering?.chains.firstIndex { $0.name == "pass" })
    unhooked.steering?.chains[index].hook = nil
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
            $0.fallback = .localWAN; $0.ipv6 = .block
          }
        ]))
    let packet = Packet(
      incoming: "lan0", source: host, destination: internet, isIPv6: true, boundDevice: "wan0")
    #expect(PacketWalk(state).fate(of: packet).end == .rejected("rule office: no IPv6"))
    #expect(fate(state).end == .left("wan0", gateway: "192.0.2.1"))
  }
}
