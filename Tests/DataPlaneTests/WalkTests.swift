internal import RuleSets
import Testing

@testable import Core

/// Where packets go on a router that runs a rule set.
@Suite struct WalkTests {
  private let internet: IPv4Address = "8.8.8.8"
  private let host: IPv4Address = "192.168.10.50"

  private func router(
    _ ruleSet: RuleSet, active: RuleSelection.Choice?, _ kernel: ActualState = Branch.withWireGuard(Branch.kernel())
  ) throws -> ActualState {
    var model = ModelKernel(kernel)
    let before = Branch.compiler(ruleSet, Branch.configuration(), kernel)
    try model.apply(Planner.plan(desired: before.compile(), actual: kernel).steps)
    let after = EdgeCompiler(before.layout, model.state)
    for rule in ruleSet.backhaulRules {
      if let route = active.flatMap({ after.activeRoute(of: rule.name, for: $0) }) { try model.apply(.putRoute(route)) }
    }
    return model.state
  }

  private func rule(_ change: (inout BackhaulRule) -> Void = { _ in }) -> BackhaulRule {
    var rule = Branch.office
    change(&rule)
    return rule
  }

  private func ruleSet(_ change: (inout BackhaulRule) -> Void = { _ in }) -> RuleSet {
    Branch.ruleSet(tunnels: [Branch.gre, Branch.ipip, Branch.external], rules: [rule(change)])
  }

  private func fromHost(
    to destination: IPv4Address? = nil, _ tracking: Packet.Tracking = .connection(.original, mark: 0, isNew: true)
  ) -> Packet {
    Packet(incoming: "lan0", source: host, destination: destination ?? internet, tracking: tracking)
  }

  private func left(_ device: InterfaceName, via gateway: Gateway? = nil) -> PacketFate.End {
    .left(device, gateway: gateway)
  }

  @Test func trafficOfTheSourcesGoesThroughTheHub() throws {
    let fate = PacketWalk(try router(ruleSet(), active: .path("fra-a"))).fate(of: fromHost())
    #expect(fate.end == left("bh-fra-a"))
    #expect(!fate.isMasqueraded)
    #expect(fate.packet.connectionMark == 0x200_0000)
    #expect(fate.outer.first?.end == left("wan0", via: "192.0.2.1"), "the outer packet by the tunnel's uplink")
    #expect(fate.outer.first?.packet.mark == 0, "and without the inner one's mark")
  }

  @Test func outerPacketsUseTheirOwnUplinkWhateverMainPrefers() throws {
    let fate = PacketWalk(try router(ruleSet(), active: .path("fra-b"))).fate(of: fromHost())
    #expect(fate.devices == ["bh-fra-b", "wan1"])
  }

  @Test func aSharedRouteTakesEachPairOfAddressesByOneWayAndAllByThoseThatAreUp() throws {
    var state = try router(ruleSet(), active: .localWAN("wan1"))
    let table = Branch.compiler(ruleSet()).layout.table(.egress("office"))
    let active = try #require(state.routes.first { $0.table == table && $0.metric == .active })
    state.routes.remove(active)
    var shared = active
    shared.way = .shared([
      .init(device: "wan0", gateway: "192.0.2.1", weight: 1), .init(device: "wan1", gateway: "198.51.100.1", weight: 3),
    ])
    state.routes.insert(shared)
    func ends() -> [PacketFate.End] {
      let walk = PacketWalk(state)
      return (UInt32(0)..<16).map { host in
        var packet = fromHost()
        packet.source = IPv4Address(value: 0xc0a8_0a40 + host)
        return walk.fate(of: packet).end
      }
    }
    let both = ends()
    #expect(both.count { $0 == left("wan0", via: "192.0.2.1") } == 4)
    #expect(both.count { $0 == left("wan1", via: "198.51.100.1") } == 12)
    #expect(ends() == both, "the same pair goes the same way")
    state.links["wan1"]?.isUp = false
    #expect(ends().allSatisfy { $0 == left("wan0", via: "192.0.2.1") })
  }

