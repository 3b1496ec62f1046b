internal import RuleSets
import Testing

@testable import Core

/// Where packets go on a router with IPsec tunnels and a private line.
@Suite struct IPsecWalkTests {
  private let internet: IPv4Address = "8.8.8.8"
  private let host: IPv4Address = "192.168.10.50"
  private let hub: IPv4Address = "203.0.113.2"
  private let wanWay = PacketFate.End.left("wan0", gateway: "192.0.2.1")
  private let lineWay = PacketFate.End.left("mpls0", gateway: "10.99.0.1")

  private func router(
    _ ruleSet: RuleSet = Branch.secureRuleSet(), active: RuleSelection.Choice? = nil,
    _ change: (inout ActualState) -> Void = { _ in }
  ) throws -> ActualState {
    var kernel = Branch.secureKernel()
    change(&kernel)
    var model = ModelKernel(kernel)
    let before = Branch.secureCompiler(ruleSet, kernel)
    try model.apply(Planner.plan(desired: before.compile(), actual: kernel).steps)
    let after = EdgeCompiler(before.layout, model.state)
    for rule in ruleSet.backhaulRules {
      if let route = active.flatMap({ after.activeRoute(of: rule.name, for: $0) }) { try model.apply(.putRoute(route)) }
    }
    return model.state
  }

  private func fromHost(
    to destination: IPv4Address? = nil, _ tracking: Packet.Tracking = .connection(.original, mark: 0, isNew: true)
  ) -> Packet {
    Packet(incoming: "lan0", source: host, destination: destination ?? internet, tracking: tracking)
  }

  // MARK: IKE and ESP

  @Test func outerPacketsLeaveByTheirTunnelsUplinkWhateverMainPrefersAndWhateverTheirMark() throws {
    for active: RuleSelection.Choice? in [.path("fra-s"), .path("fra-g"), .underlay("mpls0"), nil] {
      let walk = PacketWalk(try router(active: active))
      // The mark that ESP inherits from the inner packet: none, the rule's, a tunnel's, an uplink's.
      for mark: UInt32 in [0, 0x600_0000, 0x200_0000, 0x300_0000, 0x400_0000, 0x500_0000] {
        for (local, end): (IPv4Address, PacketFate.End) in [("192.0.2.2", wanWay), ("10.99.0.2", lineWay)] {
          let esp = Packet(incoming: nil, source: local, destination: hub, protocolNumber: 50, mark: mark)
          #expect(walk.fate(of: esp).end == end, "\(String(describing: active)), mark \(mark)")
        }
      }
    }
  }

  @Test func otherPacketsFromTheUplinksAddressGoByMain() throws {
    let walk = PacketWalk(try router(active: .path("fra-s")))
    for source: IPv4Address in ["192.0.2.2", "10.99.0.2"] {
      #expect(walk.fate(of: Packet(incoming: nil, source: source, destination: "203.0.113.3")).end == wanWay)
    }
    #expect(walk.fate(of: Packet(incoming: nil, source: "192.168.10.1", destination: hub)).end == wanWay)
  }

  @Test func aRouteToTheHubThatTheOperatorHasSetIsKept() throws {
    let route = TableRoute(
      table: .main, destination: "203.0.113.0/24", metric: RouteMetric(0),
      way: .out(device: "mpls0", gateway: "10.99.0.9"))
    let walk = PacketWalk(try router(), mainRoutes: [route])
    let esp = Packet(incoming: nil, source: "192.0.2.2", destination: hub, protocolNumber: 50)
    #expect(walk.fate(of: esp).end == .left("mpls0", gateway: "10.99.0.9"))
  }

