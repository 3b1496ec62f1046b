internal import RuleSets

/// In which turn each steering rule's boxes are asked. Of two rules that may take the same packet the earlier one has the
/// lower turn; rules that have nothing in common may share one.
///
/// Only rules that look at the same fields are told apart, by one field that keeps each of a pair out of the other's way.
/// Where that cannot be seen quickly, they count as having something in common: a turn too many does no harm.
struct TurnBook {
  /// What a match takes in each field that it looks at; as numbers, ascending and apart.
  typealias Taken = [SteeringField: [ClosedRange<UInt64>]]

  /// Rules that look at the same fields.
  private struct Kin {
    var last = -1
    var trees: [SteeringField: TurnTree] = [:]
  }

  private var kin: [Set<SteeringField>: Kin] = [:]
  private(set) var turns: [Int] = []

  /// - Parameter all: of each rule, in their order.
  init(_ all: [Taken]) {
    var bounds: [Set<SteeringField>: [SteeringField: [UInt64]]] = [:]
    for taken in all {
      for (field, ranges) in taken {
        bounds[Set(taken.keys), default: [:]][field, default: []] += ranges.flatMap { [$0.lowerBound, $0.upperBound] }
      }
    }
    for (fields, bounds) in bounds { kin[fields] = Kin(trees: bounds.mapValues { TurnTree(bounds: $0) }) }
    turns = all.map { add($0) }
  }

  private mutating func add(_ taken: Taken) -> Int {
    let own = Set(taken.keys)
    var turn = 0
    for (fields, kin) in kin where kin.last >= 0 {
      let common = fields == own ? fields.map { kin.trees[$0]?.highest(in: taken[$0] ?? []) ?? kin.last } : [kin.last]
      turn = max(turn, (common.min() ?? kin.last) + 1)
    }
    kin[own, default: Kin()].last = max(kin[own]?.last ?? -1, turn)
    for (field, ranges) in taken { kin[own]?.trees[field]?.raise(ranges, to: turn) }
    return turn
  }
}

/// The highest turn that was given to any number of a range. A segment tree over the bounds that will be asked about.
private struct TurnTree {
  /// Ascending. A leaf stands for one bound, or for the gap behind it.
  private let bounds: [UInt64]
  private let leaves: Int
  /// What was given to all of a node, and the highest that anything in it has.
  private var whole: [Int]
  private var highest: [Int]

  init(bounds: [UInt64]) {
    var sorted = bounds.sorted()
    var kept = 0
    for bound in sorted where kept == 0 || sorted[kept - 1] != bound {
      sorted[kept] = bound
      kept += 1
    }
    self.bounds = Array(sorted.prefix(kept))
    var leaves = 1
    while leaves < 2 * kept { leaves *= 2 }
    self.leaves = leaves
    whole = [Int](repeating: -1, count: 2 * leaves)
    highest = whole
  }

  /// The first leaf of a number that is one of the bounds; behind it the gap.
  private func leaf(_ bound: UInt64) -> Int {
    var (low, high) = (0, bounds.count)
    while low < high {
      let middle = (low + high) / 2
      if bounds[middle] < bound { low = middle + 1 } else { high = middle }
    }
    return 2 * low
  }

  mutating func raise(_ ranges: [ClosedRange<UInt64>], to turn: Int) {
    for range in ranges { raise(1, 0..<leaves, leaf(range.lowerBound)..<leaf(range.upperBound) + 1, turn) }
  }

  private mutating func raise(_ node: Int, _ span: Range<Int>, _ wanted: Range<Int>, _ turn: Int) {
    guard span.overlaps(wanted) else { return }
    highest[node] = max(highest[node], turn)
    if wanted.lowerBound <= span.lowerBound, span.upperBound <= wanted.upperBound {
      whole[node] = max(whole[node], turn)
      return
    }
    let middle = (span.lowerBound + span.upperBound) / 2
    raise(2 * node, span.lowerBound..<middle, wanted, turn)
    raise(2 * node + 1, middle..<span.upperBound, wanted, turn)
  }

  /// -1: nothing in them has a turn.
  func highest(in ranges: [ClosedRange<UInt64>]) -> Int {
    ranges.map { highest(1, 0..<leaves, leaf($0.lowerBound)..<leaf($0.upperBound) + 1) }.max() ?? -1
  }

  private func highest(_ node: Int, _ span: Range<Int>, _ wanted: Range<Int>) -> Int {
    guard span.overlaps(wanted) else { return -1 }
    if wanted.lowerBound <= span.lowerBound, span.upperBound <= wanted.upperBound { return highest[node] }
    let middle = (span.lowerBound + span.upperBound) / 2
    return max(
      whole[node], highest(2 * node, span.lowerBound..<middle, wanted),
      highest(2 * node + 1, middle..<span.upperBound, wanted))
  }
}
