internal import RuleSets
import Testing

@testable import Core

extension Branch {
  /// A router that runs the rule set; every rule's traffic goes by `active`.
  static func router(
    _ ruleSet: RuleSet, active: RuleSelection.Choice?,
    _ configuration: AgentConfiguration = configuration(), _ kernel: ActualState = withWireGuard(kernel())
  ) throws -> (state: ActualState, layout: Layout) {
    var model = ModelKernel(kernel)
    let before = compiler(ruleSet, configuration, kernel)
    try model.apply(Planner.plan(desired: before.compile(), actual: kernel).steps)
    let after = EdgeCompiler(before.layout, model.state)
    for rule in ruleSet.backhaulRules {
      if let route = active.flatMap({ after.activeRoute(of: rule.name, for: $0) }) { try model.apply(.putRoute(route)) }
    }
    return (model.state, before.layout)
  }

  static let hostAddress: IPv4Address = "192.168.10.50"
  static let internetAddress: IPv4Address = "8.8.8.8"
}

/// What comes in by an uplink is answered by that uplink.
@Suite struct InboundWalkTests {
  private let host = Branch.hostAddress
  private let internet = Branch.internetAddress

  private func ruleSet(_ change: (inout BackhaulRule) -> Void = { _ in }) -> RuleSet {
    var rule = Branch.office
    change(&rule)
    return Branch.ruleSet(tunnels: [Branch.gre, Branch.ipip, Branch.external], rules: [rule])
  }

  private static let uplinks: [(device: InterfaceName, address: IPv4Address, gateway: IPv4Address)] = [
    ("wan0", "192.0.2.2", "192.0.2.1"), ("wan1", "198.51.100.2", "198.51.100.1"),
  ]

