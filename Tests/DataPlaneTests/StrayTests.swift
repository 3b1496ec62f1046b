internal import RuleSets
import Testing

@testable import Core

/// A prefix of a strict rule is held wherever it comes from, and nothing else is.
@Suite struct StrayTests {
  private let internet: IPv4Address = "8.8.8.8"
  private let host: IPv4Address = "192.168.10.50"

  private func rule(_ change: (inout BackhaulRule) -> Void = { _ in }) -> BackhaulRule {
    var rule = Branch.office
    rule.egress.fallback = .block
    change(&rule)
    rule.egress.name = rule.name
    return rule
  }

  /// lan0 has become enp3s0, which we have not been told.
  private func renamed() -> ActualState {
    var state = Branch.withWireGuard(Branch.kernel())
    state.links["enp3s0"] = state.links.removeValue(forKey: "lan0")
    state.addresses["enp3s0"] = state.addresses.removeValue(forKey: "lan0")
    return state
  }

  private func router(
    _ rules: [BackhaulRule], active: RuleSelection.Choice?, _ kernel: ActualState, guarding: Bool = false,
    lans: [InterfaceName] = ["lan0"]
  ) throws -> ActualState {
    let ruleSet = Branch.ruleSet(tunnels: [Branch.gre, Branch.ipip, Branch.external], rules: rules)
    var model = ModelKernel(kernel)
    let compiler = Branch.compiler(ruleSet, Branch.configuration(lans: lans), kernel)
    let desired = guarding ? compiler.compileGuard() : compiler.compile()
    try model.apply(Planner.plan(desired: desired, actual: kernel).steps)
    let after = EdgeCompiler(compiler.layout, model.state)
    for rule in rules {
      if let route = active.flatMap({ after.activeRoute(of: rule.name, for: $0) }) { try model.apply(.putRoute(route)) }
    }
    return model.state
  }

  private func fate(
    _ state: ActualState, from source: IPv4Address? = nil, in incoming: InterfaceName,
    to destination: IPv4Address? = nil, _ tracking: Packet.Tracking = .connection(.original, mark: 0, isNew: true)
  ) -> PacketFate {
    PacketWalk(state).fate(
      of: Packet(
        incoming: incoming, source: source ?? host, destination: destination ?? internet, tracking: tracking))
  }

  private func isOut(_ fate: PacketFate) -> Bool { fate.devices.contains { $0 == "wan0" || $0 == "wan1" } }

  @Test func aRenamedLANIsSteeredAndGuarded() throws {
    let steered = fate(try router([rule()], active: .path("fra-a"), renamed()), in: "enp3s0")
    #expect(steered.devices == ["bh-fra-a", "wan0"])
    #expect(steered.packet.connectionMark == 0x200_0000, "bound to its tunnel")
    let blocked = try router([rule()], active: nil, renamed())
    #expect(fate(blocked, in: "enp3s0").end == .unreachable)
    var withoutIPRules = blocked
    withoutIPRules.rules = []
    #expect(fate(withoutIPRules, in: "enp3s0").end == .dropped("rule office: block"))
    var withoutTable = blocked
    withoutTable.nftTable = nil
    #expect(fate(withoutTable, in: "enp3s0").end == .unreachable)
    let guarded = try router([rule()], active: nil, renamed(), guarding: true)
    #expect(fate(guarded, in: "enp3s0").end == .unreachable)
    withoutTable = guarded
    withoutTable.nftTable = nil
    #expect(fate(withoutTable, in: "enp3s0").end == .unreachable)
  }

  @Test func anotherLANThatARuleDoesNotNameIsNoWayAround() throws {
    var kernel = Branch.withWireGuard(Branch.kernel())
    kernel.links["lan1"] = Link(index: InterfaceIndex(8), isUp: true, hasCarrier: true, mtu: 1500)
    let steered = try router([rule()], active: .path("fra-a"), kernel, lans: ["lan0", "lan1"])
    #expect(fate(steered, in: "lan1").devices == ["bh-fra-a", "wan0"])
    var blocked = try router([rule()], active: nil, kernel, lans: ["lan0", "lan1"])
    #expect(fate(blocked, in: "lan1").end == .unreachable)
    blocked.rules = []
    #expect(fate(blocked, in: "lan1").end == .dropped("rule office: block"))
    let guests = rule {
      $0.name = "guests"
      $0.sources = Sources(interfaces: ["lan1"], prefixes: ["192.168.0.0/16"])
      $0.egress.fallback = .localWAN
    }
    let both = try router([rule(), guests], active: .localWAN("wan0"), kernel, lans: ["lan0", "lan1"])
    #expect(fate(both, in: "lan1").end == .left("wan0", gateway: "192.0.2.1"), "its own rule comes first")
    let early = try router([rule(), guests], active: nil, kernel, guarding: true, lans: ["lan0", "lan1"])
    #expect(fate(early, in: "lan1").end == .left("wan0", gateway: "192.0.2.1"), "and is not steered before the agent")
  }

