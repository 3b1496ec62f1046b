/// Changes the contents of sets in several transactions, each bounded in what it holds.
///
/// A large change sweeps over the addresses, from 0.0.0.0 upwards, in all sets at once: below the line that it has come to
/// each set holds what is wanted, from the line on what it held before. So at each moment, and wherever the process is
/// killed, each address is in exactly the sets that the old contents put it in, or exactly in those of the new. What both
/// hold is never missing: a source that a strict rule takes before and after is taken all the while, also where it moves
/// from one rule to another.
package enum SetSweep {
  /// The most ranges that one transaction adds and removes, but for two more for each set that it changes. The kernel
  /// allocates some 300 bytes for each range in a transaction, and 4 KiB for each of its two ends while anyone on the
  /// router listens to nftables, until the transaction ends (nft_notify_enqueue, net/netfilter/nf_tables_api.c): 8 MiB. A
  /// transaction takes some milliseconds, in which no one else can change nftables.
  package static let rangesPerTransaction = 1000

  /// Nil if more than the contents of owned sets differs: what asks them changes together with them then.
  static func steps(from present: NftTable, to wanted: NftTable) -> [Step]? {
    guard present.frame == wanted.frame else { return nil }
    if let renewal = SetRenewal(from: present.sets, to: wanted.sets) {
      return [.renewSets(table: wanted.name, renewal)]
    }
    return pieces(from: present.sets, to: wanted.sets.filter { !$0.isFed }).map { .changeSets(table: wanted.name, $0) }
  }

  /// The pieces, each for one transaction, in order; none where nothing differs, and one where not much does. A set that
  /// `present` does not have is taken for empty.
  package static func pieces(
    from present: [NftSet], to wanted: [NftSet], limit: Int = rangesPerTransaction
  ) -> [[SetChange]] {
    let held = Dictionary(present.map { ($0.name, $0.ranges) }) { first, _ in first }
    let whole = wanted.compactMap { set -> SetChange? in
      let ranges = held[set.name] ?? []
      guard ranges != set.ranges else { return nil }
      let change = SetChange(from: ranges, to: set)
      return change.isEmpty ? nil : change
    }
    if whole.isEmpty { return [] }
    if whole.reduce(0, { $0 + $1.count }) <= limit { return [whole] }

    // The ranges that come or go, by where they begin: the line stops at every so many of them.
    let starts = whole.flatMap { change in (change.remove + change.add).map { UInt64($0.lowerBound) } }.sorted()
    let lines = stride(from: limit, to: starts.count, by: max(1, limit)).map { starts[$0] }
    let changing = Set(whole.map(\.set))
    var sweeps = wanted.filter { changing.contains($0.name) }.map { Sweep($0, over: held[$0.name] ?? []) }
    var pieces: [[SetChange]] = []
    for line in lines + [Sweep.end] {
      var piece: [SetChange] = []
      for index in sweeps.indices {
        let change = sweeps[index].advance(to: line)
        if !change.isEmpty { piece.append(change) }
      }
      if !piece.isEmpty { pieces.append(piece) }
    }
    return pieces
  }
}

/// One set, and how far the line has come.
private struct Sweep {
  /// Past 255.255.255.255.
  static let end: UInt64 = 1 << 32

  private let name: String
  /// What is wanted below the line, and what was there from the line on: ascending and apart.
  private let new: [ClosedRange<UInt32>]
  private let old: [ClosedRange<UInt32>]
  private var line: UInt64 = 0
  /// The first of `new` that does not end below the line, and of `old` that does not.
  private var nextNew = 0
  private var nextOld = 0

  init(_ wanted: NftSet, over present: [ClosedRange<UInt32>]) {
    name = wanted.name
    new = wanted.ranges
    old = present
  }

  mutating func advance(to next: UInt64) -> SetChange {
    // Ranges of several sets may begin at one address.
    if next == line { return SetChange(set: name, remove: [], add: []) }
    var gone = seam()
    var come: [ClosedRange<UInt32>] = []
    // What ended right below the line may have been one with what is old above it.
    if nextNew > 0, UInt64(new[nextNew - 1].upperBound) + 1 == line { come.append(new[nextNew - 1]) }
    // What ends right below the line is part of the seam, and what begins above it is not.
    while nextNew < new.count, UInt64(new[nextNew].upperBound) < next {
      if UInt64(new[nextNew].upperBound) + 1 != next { come.append(new[nextNew]) }
      nextNew += 1
    }
    while nextOld < old.count, UInt64(old[nextOld].upperBound) < next {
      if UInt64(old[nextOld].lowerBound) > line { gone.append(old[nextOld]) }
      nextOld += 1
    }
    if nextOld < old.count, UInt64(old[nextOld].lowerBound) <= next, UInt64(old[nextOld].lowerBound) > line {
      gone.append(old[nextOld])
    }
    line = next
    come += seam()
    let (before, after) = (Set(gone), Set(come))
    return SetChange(
      set: name, remove: gone.filter { !after.contains($0) }, add: come.filter { !before.contains($0) })
  }

  /// The ranges that the line cuts or touches, as they are while it stands here: what is new below it and what is old above
  /// it, in one where they meet.
  private func seam() -> [ClosedRange<UInt32>] {
    var below: ClosedRange<UInt32>?
    if line > 0 {
      let last = UInt32(line - 1)
      // The one that ends right below the line has been passed already.
      for index in [nextNew - 1, nextNew] where new.indices.contains(index) && new[index].contains(last) {
        below = new[index].lowerBound...last
      }
    }
    var above: ClosedRange<UInt32>?
    if line < Self.end, nextOld < old.count, old[nextOld].contains(UInt32(line)) {
      above = UInt32(line)...old[nextOld].upperBound
    }
    switch (below, above) {
    case (nil, nil): return []
    case (let only?, nil), (nil, let only?): return [only]
    case (let below?, let above?): return [below.lowerBound...above.upperBound]
    }
  }
}

extension NftTable {
  /// All but what owned sets hold, in an order that the kernel has no part in.
  package var frame: NftTable {
    var frame = self
    frame.counters.sort()
    frame.sets = sets.map { $0.isFed ? $0 : NftSet(name: $0.name, ranges: []) }.sorted { $0.name < $1.name }
    frame.maps.sort { $0.name < $1.name }
    frame.chains.sort { $0.name < $1.name }
    return frame
  }
}

extension SetChange {
  package var isEmpty: Bool { remove.isEmpty && add.isEmpty }
  /// Ranges that come or go.
  package var count: Int { remove.count + add.count }
}
