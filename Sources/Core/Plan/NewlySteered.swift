internal import RuleSets

/// Whose packets are steered since a change of our nftables table, and were not before: connections of theirs that began
/// before it keep a translation that fits no tunnel.
package enum NewlySteered {
  /// The sweeps for a change of our nftables table: connections that were set up before their packets were steered keep a
  /// translation that fits no tunnel.
  ///
  /// - Parameters:
  ///   - made: what was changed.
  ///   - view: what is watched from now on; `former`: what was before, nil if the table may have been anything.
  ///   - isFirst: nothing of this agent's was in the kernel before.
  package static func sweeps(
    after made: [Step], _ view: WatchPlan, _ former: WatchPlan?, isFirst: Bool
  ) -> [ConnectionSweep] {
    guard made.contains(where: \.isNftTable) else { return [] }
    func sources(_ plan: WatchPlan) -> [ClosedRange<UInt32>] { AddressRanges.merged(plan.rules.flatMap(\.sources)) }
    let early = Self.sources(after: made, of: sources(view), former: former.map(sources))
    var sweeps: [ConnectionSweep] = early.isEmpty ? [] : [.early(from: early)]
    guard isFirst else { return sweeps }
    if !view.steering.isEmpty {
      sweeps.append(
        .decidedAnew(Mark(value: 0), by: FlowChange(from: FlowOwners(.empty(view.mask)), to: FlowOwners(view))))
    }
    // There was no table of ours: marks of connections are from before, when they may have been another egress's.
    guard made.contains(where: { if case .replaceNftTable = $0 { true } else { false } }) else { return sweeps }
    return sweeps + Set(view.rules.map(\.mark) + view.steered.map(\.mark)).sorted().map { .stale($0) }
  }

  /// - Parameters:
  ///   - steps: what was changed.
  ///   - sources: whose packets rules take now, ascending and apart.
  ///   - former: whose they took before; nil if the table may have been anything.
  /// - Returns: ascending and apart.
  package static func sources(
    after steps: [Step], of sources: [ClosedRange<UInt32>], former: [ClosedRange<UInt32>]?
  ) -> [ClosedRange<UInt32>] {
    var added: [ClosedRange<UInt32>] = []
    for step in steps {
      switch step {
      case .replaceNftTable: return sources
      case .changeNftTable:
        guard let former else { return sources }
        added += AddressRanges.subtracting(former, from: sources)
      case .renewSets(_, let renewal) where renewal.names.contains(where: EdgeCompiler.isSourceSet):
        guard let former else { return sources }
        added += AddressRanges.subtracting(former, from: sources)
      case .changeSets(_, let changes):
        added += changes.filter { EdgeCompiler.isSourceSet($0.set) }.flatMap(\.add)
      default: break
      }
    }
    return AddressRanges.merged(added)
  }
}
