internal import RuleSets

/// Whose traffic another rule, or none, takes since a plan became another one; the less it is, the fewer flows are set up
/// anew.
package struct ChangedHands: Equatable, Sendable {
  /// Nil where it cannot be told: anybody's.
  package var sources: [ClosedRange<UInt32>]?
  /// What is a direct destination in one of both plans.
  package var destinations: [ClosedRange<UInt32>]

  package init(from old: WatchPlan, to new: WatchPlan) {
    destinations =
      old.directDestinations == new.directDestinations
      ? []
      : AddressRanges.difference(
        AddressRanges.merged(old.directDestinations), AddressRanges.merged(new.directDestinations))
    sources = Self.sources(old.rules.map(\.claim), new.rules.map(\.claim))
  }

  /// The first rule that takes a source decides: where rules come, go or change their places, or their interfaces, that may
  /// be anybody's. Where prefixes alone differ it is what one of both has; where the egress does, all that the rule takes.
  private static func sources(_ old: [WatchPlan.Claim], _ new: [WatchPlan.Claim]) -> [ClosedRange<UInt32>]? {
    if old == new { return [] }
    guard old.count == new.count else { return nil }
    var changed: [ClosedRange<UInt32>] = []
    for (before, after) in zip(old, new) where before != after {
      guard before.rule == after.rule, before.sources.interfaces == after.sources.interfaces,
        !before.sources.prefixes.isEmpty, !after.sources.prefixes.isEmpty
      else { return nil }
      let (old, new) = (AddressRanges.merged(before.sources.prefixes), AddressRanges.merged(after.sources.prefixes))
      // All that it takes has another egress now.
      changed += before.table == after.table ? AddressRanges.difference(old, new) : old + new
    }
    return AddressRanges.merged(changed)
  }
}
