internal import Fakes
internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// Maps of boxes: which of them a packet belongs to, and when they are written anew.
@Suite struct BoxTests {
  private let fields: [PacketField] = [.turn, .sender, .source, .protocol, .port]

  private func side(_ field: PacketField, _ dice: inout SeededRandom) -> PacketBox.Side {
    if dice.chance(40) { return .any(field) }
    let first = UInt64.random(in: 0..<6, using: &dice)
    return .numbers(first, min(first + UInt64.random(in: 0..<4, using: &dice), field.largest))
  }

  private func map(_ count: Int, _ dice: inout SeededRandom) -> NftMap {
    let elements = (0..<count).map { turn in
      NftMap.Element(
        .box(PacketBox([.turn(turn)] + fields.dropFirst().map { side($0, &dice) })), .goto(chain: "hit_\(turn)"))
    }
    return NftMap(name: "steering", kind: .boxes(fields), elements: elements.shuffled(using: &dice))
  }

  private func packet(_ dice: inout SeededRandom) -> Packet {
    var packet = Packet(
      incoming: dice.chance(90) ? ["lan0", "lan1", "guests", "wan0"].randomElement(using: &dice) : nil,
      source: IPv4Address(value: .random(in: 0..<9, using: &dice)), destination: "8.8.8.8",
      isIPv6: dice.chance(5), protocolNumber: dice.chance(80) ? .random(in: 0..<9, using: &dice) : nil)
    packet.isEthernet = dice.chance(90)
    packet.sender = dice.chance(80) ? MACAddress(value: .random(in: 1..<9, using: &dice)) : nil
    packet.port = dice.chance(80) ? .random(in: 0..<9, using: &dice) : nil
    packet.isLaterFragment = dice.chance(5)
    return packet
  }

  private func table(_ maps: [NftMap]) -> NftTable {
    let chains = (0..<64).map { NftChain(name: "hit_\($0)", rules: [NftRule([], [.drop], comment: "\($0)")]) }
    let steered = NftRule([.ipv4], [.choose(by: .fields(fields), map: "steering")])
    return NftTable(
      name: "backhaul", sets: [], maps: maps,
      chains: [
        NftChain(name: "classify", hook: .init(kind: .filter, point: .prerouting, priority: -150), rules: [steered])
      ]
        + chains)
  }

  /// The walk looks for the least turn; Linux, for what was put in first.
  @Test func aPacketBelongsToTheBoxOfTheLeastTurnThatItIsIn() throws {
    var dice = SeededRandom(seed: 20_261_201)
    var seen: Set<String> = []
    for _ in 0..<40 {
      let table = table([map(30, &dice)])
      let kernel = try FakeNftTable(table)
      let walked = NftWalk.Table(table)
      for _ in 0..<200 {
        let packet = packet(&dice)
        var walk = NftWalk(walked, packet)
        let (end, _) = walk.run(.prerouting)
        let expected = packet.isIPv6 ? nil : kernel.verdict(of: "steering", for: packet)?.chain
        let found: String? = if case .drop(let comment) = end { "hit_\(comment)" } else { nil }
        #expect(found == expected, "\(packet)")
        seen.insert(expected ?? "")
      }
    }
    #expect(seen.count > 20, "\(seen.count) boxes were hit")
  }

  /// NFT_BREAK: the next rule has its say.
  @Test func aPacketThatLacksAFieldPassesTheRuleBy() {
    let all = NftMap.Element(.box(PacketBox([.turn(0)] + fields.dropFirst().map { .any($0) })), .goto(chain: "hit_0"))
    let walked = NftWalk.Table(table([NftMap(name: "steering", kind: .boxes(fields), elements: [all])]))
    func isHit(_ change: (inout Packet) -> Void) -> Bool {
      var packet = Packet(incoming: "lan0", source: "192.0.2.1", destination: "8.8.8.8")
      packet.isEthernet = true
      change(&packet)
      var walk = NftWalk(walked, packet)
      return walk.run(.prerouting).verdict == .drop("0")
    }
    #expect(isHit { _ in })
    #expect(!isHit { $0.isEthernet = false })
    #expect(!isHit { $0.isLaterFragment = true })
    #expect(!isHit { $0.isIPv6 = true })
  }

  @Test func aThousandBoxesAreWalkedTenThousandTimes() {
    var dice = SeededRandom(seed: 1)
    let fields: [PacketField] = [.turn, .source, .destination, .protocol, .port]
    let elements = (0..<1000).map { turn in
      NftMap.Element(
        .box(
          PacketBox([
            .turn(turn), .numbers(UInt64(turn) * 10, UInt64(turn) * 10 + 12), .any(.destination),
            .numbers(6, 17), .numbers(UInt64(turn), 65_535),
          ])), .goto(chain: "hit_\(turn)"))
    }
    let index = BoxIndex(fields, elements)
    var hits = 0
    for _ in 0..<10_000 {
      var packet = Packet(
        incoming: "lan0", source: IPv4Address(value: .random(in: 0..<12_000, using: &dice)), destination: "8.8.8.8",
        protocolNumber: 6)
      packet.port = .random(in: 0...65_535, using: &dice)
      if index.verdict(for: packet) != nil { hits += 1 }
    }
    #expect(hits > 1000, "\(hits)")
  }

