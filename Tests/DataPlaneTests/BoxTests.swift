internal import Fakes
internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// Maps of boxes: which of them a packet belongs to, and what of them is written anew.
@Suite struct BoxTests {
  private let fields: [PacketField] = [.turn, .incoming, .sender, .source, .protocol, .port, .trafficClass]

  private func side(_ field: PacketField, _ dice: inout SeededRandom) -> PacketBox.Side {
    if dice.chance(40) { return .any(field) }
    if field == .incoming { return .device(["lan0", "lan1", "guests"].randomElement(using: &dice) ?? "lan0") }
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
    packet.trafficClass = .random(in: 0..<9, using: &dice)
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
    #expect(!isHit { $0.incoming = nil })
    #expect(!isHit { $0.isIPv6 = true })
  }

  @Test func aThousandBoxesAreWalkedTenThousandTimes() {
    var dice = SeededRandom(seed: 1)
    let fields: [PacketField] = [.turn, .incoming, .source, .destination, .protocol, .port]
    let elements = (0..<1000).map { turn in
      NftMap.Element(
        .box(
          PacketBox([
            .turn(turn), .device("lan0"), .numbers(UInt64(turn) * 10, UInt64(turn) * 10 + 12), .any(.destination),
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

  private func edit(remove removed: [NftMap.Element], add added: [NftMap.Element]) -> [NftEdit] {
    let map = NftMap(name: "steering", kind: .boxes([.turn, .source]), elements: [])
    return (removed.isEmpty ? [] : [.removeElements(map.holding(removed))])
      + (added.isEmpty ? [] : [.addElements(map.holding(added))])
  }

  @Test func onlyWhatOverlapsAnAddedBoxAndComesLaterIsWrittenAnew() throws {
    let (before, apart, over) = (element(1, 0, 99), element(3, 200, 299), element(4, 50, 59))
    let kept = [before, apart, over]
    let new = element(2, 40, 80)
    #expect(try edits(kept, kept + [new]) == edit(remove: [over], add: [new, over]))
    #expect(try edits(kept + [new], kept) == edit(remove: [new], add: []))
    let last = element(9, 0, 300)
    #expect(try edits(kept, kept + [last]) == edit(remove: [], add: [last]))
  }

  /// What moves behind others may have been ahead of some.
  @Test func whatOverlapsAMovedOneMovesToo() throws {
    let (a, b, c, d) = (element(2, 5, 15), element(3, 12, 25), element(4, 22, 35), element(5, 40, 50))
    let new = element(1, 0, 7)
    #expect(try edits([a, b, c, d], [new, a, b, c, d]) == edit(remove: [a, b, c], add: [new, a, b, c]))
  }

  @Test func anotherVerdictIsAnotherElement() throws {
    let (old, new) = (element(1, 0, 9), element(1, 0, 9, "hit_1"))
    let later = element(2, 5, 20)
    #expect(try edits([old, later], [new, later]) == edit(remove: [old, later], add: [new, later]))
  }

  /// Linux is slow at taking them out.
  @Test func aMapThatLosesManyBoxesIsMadeAnew() throws {
    let kept = (0..<40).map { element(2 * $0 + 1, 0, UInt64($0)) }
    let new = element(0, 0, 50)
    let map = NftMap(name: "steering", kind: .boxes([.turn, .source]), elements: [new] + kept)
    let rule = NftRule([.ipv4], [.choose(by: .fields(fields), map: "steering")])
    #expect(
      try edits(kept, [new] + kept) == [
        .deleteRule(chain: "classify", NftHandle(1)), .deleteMap("steering"), .addMap("steering", map.kind),
        .addElements(map),
        .addRule(rule, chain: "classify", before: nil),
      ])
    #expect(try edits(Array(kept.prefix(30)), [new] + kept.prefix(30)).count == 2)
    // Only what leads to a chain that goes is taken out before.
    let old = table([map.holding([element(0, 0, 5, "hit_9")] + kept)])
    var table = table([])
    table.chains.removeAll { $0.name == "hit_9" || $0.name == "classify" }
    let change = try #require(NftChange(from: try FakeNftTable(old).table, to: table))
    #expect(change.edits.contains(.removeElements(map.holding([element(0, 0, 5, "hit_9")]))))
    var kernel = try FakeNftTable(old)
    try kernel.change(change)
    #expect(kernel.table.frame == table.frame)
  }

  /// Beyond so many comparisons all that could matter is written anew.
  @Test func manyAddedBoxesMoveAllLaterOnes() {
    let added = (0..<500).map { element($0, UInt64($0) * 10, UInt64($0) * 10 + 5) }
    let kept = (500..<1500).map { element($0, 100_000 + UInt64($0) * 10, 100_000 + UInt64($0) * 10) }
    let moved = BoxOrder.moved(kept, behind: added)
    #expect(moved.count > 500 && moved.count < 1000, "\(moved.count)")
    #expect(Set(moved).isSubset(of: kept))
    #expect(BoxOrder.moved(kept, behind: Array(added.prefix(100))).isEmpty)
  }

  // MARK: Values

  @Test func boxesStandInTheOrderOfTheirTurns() {
    let elements = [3, 0, 2047, 11, 1].map { element($0, 5, 6) }
    let map = NftMap(name: "steering", kind: .boxes([.turn, .source]), elements: elements)
    let turns = map.elements.compactMap { if case .box(let box) = $0.key { box.turn } else { nil } }
    #expect(turns == [0, 1, 3, 11, 2047])
  }

  @Test func text() {
    let fields: [PacketField] = [.turn, .incoming, .sender, .source, .protocol, .port, .trafficClass]
    let boxes: [[PacketBox.Side]] = [
      [
        .turn(0), .device("lan0"), .numbers(0x0200_0000_0001, 0x0200_0000_0001), .numbers(0x0a00_0000, 0x0aff_ffff),
        .numbers(6, 6), .numbers(443, 443), .numbers(0xb8, 0xbb),
      ],
      [.turn(2047), .anyDevice, .any(.sender), .numbers(5, 7), .any(.protocol), .any(.port), .any(.trafficClass)],
    ]
    let elements = boxes.map { NftMap.Element(.box(PacketBox($0)), .goto(chain: "hit_0")) }
    let table = table([NftMap(name: "steering", kind: .boxes(fields), elements: elements)])
    let any = "\"!\"-\"~~~~~~~~~~~~~~~\""
    #expect(
      table.lines.prefix(8) == [
        "table inet backhaul {", "\tmap steering {",
        "\t\ttype ether_type . ifname . ether_addr . ipv4_addr . inet_proto . inet_service . dscp : verdict",
        "\t\tflags interval", "\t\telements = {",
        "\t\t\tip . \"lan0\" . 02:00:00:00:00:01 . 10.0.0.0/8 . tcp . 443 . 0xb8-0xbb : goto hit_0,",
        "\t\t\t0x0001-0x0fff . \(any) . 00:00:00:00:00:00-ff:ff:ff:ff:ff:ff . 0.0.0.5-0.0.0.7 . 0-255 . 0-65535 . "
          + "0x00-0xff : goto hit_0,", "\t\t}",
      ])
    #expect(
      table.chains[0].rules[0].text
        == "meta protocol . iifname . ether saddr . ip saddr . ip protocol . th dport . @nh,8,8 "
        + "vmap @steering")
    let step = Step.changeNftTable(
      NftChange(
        to: table,
        by: [.addMap("more", .boxes([.turn, .port])), .removeElements(table.maps[0].holding([elements[0]]))]))
    #expect(
      PlanText().lines(step) == [
        "nft -f - <<'EOF'", "add map inet backhaul more { type ether_type . inet_service : verdict; flags interval; }",
        "delete element inet backhaul steering { ip . \"lan0\" . 02:00:00:00:00:01 . 10.0.0.0/8 . tcp . 443 . "
          + "0xb8-0xbb }", "EOF",
      ])
  }
}
