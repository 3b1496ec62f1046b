/// Gives sets other contents where changing the old ones would cost more than writing new ones. A new set is filled beside
/// each, where no packet meets it; then one transaction lets the rules ask the new ones, and the old ones go as a whole. So
/// each address is in the old sets or in the new ones at each moment, and wherever the process is killed.
///
/// Each transaction that changes a set of ranges walks all that it holds (nft_rbtree_commit, net/netfilter/
/// nft_set_rbtree.c), and what deletes many ranges keeps packets waiting. A set that goes whole is freed later, by a
/// worker, when no packet can meet it any more (nf_tables_trans_destroy_work, net/netfilter/nf_tables_api.c).
package struct SetRenewal: Equatable, Sendable {
  /// What each is to hold from then on.
  package var sets: [NftSet]
  /// Small changes of others, in the transaction that switches.
  package var changes: [SetChange]

  package init(sets: [NftSet], changes: [SetChange] = []) {
    self.sets = sets
    self.changes = changes
  }

  /// Of all sets that it changes.
  package var names: [String] { sets.map(\.name) + changes.map(\.set) }

  /// Nil where one transaction has room for the whole change, or where pieces of it are less work: a transaction for each
  /// `rangesPerTransaction` ranges, that walks what the set holds by then. New sets are written only where that is half the
  /// work at most, as both are in memory for a while.
  ///
  /// - Parameters:
  ///   - present: the owned sets that are there; what is wanted differs from them in contents alone.
  ///   - room: ranges that the last transaction may add and remove.
  package init?(from present: [NftSet], to wanted: [NftSet], room: Int = SetSweep.rangesPerTransaction) {
    let held = Dictionary(present.map { ($0.name, $0.ranges) }) { first, _ in first }
    let all = wanted.compactMap { set -> (set: NftSet, change: SetChange)? in
      guard !set.isFed, let ranges = held[set.name], ranges != set.ranges else { return nil }
      return (set, SetChange(from: ranges, to: set))
    }
    self.init(sets: [])
    var (room, writing, changing) = (room, 0, 0)
    // The small ones find room first. Of equal ones the order is that of the sets.
    for (_, one) in all.enumerated().sorted(by: {
      ($0.element.change.count, $0.offset) < ($1.element.change.count, $1.offset)
    }) {
      if one.change.count <= room {
        room -= one.change.count
        changes.append(one.change)
      } else {
        sets.append(one.set)
        writing += one.set.ranges.count * one.set.ranges.count
        changing += one.change.count * ((held[one.set.name]?.count ?? 0) + one.set.ranges.count)
      }
    }
    guard 2 * writing < changing else { return nil }
  }
}
