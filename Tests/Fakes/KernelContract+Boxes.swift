import Agent
package import Core
import Glibc
internal import RuleSets

/// Maps from boxes of packet fields to chains.
extension KernelGround {
  private static var map: String { "steering" }

  /// Packets that come in to the router are led by a map to one of the chains, each of which counts.
  private func steering(_ fields: [PacketField], _ elements: [NftMap.Element]) -> NftTable {
    let names = ["hit_a", "hit_b", "hit_c"]
    let out = NftRule([.ipv4], [.choose(by: .fields(fields), map: Self.map)], comment: "steered")
    return NftTable(
      name: ranges.nftTable, sets: [], maps: [NftMap(name: Self.map, kind: .boxes(fields), elements: elements)],
      chains: [NftChain(name: "arrive", hook: .init(kind: .filter, point: .input, priority: -150), rules: [out])]
        + names.map { NftChain(name: $0, rules: [NftRule([], [.count])]) })
  }

  private func element(_ turn: Int, _ sides: [PacketBox.Side], _ letter: String) -> NftMap.Element {
    .init(.box(PacketBox([.turn(turn)] + sides)), .goto(chain: "hit_\(letter)"))
  }

  /// Some of what a field may be asked for: a value, a range that is no prefix, all.
  package func sides(of field: PacketField) throws -> [PacketBox.Side] {
    switch field {
    case .turn: [.turn(0), .turn(1), .turn(PacketBox.Side.mostTurns)]
    default: [.numbers(field.largest, field.largest), .numbers(1, field.largest - 1), .any(field)]
    }
  }

  /// Each field alone beside the turn, then as many as a map has, in both orders.
  func boxForms() throws {
    let fields = PacketField.allCases
    let few: [PacketField] = [.turn, .sender, .source, .destination, .port]
    for fields in fields.dropFirst().map({ [.turn, $0] }) + [few, [.turn] + fields.reversed().prefix(4)] {
      let elements = try (0..<3).map { number in
        NftMap.Element(
          .box(PacketBox(try fields.map { try sides(of: $0)[number] })),
          number == 1 ? .jump(chain: "hit_a") : .goto(chain: "hit_b"))
      }
      let table = steering(fields, elements)
      try apply([.replaceNftTable(table)])
      try expectTable(table, "\(fields)")
      try changeInPlace(to: steering(fields, [elements[1]]), "\(fields): one of them")
      try changeInPlace(to: table, "\(fields): all again")
    }
    var ethernet = steering(few, [])
    ethernet.chains[1].rules.insert(NftRule([.ethernet, .ipv4], [.count]), at: 0)
    try changeInPlace(to: steering(few, []), "of other fields")
    try changeInPlace(to: ethernet, "a rule for Ethernet")
  }

  /// Sends packets, and says which of the chains counted them.
  private func hit() throws -> String {
    func counts() throws -> [UInt64] {
      try ["hit_a", "hit_b", "hit_c"].map { try sight.counted(in: [$0]).packets[$0] ?? 0 }
    }
    let before = try counts()
    try sendToItself(4)
    return try zip(zip("abc", before), counts()).filter { $0.1 < $1 }.map { String($0.0.0) }.joined()
  }

  func boxOrder() throws {
    let fields: [PacketField] = [.turn, .source, .destination, .protocol]
    let loopback: PacketBox.Side = .numbers(0x7f00_0000, 0x7fff_ffff)
    func box(_ turn: Int, _ letter: String, source: PacketBox.Side = .any(.source)) -> NftMap.Element {
      element(turn, [source, loopback, .numbers(0, 16)], letter)
    }
    let elsewhere = element(0, [.any(.source), .numbers(1, 9), .any(.protocol)], "c")
    let steps: [(elements: [NftMap.Element], hit: String)] = [
      ([elsewhere, box(1, "a"), box(2, "b"), box(3, "c")], "a"),
      ([elsewhere, box(2, "b"), box(3, "c")], "b"),
      // Ahead of one that stays, though it comes later.
      ([elsewhere, box(1, "a"), box(2, "b"), box(3, "c")], "a"),
      ([elsewhere, box(1, "c"), box(2, "b"), box(3, "a")], "c"),
      ([elsewhere, box(3, "a")], "a"),
      ([box(0, "b", source: loopback), box(3, "a")], "b"),
      ([box(0, "b", source: .numbers(0, 9)), box(1, "c", source: loopback), box(3, "a")], "c"),
      ([box(0, "b", source: .numbers(0, 9))], ""),
      ([], ""),
    ]
    try apply([.replaceNftTable(steering(fields, steps[0].elements))])
    for (number, step) in steps.enumerated() {
      let table = steering(fields, step.elements)
      if number > 0 { try changeInPlace(to: table, "step \(number)") } else { try expectTable(table, "made") }
      try expect(try hit(), is: step.hit, "step \(number): who counted")
    }
  }