  @Test func withTheHubGoneItLeavesByTheLocalWAN() throws {
    let fate = PacketWalk(try router(ruleSet(), active: .localWAN("wan1"))).fate(of: fromHost())
    #expect(fate.end == left("wan1", via: "198.51.100.1"))
    #expect(fate.isMasqueraded)
  }

  @Test func withoutAnyWayTheFloorHolds() throws {
    #expect(PacketWalk(try router(ruleSet(), active: nil)).fate(of: fromHost()).end == .unreachable)
  }

  @Test func moreSpecificRoutesOfMainAreKept() throws {
    let siteToSite = TableRoute(
      table: .main, destination: "10.50.0.0/16", metric: RouteMetric(0), way: .out(device: "wg0", gateway: nil))
    let walk = PacketWalk(try router(ruleSet(), active: .path("fra-a")), mainRoutes: [siteToSite])
    #expect(walk.fate(of: fromHost(to: "10.50.1.1")).end == left("wg0"))
    #expect(walk.fate(of: fromHost(to: "10.51.1.1")).end == left("bh-fra-a"))
  }

  @Test func directDestinationsNeverGoThroughAHub() throws {
    let walk = PacketWalk(try router(ruleSet(), active: .path("fra-a")))
    let fate = walk.fate(of: fromHost(to: "198.18.0.9"))
    #expect(fate.end == left("wan0", via: "192.0.2.1"))
    #expect(fate.isMasqueraded)
    let bypass = try #require(fate.packet.connectionMark)
    let answer = Packet(
      incoming: "wan0", source: "198.18.0.9", destination: host,
      tracking: .connection(.reply, mark: bypass, isNew: false))
    #expect(walk.fate(of: answer).end == left("lan0"))
  }

  @Test func anIPRuleMayAskForADestination() throws {
    var state = try router(ruleSet(), active: .path("fra-a"))
    state.rules.insert(
      RoutingRule(
        priority: RulePriority(9200), source: "192.0.2.2/32", destination: "203.0.113.2/32",
        action: .lookup(TableID(7906), suppressPrefixLength: nil)), at: 0)
    let walk = PacketWalk(state)
    func own(to destination: IPv4Address, from source: IPv4Address = "192.0.2.2") -> Packet {
      Packet(incoming: nil, source: source, destination: destination)
    }
    let table = TableRoute(
      table: TableID(7906), metric: .active, way: .out(device: "wan1", gateway: "198.51.100.1"))
    #expect(state.routes.contains(table))
    #expect(walk.fate(of: own(to: "203.0.113.2")).devices == ["wan1"])
    #expect(walk.fate(of: own(to: "203.0.113.3")).devices == ["wan0"])
    #expect(walk.fate(of: own(to: "203.0.113.2", from: "192.168.10.1")).devices == ["wan0"])
  }

  @Test func otherHostsTrafficIsNotOurs() throws {
    let walk = PacketWalk(try router(ruleSet(), active: .path("fra-a")))
    let fate = walk.fate(of: Packet(incoming: "lan0", source: "192.168.99.9", destination: internet))
    #expect(fate.end == left("wan0", via: "192.0.2.1"))
    #expect((fate.packet.mark, fate.packet.connectionMark) == (0, 0))
    #expect(!fate.isMasqueraded)
  }

  @Test func bitsOfOtherSoftwareAreKept() throws {
    var packet = fromHost(to: nil, .connection(.original, mark: 0x8000_0001, isNew: true))
    packet.mark = 0x8000_0003
    let fate = PacketWalk(try router(ruleSet(), active: .path("fra-a"))).fate(of: packet)
    #expect(fate.packet.connectionMark == 0x8200_0001)
    #expect(fate.packet.mark & 0x80ff_ffff == 0x8000_0003)
  }

