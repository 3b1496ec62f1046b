internal import RuleSets
import Testing

@testable import Core

/// The router's ICMP errors leave by the way of the flow that they are about, or not at all.
@Suite struct ErrorWalkTests {
  private let host = Branch.hostAddress
  private let internet = Branch.internetAddress

  private func ruleSet(_ change: (inout BackhaulRule) -> Void = { _ in }) -> RuleSet {
    var rule = Branch.office
    change(&rule)
    return Branch.ruleSet(tunnels: [Branch.gre, Branch.ipip, Branch.external], rules: [rule])
  }

  /// One of the router's own, as the kernel sends it: nothing is marked.
  private func error(
    to destination: IPv4Address, from source: IPv4Address = "192.0.2.2", type: UInt8 = 3,
    _ tracking: Packet.Tracking
  ) -> Packet {
    var packet = Packet(
      incoming: nil, source: source, destination: destination, protocolNumber: IPProtocol.icmp, tracking: tracking)
    packet.icmpType = type
    return packet
  }

  private static let types: [UInt8] = [3, 5, 11, 12]
  private static let directions: [Packet.Tracking.Direction] = [.original, .reply]

  @Test func errorsAboutWhatATunnelBroughtGoBackByTheTunnel() throws {
    let (state, layout) = try Branch.router(ruleSet(), active: .path("fra-a"))
    let walk = PacketWalk(state)
    for way in layout.tunnelWays {
      for direction in Self.directions {
        for type in Self.types {
          let fate = walk.fate(of: error(to: internet, type: type, .related(direction, mark: way.mark.value)))
          #expect(fate.devices.first == way.device, "\(way.title) \(direction) \(type)")
        }
      }
    }
  }

  @Test func theyDoSoAfterTheFlowsRuleHasMovedOn() throws {
    let (state, layout) = try Branch.router(ruleSet(), active: .localWAN("wan0"))
    let mark = try #require(layout.mark(.tunnel("fra-b"))).value
    let fate = PacketWalk(state).fate(of: error(to: internet, .related(.reply, mark: mark)))
    #expect(fate.devices == ["bh-fra-b", "wan1"])
  }

  @Test func errorsGoToTheLANWhateverTheyAreAbout() throws {
    let (state, layout) = try Branch.router(ruleSet { $0.egress.fallback = .block }, active: .path("fra-a"))
    let walk = PacketWalk(state)
    let marks = layout.ways.map(\.mark.value) + [layout.bypass.value, 0]
    for mark in marks {
      for direction in Self.directions {
        let fate = walk.fate(of: error(to: host, from: "192.168.10.1", .related(direction, mark: mark)))
        #expect(fate.end == .left("lan0", gateway: nil), "mark \(mark)")
      }
    }
    for tracking: Packet.Tracking in [.invalid, .untracked] {
      for type in Self.types {
        let fate = walk.fate(of: error(to: host, from: "192.168.10.1", type: type, tracking))
        #expect(fate.end == .left("lan0", gateway: nil), "\(tracking)")
      }
    }
  }

  /// TTL and MTU are checked, and routes may turn out to be missing, before a packet is forwarded or delivered.
  @Test func aFirstPacketsConnectionIsBoundBeforeTheKernelCanAnswerIt() throws {
    let (state, layout) = try Branch.router(ruleSet(), active: .path("fra-a"))
    var before = state
    before.nftTable?.chains.removeAll { $0.hook.map { $0.point != .prerouting } ?? false }
    for way in layout.ways {
      let came = PacketWalk(before).fate(of: Packet(incoming: way.device, source: internet, destination: host))
      #expect(came.packet.connectionMark == (way.inbound ?? way.mark).value, "\(way.title)")
    }
  }

  /// A host behind the router that spoofs its source: errors about its packets leave by no uplink.
  @Test func errorsToTheOneWhoBeganAFlowOnlyLeaveByTheUplinkThatItCameInBy() throws {
    let (state, layout) = try Branch.router(ruleSet(), active: .localWAN("wan0"))
    let walk = PacketWalk(state)
    let marks = layout.uplinkWays.map(\.mark.value) + [layout.bypass.value, 0]
    for mark in marks {
      let fate = walk.fate(of: error(to: internet, .related(.reply, mark: mark)))
      #expect(fate.devices.isEmpty, "mark \(mark)")
    }
  }

  @Test func errorsAboutNoKnownFlowLeaveByNoUplink() throws {
    for active: RuleSelection.Choice? in [.path("fra-a"), .localWAN("wan1"), nil] {
      let walk = PacketWalk(try Branch.router(ruleSet(), active: active).state)
      for tracking: Packet.Tracking in [.invalid, .untracked] {
        for type in Self.types {
          let fate = walk.fate(of: error(to: internet, type: type, tracking))
          #expect(fate.end == .dropped("about no known flow, never by uplink wan0"), "\(tracking) \(type)")
        }
      }
    }
  }

  /// As it passes again between an XFRM interface and its uplink.
  @Test func whatWillBeEncryptedMayLeave() throws {
    let walk = PacketWalk(try Branch.router(ruleSet(), active: .path("fra-a")).state)
    var sealed = error(to: internet, .invalid)
    sealed.willBeEncrypted = true
    #expect(walk.fate(of: sealed).devices == ["wan0"])
  }

