package import RuleSets

/// A few prefixes that hold all addresses of many.
package enum PrefixCover {
  /// The prefixes themselves, without those that lie in others, where they are few enough; else the neighbours that have
  /// most bits in common are taken together, so that as little more as possible is covered.
  ///
  /// - Parameter limit: how many prefixes there may be, 1 at least.
  /// - Returns: at most `limit` prefixes, ascending and apart, that hold every address of `prefixes`.
  package static func cover(_ prefixes: [IPv4Prefix], limit: Int) -> [IPv4Prefix] {
    let apart = apart(prefixes)
    guard apart.count > max(1, limit) else { return apart }
    // Ascending prefixes: what a run of them has in common is what the two neighbours have that share the fewest bits.
    let shared = zip(apart, apart.dropFirst()).map(commonLength)
    // Runs end where neighbours share fewer bits than this.
    var counts = [Int](repeating: 0, count: 33)
    for length in shared { counts[Int(length)] += 1 }
    var threshold = 0
    var runs = 1
    while threshold < 32, runs + counts[threshold] <= limit {
      runs += counts[threshold]
      threshold += 1
    }
    var result: [IPv4Prefix] = []
    result.reserveCapacity(runs)
    var run = apart[0]
    for (index, length) in shared.enumerated() {
      let next = apart[index + 1]
      if Int(length) < threshold {
        result.append(run)
        run = next
      } else {
        run = common(run, next)
      }
    }
    return result + [run]
  }

  /// How many prefixes each of several lists may have, one at least: short lists are left as they are, and what they do
  /// not need is shared out among the long ones.
  ///
  /// - Returns: in the order of `counts`; together at most `limit`, unless there are more lists than that.
  package static func shares(of limit: Int, among counts: [Int]) -> [Int] {
    var shares = [Int](repeating: 1, count: counts.count)
    var left = limit
    for (place, index) in counts.indices.sorted(by: { (counts[$0], $0) < (counts[$1], $1) }).enumerated() {
      let share = max(1, min(counts[index], left / (counts.count - place)))
      shares[index] = share
      left -= share
    }
    return shares
  }

  /// Ascending, without those that lie in others.
  private static func apart(_ prefixes: [IPv4Prefix]) -> [IPv4Prefix] {
    var result: [IPv4Prefix] = []
    result.reserveCapacity(prefixes.count)
    for prefix in prefixes.sorted() where result.last.map({ !$0.contains(prefix) }) ?? true { result.append(prefix) }
    return result
  }

  /// How many leading bits both have.
  private static func commonLength(_ left: IPv4Prefix, _ right: IPv4Prefix) -> UInt8 {
    let same = UInt8((left.address.value ^ right.address.value).leadingZeroBitCount)
    return min(same, left.length, right.length)
  }

  private static func common(_ left: IPv4Prefix, _ right: IPv4Prefix) -> IPv4Prefix {
    IPv4Prefix(containing: left.address, length: commonLength(left, right)) ?? .all
  }
}