  @Test func whatTheHubSendsPassesTheReversePathCheckOnEitherUplink() throws {
    for filter in 0...2 {
      let state = try router(active: .path("fra-s")) {
        for name: InterfaceName in ["wan0", "mpls0"] {
          $0.settings[InterfaceSetting(name, .reversePathFilter)] = filter
        }
      }
      for (device, local): (InterfaceName, IPv4Address) in [("wan0", "192.0.2.2"), ("mpls0", "10.99.0.2")] {
        let esp = Packet(incoming: device, source: hub, destination: local, protocolNumber: 50)
        #expect(PacketWalk(state).fate(of: esp).end == .delivered, "\(device), rp_filter \(filter)")
      }
    }
  }

  // MARK: An IPsec tunnel

  @Test func trafficOfTheSourcesGoesIntoTheXFRMInterface() throws {
    let fate = PacketWalk(try router(active: .path("fra-s"))).fate(of: fromHost())
    #expect(fate.end == .left("bh-fra-s", gateway: nil))
    #expect(!fate.isMasqueraded)
    #expect(fate.packet.connectionMark == 0x200_0000)
    #expect(fate.outer.isEmpty, "its outer packets are the security associations' to make")
  }

  @Test func answersByItPassTheReversePathCheck() throws {
    let walk = PacketWalk(try router(active: .path("fra-s")))
    let answer = Packet(
      incoming: "bh-fra-s", source: internet, destination: host, wasEncrypted: true,
      tracking: .connection(.reply, mark: 0x200_0000, isNew: false))
    #expect(walk.fate(of: answer).end == .left("lan0", gateway: nil))
    let question = walk.fate(of: Packet(incoming: "bh-fra-s", source: internet, destination: host, wasEncrypted: true))
    #expect(question.packet.connectionMark == 0x200_0000)
    let back = fromHost(to: nil, .connection(.reply, mark: 0x200_0000, isNew: false))
    #expect(walk.fate(of: back).end == .left("bh-fra-s", gateway: nil), "by the tunnel that it came by")
  }

  @Test func theRoutersOwnTrafficNeverEntersATunnel() throws {
    for active: RuleSelection.Choice? in [.path("fra-s"), .path("fra-g"), .underlay("mpls0"), nil] {
      let walk = PacketWalk(try router(Branch.secureRuleSet { $0.sources.prefixes = [.all] }, active: active))
      for source: IPv4Address in ["192.168.10.1", "192.0.2.2"] {
        #expect(walk.fate(of: Packet(incoming: nil, source: source, destination: internet)).devices == ["wan0"])
      }
    }
  }

  // MARK: A protected tunnel

  @Test func whileItsSAIsThereItsOuterPacketsLeaveEncrypted() throws {
    let fate = PacketWalk(try router(active: .path("fra-g")), encrypted: ["bh-fra-g"]).fate(of: fromHost())
    #expect(fate.devices == ["bh-fra-g", "mpls0"])
    #expect(fate.outer.first?.end == lineWay)
  }

  @Test func withoutItsSANothingLeavesInTheClear() throws {
    let state = try router(active: .path("fra-g"))
    let fate = PacketWalk(state).fate(of: fromHost())
    #expect(fate.outer.first?.end == .dropped("tunnel fra-g: never in the clear"))
    let probe = Packet(
      incoming: nil, source: "10.1.4.1", destination: "10.1.4.2", mark: 0x300_0000, boundDevice: "bh-fra-g")
    #expect(PacketWalk(state).fate(of: probe).outer.first?.end == .dropped("tunnel fra-g: never in the clear"))
  }

  @Test func nothingIsTakenInTheClear() throws {
    let walk = PacketWalk(try router(active: .path("fra-g")))
    func gre(from source: IPv4Address, encrypted: Bool, _ number: UInt8 = 47) -> PacketFate.End {
      walk.fate(
        of: Packet(
          incoming: "mpls0", source: source, destination: "10.99.0.2", protocolNumber: number, wasEncrypted: encrypted)
      ).end
    }
    #expect(gre(from: hub, encrypted: false) == .dropped("tunnel fra-g: came in the clear"))
    #expect(gre(from: hub, encrypted: true) == .delivered)
    #expect(gre(from: hub, encrypted: false, 50) == .delivered, "ESP itself, and IKE")
    #expect(gre(from: hub, encrypted: false, 17) == .delivered)
    #expect(gre(from: "10.99.0.1", encrypted: false) == .delivered, "another's GRE is not ours to judge")
  }

