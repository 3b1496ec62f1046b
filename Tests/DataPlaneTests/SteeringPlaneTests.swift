internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// Steering rules in the kernel's words do what the plain list says.
@Suite("Steering rules in the data plane") struct SteeringPlaneTests {
  private static let seed: UInt64 = 20_261_201
  private static let configuration = Branch.configuration(lans: ["lan0", "lan1"])

  /// A small world in which every kind of packet is met.
  private struct Dice {
    var random: SeededRandom

    mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }
    mutating func one<Value>(_ values: [Value]) -> Value { values[roll(values.count)] }
    mutating func some<Value>(_ values: [Value]) -> [Value] {
      roll(2) == 0 ? [] : values.filter { _ in roll(2) == 0 }
    }

    static let prefixes: [IPv4Prefix] = [
      "192.168.10.0/24", "192.168.10.0/25", "192.168.10.50/32", "192.168.0.0/16", "192.168.20.0/24",
    ]
    static let places: [IPv4Prefix] = ["8.8.8.0/24", "8.8.0.0/16", "203.0.114.0/24", "0.0.0.0/0", "8.8.8.8/32"]
    static let sources: [(InterfaceName, IPv4Address)] = [
      ("lan0", "192.168.10.50"), ("lan0", "192.168.10.200"), ("lan1", "192.168.20.9"), ("lan1", "192.168.99.9"),
    ]
    static let destinations: [IPv4Address] = ["8.8.8.8", "8.8.4.4", "203.0.114.9", "1.1.1.1"]
    static let macs = (1...3).compactMap { MACAddress(value: $0) }
    static let ports = ["80-80", "81-90", "85-99", "80-99", "1-65535"].compactMap { PortRange($0) }
    static let codes = [0, 10, 46].compactMap { DSCP(value: $0) }

    mutating func match(_ number: Int) -> SteeringMatch {
      var match = SteeringMatch(
        lans: some(["lan0", "lan1"]), sources: some(Self.prefixes), destinations: some(Self.places),
        macs: roll(3) == 0 ? some(Self.macs) : [], protocols: some([.tcp, .udp, .icmp, ProtocolNumber(50)]),
        dscp: roll(3) == 0 ? some(Self.codes) : [])
      if !match.protocols.isEmpty, match.protocols.allSatisfy(\.hasPorts) { match.ports = some(Self.ports) }
      if match == SteeringMatch() { match.protocols = [.udp] }
      // More than fit into boxes.
      if roll(8) == 0 {
        match.destinations =
          (0..<300).compactMap { IPv4Prefix("8.8.\($0 % 200).\($0 / 200 * 128)/26") } + ["8.8.8.8/32"]
      }
      return match
    }

    mutating func rules(_ egresses: [Name]) -> [SteeringRule] {
      (0..<roll(12)).compactMap { number in
        let action: SteeringRule.Action =
          switch roll(5) {
          case 0: .drop
          case 1: .direct
          default: .egress(one(egresses))
          }
        return Name("s\(number)").map {
          SteeringRule(name: $0, enabled: roll(8) != 0, match: match(number), action: action)
        }
      }
    }

