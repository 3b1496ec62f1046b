import Agent
import Core
import Fakes
import KernelGrounds
internal import RuleSets
import Testing

@Suite("Maps of boxes and nft(8)")
struct BoxListingTests {
  private func table(
    _ ground: RealGround, _ fields: [PacketField], _ boxes: [[PacketBox.Side]], isEthernet: Bool = false
  ) -> NftTable {
    let elements = boxes.enumerated().map { turn, sides in
      NftMap.Element(.box(PacketBox([.turn(turn)] + sides)), turn == 1 ? .jump(chain: "hit") : .goto(chain: "hit"))
    }
    let steered = NftRule(
      isEthernet ? [.ethernet, .ipv4] : [.ipv4], [.choose(by: .fields(fields), map: "steering")], comment: "steered")
    return NftTable(
      name: ground.ranges.nftTable, sets: [],
      maps: [NftMap(name: "steering", kind: .boxes(fields), elements: elements)],
      chains: [
        NftChain(name: "classify", hook: .init(kind: .filter, point: .prerouting, priority: -150), rules: [steered]),
        NftChain(name: "hit", rules: []),
      ])
  }

  private func listed(_ ground: RealGround) throws -> [Substring] {
    try ground.lines("nft -s list ruleset").map { $0.drop { $0 == "\t" || $0 == " " } }
  }

  private func expect(_ table: NftTable, listed lines: [Substring]) {
    for text in table.lines.map({ $0.drop { $0 == "\t" } }) where text.contains(" . ") {
      let core = text.hasSuffix(",") ? text.dropLast() : text
      #expect(lines.contains { $0.contains(core) }, "nft writes it otherwise: \(core)")
    }
  }

  @Test("what nft lists, nft loads again")
  func reload() throws {
    try RealGround.with { ground in
      let cases: [(fields: [PacketField], boxes: [[PacketBox.Side]], isEthernet: Bool)] = [
        (
          [.turn, .source, .destination, .protocol, .port],
          [
            [.numbers(0x0a00_0000, 0x0aff_ffff), .numbers(1, 2), .numbers(6, 6), .numbers(443, 443)],
            [.any(.source), .numbers(7, 7), .numbers(6, 17), .numbers(1, 1023)],
            [.any(.source), .any(.destination), .any(.protocol), .any(.port)],
          ], false
        ),
        (
          [.turn, .sender, .source, .protocol, .port],
          [
            [.numbers(0x0200_0000_0001, 0x0200_0000_0001), .any(.source), .numbers(6, 6), .numbers(22, 22)],
            [.numbers(1, 0xffff), .numbers(3, 9), .numbers(1, 17), .any(.port)],
            [.any(.sender), .any(.source), .any(.protocol), .any(.port)],
          ], true
        ),
      ]
      for (fields, boxes, isEthernet) in cases {
        let table = table(ground, fields, boxes, isEthernet: isEthernet)
        try ground.kernel.apply(.replaceNftTable(table))
        let before = try listed(ground)
        expect(table, listed: before)
        try ground.shell(
          """
          nft list ruleset > \(ground.stateDirectory)/saved
          nft flush ruleset
          nft -f \(ground.stateDirectory)/saved
          rm \(ground.stateDirectory)/saved
          """)
        #expect(try listed(ground) == before)
        let actual = try ground.kernel.read(expecting: table)
        #expect(actual.nftTable?.maps == table.maps)
        // nft asks for the type of the packet where it came in by Ethernet; else it is the very same table.
        if !isEthernet { #expect(actual.nftTable == table) }
        let plan = Planner.plan(
          desired: DesiredState(nftTable: table), actual: ActualState(nftTable: actual.nftTable))
        for step in plan.steps { try ground.kernel.apply(step) }
        #expect(try ground.kernel.read(expecting: table).nftTable == table)
      }
    }
  }
}