  // MARK: A private line

  @Test func inTheClearTheSourcesKeepTheirAddresses() throws {
    let fate = PacketWalk(try router(active: .underlay("mpls0"))).fate(of: fromHost())
    #expect(fate.end == lineWay)
    #expect(!fate.isMasqueraded, "the far end knows them")
    #expect(fate.packet.connectionMark == 0x500_0000)
  }

  @Test func answersByTheLineComeIn() throws {
    for filter in 0...2 {
      let state = try router(active: .underlay("mpls0")) {
        $0.settings[InterfaceSetting("all", .reversePathFilter)] = filter
      }
      let answer = Packet(
        incoming: "mpls0", source: internet, destination: host,
        tracking: .connection(.reply, mark: 0x500_0000, isNew: false))
      #expect(PacketWalk(state).fate(of: answer).end == .left("lan0", gateway: nil), "rp_filter \(filter)")
    }
  }

  @Test func withoutTunnelAndLineTheFloorHolds() throws {
    #expect(PacketWalk(try router()).fate(of: fromHost()).end == .unreachable)
  }

  @Test func nothingOfTheSourcesLeavesByTheWAN() throws {
    let noMarks: (inout ActualState) -> Void = { $0.nftTable = nil }
    let noRules: (inout ActualState) -> Void = { $0.rules = [] }
    for active: RuleSelection.Choice? in [.path("fra-s"), .path("fra-g"), .underlay("mpls0"), nil] {
      for damage in [{ _ in }, noMarks, noRules] {
        var state = try router(active: active)
        damage(&state)
        let fate = PacketWalk(state, encrypted: ["bh-fra-g"]).fate(of: fromHost())
        // The outer packet of the GRE tunnel leaves by the line, but as ESP.
        #expect(fate.devices.first != "wan0", "\(String(describing: active)): \(fate.trace)")
      }
    }
    // main's default by the line: nothing but the rule's own fallback leaves by it.
    var state = try router()
    state.rules = []
    state.nftTable?.chains.removeAll { $0.name == "classify" }
    state.mainDefaults = [MainDefault(device: "mpls0", gateway: "10.99.0.1", metric: RouteMetric(1))]
    #expect(PacketWalk(state).fate(of: fromHost()).end == .dropped("rule office: underlay"))
  }

  @Test func flowsOfTheLineAreNotSentIntoTheTunnelAsTheyAre() throws {
    let walk = PacketWalk(try router(active: .path("fra-s")))
    let live = fromHost(to: nil, .connection(.original, mark: 0x500_0000, isNew: false))
    #expect(walk.fate(of: live).end == .dropped("made on another way than tunnel fra-s"), "until they are deleted")
  }

  @Test func ofARuleWithALocalWANTheLineIsNoPart() throws {
    let state = try router(Branch.secureRuleSet(fallback: .localWAN), active: .localWAN("wan0"))
    let fate = PacketWalk(state).fate(of: fromHost())
    #expect(fate.end == wanWay)
    #expect(fate.isMasqueraded)
  }

  @Test func othersTrafficByTheLineIsNotOurs() throws {
    let route = TableRoute(
      table: .main, destination: "10.50.0.0/16", metric: RouteMetric(0),
      way: .out(device: "mpls0", gateway: "10.99.0.1"))
    let walk = PacketWalk(try router(active: .path("fra-s")), mainRoutes: [route])
    let other = walk.fate(of: Packet(incoming: "lan0", source: "192.168.99.9", destination: "10.50.0.1"))
    #expect(other.end == lineWay)
    #expect((other.packet.mark, other.isMasqueraded) == (0, false))
    let own = walk.fate(of: fromHost(to: "10.50.0.1"))
    #expect(own.end == lineWay, "main's better route is kept")
    #expect(!own.isMasqueraded)
  }
}
