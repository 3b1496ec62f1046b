internal import Core
internal import Netlink
internal import RuleSets

/// Our nftables table in the kernel's words, while it is read.
struct RawTable {
  var name: String
  var flags: UInt32
  var counters: [String]
  var chains: [NFTChain]
  var sets: [NFTSet]
  /// Of each other set of addresses that holds nothing else.
  var ranges: [String: [ClosedRange<UInt32>]]
  /// Of each map of verdicts.
  var verdicts: [String: [NFTListedElement]]
  var rules: [NFTListedRule]

  /// Nil if there is no such table.
  ///
  /// - Parameter known: what sets hold, by the kernel's names: those are not read either.
  static func read(
    _ name: String, known: [String: [ClosedRange<UInt32>]] = [:],
    _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) -> RawTable? {
    guard let flags = try socket.flags(ofTable: name) else { return nil }
    let sets = try socket.sets(table: name)
    var ranges: [String: [ClosedRange<UInt32>]] = [:]
    var verdicts: [String: [NFTListedElement]] = [:]
    for set in sets {
      switch set.kind {
      case .addressRanges:
        if let known = known[set.name] {
          ranges[set.name] = known
        } else {
          ranges[set.name] = try socket.ranges(of: set.name, table: name)
        }
      case .verdicts: verdicts[set.name] = try socket.verdicts(of: set.name, table: name)
      // What a set holds that others fill is not read.
      case .expiringAddresses, .other: break
      }
    }
    return RawTable(
      name: name, flags: flags, counters: try socket.counters(table: name), chains: try socket.chains(table: name),
      sets: sets, ranges: ranges, verdicts: verdicts, rules: try socket.rules(table: name))
  }

  /// The sets that rules ask, by the kernel's names.
  var asked: Set<String> { Set(rules.flatMap(\.rule.sets)) }
  var names: SetNames { SetNames(asked: asked) }

  /// In Core's words.
  func nftTable(expecting expected: [NftChain]) -> NftTable {
    let recognised = RecognisedRules(expected)
    let names = names
    let rulesOf = Dictionary(grouping: rules, by: \.rule.chain)
    var table = NftTable(
      name: name, counters: counters, sets: sets.compactMap { addressSet($0, names) }, maps: sets.compactMap(map),
      chains: chains.map { chain in
        let hook = chain.hook.map { NftChain.Hook($0) }
        let rules = rulesOf[chain.name] ?? []
        var found = NftChain(
          name: chain.name, hook: hook ?? nil, rules: rules.map { recognised[$0.rule.renamingSets(names.core)] })
        found.handles = rules.map { NftHandle($0.handle) }
        if chain.dropsByDefault { found.tell("policy drop") }
        if chain.hook != nil && hook == .some(nil) { found.tell("hooked where we never are") }
        return found
      })
    table.flags = flags
    return table
  }

  private func addressSet(_ set: NFTSet, _ names: SetNames) -> NftSet? {
    switch set.kind {
    case .expiringAddresses: .fed(set.name)
    case .addressRanges:
      ranges[set.name].map { NftSet(name: names.core(set.name), ranges: $0) }
        ?? NftSet(name: "\(set.name) (with other elements)", ranges: [])
    case .verdicts: nil
    // It takes no part in our lookups, whatever its name.
    case .other: NftSet(name: "\(set.name) (of another type)", ranges: [])
    }
  }

  private func map(_ set: NFTSet) -> NftMap? {
    guard case .verdicts(let key) = set.kind else { return nil }
    let verdicts = verdicts[set.name] ?? []
    let elements = verdicts.compactMap { NftMap.Element($0, of: key) }
    // With an element that we would not write it is none of ours.
    let name = elements.count == verdicts.count ? set.name : "\(set.name) (with other elements)"
    return NftMap(name: name, kind: NftMap.Kind(key), elements: elements)
  }
}

extension NftChain {
  /// What is no rule, and yet makes another chain of it than ours.
  fileprivate mutating func tell(_ text: String) {
    rules.append(NftRule([], [], unrecognised: text))
    handles.append(nil)
  }
}

/// Rules of the kernel as those of Core's that are expected there: one equal to an expected rule of the same chain is that
/// one, another comes as its text.
struct RecognisedRules {
  private var known: [NFTRule: NftRule] = [:]

  init(_ expected: [NftChain]) {
    for chain in expected {
      for rule in chain.rules { known[NFTRule(rule, of: chain)] = rule }
    }
  }

  subscript(rule: NFTRule) -> NftRule {
    if let known = known[rule] { return known }
    let text = rule.expressions.map(\.description).joined(separator: ", ")
    return NftRule([], [], comment: rule.comment, unrecognised: text)
  }
}

extension NFTChain {
  init(_ chain: NftChain) { self.init(name: chain.name, hook: chain.hook.map(Hook.init)) }
}

extension NFTRule {
  init(_ rule: NftRule, of chain: NftChain) {
    self.init(chain: chain.name, expressions: rule.expressions, comment: rule.comment)
  }
}

extension NFTChain.Hook {
  init(_ hook: NftChain.Hook) {
    self.init(type: hook.kind.rawValue, number: hook.point.number, priority: hook.priority)
  }
}

extension NftChain.Hook {
  /// Nil if it is a hook that we never use.
  init?(_ hook: NFTChain.Hook) {
    guard let kind = Kind(rawValue: hook.type),
      let point = [Point.prerouting, .input, .forward, .output, .postrouting].first(where: { $0.number == hook.number })
    else { return nil }
    self.init(kind: kind, point: point, priority: hook.priority)
  }
}

extension NftChain.Hook.Point {
  /// enum nf_inet_hooks.
  fileprivate var number: UInt32 {
    switch self {
    case .prerouting: 0
    case .input: 1
    case .forward: 2
    case .output: 3
    case .postrouting: 4
    }
  }
}
