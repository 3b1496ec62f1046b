internal import Fakes
internal import RuleSets
import SeededRandom

@testable import Core

/// Two random tables, and a planner's changes from one to the other.
struct ChangeTrial {
  typealias Planned = (_ present: NftTable, _ wanted: NftTable, _ room: Int) -> NftChange?

  private let present: FakeNftTable
  private let wanted: NftTable
  private let room: Int

  init(seed: UInt64) {
    var dice = SeededRandom(seed: seed)
    let old = Self.table(&dice)
    var kernel = FakeNftTable(adopting: old)
    // Each rule has counted something different, and other parts have filled their sets.
    for chain in kernel.table.chains {
      for case let handle? in chain.handles { kernel.counted[handle] = 1_000 + handle.value }
    }
    for set in old.sets where set.isFed { kernel.fed[set.name] = [7...9] }
    for name in old.counters { kernel.shared[name] = 5 }
    present = kernel
    wanted = dice.chance(80) ? Self.altered(old, &dice) : Self.table(&dice)
    room = [3, 8, 1000].randomElement(using: &dice) ?? 8
  }

  /// What is wrong with it; nil: nothing.
  func flaw(of plan: Planned) -> String? {
    // The fed sets, as they are read.
    var seen = present.table
    for (index, set) in seen.sets.enumerated() {
      seen.sets[index] = set.isFed ? .fed(set.name) : NftSet(name: set.name, ranges: present.held(by: set.name) ?? [])
    }
    guard let change = plan(seen, wanted, room) else { return "not changed in place" }
    var kernel = present
    kernel.alter { $0.sets = seen.sets }
    do throws(FakeRefusal) { try kernel.change(change) } catch { return "refused: \(error.cause)" }
    if kernel.table.frame != wanted.frame { return "another table" }
    for set in wanted.sets where !set.isFed {
      if kernel.held(by: set.name) != set.ranges { return "set \(set.name) holds something else" }
    }
    if change.written > room { return "too much for one transaction" }
    if let flaw = misled(in: kernel) { return flaw }
    return lost(in: kernel, by: change) ?? superfluous(in: change)
  }

  /// What was changed although nothing asked for it.
  private func lost(in kernel: FakeNftTable, by change: NftChange) -> String? {
    for set in wanted.sets where set.isFed && present.fed[set.name] != nil {
      if kernel.fed[set.name] != present.fed[set.name] { return "what others put into \(set.name) is gone" }
    }
    for name in wanted.counters where present.shared[name] != nil {
      if kernel.shared[name] != present.shared[name] { return "counter \(name) begins anew" }
    }
    for chain in wanted.chains {
      let now = kernel.table.chains.first { $0.name == chain.name }
      let surviving = (now?.handles ?? []).compactMap(\.self).filter { kernel.counted[$0] != nil }
      if surviving.count < keepable(in: chain, change) { return "rules of \(chain.name) count anew" }
      if zip(surviving, surviving.dropFirst()).contains(where: { $0.value > $1.value }) { return "out of order" }
    }
    return nil
  }

  /// A packet that a map leads elsewhere than a map would that is made anew.
  private func misled(in kernel: FakeNftTable) -> String? {
    let fresh = FakeNftTable(adopting: wanted)
    for map in wanted.maps {
      for number in 0..<60 {
        var packet = Packet(
          incoming: "lan0", source: IPv4Address(value: UInt32(number % 12)), destination: IPv4Address(value: 1))
        packet.port = UInt16(number % 5)
        let (found, expected) = (kernel.verdict(of: map.name, for: packet), fresh.verdict(of: map.name, for: packet))
        if found != expected { return "\(map.name) leads \(packet) astray" }
      }
    }
    return nil
  }

  /// No more rules are written than necessary.
  private func superfluous(in change: NftChange) -> String? {
    for chain in wanted.chains {
      let written = change.edits.count { if case .addRule(_, chain.name, _) = $0 { true } else { false } }
      if written > chain.rules.count - keepable(in: chain, change) {
        return "\(written) rules of \(chain.name) written"
      }
    }
    return nil
  }