  @Test func aRuleThatMayFallBackHoldsOnItsLANsAlone() throws {
    let state = try router([Branch.office], active: .path("fra-a"), renamed())
    #expect(fate(state, in: "enp3s0").end == .left("wan0", gateway: "192.0.2.1"))
    #expect(state.nftTable?.chains.contains { $0.name == "stray" } == false)
  }

  @Test func answersGoBackAndDirectDestinationsAreReached() throws {
    let state = try router([rule()], active: .path("fra-a"), renamed())
    #expect(
      fate(state, in: "enp3s0", .connection(.reply, mark: 0x300_0000, isNew: false)).devices == ["bh-fra-b", "wan1"])
    #expect(fate(state, in: "enp3s0", to: "198.18.0.9").end == .left("wan0", gateway: "192.0.2.1"))
    let answer = fate(
      state, from: internet, in: "bh-fra-a", to: host, .connection(.reply, mark: 0x200_0000, isNew: false))
    #expect(answer.end == .left("enp3s0", gateway: nil))
  }

  @Test func theRoutersOwnPacketsFromTheLANsAddressAreNotHeld() throws {
    for active: RuleSelection.Choice? in [.path("fra-a"), nil] {
      for isFlushed in [false, true] {
        var state = try router([rule()], active: active, Branch.withWireGuard(Branch.kernel()))
        if isFlushed { state.nftTable = nil }
        let own = Packet(incoming: nil, source: "192.168.10.1", destination: internet)
        #expect(PacketWalk(state).fate(of: own).devices == ["wan0"])
        let answer = fate(
          state, from: internet, in: "wan0", to: "192.168.10.1", .connection(.reply, mark: 0, isNew: false))
        #expect(answer.end == .delivered, "flushed: \(isFlushed)")
      }
    }
  }

  @Test func whatComesByAWayOutIsNoSource() throws {
    let everything = rule { $0.sources = Sources(prefixes: [.all]) }
    let state = try router([everything], active: .path("fra-a"), Branch.withWireGuard(Branch.kernel()))
    for device: InterfaceName in ["wg0", "wan1"] {
      let fate = fate(state, from: "10.9.0.7", in: device)
      #expect(fate.end == .left("wan0", gateway: "192.0.2.1"), "\(device): \(fate.trace)")
      #expect((fate.packet.mark, fate.isMasqueraded) == (0, false))
    }
    #expect(fate(state, in: "docker0").devices == ["bh-fra-a", "wan0"], "whatever it comes from")
  }

  /// Other software's ip rules may match the whole mark, as `ip rule add fwmark 1` does.
  @Test func whatNoBeltHoldsKeepsItsMarkAsItIs() throws {
    let state = try router([rule()], active: nil, Branch.withWireGuard(Branch.kernel()))
    var guest = Packet(incoming: "lan0", source: "192.168.99.9", destination: internet)
    guest.mark = 1
    let fate = PacketWalk(state).fate(of: guest)
    #expect(fate.end == .left("wan0", gateway: "192.0.2.1"))
    #expect(!fate.trace.contains { $0.contains("no rule takes it") && $0.contains("set") }, "\(fate.trace)")
  }

  @Test func aLANOfAnotherStrictRuleIsNotFreedByWiderBelts() throws {
    let prefixes = scattered(100)
    let many = rule {
      $0.name = "many"
      $0.sources = Sources(interfaces: ["lan0"], prefixes: prefixes)
    }
    let whole = rule { $0.sources = Sources(interfaces: ["lan1"]) }
    var kernel = Branch.withWireGuard(Branch.kernel())
    kernel.links["lan1"] = Link(index: InterfaceIndex(8), isUp: true, hasCarrier: true, mtu: 1500)
    let state = try router([many, whole], active: nil, kernel, lans: ["lan0", "lan1"])
    let stranger = try strange(prefixes)
    for tracking: Packet.Tracking in [
      .connection(.original, mark: 0, isNew: true), .connection(.reply, mark: 0, isNew: false),
    ] {
      #expect(fate(state, from: stranger, in: "lan1", tracking).end == .unreachable)
    }
  }

  // MARK: More prefixes than belts

  /// Scattered over 10.0.0.0/8, so that belts also hold hosts outside any prefix.
  private func scattered(_ count: UInt32) -> [IPv4Prefix] {
    (0..<count).compactMap {
      IPv4Prefix(containing: IPv4Address(value: 0x0a00_0000 | ($0 &* 2_654_435_761) >> 8), length: 24)
    }
  }

  private func strange(_ prefixes: [IPv4Prefix]) throws -> IPv4Address {
    let cover = PrefixCover.cover(prefixes, limit: Belts.maximum)
    let ranges = AddressRanges.merged(prefixes)
    return try #require(
      (0..<65_536).lazy.map { IPv4Address(value: 0x0a00_0009 | $0 << 8) }.first { address in
        cover.contains { $0.contains(address) } && !AddressRanges.contain(address, ranges)
      })
  }

  @Test(arguments: [100, 5_000] as [UInt32]) func noneOfThemLeavesByAnUplink(_ count: UInt32) throws {
    let prefixes = scattered(count)
    let many = rule { $0.sources.prefixes = prefixes }
    for guarding in [false, true] {
      var state = try router([many], active: nil, Branch.withWireGuard(Branch.kernel()), guarding: guarding)
      let hosts = prefixes.map { IPv4Address(value: $0.address.value | 7) }
      let walk = PacketWalk(state)
      #expect(
        !hosts.prefix(200).contains {
          isOut(walk.fate(of: Packet(incoming: "lan0", source: $0, destination: internet)))
        })
      state.nftTable = nil
      let bare = PacketWalk(state)
      for incoming: InterfaceName in ["lan0", "enp3s0"] {
        #expect(
          !hosts.contains { isOut(bare.fate(of: Packet(incoming: incoming, source: $0, destination: internet))) })
      }
      #expect(state.rules.count { $0.source != nil } <= 2 * Belts.maximum)
    }
  }

  @Test func aHostThatNoRuleTakesGoesAsMainSays() throws {
    let prefixes = scattered(100)
    let stranger = try strange(prefixes)
    let many = rule { $0.sources.prefixes = prefixes }
    for all in 0...2 {
      for guarding in [false, true] {
        var kernel = Branch.withWireGuard(Branch.kernel())
        kernel.addresses["lan0"] = ["10.0.0.1/8"]
        kernel.links["wan9"] = Link(index: InterfaceIndex(19), isUp: true, hasCarrier: true, mtu: 1500)
        kernel.addresses["wan9"] = ["203.0.113.99/24"]
        kernel.mainDefaults.insert(
          MainDefault(device: "wan9", gateway: "203.0.113.1", metric: RouteMetric(300)), at: 2)
        for key in InterfaceSetting.Key.allCases { kernel.settings[InterfaceSetting("wan9", key)] = 0 }
        kernel.settings[InterfaceSetting("all", .reversePathFilter)] = all
        let state = try router([many], active: nil, kernel, guarding: guarding)
        let out = fate(state, from: stranger, in: "lan0")
        #expect(out.end == .left("wan0", gateway: "192.0.2.1"))
        #expect((out.packet.mark, out.packet.connectionMark, out.isMasqueraded) == (0, 0, false))
        for device: InterfaceName in all == 1 ? ["wan0"] : ["wan0", "wan1", "wan9"] {
          let back = fate(state, from: internet, in: device, to: stranger, .connection(.reply, mark: 0, isNew: false))
          #expect(back.end == .left("lan0", gateway: nil), "by \(device), rp_filter \(all), guard: \(guarding)")
        }
      }
    }
  }

  @Test func itIsExplainedAsTakenByNoRule() throws {
    let prefixes = scattered(100)
    var kernel = Branch.kernel()
    kernel.addresses["lan0"] = ["10.0.0.1/8"]
    let compiler = Branch.compiler(
      Branch.ruleSet(rules: [rule { $0.sources.prefixes = prefixes }]), Branch.configuration(), kernel)
    let explanation = try PacketExplainer(compiler, choices: ["office": .blocked]).explain(
      try PacketQuestion(
        source: "\(try strange(prefixes))", destination: "\(internet)", service: nil, incoming: "lan0"))
    #expect(explanation.taker == .nobody)
    #expect(explanation.outcome == .localWAN && explanation.device == "wan0")
  }

  @Test func aGotoIsNeverThereWithoutWhatItLeadsTo() throws {
    let kernel = Branch.kernel()
    let strict = Branch.compiler(Branch.ruleSet(rules: [rule()]), Branch.configuration(), kernel)
    var model = ModelKernel(kernel)
    let own = Packet(incoming: nil, source: "192.168.10.1", destination: internet)
    for step in Planner.plan(desired: strict.compile(), actual: kernel).steps {
      try model.apply(step)
      #expect(PacketWalk(model.state).fate(of: own).devices == ["wan0"], "after \(step)")
    }
    for step in Planner.teardown(actual: model.state, remembered: model.remembered).steps {
      try model.apply(step)
      #expect(PacketWalk(model.state).fate(of: own).devices == ["wan0"], "after \(step)")
    }
    #expect(model.state.rules.isEmpty)
  }
}