  /// The question's connection mark, once it is there.
  private func asked(
    _ walk: PacketWalk, by device: InterfaceName, of destination: IPv4Address, _ number: UInt8 = IPProtocol.tcp
  ) throws -> (end: PacketFate.End, mark: UInt32) {
    let fate = walk.fate(
      of: Packet(incoming: device, source: internet, destination: destination, protocolNumber: number))
    return (fate.end, try #require(fate.packet.connectionMark))
  }

  @Test func theRouterAnswersByTheUplinkThatTheQuestionCameBy() throws {
    for active: RuleSelection.Choice? in [.path("fra-a"), .localWAN("wan0"), nil] {
      let walk = PacketWalk(try Branch.router(ruleSet(), active: active).state)
      for uplink in Self.uplinks {
        let question = try asked(walk, by: uplink.device, of: uplink.address)
        #expect(question.end == .delivered)
        let answer = Packet(
          incoming: nil, source: uplink.address, destination: internet,
          tracking: .connection(.reply, mark: question.mark, isNew: false))
        let fate = walk.fate(of: answer)
        #expect(fate.end == .left(uplink.device, gateway: .ipv4(uplink.gateway)))
        #expect(!fate.isMasqueraded)
      }
    }
  }

  @Test func aHostBehindTheRouterAnswersByIt() throws {
    for active: RuleSelection.Choice? in [.path("fra-a"), .localWAN("wan0"), .localWAN("wan1"), nil] {
      let walk = PacketWalk(try Branch.router(ruleSet(), active: active).state)
      for uplink in Self.uplinks {
        // Another program's destination NAT has sent it to the host.
        let question = try asked(walk, by: uplink.device, of: host)
        #expect(question.end == .left("lan0", gateway: nil))
        let answer = Packet(
          incoming: "lan0", source: host, destination: internet,
          tracking: .connection(.reply, mark: question.mark, isNew: false))
        #expect(walk.fate(of: answer).end == .left(uplink.device, gateway: .ipv4(uplink.gateway)))
        let next = Packet(
          incoming: uplink.device, source: internet, destination: host,
          tracking: .connection(.original, mark: question.mark, isNew: false))
        #expect(walk.fate(of: next).end == .left("lan0", gateway: nil))
      }
    }
  }

  /// `drain` keeps what the rule itself sent by an uplink; a connection from the internet to a host is not among that.
  @Test func noRuleTakesWhatCameIn() throws {
    for failback: Egress.Failback in [.move, .drain] {
      let walk = PacketWalk(try Branch.router(ruleSet { $0.egress.failback = failback }, active: .path("fra-b")).state)
      let mark = try asked(walk, by: "wan1", of: host).mark
      let answer = Packet(
        incoming: "lan0", source: host, destination: internet,
        tracking: .connection(.reply, mark: mark, isNew: false))
      #expect(walk.fate(of: answer).end == .left("wan1", gateway: "198.51.100.1"))
    }
  }

  @Test func itsMarkIsNeverThatOfWhatARuleSent() throws {
    let (state, layout) = try Branch.router(ruleSet(), active: .localWAN("wan1"))
    let walk = PacketWalk(state)
    let sent = walk.fate(of: Packet(incoming: "lan0", source: host, destination: internet)).packet.connectionMark
    let came = try asked(walk, by: "wan1", of: host).mark
    #expect(sent == layout.mark(.uplink("wan1"))?.value)
    #expect(came != sent)
    let swept = Set(layout.ways.map(\.mark.value) + layout.activeRules.map(\.mark.value) + [layout.bypass.value, 0])
    #expect(!swept.contains(came))
  }

  @Test func aStrictRulesHostAnswersByNoUplinkThatIsNotItsOwn() throws {
    let block = PacketWalk(try Branch.router(ruleSet { $0.egress.fallback = .block }, active: .path("fra-a")).state)
    let own = PacketWalk(
      try Branch.router(
        ruleSet {
          $0.egress.fallback = .block
          $0.egress.paths = ["fra-a", "lte"]
        }, active: .path("fra-a")
      ).state)
    for (walk, expected): (PacketWalk, PacketFate.End) in [
      (block, .dropped("rule office: block")), (own, .left("wan1", gateway: "198.51.100.1")),
    ] {
      let mark = try asked(walk, by: "wan1", of: host).mark
      let answer = Packet(
        incoming: "lan0", source: host, destination: internet,
        tracking: .connection(.reply, mark: mark, isNew: false))
      #expect(walk.fate(of: answer).end == expected)
    }
  }

  /// The far end of a private line may ask the router; a host's answer to it goes the usual way, never in the clear.
  @Test func aPrivateLineIsTheRoutersAlone() throws {
    let configuration = Branch.configuration(uplinks: [
      .init(interface: "wan0", tier: 1), .init(interface: "wan1", tier: 2, isPrivate: true, gateway: "198.51.100.1"),
    ])
    let walk = PacketWalk(try Branch.router(ruleSet(), active: .path("fra-a"), configuration).state)
    #expect(try asked(walk, by: "wan1", of: host).mark == 0)
    #expect(try asked(walk, by: "wan1", of: "198.51.100.2").mark != 0)
  }

  @Test func outerPacketsAreNotBound() throws {
    let walk = PacketWalk(try Branch.router(ruleSet(), active: .path("fra-a")).state)
    for number in [IPProtocol.gre, IPProtocol.ipip, IPProtocol.esp] {
      #expect(try asked(walk, by: "wan1", of: "198.51.100.2", number).mark == 0)
    }
  }

  @Test func bitsOfOtherSoftwareAreKept() throws {
    let walk = PacketWalk(try Branch.router(ruleSet(), active: .path("fra-a")).state)
    var packet = Packet(
      incoming: "wan1", source: internet, destination: host,
      tracking: .connection(.original, mark: 0x8000_0001, isNew: true))
    packet.mark = 0x8000_0003
    let fate = walk.fate(of: packet)
    #expect((fate.packet.connectionMark ?? 0) & 0x80ff_ffff == 0x8000_0001)
    #expect(fate.packet.mark == 0x8000_0003)
  }

  @Test func theGuardAtBootBindsThemToo() throws {
    var model = ModelKernel(Branch.kernel())
    let compiler = Branch.compiler(ruleSet { $0.egress.fallback = .block }, Branch.configuration(), model.state)
    try model.apply(Planner.guardPlan(desired: compiler.compileGuard(), actual: model.state).steps)
    let walk = PacketWalk(model.state)
    let mark = try asked(walk, by: "wan0", of: "192.0.2.2").mark
    let answer = Packet(
      incoming: nil, source: "192.0.2.2", destination: internet,
      tracking: .connection(.reply, mark: mark, isNew: false))
    #expect(walk.fate(of: answer).end == .left("wan0", gateway: "192.0.2.1"))
  }

  /// The marks for incoming connections are at the end of the mask, where no owner's mark can be.
  @Test func noOwnerGetsTheirMarks() throws {
    var configuration = Branch.configuration()
    configuration.kernel.markMask = try #require(MarkMask(bits: 0xf0_0000))
    configuration.kernel.tables = 7900...8100
    let most = Layout.room(in: configuration)
    #expect(most == 12)
    let tunnels = (1...10).map { number in
      Tunnel(
        name: literalName("t\(number)"), kind: .gre(key: UInt32(number)), hub: "fra", uplink: "wan0", innerLocal: nil,
        innerRemote: nil)
    }
    // Nine tunnels and two uplinks fill twelve places, of which the first is the bypass's; the last number is `passed`.
    let ruleSet = Branch.ruleSet(tunnels: Array(tunnels.prefix(9)), rules: [])
    let slots = try #require(Layout.slots(ruleSet, configuration, after: SlotBook()))
    let layout = Layout(ruleSet, configuration, slots)
    let marks = layout.ways.map(\.mark) + layout.uplinkWays.compactMap(\.inbound) + [layout.bypass]
    #expect(Set(marks).count == marks.count)
    #expect(layout.uplinkWays.allSatisfy { $0.inbound != nil })
    #expect(Layout.slots(Branch.ruleSet(tunnels: tunnels, rules: []), configuration, after: SlotBook()) == nil)
  }

  private func literalName(_ text: String) -> Name { Name(stringLiteral: text) }
}
