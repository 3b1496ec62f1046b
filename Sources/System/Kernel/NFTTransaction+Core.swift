internal import Core
internal import Netlink
internal import RuleSets

/// Changes in Core's words.
extension NFTTransaction {
  /// Removes before it adds.
  mutating func apply(_ changes: [SetChange], table: String) throws(NetlinkFailure) {
    for change in changes { try deleteRanges(change.remove, from: change.set, table: table) }
    for change in changes { try addRanges(change.add, to: change.set, table: table) }
  }

  /// - Parameters:
  ///   - before: what the kernel calls the sets that are there.
  ///   - after: what it calls those that rules are to ask.
  mutating func apply(
    _ edit: NftEdit, table: String, before: SetNames, after: SetNames
  ) throws(NetlinkFailure) {
    switch edit {
    case .deleteRule(let chain, let handle): try deleteRule(handle: handle.value, chain: chain, table: table)
    case .flushChain(let name): try deleteRules(chain: name, table: table)
    case .removeElements(let map):
      // The last first: Linux moves all that stands behind a box that goes (pipapo_drop, net/netfilter/nft_set_pipapo.c).
      let elements = map.elements.reversed().map { NFTMapElement($0, in: map.kind) }
      try deleteElements(elements, from: map.name, table: table)
    case .deleteMap(let name): try deleteSet(name, table: table)
    case .deleteSet(let name): try deleteSet(before[name], table: table)
    // The other one is there and full.
    case .fillSet(let set, let isThere): if isThere { try deleteSet(before[set.name], table: table) }
    case .deleteCounter(let name): try deleteCounter(name, table: table)
    case .deleteChain(let name): try deleteChain(name, table: table)
    case .addCounter(let name): try addCounter(name, table: table)
    case .addSet(let set):
      try add(set, table: table)
    case .addMap(let name, let kind): try addMap(name, from: NFTSet.Key(kind), table: table)
    case .putChain(let name, let hook):
      try addChain(NFTChain(NftChain(name: name, hook: hook, rules: [])), table: table)
    case .changeSet(let change):
      try apply([SetChange(set: before[change.set], remove: change.remove, add: change.add)], table: table)
    case .addElements(let map): try addElements(of: map, table: table)
    case .addRule(let rule, let chain, let next):
      let written = NFTRule(rule, of: NftChain(name: chain, rules: [])).renamingSets { after[$0] }
      try addRule(written, before: next?.value, table: table)
    }
  }

  /// With what it holds; a fed one is empty.
  mutating func add(_ set: NftSet, table: String) throws(NetlinkFailure) {
    guard set.isFed else {
      try addSet(set.name, table: table)
      return try addRanges(set.ranges, to: set.name, table: table)
    }
    try addExpiringSet(
      set.name, timeout: UInt64(NftSet.fedTimeout.milliseconds), size: UInt32(NftSet.fedSize), table: table)
  }

  private mutating func addElements(of map: NftMap, table: String) throws(NetlinkFailure) {
    try addElements(map.elements.map { NFTMapElement($0, in: map.kind) }, to: map.name, table: table)
  }

  /// All but the sets, which are there by then.
  mutating func addFrame(of table: NftTable, names: SetNames) throws(NetlinkFailure) {
    for counter in table.counters { try addCounter(counter, table: table.name) }
    for map in table.maps { try addMap(map.name, from: NFTSet.Key(map.kind), table: table.name) }
    for chain in table.chains { try addChain(NFTChain(chain), table: table.name) }
    for map in table.maps { try addElements(of: map, table: table.name) }
    for chain in table.chains {
      for rule in chain.rules { try addRule(NFTRule(rule, of: chain).renamingSets { names[$0] }, table: table.name) }
    }
  }
}
