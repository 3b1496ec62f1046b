internal import RuleSets
import SeededRandom
import Testing

@testable import Core

@Suite("The tree of ip rules by mark") struct MarkTreeTests {
  private static func ranges(_ mask: UInt32 = 0x7f00_0000, last: UInt32 = 9299) -> KernelRanges {
    KernelRanges(markMask: MarkMask(bits: mask), tables: 10_000...19_999, priorities: 9200...last)
  }

  private static func marked(_ slots: [Int], _ ranges: KernelRanges) -> [(mark: Mark, table: TableID)] {
    slots.compactMap { Slot($0) }.compactMap { slot in
      ranges.markMask.mark(slot).map { ($0, ranges.table(of: slot)) }
    }
  }

  /// As fib_rules_lookup does: the table, and how many rules were asked.
  private static func lookup(_ mark: UInt32, _ rules: [RoutingRule]) -> (table: TableID?, asked: Int) {
    var next = 0
    var asked = 0
    while next < rules.count {
      let rule = rules[next]
      asked += 1
      next += 1
      guard rule.mark.map({ mark & $0.mask.bits == $0.mark.value }) ?? true else { continue }
      switch rule.action {
      case .lookup(let table, _): return (table, asked)
      case .goto(let place): next = rules.firstIndex { $0.priority == place } ?? next
      default: break
      }
    }
    return (nil, asked)
  }

  private static func inOrder(_ rules: [RoutingRule]) -> [RoutingRule] {
    rules.enumerated().sorted { ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset) }.map(\.element)
  }

  @Test(
    "leads each mark to its own table, after few questions",
    arguments: [
      (0x7f00_0000, 9299, 100, 22), (0x0fff_0000, 9299, 1000, 136), (0x0fff_0000, 9999, 1000, 18),
    ] as [(UInt32, UInt32, Int, Int)])
  func tables(_ mask: UInt32, _ last: UInt32, _ count: Int, _ most: Int) {
    let ranges = Self.ranges(mask, last: last)
    let marked = Self.marked(Array(2...count + 1), ranges)
    let rules = Self.inOrder(MarkTree(egresses: [], ways: marked, ranges).rules)
    #expect(rules.allSatisfy { ranges.priorities.contains($0.priority.value) && $0.priority < ranges.priority(30) })
    for (mark, table) in marked {
      let found = Self.lookup(mark.value | 0x8000_0001, rules)
      #expect(found.table == table)
      #expect(found.asked <= most, "\(mark)")
    }
    #expect(Self.lookup(0x8000_0001, rules).asked == 2, "what has no mark of ours goes around it")
  }

  @Test("is a list where there are few")
  func few() {
    let ranges = Self.ranges()
    let rules = MarkTree(egresses: Self.marked([2], ranges), ways: Self.marked([3, 90], ranges), ranges).rules
    #expect(rules.count == 3 && rules.allSatisfy { $0.priority == ranges.priority(20) })
  }

  /// What was there before and is there after is led to its table after each step from one to the other.
  @Test("leads each mark to its table while it changes", arguments: 0..<200)
  func changes(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let old = Self.ranges(0x0fff_0000, last: random.chance(50) ? 9299 : 9400)
    let new = Self.ranges(0x0fff_0000, last: random.chance(50) ? 9299 : 9400)
    func some() -> [Int] {
      let most = [10, 40, 300, 2000].randomElement(using: &random) ?? 10
      return Set((0..<Int.random(in: 1...60, using: &random)).map { _ in Int.random(in: 2...most, using: &random) })
        .sorted()
    }
    let (before, after) = (some(), some())
    func tree(_ slots: [Int], _ ranges: KernelRanges) -> MarkTree {
      let marked = Self.marked(slots, ranges)
      // The same slots are egresses before and after.
      let few = marked.filter { ranges.markMask.slot($0.mark).map { $0.number % 7 == 0 } ?? false }
      return MarkTree(
        egresses: few, ways: marked.filter { entry in !few.contains { $0.mark == entry.mark } }, ranges)
    }
    var actual = ActualState()
    actual.rules = tree(before, old).rules
    let wanted = DesiredState(rules: tree(after, new).rules)
    let staying = Self.marked(before.filter(after.contains), new)
    for step in Planner.plan(desired: wanted, actual: actual).steps {
      switch step {
      case .addRule(let rule): actual.rules.append(rule)
      case .deleteRule(let rule): actual.rules.removeAll { $0 == rule }
      default: Issue.record("\(step)")
      }
      let rules = Self.inOrder(actual.rules)
      for (mark, table) in staying where Self.lookup(mark.value, rules).table != table {
        Issue.record("\(mark) is led astray after \(step)")
      }
    }
    #expect(Set(actual.rules) == Set(wanted.rules))
  }

  @Test("is read back as it was written")
  func blocks() {
    let mask = MarkMask.standard
    #expect(mask.block(ofLast: 6).bits == 0x4000_0000)
    #expect(mask.block(bits: 0x6000_0000)?.bits == 0x6000_0000)
    #expect(mask.block(bits: 0x7f00_0000) == nil && mask.block(bits: 0x3000_0000) == nil)
  }
}
