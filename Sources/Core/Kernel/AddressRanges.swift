package import RuleSets

/// Prefixes as ranges of addresses, as an interval set of nftables wants them.
package enum AddressRanges {
  /// Ascending, neither overlapping nor touching: prefixes that nest or touch become one range.
  package static func merged(_ prefixes: [IPv4Prefix]) -> [ClosedRange<UInt32>] { merged(prefixes.map(\.range)) }

  /// The same for ranges in any order, in host byte order.
  package static func merged(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    result.reserveCapacity(ranges.count)
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      // `upperBound + 1` would overflow at 255.255.255.255, after which nothing can touch.
      if let last = result.last, last.upperBound == .max || range.lowerBound <= last.upperBound + 1 {
        result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
    }
    return result
  }

  /// What is in one of them and not in the other. Both are ascending and apart, and so is the result.
  package static func difference(
    _ one: [ClosedRange<UInt32>], _ other: [ClosedRange<UInt32>]
  ) -> [ClosedRange<UInt32>] {
    merged(subtracting(one, from: other) + subtracting(other, from: one))
  }

  /// What is in both. Both are ascending and apart, and so is the result.
  package static func common(
    _ one: [ClosedRange<UInt32>], _ other: [ClosedRange<UInt32>]
  ) -> [ClosedRange<UInt32>] {
    subtracting(subtracting(other, from: one), from: one)
  }

  /// What is left of `ranges`. Both are ascending and apart, and so is the result.
  package static func subtracting(
    _ taken: [ClosedRange<UInt32>], from ranges: [ClosedRange<UInt32>]
  ) -> [ClosedRange<UInt32>] {
    var left: [ClosedRange<UInt32>] = []
    var first = 0
    for range in ranges {
      // 64 bits, because the number after 255.255.255.255 must fit.
      var next = UInt64(range.lowerBound)
      let end = UInt64(range.upperBound)
      while first < taken.count, taken[first].upperBound < range.lowerBound { first += 1 }
      var index = first
      while index < taken.count, UInt64(taken[index].lowerBound) <= end, next <= end {
        let (low, high) = (UInt64(taken[index].lowerBound), UInt64(taken[index].upperBound))
        if low > next { left.append(UInt32(next)...UInt32(low - 1)) }
        next = max(next, high + 1)
        index += 1
      }
      if next <= end { left.append(UInt32(next)...UInt32(end)) }
    }
    return left
  }

  /// Whether one of these ranges, ascending and apart, holds the address.
  package static func contain(_ address: IPv4Address, _ ranges: [ClosedRange<UInt32>]) -> Bool {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < address.value { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].contains(address.value)
  }
}