  /// How many rules of a chain can stay: the longest common subsequence, by hand. Rules that use a replaceable set or a map
  /// that is made anew do not count.
  private func keepable(in chain: NftChain, _ change: NftChange) -> Int {
    guard let old = present.table.chains.first(where: { $0.name == chain.name }), old.hook == chain.hook else {
      return 0
    }
    let replaced = Set(
      wanted.sets.filter { set in
        guard let held = present.held(by: set.name), !set.isFed else { return false }
        return SetChange(from: held, to: set).count > 0
      }.map(\.name))
    let remade = Set(change.edits.compactMap { if case .deleteMap(let map) = $0 { map } else { nil } })
    let asks = { (rule: NftRule) in
      rule.sets.contains { replaced.contains($0) }
        || rule.actions.contains { if case .choose(_, let map) = $0 { remade.contains(map) } else { false } }
    }
    let (left, right) = (old.rules.filter { !asks($0) }, chain.rules.filter { !asks($0) })
    var best = [Int](repeating: 0, count: right.count + 1)
    for rule in left {
      var diagonal = 0
      for (index, other) in right.enumerated() {
        let above = best[index + 1]
        best[index + 1] = rule == other ? diagonal + 1 : max(above, best[index])
        diagonal = above
      }
    }
    return best[right.count]
  }
}

extension NftChange {
  /// Ranges in the transaction.
  fileprivate var written: Int {
    edits.reduce(0) { sum, edit in
      switch edit {
      case .changeSet(let change): sum + change.count
      case .addSet(let set): sum + set.ranges.count
      default: sum
      }
    }
  }
}

extension ChangeTrial {
  private static let chains = ["classify", "steer", "pass", "bind_a", "bind_b"]

  private static func ranges(_ dice: inout SeededRandom) -> [ClosedRange<UInt32>] {
    dice.some(Array(0..<8)).map { $0 * 10...$0 * 10 + 3 }
  }

  private static func table(_ dice: inout SeededRandom) -> NftTable {
    var table = NftTable(name: "backhaul", sets: [], chains: [])
    table.counters = dice.some(["office", "guests"])
    for name in ["direct", "source_a", "source_b"] where dice.chance(60) {
      table.sets.append(NftSet(name: name, ranges: ranges(&dice)))
    }
    if dice.chance(50) { table.sets.append(.fed("domain_cdn")) }
    for (index, name) in chains.enumerated() where dice.chance(70) {
      let hook = NftChain.Hook(kind: .filter, point: .prerouting, priority: dice.chance(80) ? -150 : -140)
      table.chains.append(NftChain(name: name, hook: index == 0 || index == 2 ? hook : nil, rules: []))
    }
    for name in ["ways", "sizes", "steering"] where dice.chance(60) { table.maps.append(map(name, table, &dice)) }
    for index in table.chains.indices {
      for _ in 0..<Int.random(in: 0...6, using: &dice) {
        table.chains[index].rules.append(rule(of: table.chains[index], in: table, &dice))
      }
      // Equal rules of one chain are interchangeable.
      var seen: Set<NftRule> = []
      table.chains[index].rules.removeAll { !seen.insert($0).inserted }
    }
    return table
  }

  private static func map(_ name: String, _ table: NftTable, _ dice: inout SeededRandom) -> NftMap {
    let targets = table.chains.filter { $0.hook == nil }.map(\.name)
    if name == "steering" { return boxes(name, targets, &dice) }
    let elements = (0..<4).compactMap { number -> NftMap.Element? in
      guard dice.chance(60), let target = targets.randomElement(using: &dice) else { return nil }
      let mark = Mark(value: UInt32(number + 1) << 24)
      return .init(.mark(mark), dice.chance(50) ? .jump(chain: target) : .goto(chain: target))
    }
    return NftMap(name: name, kind: .mark, elements: elements)
  }

  private static let fields: [PacketField] = [.turn, .source, .port]

  private static func boxes(_ name: String, _ targets: [String], _ dice: inout SeededRandom) -> NftMap {
    // Sometimes of other fields.
    let fields = dice.chance(90) ? fields : [.turn, .port, .source]
    let elements = (0..<8).compactMap { turn in dice.chance(60) ? box(turn, fields, targets, &dice) : nil }
    return NftMap(name: name, kind: .boxes(fields), elements: elements)
  }

  private static func box(
    _ turn: Int, _ fields: [PacketField], _ targets: [String], _ dice: inout SeededRandom
  ) -> NftMap.Element? {
    guard let target = targets.randomElement(using: &dice) else { return nil }
    let sides = fields.map { field -> PacketBox.Side in
      if field == .turn { return .turn(turn) }
      if dice.chance(30) { return .any(field) }
      let first = UInt64.random(in: 0..<10, using: &dice)
      return .numbers(first, first + UInt64.random(in: 0..<6, using: &dice))
    }
    return .init(.box(PacketBox(sides)), dice.chance(50) ? .jump(chain: target) : .goto(chain: target))
  }