  func boxRefusals() throws {
    let fields: [PacketField] = [.turn, .source]
    let there = element(0, [.numbers(10, 20)], "a")
    let table = steering(fields, [there])
    try apply([.replaceNftTable(table)])
    func add(_ elements: [NftMap.Element], fields: [PacketField] = fields) -> NftEdit {
      .addElements(NftMap(name: Self.map, kind: .boxes(fields), elements: elements))
    }
    func remove(_ elements: [NftMap.Element]) -> NftEdit {
      .removeElements(NftMap(name: Self.map, kind: .boxes(fields), elements: elements))
    }
    let refused: [(NftEdit, Int32, String)] = [
      (add([element(0, [.numbers(5, 15)], "b")]), EEXIST, "its high corner is in another"),
      (add([element(0, [.numbers(20, 25)], "b")]), EEXIST, "its low corner is in another"),
      (add([element(0, [.numbers(12, 12)], "b")]), EEXIST, "it is in another"),
      (add([element(0, [.numbers(10, 20)], "b")]), EEXIST, "with another verdict"),
      (
        add([element(1, [.numbers(0, 30)], "b"), element(2, [.numbers(40, 20)], "b")]), EINVAL, "ends before it begins"
      ),
      (add([element(1, [.numbers(0, 30), .any(.port)], "b")], fields: fields + [.port]), EINVAL, "a field more"),
      (add([.init(.box(PacketBox([.turn(1)])), .goto(chain: "hit_b"))], fields: [.turn]), EINVAL, "a field fewer"),
      (add([.init(.box(PacketBox([.turn(1), .any(.source)])), .goto(chain: "no"))]), ENOENT, "to no chain"),
      (remove([element(0, [.numbers(30, 40)], "a")]), ENOENT, "it is not there"),
    ]
    for (edit, errno, what) in refused {
      let step = Step.changeNftTable(NftChange(to: table, by: [edit]))
      do throws(KernelFailure) { try kernel.apply(step) } catch {
        try expect(error.errno, is: errno, what)
        try expectTable(table, "\(what): as before")
        continue
      }
      throw ContractBreach("taken: \(what)")
    }
    try apply([.changeNftTable(NftChange(to: table, by: [remove([there]), add([there])]))])
    try expectTable(table, "removed and added")
  }

  func manyBoxes() throws {
    let fields: [PacketField] = [.turn, .source, .destination, .protocol, .port]
    func boxes(_ numbers: some Sequence<Int>) -> [NftMap.Element] {
      numbers.map { number in
        // Each overlaps its neighbours.
        let first = UInt64(number) * 200
        return element(
          number, [.numbers(first, first + 500), .any(.destination), .numbers(6, 6), .numbers(443, 1000)],
          number % 2 == 0 ? "a" : "b")
      }
    }
    let all = steering(fields, boxes(0..<2000))
    try apply([.replaceNftTable(all)])
    try expectTable(all, "2,000 boxes")
    try changeInPlace(to: steering(fields, boxes((0..<2000).filter { $0 != 700 })), "one fewer")
    try changeInPlace(to: all, "and one more")
    try changeInPlace(to: steering(fields, boxes(500..<1500)), "half of them")
    try changeInPlace(to: all, "and all again")
    // With a chain that many of them lead to.
    var fewer = steering(fields, all.maps[0].elements.filter { $0.verdict.chain == "hit_a" })
    fewer.chains.removeAll { $0.name == "hit_b" }
    try changeInPlace(to: fewer, "without a chain")
    fewer.maps = []
    fewer.chains[0].rules = []
    fewer.chains.removeAll { $0.name == "hit_a" }
    try changeInPlace(to: fewer, "without the map")
  }
}
