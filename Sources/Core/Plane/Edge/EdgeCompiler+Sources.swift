internal import RuleSets

/// Whose source it is, in one look where backhaul rules are many: fifty that are asked one by one cost the first packet of a
/// connection, and each packet that no rule takes, as much as all else that happens to it.
///
///     map         from      to
///     sources_…   source    take_EGRESS   marks
///
/// Rules are asked one by one where they are few, hold for some LANs alone, or name very many ranges.
extension EdgeCompiler {
  static var sourceFields: [PacketField] { [.turn, .source] }
  /// So many rules cost less than a look.
  private static let fewRules = 4
  /// In all rules together.
  private static let mostPrefixes = 1_024

  /// Nil where rules are asked one by one. Once there is an agent: before that, what is not strict is not steered.
  var sourceMap: NftMap? {
    let rules = layout.activeRules.map(\.rule)
    guard rules.count > Self.fewRules, rules.reduce(0, { $0 + $1.sources.prefixes.count }) <= Self.mostPrefixes else {
      return nil
    }
    let egresses = layout.activeEgresses.filter { !$0.rules.isEmpty }.map(\.egress.name)
    guard egresses.allSatisfy({ layout.claimed[$0] != nil }) else { return nil }
    let sources = egresses.map { (egress: $0, ranges: layout.sources(of: $0)) }
    let elements = sources.flatMap { egress, ranges in
      ranges.map { range in
        NftMap.Element(
          .box(PacketBox([.turn(0), .numbers(UInt64(range.lowerBound), UInt64(range.upperBound))])),
          .goto(chain: Self.takeChain(of: egress)))
      }
    }
    return .boxes("sources", Self.sourceFields, elements)
  }

  private static func takeChain(of egress: Name) -> String { "take_\(egress)" }

  func sourceChains(guarding: Bool) -> [NftChain] {
    guard !guarding, sourceMap != nil else { return [] }
    return layout.activeEgresses.filter { !$0.rules.isEmpty }.map { active in
      NftChain(
        name: Self.takeChain(of: active.egress.name),
        rules: marking(active.egress, active.mark, "egress \(active.egress.name)", []))
    }
  }
}
