package import Core
import Glibc
internal import RuleSets

/// nf_tables, as far as our table needs it: accepts transactions, gives each rule a number, and refuses what Linux
/// refuses.
package struct FakeNftTable: Sendable {
  package private(set) var table: NftTable
  /// The counters of rules, by rule, and shared counters, by name: a rule that is deleted takes its own counter with
  /// it.
  package var counted: [NftHandle: UInt64] = [:]
  package var shared: [String: UInt64] = [:]
  /// The elements of maps of boxes, in the order in which they were put in.
  var boxes: [String: [NftMap.Element]] = [:]
  /// Sets that others have filled.
  package var fed: [String: [ClosedRange<UInt32>]] = [:]
  private var last: UInt64 = 0

  /// A table in place of whatever was there before.
  ///
  /// - Parameter former: what was there: no number is given twice, and fed sets keep their elements.
  package init(_ table: NftTable, after former: FakeNftTable? = nil) throws(FakeRefusal) {
    self.table = table
    last = former?.last ?? 0
    for set in table.sets where set.isFed { fed[set.name] = former?.fed[set.name] }
    for index in table.chains.indices {
      self.table.chains[index].handles = table.chains[index].rules.map { _ in next() }
    }
    for map in table.maps {
      guard case .boxes(let fields) = map.kind else { continue }
      for element in map.elements { try insert(element, fields, into: map.name) }
    }
    try check()
  }

  /// Any table, whoever made it, and however badly.
  package init(adopting table: NftTable) {
    self.table = table
    last = table.chains.flatMap(\.handles).compactMap { $0?.value }.max() ?? 0
    for map in table.maps { if case .boxes = map.kind { boxes[map.name] = map.elements } }
    alter { _ in }
  }

  /// This many packets of the router's to itself pass a hook, and every rule there that counts all packets, or those
  /// outside of a set, counts them.
  package mutating func pass(_ packets: UInt64, at point: NftChain.Hook.Point) {
    for chain in table.chains where chain.hook?.point == point { pass(packets, chain, at: point) }
  }

  private mutating func pass(_ packets: UInt64, _ chain: NftChain, at point: NftChain.Hook.Point) {
    for (rule, handle) in zip(chain.rules, chain.handles) where rule.matches.allSatisfy(takesOwn) {
      if let handle, rule.actions.contains(.count) { counted[handle, default: 0] += packets }
      for action in rule.actions {
        switch action {
        case .countIn(let name): shared[name, default: 0] += packets
        case .choose(.fields, let map):
          let target = verdict(of: map, for: Self.own(at: point))?.chain
          for chain in table.chains where chain.name == target { pass(packets, chain, at: point) }
        default: break
        }
      }
    }
  }

  /// A ping to 127.0.0.1.
  private static func own(at point: NftChain.Hook.Point) -> Packet {
    let address = IPv4Address(value: 0x7f00_0001)
    return Packet(
      incoming: point == .input ? .loopback : nil, source: address, destination: address,
      protocolNumber: IPProtocol.icmp)
  }

  private func takesOwn(_ match: NftRule.Match) -> Bool {
    switch match {
    case .ipv4: true
    // 127.0.0.1.
    case .destinationNotIn(let set): held(by: set)?.contains { $0.contains(0x7f00_0001) } == false
    default: false
    }
  }

  /// What the rules of a chain have counted.
  package func counted(in chain: String) -> UInt64 {
    let handles = table.chains.first { $0.name == chain }?.handles ?? []
    return handles.compactMap(\.self).reduce(0) { $0 + (counted[$1] ?? 0) }
  }

  private mutating func next() -> NftHandle {
    last += 1
    return NftHandle(last)
  }

  /// What a set holds, whoever put it there.
  package func held(by set: String) -> [ClosedRange<UInt32>]? {
    fed[set] ?? table.sets.first { $0.name == set && !$0.isFed }?.ranges
  }

  /// Another program changes it.
  package mutating func alter(_ change: (inout NftTable) -> Void) {
    change(&table)
    for map in table.maps {
      guard case .boxes = map.kind, Set(boxes[map.name] ?? []) != Set(map.elements) else { continue }
      boxes[map.name] = map.elements
    }
    for index in table.chains.indices where table.chains[index].handles.count != table.chains[index].rules.count {
      // A rule that stays is the same one as before.
      let old = table.chains[index]
      table.chains[index].handles = old.rules.indices.map { $0 < old.handles.count ? old.handles[$0] : next() }
    }
  }

  package mutating func change(_ change: NftChange) throws(FakeRefusal) {
    guard table.name == change.wanted.name else { throw missing("table \(change.wanted.name)") }
    for edit in change.edits { try apply(edit) }
    try check()
  }

  package mutating func change(_ changes: [SetChange]) throws(FakeRefusal) {
    for change in changes {
      guard let index = table.sets.firstIndex(where: { $0.name == change.set }) else { throw missing(change.set) }
      let removed = Set(change.remove)
      let kept = Set(table.sets[index].ranges.filter { !removed.contains($0) }).union(change.add)
      table.sets[index].ranges = kept.sorted { $0.lowerBound < $1.lowerBound }
      try check(table.sets[index])
    }
  }

  /// New sets in the place of old ones. The rules that ask them are new ones, with new numbers and the old counts.
  package mutating func renew(_ renewal: SetRenewal) throws(FakeRefusal) {
    let names = Set(renewal.sets.map(\.name))
    for set in renewal.sets {
      let index = try place(of: set.name, in: table.sets.map(\.name))
      try check(set)
      table.sets[index].ranges = set.ranges
    }
    for chain in table.chains.indices {
      for (place, rule) in table.chains[chain].rules.enumerated() where !names.isDisjoint(with: rule.sets) {
        let handle = next()
        if let old = table.chains[chain].handles[place] { counted[handle] = counted.removeValue(forKey: old) }
        table.chains[chain].handles[place] = handle
      }
    }
    try change(renewal.changes)
  }

  private mutating func apply(_ edit: NftEdit) throws(FakeRefusal) {
    switch edit {
    case .deleteRule, .flushChain, .deleteChain, .putChain, .addRule: try applyToChains(edit)
    case .removeElements, .deleteMap, .addMap, .addElements: try applyToMaps(edit)
    case .deleteSet(let name):
      let index = try place(of: name, in: table.sets.map(\.name))
      if rules.contains(where: { $0.sets.contains(name) }) { throw busy("set \(name)") }
      table.sets.remove(at: index)
      fed[name] = nil
    case .fillSet(let set, let isThere):
      if isThere { try apply(.deleteSet(set.name)) }
      try apply(.addSet(set))
    case .addSet(let set):
      guard !table.sets.contains(where: { $0.name == set.name }) else { throw FakeRefusal(EEXIST, set.name) }
      try check(set)
      table.sets.append(set)
    case .changeSet(let change):
      let index = try place(of: change.set, in: table.sets.map(\.name))
      let there = Set(table.sets[index].ranges)
      for range in change.remove where !there.contains(range) { throw missing("\(range) in \(change.set)") }
      let kept = there.subtracting(change.remove)
      for range in change.add where kept.contains(range) { throw FakeRefusal(EEXIST, "\(range) in \(change.set)") }
      table.sets[index].ranges = kept.union(change.add).sorted { $0.lowerBound < $1.lowerBound }
      try check(table.sets[index])
    case .deleteCounter(let name):
      let index = try place(of: name, in: table.counters)
      if rules.contains(where: { $0.actions.contains(.countIn(name)) }) { throw busy("counter \(name)") }
      table.counters.remove(at: index)
      shared[name] = nil
    case .addCounter(let name): if !table.counters.contains(name) { table.counters.append(name) }
    }
  }

  private mutating func applyToChains(_ edit: NftEdit) throws(FakeRefusal) {
    switch edit {
    case .deleteRule(let chain, let handle):
      let index = try place(of: chain, in: table.chains.map(\.name))
      guard let rule = table.chains[index].handles.firstIndex(of: handle) else { throw missing("rule \(handle)") }
      remove(rule, of: index)
    case .flushChain(let chain):
      let index = try place(of: chain, in: table.chains.map(\.name))
      // A policy is not a rule.
      for rule in table.chains[index].handles.indices.reversed() where table.chains[index].handles[rule] != nil {
        remove(rule, of: index)
      }
    case .deleteChain(let name):
      let index = try place(of: name, in: table.chains.map(\.name))
      guard table.chains[index].handles.allSatisfy({ $0 == nil }) else { throw busy("chain \(name): it has rules") }
      if rules.contains(where: { $0.actions.contains(.jump(chain: name)) })
        || table.maps.contains(where: { $0.elements.contains { $0.verdict.chain == name } })
      {
        throw busy("chain \(name)")
      }
      table.chains.remove(at: index)
    case .putChain(let name, let hook):
      guard let index = table.chains.firstIndex(where: { $0.name == name }) else {
        return table.chains.append(NftChain(name: name, hook: hook, rules: []))
      }
      if let hook, table.chains[index].hook != hook { throw FakeRefusal(EOPNOTSUPP, "a hook is for life") }
      // It accepts what no rule decides.
      for rule in table.chains[index].handles.indices.reversed() where table.chains[index].handles[rule] == nil {
        remove(rule, of: index)
      }
    case .addRule(let rule, let chain, let before):
      let index = try place(of: chain, in: table.chains.map(\.name))
      try checkReferences(of: rule)
      var place = table.chains[index].rules.count
      if let before {
        guard let found = table.chains[index].handles.firstIndex(of: before) else { throw missing("rule \(before)") }
        place = found
      }
      table.chains[index].rules.insert(rule, at: place)
      table.chains[index].handles.insert(next(), at: place)
    default: break
    }
  }

  private mutating func remove(_ rule: Int, of chain: Int) {
    table.chains[chain].rules.remove(at: rule)
    if let handle = table.chains[chain].handles.remove(at: rule) { counted[handle] = nil }
  }

  private mutating func applyToMaps(_ edit: NftEdit) throws(FakeRefusal) {
    switch edit {
    case .removeElements(let removed):
      let map = try map(alike: removed)
      let there = Set(map.elements)
      for element in removed.elements where !there.contains(element) {
        throw missing("\(element) in \(map.name)")
      }
      let gone = Set(removed.elements)
      put(map.holding(map.elements.filter { !gone.contains($0) }))
      boxes[map.name]?.removeAll { gone.contains($0) }
    case .deleteMap(let name):
      let index = try place(of: name, in: table.maps.map(\.name))
      if rules.contains(where: { $0.asks(map: name) }) { throw busy("map \(name)") }
      table.maps.remove(at: index)
      boxes[name] = nil
    case .addMap(let name, let kind):
      guard !table.maps.contains(where: { $0.name == name }) else { throw FakeRefusal(EEXIST, name) }
      table.maps.append(NftMap(name: name, kind: kind, elements: []))
    case .addElements(let added):
      let map = try map(alike: added)
      for element in added.elements { try checkTarget(of: element) }
      if case .boxes(let fields) = map.kind {
        for element in added.elements { try insert(element, fields, into: map.name) }
        return put(map.holding(boxes[map.name] ?? []))
      }
      let keys = Set(map.elements.map(\.key))
      for element in added.elements where keys.contains(element.key) {
        throw FakeRefusal(EEXIST, "\(element) in \(map.name)")
      }
      put(map.holding(map.elements + added.elements))
    default: break
    }
  }

  /// The map of this name; EINVAL where its keys are of another length.
  private func map(alike other: NftMap) throws(FakeRefusal) -> NftMap {
    let map = table.maps[try place(of: other.name, in: table.maps.map(\.name))]
    if map.kind != other.kind { throw FakeRefusal(EINVAL, "\(other.name) is another map") }
    return map
  }

  private mutating func put(_ map: NftMap) {
    if let index = table.maps.firstIndex(where: { $0.name == map.name }) { table.maps[index] = map }
  }

  // MARK: What it refuses

  private var rules: [NftRule] { table.chains.flatMap(\.rules) }
  private func missing(_ name: String) -> FakeRefusal { FakeRefusal(ENOENT, "there is no \(name)") }
  private func busy(_ name: String) -> FakeRefusal { FakeRefusal(EBUSY, "\(name) is in use") }

  private func place(of name: String, in names: [String]) throws(FakeRefusal) -> Int {
    guard let index = names.firstIndex(of: name) else { throw missing(name) }
    return index
  }

  /// At the end: checks that depend on more than one command.
  private func check() throws(FakeRefusal) {
    for set in table.sets { try check(set) }
    for rule in rules { try checkReferences(of: rule) }
    for element in table.maps.flatMap(\.elements) { try checkTarget(of: element) }
    for chain in table.chains where chain.hook?.kind != .nat {
      if chain.rules.contains(where: { $0.actions.contains(where: \.isTranslation) }) {
        throw FakeRefusal(EOPNOTSUPP, "addresses are translated in nat chains alone")
      }
    }
    for chain in table.chains {
      if let point = chain.hook?.point { try refuseUnknown(at: point, in: chain, depth: 0) }
    }
  }

  private func checkReferences(of rule: NftRule) throws(FakeRefusal) {
    for set in rule.sets where !table.sets.contains(where: { $0.name == set }) { throw missing(set) }
    for action in rule.actions {
      switch action {
      case .jump(let chain), .goto(let chain):
        if !table.chains.contains(where: { $0.name == chain }) { throw missing(chain) }
      case .choose(_, let map): if !table.maps.contains(where: { $0.name == map }) { throw missing(map) }
      case .countIn(let counter): if !table.counters.contains(counter) { throw missing(counter) }
      case .offload(let flowtable):
        if !table.flowtables.contains(where: { $0.name == flowtable }) { throw missing(flowtable) }
      default: break
      }
    }
  }

  /// nft_verdict_init, net/netfilter/nf_tables_api.c
  private func checkTarget(of element: NftMap.Element) throws(FakeRefusal) {
    guard let chain = table.chains.first(where: { $0.name == element.verdict.chain }) else {
      throw missing(element.verdict.chain)
    }
    if chain.hook != nil { throw FakeRefusal(EOPNOTSUPP, "no map leads to a base chain") }
  }

  private func check(_ set: NftSet) throws(FakeRefusal) {
    for (range, next) in zip(set.ranges, set.ranges.dropFirst()) where next.lowerBound <= range.upperBound {
      throw FakeRefusal(EEXIST, "ranges of \(set.name) overlap")
    }
  }

  /// nft_meta_get_validate_xfrm and nft_meta_get_validate_sdif, net/netfilter/nft_meta.c
  private static func knows(_ rule: NftRule, at point: NftChain.Hook.Point) -> Bool {
    point == .forward || !rule.actions.contains { if case .offload = $0 { true } else { false } }
  }

  private static func knows(_ match: NftRule.Match, at point: NftChain.Hook.Point) -> Bool {
    switch (match, point) {
    case (.wasEncrypted, .output), (.wasEncrypted, .postrouting): false
    case (.slave, .prerouting), (.slave, .output), (.slave, .postrouting): false
    default: true
    }
  }

  /// Also in chains that it jumps to.
  private func refuseUnknown(
    at point: NftChain.Hook.Point, in chain: NftChain, depth: Int
  ) throws(FakeRefusal) {
    guard depth < 16 else { throw FakeRefusal(EMLINK, "jumps go around or too deep") }
    for rule in chain.rules {
      if let match = rule.matches.first(where: { !Self.knows($0, at: point) }) {
        throw FakeRefusal(EOPNOTSUPP, "\(match) is unknown in \(chain.name)")
      }
      if !Self.knows(rule, at: point) { throw FakeRefusal(EOPNOTSUPP, "flow add is unknown in \(chain.name)") }
      for name in rule.actions.flatMap(targets) {
        guard let next = table.chains.first(where: { $0.name == name }) else { continue }
        try refuseUnknown(at: point, in: next, depth: depth + 1)
      }
    }
  }

  /// The chains that an action may lead to.
  private func targets(of action: NftRule.Action) -> [String] {
    switch action {
    case .jump(let chain), .goto(let chain): [chain]
    case .choose(_, let map): table.maps.first { $0.name == map }?.elements.map(\.verdict.chain) ?? []
    default: []
    }
  }
}

extension NftTable {
  /// A device is gone, and the kernel takes it out of flowtables by itself (nf_tables_flowtable_event).
  mutating func lose(_ device: InterfaceName) {
    flowtables = flowtables.map { table in
      NftFlowtable(name: table.name, priority: table.priority, devices: table.devices.filter { $0 != device })
    }
  }
}

extension NftRule {
  fileprivate func asks(map name: String) -> Bool {
    actions.contains { if case .choose(_, name) = $0 { true } else { false } }
  }
}

extension NftRule.Action {
  fileprivate var isTranslation: Bool {
    switch self {
    case .masquerade, .translate: true
    default: false
    }
  }
}