  /// Chains that maps lead to have no hook, and lead nowhere themselves.
  private static func rule(of chain: NftChain, in table: NftTable, _ dice: inout SeededRandom) -> NftRule {
    let comment = "rule \(Int.random(in: 0..<12, using: &dice))"
    var matches: [NftRule.Match] = [.ipv4]
    if dice.chance(40), let set = table.sets.randomElement(using: &dice) {
      matches.append(dice.chance(50) ? .sourceIn(set: set.name) : .destinationNotIn(set: set.name))
    }
    var actions: [NftRule.Action] = [.count]
    if dice.chance(25), let counter = table.counters.randomElement(using: &dice) { actions.append(.countIn(counter)) }
    if chain.hook != nil, dice.chance(30), let map = table.maps.randomElement(using: &dice) {
      let mask = MarkMask(bits: 0x7f00_0000) ?? KernelRanges().markMask
      let subject: NftRule.Subject = if case .boxes(let fields) = map.kind { .fields(fields) } else { .mark(mask) }
      actions.append(.choose(by: subject, map: map.name))
    }
    return NftRule(matches, actions, comment: comment)
  }

  /// A few differences, as from one rule set to the next.
  private static func altered(_ old: NftTable, _ dice: inout SeededRandom) -> NftTable {
    var table = old
    for _ in 0..<Int.random(in: 0...4, using: &dice) {
      switch Int.random(in: 0..<10, using: &dice) {
      case 0:
        guard let index = table.chains.indices.randomElement(using: &dice) else { continue }
        let rules = table.chains[index].rules
        let new = rule(of: table.chains[index], in: table, &dice)
        if !rules.contains(new) {
          table.chains[index].rules.insert(new, at: Int.random(in: 0...rules.count, using: &dice))
        }
      case 1:
        guard let index = table.chains.indices.randomElement(using: &dice),
          let rule = table.chains[index].rules.indices.randomElement(using: &dice)
        else { continue }
        table.chains[index].rules.remove(at: rule)
      case 2:
        guard let index = table.chains.indices.randomElement(using: &dice) else { continue }
        table.chains[index].rules.shuffle(using: &dice)
      case 3:
        guard let index = table.sets.indices.randomElement(using: &dice), !table.sets[index].isFed else { continue }
        table.sets[index].ranges = ranges(&dice)
      case 4:
        guard let index = table.maps.indices.randomElement(using: &dice) else { continue }
        table.maps[index] = map(table.maps[index].name, table, &dice)
      case 9:
        // One box more or fewer, or another verdict.
        guard let index = table.maps.firstIndex(where: { $0.name == "steering" }),
          case .boxes(let fields) = table.maps[index].kind
        else { continue }
        let turn = Int.random(in: 0..<8, using: &dice)
        var elements = table.maps[index].elements.filter { element in
          if case .box(let box) = element.key { box.turn != turn } else { true }
        }
        let targets = table.chains.filter { $0.hook == nil }.map(\.name)
        if dice.chance(70), let box = box(turn, fields, targets, &dice) { elements.append(box) }
        table.maps[index] = table.maps[index].holding(elements)
      case 5: drop(table.chains.randomElement(using: &dice)?.name, from: &table)
      case 6:
        guard let index = table.chains.firstIndex(where: { $0.hook != nil }) else { continue }
        table.chains[index].hook?.priority = dice.chance(50) ? -150 : -130
      case 7:
        let name = "more_\(Int.random(in: 0..<3, using: &dice))"
        guard !table.sets.contains(where: { $0.name == name }) else { continue }
        table.sets.append(dice.chance(30) ? .fed(name) : NftSet(name: name, ranges: ranges(&dice)))
      default:
        guard let set = table.sets.randomElement(using: &dice)?.name else { continue }
        table.sets.removeAll { $0.name == set }
        for index in table.chains.indices { table.chains[index].rules.removeAll { $0.sets.contains(set) } }
      }
    }
    return table
  }

  private static func drop(_ chain: String?, from table: inout NftTable) {
    guard let chain else { return }
    table.chains.removeAll { $0.name == chain }
    table.maps = table.maps.map { map in
      NftMap(name: map.name, kind: map.kind, elements: map.elements.filter { $0.verdict.chain != chain })
    }
  }
}
