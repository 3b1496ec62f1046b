package import RuleSets

/// Prefixes as ranges of addresses, as an interval set of nftables wants them.
package enum AddressRanges {
  /// Ascending, neither overlapping nor touching: prefixes that nest or touch become one range.
  package static func merged(_ prefixes: [IPv4Prefix]) -> [ClosedRange<UInt32>] { merged(prefixes.map(\.range)) }

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
