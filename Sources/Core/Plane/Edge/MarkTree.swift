internal import RuleSets

/// The ip rules that lead each mark to its table. The kernel asks rules one after the other, so with many marks a tree
/// stands in place of a list: rules that compare a block of marks by its first bits, and lead to the half that it is in.
///
///     p+9    fwmark 0             goto p+29      no mark of ours: around all of it
///     p+11   fwmark 0x40/0x40     goto p+19      the upper half of the marks
///     p+11   fwmark 0x20/0x60     goto p+15      of the lower half the upper one
///     p+11   fwmark 0x04/0x7f     lookup TABLE   marks of the first eighth
///     p+12   …
///     p+29   nop
///
/// Whatever mix of an old and of a new tree is in the kernel while it changes, a mark finds its table: a block holds a mark
/// or does not, whichever tree it is of, and leads to no place behind the lookup that its own tree has for that mark.
/// Lookups are there as long as what leads to them (`Planner`).
struct MarkTree {
  /// So many marks are a list.
  private static let fewest = 8

  private let mask: MarkMask
  private let ranges: KernelRanges
  /// By the block that each mark is in, ascending; the order in a block is the caller's.
  private let blocks: [Int: [RoutingRule]]
  /// A block has two to the power of this many marks.
  private let width: Int
  private(set) var rules: [RoutingRule] = []

  /// - Parameter marked: who has which table.
  init(_ marked: [(mark: Mark, table: TableID)], _ ranges: KernelRanges) {
    let mask = ranges.markMask
    (self.mask, self.ranges) = (mask, ranges)
    func rule(_ place: RulePriority, _ entry: (mark: Mark, table: TableID)) -> RoutingRule {
      RoutingRule(
        priority: place, mark: .init(entry.mark, mask), action: .lookup(entry.table, suppressPrefixLength: nil))
    }
    guard marked.count > Self.fewest else {
      (blocks, width) = ([:], 0)
      rules = marked.map { rule(ranges.priority(20), $0) }
      return
    }
    let numbers = marked.map { mask.slot($0.mark)?.number ?? 0 }
    let bits = Int.bitWidth - (numbers.max() ?? 1).leadingZeroBitCount
    // p+11 up to what stands before p+29.
    let places = Int(ranges.priority(29).value - ranges.priority(11).value)
    let width = max(3, bits - (Int.bitWidth - 1 - places.leadingZeroBitCount))
    var blocks: [Int: [RoutingRule]] = [:]
    for (number, entry) in zip(numbers, marked) {
      let block = number >> width
      blocks[block, default: []].append(rule(Self.place(of: block, ranges), entry))
    }
    (self.blocks, self.width) = (blocks, width)
    rules.append(
      RoutingRule(priority: ranges.priority(9), mark: .init(Mark(value: 0), mask), action: .goto(ranges.priority(29))))
    grow(from: 0, size: 1 << max(0, bits - width))
    rules.append(RoutingRule(priority: ranges.priority(29), action: .nop))
  }

  private static func place(of block: Int, _ ranges: KernelRanges) -> RulePriority {
    RulePriority(ranges.priority(11).value + UInt32(block))
  }

  /// Blocks from `first` on, `size` of them, a power of two. The kernel comes here for their marks alone.
  private mutating func grow(from first: Int, size: Int) {
    guard size > 1 else {
      rules += blocks[first] ?? []
      return
    }
    let half = size / 2
    let middle = first + half
    if blocks.keys.contains(where: { (middle..<first + size).contains($0) }) {
      let shift = UInt32(width + mask.bits.trailingZeroBitCount)
      rules.append(
        RoutingRule(
          priority: Self.place(of: first, ranges),
          mark: .init(
            Mark(value: UInt32(middle) << shift), mask.block(ofLast: width + half.trailingZeroBitCount)),
          action: .goto(Self.place(of: middle, ranges))))
      grow(from: first, size: half)
      grow(from: middle, size: half)
    } else {
      grow(from: first, size: half)
    }
  }
}
