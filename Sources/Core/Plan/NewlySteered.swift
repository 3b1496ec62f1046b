internal import RuleSets

/// Whose packets are steered since a change of our nftables table, and were not before: connections of theirs that began
/// before it keep a translation that fits no tunnel.
package enum NewlySteered {
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