  @Test func theRoutersOwnTrafficNeverEntersATunnel() throws {
    for active: RuleSelection.Choice? in [.path("fra-a"), .localWAN("wan1"), nil] {
      let walk = PacketWalk(try router(ruleSet { $0.sources.prefixes = [.all] }, active: active))
      let own = Packet(incoming: nil, source: "192.168.10.1", destination: internet)
      #expect(walk.fate(of: own).devices == ["wan0"])
    }
  }

  @Test func answersLeaveByTheTunnelTheirQuestionCameBy() throws {
    let walk = PacketWalk(try router(ruleSet(), active: .path("fra-a")))
    for (device, mark): (InterfaceName, UInt32) in [("bh-fra-b", 0x300_0000), ("wg0", 0x400_0000)] {
      let question = walk.fate(of: Packet(incoming: device, source: internet, destination: host))
      #expect(question.end == left("lan0"))
      #expect(question.packet.connectionMark == mark)
      #expect(question.packet.mark == 0, "the mark of arrival was for the lookup alone")
      #expect(walk.fate(of: fromHost(to: nil, .connection(.reply, mark: mark, isNew: false))).end == left(device))

      let ping = walk.fate(of: Packet(incoming: device, source: internet, destination: "192.168.10.1"))
      #expect(ping.end == .delivered)
      #expect(ping.packet.connectionMark == mark)
      let pong = Packet(
        incoming: nil, source: "192.168.10.1", destination: internet,
        tracking: .connection(.reply, mark: mark, isNew: false))
      #expect(walk.fate(of: pong).devices.first == device)
    }
  }

  @Test func answersByATunnelPassTheReversePathCheck() throws {
    for all in 0...2 {
      var kernel = Branch.withWireGuard(Branch.kernel())
      kernel.settings[InterfaceSetting("all", .reversePathFilter)] = all
      for fallback in Egress.Fallback.allCases {
        let walk = PacketWalk(
          try router(
            ruleSet {
              $0.egress.fallback = fallback; $0.egress.paths = ["fra-a", "fra-b", "wg"]
            }, active: .path("fra-a"), kernel))
        for (device, mark): (InterfaceName, UInt32) in [
          ("bh-fra-a", 0x200_0000), ("bh-fra-b", 0x300_0000), ("wg0", 0x400_0000),
        ] {
          let answer = Packet(
            incoming: device, source: internet, destination: host,
            tracking: .connection(.reply, mark: mark, isNew: false))
          #expect(walk.fate(of: answer).end == left("lan0"), "\(device) \(fallback) rp_filter \(all)")
        }
      }
    }
  }

  @Test func answersFromDirectDestinationsComeThroughWhileARuleIsBlocked() throws {
    for all in 0...2 {
      var kernel = Branch.kernel()
      kernel.settings[InterfaceSetting("all", .reversePathFilter)] = all
      let walk = PacketWalk(try router(ruleSet { $0.egress.fallback = .block }, active: nil, kernel))
      let answer = Packet(
        incoming: "wan0", source: "198.18.0.9", destination: host,
        tracking: .connection(.reply, mark: 0x100_0000, isNew: false))
      #expect(walk.fate(of: answer).end == left("lan0"), "rp_filter \(all)")
    }
  }

  @Test func aConnectionOfAnotherWayIsNeverSentAsItIs() throws {
    let walk = PacketWalk(try router(ruleSet(), active: .localWAN("wan0")))
    let old = walk.fate(of: fromHost(to: nil, .connection(.original, mark: 0x200_0000, isNew: false)))
    #expect(old.end == .dropped("made on another way than uplink wan0"))
    for tracking: Packet.Tracking in [.invalid, .untracked] {
      #expect(walk.fate(of: fromHost(to: nil, tracking)).end == .dropped("cannot be translated"))
    }
  }

