/// What changes of maps.
struct MapEdits {
  private(set) var before: [NftEdit] = []
  private(set) var made: [NftEdit] = []
  private(set) var after: [NftEdit] = []
  /// Maps that become others under the same name: rules that ask them are written again.
  private(set) var remade: Set<String> = []

  /// Boxes that are taken out of a map one by one. For each Linux goes through all of the map (pipapo_drop,
  /// net/netfilter/nft_set_pipapo.c): up to 3 ms in a map of a thousand, which goes whole in one.
  private static let removals = 32

  init(_ present: NftTable, _ wanted: NftTable) {
    let there = Dictionary(present.maps.map { ($0.name, $0) }) { first, _ in first }
    for map in wanted.maps {
      let old = there[map.name]
      // In which order a map got its boxes decides which of them a packet belongs to.
      guard let old, old.kind == map.kind, !map.kind.isOfBoxes || old.elements == map.elements else {
        if old != nil { remade.insert(map.name) }
        made.append(.addMap(map.name, map.kind))
        if !map.elements.isEmpty { after.append(.addElements(map)) }
        continue
      }
      let (had, has) = (Set(old.elements), Set(map.elements))
      let removed = old.elements.filter { !has.contains($0) }
      let added = map.elements.filter { !had.contains($0) }
      if !removed.isEmpty { before.append(.removeElements(map.holding(removed))) }
      if !added.isEmpty { after.append(.addElements(map.holding(added))) }
    }
    let names = Set(wanted.maps.map(\.name)).subtracting(remade)
    let gone = present.maps.filter { !names.contains($0.name) }
    let hooks = Dictionary(wanted.chains.map { ($0.name, $0.hook) }) { first, _ in first }
    let staying = Set(present.chains.filter { hooks[$0.name] == .some($0.hook) }.map(\.name))
    for map in gone {
      // Else the chains that it leads to are still in use where an older kernel clears it away later (before 5.10.188,
      // 5.15.118, 6.1.36 and 6.4; nft_map_deactivate, net/netfilter/nf_tables_api.c).
      guard map.kind.isOfBoxes else {
        if !map.elements.isEmpty { before.append(.removeElements(map)) }
        continue
      }
      let removed = map.elements.filter { !staying.contains($0.verdict.chain) }
      if !removed.isEmpty, removed.count <= Self.removals { before.append(.removeElements(map.holding(removed))) }
    }
    before += gone.map { .deleteMap($0.name) }
  }
}

extension NftMap.Kind {
  fileprivate var isOfBoxes: Bool { if case .boxes = self { true } else { false } }
}
