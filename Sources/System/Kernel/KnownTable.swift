internal import Core

/// A table that the kernel has.
struct KnownTable {
  /// Of all but the sets.
  private let frame: Fingerprint
  private(set) var sets: [NftSet]

  init(_ table: NftTable) {
    frame = Fingerprint(table.frame)
    sets = table.sets
  }

  /// What is there, where that is what is expected but for what its sets hold; else nil.
  func nftTable(if expected: NftTable?) -> NftTable? {
    guard var nftTable = expected, Fingerprint(nftTable.frame) == frame else { return nil }
    nftTable.sets = sets
    return nftTable
  }

  func renewed(_ renewal: SetRenewal) -> KnownTable {
    var table = self
    for set in renewal.sets {
      if let index = table.sets.firstIndex(where: { $0.name == set.name }) { table.sets[index].ranges = set.ranges }
    }
    table.apply(renewal.changes)
    return table
  }

  /// After a transaction that changed sets.
  mutating func apply(_ changes: [SetChange]) {
    for change in changes {
      guard let index = sets.firstIndex(where: { $0.name == change.set }) else { continue }
      sets[index].ranges = change.applied(to: sets[index].ranges)
    }
  }
}

extension SetChange {
  /// What is still to be done of the change if the set holds `present`.
  func left(of present: [ClosedRange<UInt32>]) -> SetChange {
    let there = Set(present)
    let kept = there.subtracting(remove)
    return SetChange(set: set, remove: remove.filter(there.contains), add: add.filter { !kept.contains($0) })
  }
}
