/// Finds prefixes that lie in others. Two prefixes are either apart or one holds the other, so after sorting by first
/// address (wider first) one pass with a stack of those still open finds every case: O(n log n).
enum PrefixOverlap {
  /// Within one list a repetition or a nested prefix says nothing new, and published lists are full of both: the wider one
  /// stays, in its place, and the others are remarked on.
  static func merged(_ items: [Item<IPv4Prefix>], in field: String, book: ComplaintBook) -> [Item<IPv4Prefix>] {
    // Remarks come in the order of the list, whichever the sorting finds first.
    var found: [(inner: Item<IPv4Prefix>, outer: Item<IPv4Prefix>)] = []
    var outer: Item<IPv4Prefix>?
    for item in sorted(items) {
      if let holder = outer, holder.value.contains(item.value) {
        found.append((item, holder))
      } else {
        outer = item
      }
    }
    guard !found.isEmpty else { return items }
    for (inner, outer) in found.sorted(by: { $0.inner.index < $1.inner.index }) {
      let text =
        inner.value == outer.value
        ? "\(inner.value) is there twice, first at [\(outer.index)]"
        : "\(inner.value) lies in \(outer.value) at [\(outer.index)]"
      book.remark("\(field)[\(inner.index)]", "\(text); it is left out")
    }
    let left = Set(found.map(\.inner.index))
    return items.filter { !left.contains($0.index) }
  }

  /// Whether the lists have an address in common. Both are sorted, and no prefix of a list lies in another of it.
  static func meet(_ one: [IPv4Prefix], _ other: [IPv4Prefix]) -> Bool {
    let (few, many) = one.count < other.count ? (one, other) : (other, one)
    return few.contains { prefix in
      // The last of the many that does not begin after the prefix ends.
      var (low, high) = (0, many.count)
      while low < high {
        let middle = (low + high) / 2
        if many[middle].range.lowerBound <= prefix.range.upperBound { low = middle + 1 } else { high = middle }
      }
      return low > 0 && many[low - 1].overlaps(prefix)
    }
  }

  private static func sorted(_ items: [Item<IPv4Prefix>]) -> [Item<IPv4Prefix>] {
    items.sorted { ($0.value, $0.index) < ($1.value, $1.index) }
  }

  /// A prefix with whose it is.
  struct Claim {
    var prefix: IPv4Prefix
    var owner: Int
    /// In the owner's list.
    var index: Int
  }

  /// Calls `report` once for each pair of owners that `mayMeet` and of which one claims addresses of the other. Owners
  /// are numbered from 0. Costs n log n for sorting, then n × owners at worst: the stack holds each owner once.
  static func pairs(
    among claims: [Claim], owners: Int, mayMeet: (Int, Int) -> Bool, report: (_ inner: Claim, _ outer: Claim) -> Void
  ) {
    var open: [Claim] = []
    var reported: Set<Int> = []
    for claim in claims.sorted(by: { ($0.prefix, $0.owner, $0.index) < ($1.prefix, $1.owner, $1.index) }) {
      while let last = open.last, !last.prefix.contains(claim.prefix) { open.removeLast() }
      var isOpen = false
      for holder in open {
        if holder.owner == claim.owner {
          isOpen = true
        } else if mayMeet(holder.owner, claim.owner) {
          let pair = min(holder.owner, claim.owner) * owners + max(holder.owner, claim.owner)
          if reported.insert(pair).inserted { report(claim, holder) }
        }
      }
      if !isOpen { open.append(claim) }
    }
  }
}
