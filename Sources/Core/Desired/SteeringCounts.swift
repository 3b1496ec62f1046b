/// How far each rule's packets get, counted on their way. What a rule has marked leaves the router, or ends in it; where
/// neither happens somebody else drops it.
///
///     prerouting   classify ─▶ taken_RULE    marked by the rule
///     input        arrive   ─▶ kept_RULE     for the router itself
///     forward      pass     ─▶ passed_RULE   let through by our own chains
///     postrouting  count    ─▶ left_RULE     about to leave
///
/// A packet that has its mark costs one look into a map at each of them.
package enum CountedPlace: String, CaseIterable, Sendable {
  case taken, kept, passed, left

  package func chain(of rule: Name) -> String { "\(rawValue)_\(rule)" }
  var map: String { "\(rawValue)_by" }
}

extension DesiredStateCompiler {
  /// Multicast and broadcast (224.0.0.0/3) have no way through a router as we know it, and stop here without anybody's
  /// doing.
  static var groupSet: String { "groups" }
  var groups: AddressSet { AddressSet(name: Self.groupSet, ranges: [0xe000_0000...UInt32.max]) }

  /// Stands last in the chain of its place: what the chain drops is not counted.
  func countRule(_ place: CountedPlace) -> SteeringRule {
    let hosts: [SteeringRule.Match] = place == .taken ? [.ipv4, .destinationNotIn(set: Self.groupSet)] : []
    return SteeringRule(
      [marked] + hosts, [.choose(by: .mark(layout.mask), map: place.map)], comment: "\(place.rawValue), by rule")
  }

  func countMaps() -> [SteeringMap] {
    CountedPlace.allCases.map { place in
      SteeringMap(
        name: place.map, kind: .mark,
        elements: layout.activeRules.map { .init(.mark($0.mark), .jump(chain: place.chain(of: $0.rule.name))) })
    }
  }

  func countChains() -> [SteeringChain] {
    let counted = layout.activeRules.flatMap { active in
      CountedPlace.allCases.map { place in
        SteeringChain(
          name: place.chain(of: active.rule.name),
          rules: [SteeringRule([], [.count], comment: "rule \(active.rule.name)")])
      }
    }
    // After everyone else's chains, source NAT (100) and helpers (300) among them.
    let last = SteeringChain(
      name: "count", hook: .init(kind: .filter, point: .postrouting, priority: 310), rules: [countRule(.left)])
    return [last] + counted
  }
}