  @Test func drainKeepsLiveConnectionsOnTheirWay() throws {
    let live = fromHost(to: nil, .connection(.original, mark: 0x300_0000, isNew: false))
    let drain = PacketWalk(try router(ruleSet { $0.egress.failback = .drain }, active: .path("fra-a")))
    #expect(drain.fate(of: live).devices == ["bh-fra-b", "wan1"])
    #expect(drain.fate(of: fromHost()).end == left("bh-fra-a"))
    let move = PacketWalk(try router(ruleSet(), active: .path("fra-a")))
    #expect(move.fate(of: live).end == .dropped("made on another way than tunnel fra-a"), "until it is deleted")
  }

  @Test func ipv6() throws {
    func fate(_ state: ActualState, by device: InterfaceName) -> PacketFate.End {
      PacketWalk(state).fate(
        of: Packet(incoming: "lan0", source: host, destination: internet, isIPv6: true, boundDevice: device)
      ).end
    }
    let local = try router(ruleSet(), active: .path("fra-a"))
    #expect(fate(local, by: "wan0") == left("wan0"))
    #expect(fate(local, by: "bh-fra-a") == .rejected("no IPv6 by a tunnel"))
    #expect(fate(local, by: "wg0") == .rejected("no IPv6 by a tunnel"))
    let block = try router(ruleSet { $0.ipv6 = .block }, active: .path("fra-a"))
    for device: InterfaceName in ["wan0", "wan1", "wwan9"] {
      #expect(fate(block, by: device) == .prohibited, "also by an uplink that nobody has configured")
    }
    var withoutTable = block
    withoutTable.nftTable = nil
    #expect(fate(withoutTable, by: "wan0") == .prohibited)
    var withoutIPRules = block
    withoutIPRules.rules = []
    #expect(fate(withoutIPRules, by: "wan0") == .rejected("rule office: no IPv6"))
    #expect(fate(withoutIPRules, by: "wan1") == .rejected("rule office: no IPv6"))
    let site = Packet(
      incoming: "lan0", source: host, destination: internet, isIPv6: true, boundDevice: "wg0", hasSpecificRoute: true)
    withoutTable.links["wg0"] = nil
    #expect(PacketWalk(withoutTable).fate(of: site).end == left("wg0"), "a site's own route is kept")
  }

  @Test func segmentsFitTheTunnel() throws {
    let walk = PacketWalk(try router(ruleSet(), active: .path("fra-b")))
    var syn = fromHost()
    syn.isTCPSYN = true
    #expect(walk.fate(of: syn).segmentSize == 1440)
    let back = Packet(
      incoming: "bh-fra-b", source: internet, destination: host, isTCPSYN: true,
      tracking: .connection(.reply, mark: 0x300_0000, isNew: false))
    #expect(walk.fate(of: back).segmentSize == 1440)
  }

  @Test func probesGoByTheirPathWhateverTheRulesChoose() throws {
    let state = try router(ruleSet(), active: .localWAN("wan0"))
    let compiler = Branch.compiler(ruleSet(), Branch.configuration(), state)
    for path in compiler.layout.ruleSet.paths {
      let binding = try #require(compiler.binding(of: path))
      let probe = Packet(
        incoming: nil, source: try #require(binding.source), destination: internet, mark: binding.mark.value,
        boundDevice: binding.device)
      #expect(PacketWalk(state).fate(of: probe).devices.first == binding.device)
    }
  }

  @Test func nothingGoesBackByTheTunnelItCameBy() throws {
    let walk = PacketWalk(try router(ruleSet(), active: .path("fra-a")))
    let stray = Packet(incoming: "bh-fra-a", source: internet, destination: "172.16.9.9")
    #expect(walk.fate(of: stray).end == .dropped("never back by tunnel fra-a"))
  }

  @Test func aBlockRuleHoldsWithoutOurTable() throws {
    for active: RuleSelection.Choice? in [.path("fra-a"), nil] {
      var state = try router(ruleSet { $0.egress.fallback = .block }, active: active)
      state.nftTable = nil
      #expect(PacketWalk(state).fate(of: fromHost()).end == (active == nil ? .unreachable : left("bh-fra-a")))
      #expect(PacketWalk(state).fate(of: fromHost(to: "192.168.10.1")).end == .delivered)
    }
  }

