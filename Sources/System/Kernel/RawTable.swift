internal import Core
internal import Netlink

/// Our nftables table in the kernel's words.
struct RawTable: Equatable, Sendable {
  var name: String
  var chains: [NFTChain]
  var sets: [NFTSet]
  /// Of each set of addresses.
  var ranges: [String: [ClosedRange<UInt32>]]
  var rules: [NFTRule]

  init(name: String, chains: [NFTChain], sets: [NFTSet], ranges: [String: [ClosedRange<UInt32>]], rules: [NFTRule]) {
    self.name = name
    self.chains = chains
    self.sets = sets
    self.ranges = ranges
    self.rules = rules
  }

  init(_ table: SteeringTable) {
    self.init(
      name: table.name, chains: table.chains.map { NFTChain(name: $0.name, hook: $0.hook.map(NFTChain.Hook.init)) },
      sets: table.sets.map { NFTSet(name: $0.name) },
      ranges: Dictionary(table.sets.map { ($0.name, $0.ranges) }, uniquingKeysWith: { first, _ in first }),
      rules: table.chains.flatMap { chain in
        chain.rules.map { NFTRule(chain: chain.name, expressions: $0.expressions, comment: $0.comment) }
      })
  }

  /// In Core's words. A rule equal to one that is expected in the same chain is that one; another comes as its text.
  func steering(expecting: SteeringTable?) -> SteeringTable {
    var known: [NFTRule: SteeringRule] = [:]
    for chain in expecting?.chains ?? [] {
      for rule in chain.rules {
        known[NFTRule(chain: chain.name, expressions: rule.expressions, comment: rule.comment)] = rule
      }
    }
    var rulesOf: [String: [SteeringRule]] = [:]
    for rule in rules { rulesOf[rule.chain, default: []].append(known[rule] ?? Self.unrecognised(rule)) }
    return SteeringTable(
      name: name,
      sets: sets.map {
        // One of another type takes no part in our lookups, whatever its name.
        $0.isAddressRanges
          ? AddressSet(name: $0.name, ranges: ranges[$0.name] ?? [])
          : AddressSet(name: "\($0.name) (of another type)", ranges: [])
      },
      chains: chains.map { chain in
        var rules = rulesOf[chain.name] ?? []
        if chain.dropsByDefault { rules.append(SteeringRule([], [], unrecognised: "policy drop")) }
        let hook = chain.hook.map { SteeringChain.Hook($0) }
        if chain.hook != nil && hook == .some(nil) {
          rules.append(SteeringRule([], [], unrecognised: "hooked where we never are"))
        }
        return SteeringChain(name: chain.name, hook: hook ?? nil, rules: rules)
      })
  }

  private static func unrecognised(_ rule: NFTRule) -> SteeringRule {
    let text = rule.expressions.map(\.description).joined(separator: ", ")
    return SteeringRule([], [], comment: rule.comment, unrecognised: text)
  }

  /// After a transaction that changed sets.
  mutating func apply(_ changes: [SetChange]) {
    for change in changes {
      let removed = Set(change.remove)
      var kept = (ranges[change.set] ?? []).filter { !removed.contains($0) } + change.add
      kept.sort { $0.lowerBound < $1.lowerBound }
      ranges[change.set] = kept
    }
  }
}

extension NFTChain.Hook {
  init(_ hook: SteeringChain.Hook) {
    self.init(type: hook.kind.rawValue, number: hook.point.number, priority: hook.priority)
  }
}

extension SteeringChain.Hook {
  /// Nil where it is a hook that we never use.
  init?(_ hook: NFTChain.Hook) {
    guard let kind = Kind(rawValue: hook.type),
      let point = [Point.prerouting, .input, .forward, .output, .postrouting].first(where: { $0.number == hook.number })
    else { return nil }
    self.init(kind: kind, point: point, priority: hook.priority)
  }
}

extension SteeringChain.Hook.Point {
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
