internal import RuleSets

/// Whose traffic another rule, or none, takes since a plan became another one; the less it is, the fewer flows are set up
/// again.
package struct ChangedHands: Equatable, Sendable {
  /// Whose traffic goes by another egress than before, or by none, or by one for the first time. All that untouched rules
  /// are known to take is not among it.
  package var sources: [ClosedRange<UInt32>]
  /// What is a direct destination in one of both plans.
  package var destinations: [ClosedRange<UInt32>]

  /// Compares two plans.
  package init(from old: WatchPlan, to new: WatchPlan) {
    destinations =
      old.directDestinations == new.directDestinations
      ? []
      : AddressRanges.difference(
        AddressRanges.merged(old.directDestinations), AddressRanges.merged(new.directDestinations))
    sources = Self.sources(old.rules, new.rules)
  }

  /// No two enabled rules of a rule set may take the same traffic, so their order says nothing.
  private static func sources(
    _ old: [WatchPlan.WatchedRule], _ new: [WatchPlan.WatchedRule]
  ) -> [ClosedRange<UInt32>] {
    let before = Dictionary(old.map { ($0.rule.name, $0) }) { first, _ in first }
    let after = Dictionary(new.map { ($0.rule.name, $0) }) { first, _ in first }
    var kept: [ClosedRange<UInt32>] = []
    var touched: [ClosedRange<UInt32>] = []
    var changed: [ClosedRange<UInt32>] = []
    var isExact = true
    for name in Set(before.keys).union(after.keys) {
      if let before = before[name], let after = after[name] {
        if before.claim == after.claim {
          kept += after.sources
          continue
        }
        let (old, new) = (before.rule.sources, after.rule.sources)
        if old.interfaces == new.interfaces, !old.prefixes.isEmpty, !new.prefixes.isEmpty, before.table == after.table {
          changed += AddressRanges.difference(AddressRanges.merged(old.prefixes), AddressRanges.merged(new.prefixes))
          continue
        }
      }
      for rule in [before[name], after[name]].compactMap({ $0 }) {
        isExact = isExact && !rule.rule.sources.prefixes.isEmpty
        touched += rule.sources
      }
    }
    changed = AddressRanges.merged(changed + touched)
    // A rule of interfaces alone may have sources behind another router, which no list names.
    guard !isExact else { return changed }
    return AddressRanges.subtracting(
      AddressRanges.subtracting(changed, from: AddressRanges.merged(kept)), from: [0...UInt32.max])
  }
}