  @Test func aBlockRuleHoldsWithoutOurIPRules() throws {
    var state = try router(ruleSet { $0.egress.fallback = .block }, active: .path("fra-a"))
    state.rules = []
    #expect(PacketWalk(state).fate(of: fromHost()).end == .dropped("rule office: block"))
  }

  @Test func anUplinkThatABlockRuleListsIsAWayOfItsOwn() throws {
    let block = ruleSet {
      $0.egress.fallback = .block; $0.egress.paths = ["fra-a", "lte"]
    }
    let walk = PacketWalk(try router(block, active: .path("lte")))
    #expect(walk.fate(of: fromHost()).end == left("wan1", via: "198.51.100.1"))
    #expect(PacketWalk(try router(block, active: nil)).fate(of: fromHost()).end == .unreachable)
    var unmarked = try router(block, active: nil)
    unmarked.rules = []
    unmarked.nftTable?.chains.removeAll { $0.name == "classify" }
    unmarked.mainDefaults.removeFirst()
    #expect(
      PacketWalk(unmarked).fate(of: fromHost()).end == .dropped("rule office: block"), "but not for main's own use")
  }

  @Test func theFirstRuleThatTakesTheSourceDecides() throws {
    let open = rule {
      $0.name = "boss"; $0.sources = Sources(prefixes: ["192.168.10.50/32"])
    }
    let rest = rule { $0.egress.fallback = .block }
    let state = try router(Branch.ruleSet(rules: [open, rest]), active: .localWAN("wan0"))
    #expect(PacketWalk(state).fate(of: fromHost()).end == left("wan0", via: "192.0.2.1"))
    let other = Packet(incoming: "lan0", source: "192.168.10.51", destination: internet)
    #expect(PacketWalk(state).fate(of: other).end == .dropped("rule office: block"))
  }

  @Test func theTraceReadsLikeTheOperatorsTools() throws {
    let fate = PacketWalk(try router(ruleSet(), active: .path("fra-b"))).fate(of: fromHost())
    #expect(
      fate.trace == [
        "classify: iifname \"lan0\" meta nfproto ipv4 goto lan comment \"LAN lan0\"",
        "lan: goto sort comment \"of any other\"",
        "sort: jump steer comment \"by the rules\"",
        "steer: iifname \"lan0\" ip saddr @source_office meta mark set meta mark & 0x87ffffff | 0x07000000 return "
          + "comment \"rule office\"",
        "sort: ip daddr != @groups meta mark & 0x7f000000 vmap @taken_by "
          + "comment \"taken, by rule\"",
        "taken_office: counter comment \"egress office\"",
        "ip rule 9220: table 7907: 0.0.0.0/0 dev bh-fra-b",
        "pass: meta nfproto ipv4 meta mark & 0x7f000000 vmap @onward comment \"what may have settled\"",
        "on_office: goto through comment \"not settled, or by another way\"",
        "through: iifname \"lan0\" meta nfproto ipv4 goto sent comment \"LAN lan0\"",
        "sent: jump outward comment \"what may leave, and what it is bound to\"",
        "outward: oifname vmap @leaves_by comment \"by a tunnel\"",
        "into_bh-fra-b: ct mark & 0x7f000000 == 0x00000000 meta mark & 0x7f000000 != 0x00000000 "
          + "meta mark & 0x7f000000 != 0x01000000 ct mark set ct mark & 0x83ffffff | 0x03000000 "
          + "comment \"leaves by tunnel fra-b\"",
        "sent: meta mark & 0x7f000000 vmap @passed_by comment \"passed, by rule\"",
        "passed_office: counter comment \"egress office\"",
        "count: meta mark & 0x7f000000 vmap @left_by comment \"left, by rule\"",
        "left_office: counter comment \"egress office\"",
      ])
  }
}