  /// A sender in a tunnel may claim an address in a network that main has a route to.
  @Test func aSourceThatMainLeadsToByAnUplinkGetsNothing() throws {
    let (state, layout) = try Branch.router(ruleSet(), active: .path("fra-a"))
    let site = TableRoute(
      table: .main, destination: "10.50.0.0/16", metric: RouteMetric(0),
      way: .out(device: "wan1", gateway: "198.51.100.9"))
    let walk = PacketWalk(state, mainRoutes: [site])
    let mark = try #require(layout.mark(.tunnel("fra-a"))).value
    for neighbour: IPv4Address in ["192.0.2.77", "198.51.100.77", "10.50.1.1"] {
      for direction in Self.directions {
        let fate = walk.fate(of: error(to: neighbour, .related(direction, mark: mark)))
        #expect(fate.devices.isEmpty, "\(neighbour)")
      }
      #expect(walk.fate(of: error(to: neighbour, .invalid)).devices.isEmpty, "\(neighbour)")
    }
  }

  @Test func errorsAboutWhatAnUplinkBroughtGoBackByIt() throws {
    let (state, layout) = try Branch.router(ruleSet(), active: .path("fra-a"))
    let walk = PacketWalk(state)
    let gateways: [InterfaceName: IPv4Address] = ["wan0": "192.0.2.1", "wan1": "198.51.100.1"]
    for way in layout.uplinkWays {
      // To the sender of an answer to a host that has gone, and to the sender of a question to a missing one.
      for (direction, mark): (Packet.Tracking.Direction, Mark) in [
        (.original, way.mark), (.reply, try #require(way.inbound)),
      ] {
        let fate = walk.fate(of: error(to: internet, .related(direction, mark: mark.value)))
        #expect(fate.end == .left(way.device, gateway: gateways[way.device].map { .ipv4($0) }), "\(way.title)")
      }
    }
    // One of the router's own flows, and one to a direct destination.
    for mark in [0, layout.bypass.value] {
      let fate = walk.fate(of: error(to: internet, .related(.original, mark: mark)))
      #expect(fate.end == .left("wan0", gateway: "192.0.2.1"))
    }
  }

  @Test func otherWordsOfTheRouterAreLeftAlone() throws {
    let (state, _) = try Branch.router(ruleSet(), active: .path("fra-a"))
    let walk = PacketWalk(state)
    // An echo request, its answer, and a reset of the router's own TCP.
    for (type, tracking): (UInt8, Packet.Tracking) in [
      (8, .connection(.original, mark: 0, isNew: true)), (0, .connection(.reply, mark: 0, isNew: false)),
      (0, .untracked), (8, .untracked),
    ] {
      let fate = walk.fate(of: error(to: internet, type: type, tracking))
      #expect(fate.end == .left("wan0", gateway: "192.0.2.1"), "type \(type)")
    }
  }

  /// `reject with tcp reset` in another program's forward chain; its connection is bound by then.
  @Test func aFirewallsResetGoesTheFlowsWay() throws {
    let (state, layout) = try Branch.router(ruleSet(), active: .localWAN("wan0"))
    let walk = PacketWalk(state)
    for direction in Self.directions {
      let mark = try #require(layout.mark(.tunnel("fra-b"))).value
      var reset = Packet(
        incoming: nil, source: host, destination: internet, protocolNumber: IPProtocol.tcp,
        tracking: .related(direction, mark: mark))
      reset.isTCPReset = true
      #expect(walk.fate(of: reset).devices.first == "bh-fra-b", "\(direction)")
    }
  }

  @Test func othersForwardedErrorsPass() throws {
    let (state, layout) = try Branch.router(ruleSet(), active: .path("fra-a"))
    let walk = PacketWalk(state)
    func forwarded(_ incoming: InterfaceName, from source: IPv4Address, _ tracking: Packet.Tracking) -> PacketFate {
      var packet = error(to: internet, from: source, tracking)
      packet.incoming = incoming
      return walk.fate(of: packet)
    }
    // A host's own error about what came by a tunnel, and about what came by an uplink.
    let tunnel = try #require(layout.mark(.tunnel("fra-b"))).value
    #expect(forwarded("lan0", from: host, .related(.reply, mark: tunnel)).devices.first == "bh-fra-b")
    let inbound = try #require(layout.uplinkWays[1].inbound).value
    #expect(forwarded("lan0", from: host, .related(.reply, mark: inbound)).devices == ["wan1"])
    // A flow that no rule takes is not ours.
    #expect(forwarded("lan0", from: "192.168.99.9", .invalid).devices == ["wan0"])
  }

  @Test func whatCameOutOfAnSAIsNotQuotedToTheHub() throws {
    var state = Branch.secureKernel()
    state.nftTable = Branch.secureCompiler().compile().nftTable
    let walk = PacketWalk(state)
    var unreachable = error(to: "203.0.113.2", from: "10.99.0.2", .related(.reply, mark: 0))
    for (quoted, isDropped) in [(IPProtocol.gre, true), (IPProtocol.udp, false)] {
      unreachable.quotedProtocol = quoted
      let isHeld = walk.fate(of: unreachable).end == .dropped("tunnel fra-g: never quoted in the clear")
      #expect(isHeld == isDropped, "\(quoted)")
    }
  }
}
