/// What changes of the nftables table that is there, in one transaction. What it does not name stays as it is: rules with
/// what they have counted, and sets with what others have put into them.
package struct NftChange: Equatable, Sendable {
  /// The table as it is then.
  package var wanted: NftTable
  /// In the order in which the kernel takes them: what something leads to is there before that, and goes after it.
  package var edits: [NftEdit]

  package init(to wanted: NftTable, by edits: [NftEdit]) {
    self.wanted = wanted
    self.edits = edits
  }
}

/// One command of a transaction.
package enum NftEdit: Equatable, Sendable {
  case deleteRule(chain: String, NftHandle)
  /// All rules of a chain.
  case flushChain(String)
  /// From the map of this name and kind.
  case removeElements(NftMap)
  case deleteMap(String)
  case deleteSet(String)
  /// Gives the set these ranges, which are too many for one transaction: the store first fills a second set that no rule
  /// uses, then swaps the two. Rules that use the old set are deleted first.
  case fillSet(NftSet, isThere: Bool)
  case deleteCounter(String)
  case deleteChain(String)
  case addCounter(String)
  /// With its elements; a fed one without any.
  case addSet(NftSet)
  /// Empty.
  case addMap(String, NftMap.Kind)
  /// Without rules. One that is there, hooked alike, accepts what no rule judges from now on.
  case putChain(String, NftChain.Hook?)
  case changeSet(SetChange)
  /// To the map of this name and kind, in their order.
  case addElements(NftMap)
  /// - Parameter before: nil: at the end.
  case addRule(NftRule, chain: String, before: NftHandle?)
}

extension NftChange {
  /// The fewest changes from a table that is there to the one that is wanted; without edits where nothing differs. Nil
  /// where it cannot be changed in place: it is another table, does nothing (its flags), or has sets or maps of ours that
  /// hold what none of ours does, or a set of ranges stands where a fed one is wanted. A map that becomes one of another kind
  /// is made anew, and so are the rules that ask it; also one that has other boxes.
  ///
  /// - Parameter room: ranges that the transaction may add and remove.
  package init?(from present: NftTable, to wanted: NftTable, room: Int = SetSweep.rangesPerTransaction) {
    guard present.name == wanted.name, present.flags == wanted.flags,
      !(present.sets.map(\.name) + present.maps.map(\.name)).contains(where: \.isDescription),
      Set(wanted.sets.filter(\.isFed).map(\.name)).isDisjoint(with: present.sets.filter { !$0.isFed }.map(\.name))
    else { return nil }
    let maps = MapEdits(present, wanted)
    let sets = SetEdits(present, wanted, room: room)
    let chains = ChainEdits(present, wanted, asking: sets.filled.union(maps.remade))
    let (had, has) = (Set(present.counters), Set(wanted.counters))
    self.init(
      to: wanted,
      by: chains.before + maps.before + sets.before
        + present.counters.filter { !has.contains($0) }.map { .deleteCounter($0) } + chains.gone
        + wanted.counters.filter { !had.contains($0) }.map { .addCounter($0) } + sets.made + maps.made + chains.made
        + sets.after + maps.after + chains.after)
  }
}

extension NftChange {
  /// What it changes, each once, as nft(8) names it.
  package var objects: [String] {
    var seen: Set<String> = []
    return edits.map { "nft \($0.object(in: wanted.name))" }.filter { seen.insert($0).inserted }
  }
}

extension NftEdit {
  fileprivate func object(in table: String) -> String {
    switch self {
    case .deleteRule(let chain, _), .flushChain(let chain), .deleteChain(let chain), .putChain(let chain, _),
      .addRule(_, let chain, _):
      "chain inet \(table) \(chain)"
    case .deleteMap(let map), .addMap(let map, _): "map inet \(table) \(map)"
    case .removeElements(let map), .addElements(let map): "map inet \(table) \(map.name)"
    case .deleteSet(let set): "set inet \(table) \(set)"
    case .fillSet(let set, _), .addSet(let set): "set inet \(table) \(set.name)"
    case .changeSet(let change): "set inet \(table) \(change.set)"
    case .deleteCounter(let name), .addCounter(let name): "counter inet \(table) \(name)"
    }
  }
}

extension String {
  /// What reading makes of a set or map that has our name and holds what none of ours does: no name has a space.
  fileprivate var isDescription: Bool { contains(" ") }
}

/// What changes of sets.
private struct SetEdits {
  private(set) var before: [NftEdit] = []
  private(set) var made: [NftEdit] = []
  private(set) var after: [NftEdit] = []
  /// Sets that are swapped for another: rules that use them are written again.
  private(set) var filled: Set<String> = []

  init(_ present: NftTable, _ wanted: NftTable, room: Int) {
    let there = Dictionary(present.sets.map { ($0.name, $0) }) { first, _ in first }
    let names = Set(wanted.sets.map(\.name))
    before = present.sets.filter { !names.contains($0.name) }.map { .deleteSet($0.name) }
    var large: [(set: NftSet, change: SetChange?)] = []
    for set in wanted.sets where !set.isFed || there[set.name] == nil {
      // What a fed one holds is not known.
      guard let old = there[set.name], !old.isFed else {
        large.append((set, nil))
        continue
      }
      if old.ranges == set.ranges { continue }
      large.append((set, SetChange(from: old.ranges, to: set)))
    }
    // The small ones find room first.
    func size(_ set: NftSet, _ change: SetChange?) -> Int { change?.count ?? set.ranges.count }
    let order = large.enumerated().sorted {
      (size($0.element.set, $0.element.change), $0.offset) < (size($1.element.set, $1.element.change), $1.offset)
    }
    var room = room
    for (set, change) in order.map(\.element) {
      let isThere = there[set.name] != nil
      let fits = size(set, change) <= room
      if fits { room -= size(set, change) }
      switch change {
      case let change? where fits: if !change.isEmpty { after.append(.changeSet(change)) }
      case nil where fits && !isThere: made.append(.addSet(set))
      default:
        before.append(.fillSet(set, isThere: isThere))
        if isThere { filled.insert(set.name) }
      }
    }
  }
}