    mutating func packet() -> Packet {
      let (lan, source) = one(Self.sources)
      var packet = Packet(incoming: lan, source: source, destination: one(Self.destinations))
      let number = one([IPProtocol.tcp, IPProtocol.udp, IPProtocol.icmp, 50, 253])
      packet.protocolNumber = number
      if ProtocolNumber(number).hasPorts { packet.port = one([79, 80, 84, 86, 95, 100]) }
      packet.isTCPSYN = number == IPProtocol.tcp
      if number == IPProtocol.icmp { packet.icmpType = 8 }
      packet.isEthernet = roll(4) != 0
      packet.sender = packet.isEthernet ? one(Self.macs) : nil
      packet.trafficClass = one(Self.codes).value << 2 | UInt8(roll(4))
      packet.mark = one([0, 0x8000_0003, 0x0002_0000])
      packet.tracking = .connection(.original, mark: 0, isNew: true)
      return packet
    }
  }

  private static func egress(_ name: Name, _ fallback: Egress.Fallback) -> Egress {
    Egress(name: name, tiers: [[PathShare("fra-a")], [PathShare("fra-b")]], fallback: fallback)
  }

  private static let egresses = [egress("hub", .localWAN), egress("strict", .block), egress("other", .localWAN)]

  /// Some of the sources are a backhaul rule's; each may be strict, and let steering rules pass it by or not.
  private static func ruleSet(_ dice: inout Dice) -> RuleSet {
    func rule(_ name: Name, _ interface: InterfaceName, _ egress: Egress, _ bypass: Bool) -> BackhaulRule {
      BackhaulRule(name: name, sources: Sources(interfaces: [interface]), egress: egress, allowBypass: bypass)
    }
    var ruleSet = Branch.ruleSet(tunnels: [Branch.gre, Branch.ipip], rules: [])
    ruleSet.egresses = egresses
    if dice.roll(3) > 0 { ruleSet.backhaulRules.append(rule("office", "lan0", dice.one(egresses), dice.roll(2) == 0)) }
    if dice.roll(3) > 0 { ruleSet.backhaulRules.append(rule("lab", "lan1", dice.one(egresses), dice.roll(2) == 0)) }
    ruleSet.steeringRules = dice.rules(egresses.map(\.name))
    return ruleSet
  }

  private static func seen(_ packet: Packet) -> SteeredPacket {
    SteeredPacket(
      source: packet.source, destination: packet.destination, lan: packet.incoming ?? "lo", mac: packet.sender,
      protocol: ProtocolNumber(packet.protocolNumber ?? 0), port: packet.port,
      dscp: DSCP(value: packet.trafficClass >> 2) ?? .unmarked)
  }

  @Test("the first rule that takes a packet decides", arguments: 0..<40)
  func first(_ number: UInt64) throws {
    var dice = Dice(random: SeededRandom(seed: Self.seed &+ number))
    let ruleSet = Self.ruleSet(&dice)
    let slots = try #require(Layout.slots(ruleSet, Self.configuration, after: SlotBook()))
    let layout = Layout(ruleSet, Self.configuration, slots)
    let table = NftWalk.Table(EdgeCompiler(layout, Branch.kernel()).nftTable())
    for _ in 0..<100 {
      let packet = dice.packet()
      var walk = NftWalk(table, packet)
      let verdict = walk.run(.prerouting).verdict
      let mark = Mark(value: walk.packet.mark & layout.mask.bits)
      let expected = SteeringVerdict.rule(of: ruleSet.steeringRules, for: Self.seen(packet))
      let about = "seed \(Self.seed &+ number): \(packet) of \(expected?.name.text ?? "nobody")"
      switch expected?.action {
      case .drop?: #expect(verdict != .pass, "\(about)")
      case .direct?: #expect(verdict == .pass && mark == layout.bypass, "\(about)")
      case .egress(let name)?:
        #expect(verdict == .pass && mark == layout.mark(.egress(name)), "\(about): \(mark)")
      case nil:
        let rule = ruleSet.backhaulRules.first { $0.sources.interfaces == packet.incoming.map { [$0] } }
        let unmarked = Mark(value: packet.mark & layout.mask.bits)
        #expect(verdict == .pass, "\(about)")
        #expect(
          mark == rule.flatMap { layout.mark(.egress($0.egress.name)) }
            ?? (ruleSet.steeringRules.contains(where: \.enabled) ? layout.none : unmarked), "\(about)")
      }
      let hits = walk.stages.filter { stage in
        if case .nft(let chain, _) = stage { chain.hasPrefix("hit_") } else { false }
      }
      #expect(hits.count == (expected == nil ? 0 : 1), "\(about)")
    }
  }

  /// What a packet may leave by, said from the rule set alone.
  private struct Owed {
    var mayLeaveByUplink: Bool
    var isDropped: Bool

    init(_ ruleSet: RuleSet, _ packet: Packet) {
      let steering = SteeringVerdict.rule(of: ruleSet.steeringRules, for: SteeringPlaneTests.seen(packet))
      let backhaul = ruleSet.backhaulRules.first { $0.sources.interfaces == packet.incoming.map { [$0] } }
      isDropped = steering?.action == .drop
      let egress = steering.map { rule in ruleSet.egresses.first { $0.name == rule.egress } } ?? backhaul?.egress
      let sourceAllows = backhaul.map { !$0.isStrict || (steering != nil && $0.allowBypass) } ?? true
      mayLeaveByUplink = !isDropped && egress?.isStrict != true && sourceAllows
    }
  }

  /// With the agent's way, or none, in each egress's table; with marks lost on the way; and before there is an agent.
  @Test("nothing strict leaves by an uplink, and nothing else is held", arguments: 0..<40)
  func strict(_ number: UInt64) throws {
    var dice = Dice(random: SeededRandom(seed: Self.seed &+ 1_000 &+ number))
    let ruleSet = Self.ruleSet(&dice)
    let slots = try #require(Layout.slots(ruleSet, Self.configuration, after: SlotBook()))
    let kernel = Branch.kernel()
    let compiler = EdgeCompiler(ruleSet, Self.configuration, slots, kernel)
    for desired in [compiler.compile(), compiler.compileGuard()] {
      var model = ModelKernel(kernel)
      try model.apply(Planner.plan(desired: desired, actual: kernel).steps)
      let settled = EdgeCompiler(compiler.layout, model.state)
      for active in compiler.layout.activeEgresses where !active.egress.isStrict {
        if let route = settled.activeRoute(of: active.egress.name, for: .localWAN("wan0")), dice.roll(3) > 0 {
          try model.apply(.putRoute(route))
        }
      }
      var lossy = model.state
      let cleared = NftRule([], [.setMark(Mark(value: 0), compiler.layout.mask)], comment: "another program's")
      lossy.nftTable?.chains.append(
        NftChain(name: "z", hook: .init(kind: .filter, point: .prerouting, priority: 0), rules: [cleared]))
      for (isLossy, state) in [(false, model.state), (true, lossy)] {
        let walk = PacketWalk(state)
        for _ in 0..<60 {
          let packet = dice.packet()
          let fate = walk.fate(of: packet)
          let owed = Owed(ruleSet, packet)
          let about = "seed \(Self.seed &+ 1_000 &+ number), \(isLossy): \(packet) is \(fate.end)\n\(fate.trace)"
          let left = fate.devices.contains { ["wan0", "wan1"].contains($0) } && fate.outer.isEmpty
          if owed.isDropped { #expect(fate.devices.isEmpty, "\(about)") }
          if !owed.mayLeaveByUplink { #expect(!left, "\(about)") }
          if left { #expect(owed.mayLeaveByUplink, "\(about)") }
        }
      }
    }
  }

  /// Hosts that go to a strict egress whole stay held while somebody flushes the table.
  @Test func hostsThatAreSteeredWholeHaveASecondLine() throws {
    var dice = Dice(random: SeededRandom(seed: Self.seed))
    var ruleSet = Self.ruleSet(&dice)
    ruleSet.backhaulRules = []
    ruleSet.steeringRules = [
      SteeringRule(name: "tills", match: SteeringMatch(sources: ["192.168.10.50/32"]), action: .egress("strict")),
      SteeringRule(name: "lab", match: SteeringMatch(lans: ["lan1"]), action: .egress("strict")),
    ]
    let slots = try #require(Layout.slots(ruleSet, Self.configuration, after: SlotBook()))
    let kernel = Branch.kernel()
    let compiler = EdgeCompiler(ruleSet, Self.configuration, slots, kernel)
    for desired in [compiler.compile(), compiler.compileGuard()] {
      var model = ModelKernel(kernel)
      try model.apply(Planner.plan(desired: desired, actual: kernel).steps)
      model.state.nftTable = nil
      let walk = PacketWalk(model.state)
      func leaves(_ source: IPv4Address, _ lan: InterfaceName) -> Bool {
        !walk.fate(of: Packet(incoming: lan, source: source, destination: "8.8.8.8")).devices.isEmpty
      }
      #expect(!leaves("192.168.10.50", "lan0"))
      #expect(!leaves("192.168.20.9", "lan1"))
      #expect(leaves("192.168.10.51", "lan0"), "nobody's")
    }
  }

  /// A table may have been another egress's, which led by an uplink: nothing is sent to it before that route is gone.
  @Test func aTableThatWasAnothersIsShutFirst() throws {
    var dice = Dice(random: SeededRandom(seed: Self.seed))
    var ruleSet = Self.ruleSet(&dice)
    ruleSet.backhaulRules = []
    ruleSet.steeringRules = [
      SteeringRule(name: "tills", match: SteeringMatch(sources: ["192.168.10.50/32"]), action: .egress("strict"))
    ]
    let slots = try #require(Layout.slots(ruleSet, Self.configuration, after: SlotBook()))
    let compiler = EdgeCompiler(ruleSet, Self.configuration, slots, Branch.kernel())
    let table = try #require(compiler.layout.table(.egress("strict")))
    var kernel = Branch.kernel()
    let stale = TableRoute(table: table, metric: .active, way: .out(device: "wan0", gateway: "192.0.2.1"))
    kernel.routes.insert(stale)
    for desired in [compiler.compile(), compiler.compileGuard()] {
      let steps = Planner.plan(desired: desired, actual: kernel).steps
      let gone = try #require(steps.firstIndex(of: .deleteRoute(stale)))
      let steered = try #require(
        steps.firstIndex {
          if case .replaceNftTable = $0 { true } else { false }
        })
      let floor = try #require(steps.firstIndex(of: .putRoute(.floor(table))))
      #expect(floor < gone && gone < steered)
    }
  }

  /// The trees of rules that look at neither LANs nor code points.
  private static func trees(_ rules: [SteeringRule]) -> [SteeringTree] {
    SteeringPrograms(rules).all.flatMap(\.program.pieces).flatMap { $0.trees.values }
  }

  private static func boxes(_ map: NftMap) -> [PacketBox] {
    map.elements.compactMap { if case .box(let box) = $0.key { box } else { nil } }
  }

  /// The most maps that a packet may meet in a tree.
  private static func longest(_ tree: SteeringTree) -> Int {
    let most = tree.nodes.map(\.maps.count).max() ?? 0
    return most + (tree.nodes.count > 1 ? 2 : 0)
  }

  private static func apart(_ count: Int) throws -> [SteeringRule] {
    try (0..<count).map { number in
      let prefix = try #require(IPv4Prefix("10.\(number / 256).\(number % 256).0/24"))
      return SteeringRule(
        name: try #require(Name("s\(number)")), match: SteeringMatch(destinations: [prefix], protocols: [.tcp]),
        action: .direct)
    }
  }

  @Test("a packet meets a few maps of few boxes, however many rules there are")
  func small() throws {
    let rules = try Self.apart(2_000)
    let broad = SteeringRule(name: "all", match: SteeringMatch(protocols: [.tcp]), action: .drop)
    for rules in [rules, [broad] + rules, Array(rules.prefix(900)) + [broad] + Array(rules.suffix(1_000))] {
      let trees = Self.trees(rules)
      #expect(trees.count == 1)
      for tree in trees {
        #expect(tree.nodes.flatMap(\.maps).allSatisfy { $0.elements.count <= FieldRules.most })
        #expect(Self.longest(tree) <= 3)
        #expect(tree.nodes.last?.suffix == "")
        #expect(Set(tree.nodes.map(\.suffix)).count == tree.nodes.count)
      }
    }
    #expect(Self.trees(Array(rules.prefix(40)) + [broad]).map(\.nodes.count) == [1], "few are one map")
  }

  /// What does not change is not written again.
  @Test func aRuleMoreChangesFewMaps() throws {
    var rules = try Self.apart(2_000)
    let before = Set(Self.trees(rules).flatMap(\.nodes).flatMap(\.maps))
    rules[700].match.protocols = [.udp]
    let after = Set(Self.trees(rules).flatMap(\.nodes).flatMap(\.maps))
    #expect(after.subtracting(before).count == 1)
    rules.remove(at: 100)
    let then = Set(Self.trees(rules).flatMap(\.nodes).flatMap(\.maps))
    #expect(then.subtracting(after).count <= 2)
  }

  /// The kernel's lookup is right about 256 of them at a time.
  @Test func boxesOfSeveralTurnsAreFew() throws {
    for number in 0..<20 {
      var dice = Dice(random: SeededRandom(seed: Self.seed &+ 2_000 &+ UInt64(number)))
      let rules = (0..<200).compactMap { place in
        Name("s\(place)").map { SteeringRule(name: $0, match: dice.match(place), action: .direct) }
      }.filter { $0.match.lans.isEmpty && $0.match.dscp.isEmpty }
      for map in Self.trees(rules).flatMap(\.nodes).flatMap(\.maps) {
        let boxes = Self.boxes(map)
        guard case .boxes(let fields) = map.kind, Set(boxes.map(\.turn)).count > 1 else { continue }
        for (place, field) in fields.enumerated() where field != .sender {
          let count = boxes.reduce(0) { sum, box in
            sum + FieldRules.prefixes(box.sides[place].first, box.sides[place].last, bits: field.bits)
          }
          #expect(count <= 256, "\(field)")
        }
      }
    }
  }

  /// Each rule has something in common with all of the other kind before it.
  @Test("rules that all meet keep their order, in maps one behind the other")
  func manyTurns() throws {
    let rules = try (0..<1_000).map { number in
      var match = SteeringMatch(protocols: [.udp])
      if number % 2 == 0 {
        match.ports = [try #require(PortRange(UInt16(number + 1), UInt16(number + 1)))]
      } else {
        match.sources = [try #require(IPv4Prefix("10.\(number / 256).\(number % 256).0/24"))]
      }
      return SteeringRule(name: try #require(Name("s\(number)")), match: match, action: .direct)
    }
    for tree in Self.trees(rules) {
      #expect(Self.longest(tree) < 100)
      #expect(tree.nodes.flatMap(\.maps).reduce(0) { $0 + $1.elements.count } <= 4_000)
    }
  }

  /// Telling them apart by a second field in each part of a first one would take its time, for nothing.
  @Test("broad rules that all meet are no more boxes than a few times their own")
  func broad() throws {
    var dice = Dice(random: SeededRandom(seed: Self.seed))
    func prefixes(_ lengths: [UInt8]) -> [IPv4Prefix] {
      (0..<4).compactMap { _ in
        IPv4Prefix(containing: IPv4Address(value: UInt32(dice.roll(1 << 32))), length: dice.one(lengths))
      }
    }
    let rules = try (0..<200).map { number in
      let ports = (0..<3).compactMap { _ -> PortRange? in
        let first = UInt16(dice.roll(50_000) + 1)
        return PortRange(first, first + UInt16(dice.roll(10_000)))
      }
      return SteeringRule(
        name: try #require(Name("s\(number)")),
        match: SteeringMatch(
          sources: prefixes([1, 4, 8, 16]), destinations: prefixes([0, 1, 2, 8]), protocols: [.udp], ports: ports),
        action: .direct)
    }
    let own = rules.reduce(0) { $0 + SteeringProgram.boxes(of: $1.match) }
    for tree in Self.trees(rules) {
      #expect(tree.nodes.flatMap(\.maps).reduce(0) { $0 + $1.elements.count } <= 3 * own + 2_048)
    }
  }

  /// Trees of several fields, and what takes several parts of them.
  @Test("many rules decide as their list does", arguments: 0..<6)
  func many(_ number: UInt64) throws {
    var dice = Dice(random: SeededRandom(seed: Self.seed &+ 3_000 &+ number))
    var ruleSet = Branch.ruleSet(tunnels: [Branch.gre, Branch.ipip], rules: [])
    ruleSet.egresses = Self.egresses
    ruleSet.steeringRules = try (0..<900).map { place in
      var match = SteeringMatch()
      let kind = dice.roll(10)
      if kind < 8 {
        let length = UInt8(dice.one([17, 20, 22, 23, 24, 25, 26]))
        let address = IPv4Address(value: 0x0a00_0000 | UInt32(dice.roll(0x20000)))
        match.destinations = [try #require(IPv4Prefix(containing: address, length: length))]
      }
      if kind < 4 || kind > 7 {
        let first = UInt16(dice.roll(2_000) + 1)
        match.ports = [try #require(PortRange(first, first + UInt16(dice.roll(3))))]
      }
      if dice.roll(3) == 0 { match.protocols = [dice.one([.tcp, .udp])] }
      if match.ports.isEmpty && match.destinations.isEmpty { match.protocols = [.udp] }
      return SteeringRule(
        name: try #require(Name("s\(place)")), match: match, action: .egress(dice.one(Self.egresses).name))
    }
    let slots = try #require(Layout.slots(ruleSet, Self.configuration, after: SlotBook()))
    let layout = Layout(ruleSet, Self.configuration, slots)
    let table = NftWalk.Table(EdgeCompiler(layout, Branch.kernel()).nftTable())
    for _ in 0..<400 {
      var packet = dice.packet()
      packet.destination = IPv4Address(value: 0x0a00_0000 | UInt32(dice.roll(0x20000)))
      if packet.port != nil { packet.port = UInt16(dice.roll(2_000) + 1) }
      var walk = NftWalk(table, packet)
      _ = walk.run(.prerouting)
      let hits = walk.stages.compactMap { stage in
        if case .nft(let chain, _) = stage, chain.hasPrefix("hit_") { chain } else { nil }
      }
      let expected = SteeringVerdict.rule(of: ruleSet.steeringRules, for: Self.seen(packet))
      #expect(hits == (expected.map { [EdgeCompiler.hitChain(of: $0.name)] } ?? []), "\(packet)")
    }
  }
}
