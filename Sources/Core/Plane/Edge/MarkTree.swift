internal import RuleSets

/// The ip rules that lead each mark to its table. The kernel asks rules one after the other, so with many marks a tree
/// stands in place of a list: rules that compare a block of marks by its first bits, and lead to the half that it is in.
///
///     p+9    fwmark 0             goto p+29      no mark of ours: around all of it
///     p+11   fwmark 0x08/0x7f     lookup TABLE   egresses, which most packets are of, if they are few
///     p+12   fwmark 0x40/0x40     goto p+20      the upper half of the marks
///     p+12   fwmark 0x20/0x60     goto p+16      of the lower half the upper one
///     p+13   fwmark 0x04/0x7f     lookup TABLE   marks of the first eighth
///     p+14   …
///     p+29   nop
///
/// Whatever mix of an old and of a new tree is in the kernel while it changes, a mark finds its table: a block holds a mark
/// or does not, whichever tree it is of, and leads to no place behind the lookup that its own tree has for that mark.
/// Lookups are there as long as what leads to them (`Planner`).
struct MarkTree {
  typealias Entry = (mark: Mark, table: TableID)

  /// So many marks are a list.
  private static let fewest = 8
  /// For lookups and for what leads on from there: the kernel asks rules of one priority in the order in which they came.
  private static let prioritiesOfBlock = 2

  private let mask: MarkMask
  private let ranges: KernelRanges
  /// By the block that each mark is in, ascending; the order in a block is the caller's.
  private let blocks: [Int: [RoutingRule]]
  /// A block has two to the power of this many marks.
  private let width: Int
  private(set) var rules: [RoutingRule] = []

  /// - Parameters:
  ///   - egresses: which egress has which table.
  ///   - ways: which tunnel or uplink has which table.
  init(egresses: [Entry], ways: [Entry], _ ranges: KernelRanges) {
    let mask = ranges.markMask
    (self.mask, self.ranges) = (mask, ranges)
    func rule(_ place: RulePriority, _ entry: Entry) -> RoutingRule {
      RoutingRule(
        priority: place, mark: .init(entry.mark, mask), action: .lookup(entry.table, suppressPrefixLength: nil))
    }
    // Most packets are of an egress.
    let marked = egresses + ways
    guard marked.count > Self.fewest else {
      (blocks, width) = ([:], 0)
      rules = marked.map { rule(ranges.priority(20), $0) }
      return
    }
    let first = egresses.count > Self.fewest ? [] : egresses
    let tree = egresses.count > Self.fewest ? marked : ways
    let numbers = tree.map { mask.slot($0.mark)?.number ?? 0 }
    let bits = Int.bitWidth - (numbers.max() ?? 1).leadingZeroBitCount
    let places = Int(ranges.priority(29).value - ranges.priority(12).value) / Self.prioritiesOfBlock
    let width = max(3, bits - (Int.bitWidth - 1 - places.leadingZeroBitCount))
    var blocks: [Int: [RoutingRule]] = [:]
    for (number, entry) in zip(numbers, tree) {
      let block = number >> width
      blocks[block, default: []].append(rule(Self.lookups(of: block, ranges), entry))
    }
    (self.blocks, self.width) = (blocks, width)
    rules.append(
      RoutingRule(priority: ranges.priority(9), mark: .init(Mark(value: 0), mask), action: .goto(ranges.priority(29))))
    rules += first.map { rule(ranges.priority(11), $0) }
    grow(from: 0, size: 1 << max(0, bits - width))
    rules.append(RoutingRule(priority: ranges.priority(29), action: .nop))
  }

  private static func place(of block: Int, _ ranges: KernelRanges) -> RulePriority {
    RulePriority(ranges.priority(12).value + UInt32(block * prioritiesOfBlock))
  }

  private static func lookups(of block: Int, _ ranges: KernelRanges) -> RulePriority {
    RulePriority(place(of: block, ranges).value + 1)
  }

  /// The place that the kernel comes to for blocks from `first` on: what leads on, or the lookups themselves.
  private func entrance(from first: Int, size: Int) -> RulePriority {
    let leadsOn = blocks.keys.contains { (first + 1..<first + size).contains($0) }
    return leadsOn ? Self.place(of: first, ranges) : Self.lookups(of: first, ranges)
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
          action: .goto(entrance(from: middle, size: half))))
      grow(from: first, size: half)
      grow(from: middle, size: half)
    } else {
      grow(from: first, size: half)
    }
  }
}