/// What changes of chains and their rules.
private struct ChainEdits {
  private(set) var before: [NftEdit] = []
  private(set) var gone: [NftEdit] = []
  private(set) var made: [NftEdit] = []
  private(set) var after: [NftEdit] = []

  /// - Parameter filled: sets and maps that become others under the same name.
  init(_ present: NftTable, _ wanted: NftTable, asking filled: Set<String>) {
    let there = Dictionary(present.chains.map { ($0.name, $0) }) { first, _ in first }
    let names = Set(wanted.chains.map(\.name))
    for chain in present.chains where !names.contains(chain.name) { take(chain) }
    for chain in wanted.chains {
      guard let old = there[chain.name] else {
        make(chain)
        continue
      }
      // A hook is for life (nf_tables_updchain, net/netfilter/nf_tables_api.c). Nothing leads to a base chain, so it can
      // go, and come as another.
      guard old.hook == chain.hook else {
        take(old)
        make(chain)
        continue
      }
      if old == chain && !chain.rules.contains(where: { $0.asks(oneOf: filled) }) { continue }
      change(old, to: chain, asking: filled)
    }
  }

  private mutating func take(_ chain: NftChain) {
    if !chain.rules.isEmpty { before.append(.flushChain(chain.name)) }
    gone.append(.deleteChain(chain.name))
  }

  private mutating func make(_ chain: NftChain) {
    made.append(.putChain(chain.name, chain.hook))
    after += chain.rules.map { .addRule($0, chain: chain.name, before: nil) }
  }

  private mutating func change(_ old: NftChain, to chain: NftChain, asking filled: Set<String>) {
    let handles = old.handles.compactMap(\.self)
    guard handles.count == old.rules.count else {
      // It stands at a hook that is none of ours: nothing leads to it.
      if chain.hook == nil, old.handles.contains(nil) {
        take(old)
        return make(chain)
      }
      // It has another policy; or nobody knows what the kernel calls its rules.
      if !old.rules.isEmpty { before.append(.flushChain(chain.name)) }
      return make(chain)
    }
    let kept = RuleMatching(from: old.rules, to: chain.rules) { $0.asks(oneOf: filled) }.kept
    let staying = Set(kept.values)
    if staying.isEmpty, old.rules.count > 1 {
      before.append(.flushChain(chain.name))
    } else {
      before += handles.indices.filter { !staying.contains($0) }.map { .deleteRule(chain: chain.name, handles[$0]) }
    }
    // The next that stays is what a new one is put before.
    var next: NftHandle?
    var added: [NftEdit] = []
    for (index, rule) in chain.rules.enumerated().reversed() {
      if let place = kept[index] {
        next = handles[place]
      } else {
        added.append(.addRule(rule, chain: chain.name, before: next))
      }
    }
    after += added.reversed()
  }
}

/// Which rules of a chain stay where they are while it becomes another.
struct RuleMatching {
  /// By place in the new chain, the place in the old one: both ascend together.
  private(set) var kept: [Int: Int] = [:]

  /// Equal rules are taken for one another in their order, and of those pairs as many stay as keep their order: the longest
  /// ascending sequence, found by patience sorting.
  ///
  /// - Parameter isNew: what is never taken for one that is there.
  init(from old: [NftRule], to new: [NftRule], except isNew: (NftRule) -> Bool = { _ in false }) {
    var places: [NftRule: [Int]] = [:]
    for (place, rule) in old.enumerated().reversed() where rule.unrecognised == nil {
      places[rule, default: []].append(place)
    }
    var pairs: [(new: Int, old: Int)] = []
    for (index, rule) in new.enumerated() where !isNew(rule) {
      if let place = places[rule]?.popLast() { pairs.append((index, place)) }
    }
    // The last pair of the best sequence of each length, and what came before each pair in its own.
    var ends: [Int] = []
    var former = [Int?](repeating: nil, count: pairs.count)
    for (number, pair) in pairs.enumerated() {
      var (low, high) = (0, ends.count)
      while low < high {
        let middle = (low + high) / 2
        if pairs[ends[middle]].old < pair.old { low = middle + 1 } else { high = middle }
      }
      former[number] = low > 0 ? ends[low - 1] : nil
      if low < ends.count { ends[low] = number } else { ends.append(number) }
    }
    var last = ends.last
    while let number = last {
      kept[pairs[number].new] = pairs[number].old
      last = former[number]
    }
  }
}

extension NftRule {
  /// The sets that it asks.
  package var sets: [String] {
    matches.compactMap { match in
      switch match {
      case .sourceIn(let set), .destinationIn(let set), .destinationNotIn(let set): set
      default: nil
      }
    }
  }

  private var maps: [String] {
    actions.compactMap { if case .choose(_, let map) = $0 { map } else { nil } }
  }

  fileprivate func asks(oneOf names: Set<String>) -> Bool {
    !names.isEmpty && (sets + maps).contains(where: names.contains)
  }
}
