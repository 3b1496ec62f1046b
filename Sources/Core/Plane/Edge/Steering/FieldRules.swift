internal import RuleSets

/// How many rules the kernel makes of boxes in each field: a range is one for each prefix that it is made of.
///
/// Where more than 256 of them are in a field, Linux with AVX2 may give a packet to a later box of several that it is in:
/// seen on 6.18, while the lookup without AVX2 does as it should (nft_pipapo_avx2_lookup,
/// net/netfilter/nft_set_pipapo_avx2.c, takes 256 bits at a time). So boxes that have something in common stand together only
/// where they are few.
struct FieldRules {
  /// With something to spare: nobody promises that the kernel finds the fewest prefixes.
  static let most = 192

  private var counts: [SteeringField: Int] = [:]
  private var turns = 0

  var areFew: Bool { turns <= Self.most && counts.values.allSatisfy { $0 <= Self.most } }

  /// The boxes of these too, in this turn.
  func adding(_ entries: [SteeringTree.Entry], turn: Int) -> FieldRules {
    var sum = self
    for entry in entries {
      let (taken, boxes) = (entry.taken, entry.boxes)
      let side = UInt64(turn)
      sum.turns += boxes * Self.prefixes(0x0800 - side, 0x0800 + side, bits: 16)
      for field in SteeringField.allCases {
        // Each range once for each combination of the other fields'.
        let ranges = taken[field] ?? []
        let share = boxes / max(1, ranges.count)
        let prefixes = ranges.isEmpty ? 1 : ranges.reduce(0) { $0 + Self.count($1, field) }
        sum.counts[field, default: 0] += share * prefixes
      }
    }
    return sum
  }

  private static func count(_ range: ClosedRange<UInt64>, _ field: SteeringField) -> Int {
    switch field {
    case .sources, .destinations: prefixes(range.lowerBound, range.upperBound, bits: 32)
    case .ports: prefixes(range.lowerBound, range.upperBound, bits: 16)
    case .lans, .macs, .protocols, .dscp, .domains, .schedule: 1
    }
  }

  /// How many prefixes of numbers with so many bits make up a range.
  static func prefixes(_ first: UInt64, _ last: UInt64, bits: Int) -> Int {
    var (next, count) = (first, 0)
    while next <= last {
      var size = next == 0 ? bits : min(bits, next.trailingZeroBitCount)
      while size > 0, next + (1 << UInt64(size)) - 1 > last { size -= 1 }
      next += 1 << UInt64(size)
      count += 1
    }
    return count
  }
}