  // MARK: What is written anew

  private func element(_ turn: Int, _ first: UInt64, _ last: UInt64, _ chain: String = "hit_0") -> NftMap.Element {
    .init(.box(PacketBox([.turn(turn), .numbers(first, last)])), .goto(chain: chain))
  }

  private func edits(_ old: [NftMap.Element], _ new: [NftMap.Element]) throws -> [NftEdit] {
    func table(_ elements: [NftMap.Element]) -> NftTable {
      self.table([NftMap(name: "steering", kind: .boxes([.turn, .source]), elements: elements)])
    }
    var kernel = try FakeNftTable(table(old))
    let change = try #require(NftChange(from: kernel.table, to: table(new)))
    try kernel.change(change)
    #expect(kernel.table.maps == table(new).maps)
    return change.edits
  }

  /// The order in which a map got its boxes decides, so none comes or goes alone.
  @Test func aMapThatHasOtherBoxesIsMadeAnew() throws {
    let kept = (0..<3).map { element(2 * $0 + 1, 0, UInt64($0)) }
    let map = NftMap(name: "steering", kind: .boxes([.turn, .source]), elements: kept)
    let rule = NftRule([.ipv4], [.choose(by: .fields(fields), map: "steering")])
    for elements in [
      [element(0, 0, 50)] + kept, Array(kept.dropLast()), [element(1, 0, 0, "hit_1")] + kept.dropFirst(),
    ] {
      #expect(
        try edits(kept, elements) == [
          .deleteRule(chain: "classify", NftHandle(1)), .deleteMap("steering"), .addMap("steering", map.kind),
          .addElements(map.holding(elements)), .addRule(rule, chain: "classify", before: nil),
        ])
    }
    #expect(try edits(kept, kept) == [])
  }

  /// Only what leads to a chain that goes is taken out before.
  @Test func aMapThatGoesGoesWhole() throws {
    let kept = (0..<40).map { element(2 * $0 + 1, 0, UInt64($0)) }
    let map = NftMap(name: "steering", kind: .boxes([.turn, .source]), elements: kept)
    let old = table([map.holding([element(0, 0, 5, "hit_9")] + kept)])
    var table = table([])
    table.chains.removeAll { $0.name == "hit_9" || $0.name == "classify" }
    let change = try #require(NftChange(from: try FakeNftTable(old).table, to: table))
    #expect(change.edits.contains(.removeElements(map.holding([element(0, 0, 5, "hit_9")]))))
    var kernel = try FakeNftTable(old)
    try kernel.change(change)
    #expect(kernel.table.frame == table.frame)
  }

  // MARK: Values

  @Test func boxesStandInTheOrderOfTheirTurns() {
    let elements = [3, 0, 2047, 11, 1].map { element($0, 5, 6) }
    let map = NftMap(name: "steering", kind: .boxes([.turn, .source]), elements: elements)
    let turns = map.elements.compactMap { if case .box(let box) = $0.key { box.turn } else { nil } }
    #expect(turns == [0, 1, 3, 11, 2047])
  }

  @Test func text() {
    let fields: [PacketField] = [.turn, .sender, .source, .protocol, .port]
    let boxes: [[PacketBox.Side]] = [
      [
        .turn(0), .numbers(0x0200_0000_0001, 0x0200_0000_0001), .numbers(0x0a00_0000, 0x0aff_ffff), .numbers(6, 6),
        .numbers(443, 443),
      ],
      [.turn(2047), .any(.sender), .numbers(5, 7), .any(.protocol), .any(.port)],
    ]
    let elements = boxes.map { NftMap.Element(.box(PacketBox($0)), .goto(chain: "hit_0")) }
    let table = table([NftMap(name: "steering", kind: .boxes(fields), elements: elements)])
    #expect(
      table.lines.prefix(8) == [
        "table inet backhaul {", "\tmap steering {",
        "\t\ttype ether_type . ether_addr . ipv4_addr . inet_proto . inet_service : verdict",
        "\t\tflags interval", "\t\telements = {",
        "\t\t\tip . 02:00:00:00:00:01 . 10.0.0.0/8 . tcp . 443 : goto hit_0,",
        "\t\t\t0x0001-0x0fff . 00:00:00:00:00:00-ff:ff:ff:ff:ff:ff . 0.0.0.5-0.0.0.7 . 0-255 . 0-65535 : goto hit_0,",
        "\t\t}",
      ])
    #expect(
      table.chains[0].rules[0].text
        == "meta protocol . ether saddr . ip saddr . ip protocol . th dport vmap @steering")
    let step = Step.changeNftTable(
      NftChange(
        to: table,
        by: [.addMap("more", .boxes([.turn, .port])), .removeElements(table.maps[0].holding([elements[0]]))]))
    #expect(
      PlanText().lines(step) == [
        "nft -f - <<'EOF'", "add map inet backhaul more { type ether_type . inet_service : verdict; flags interval; }",
        "delete element inet backhaul steering { ip . 02:00:00:00:00:01 . 10.0.0.0/8 . tcp . 443 }", "EOF",
      ])
  }
}
