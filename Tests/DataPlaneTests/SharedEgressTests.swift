import RuleSets
import Testing

@testable import Core

/// Rules that go the same way share a mark, a table and a slot.
struct SharedEgressTests {
  private func rule(_ name: Name, _ lan: InterfaceName, _ change: (inout Egress) -> Void = { _ in }) -> BackhaulRule {
    var egress = Branch.office.egress.named(name)
    change(&egress)
    return BackhaulRule(name: name, sources: Sources(interfaces: [lan]), egress: egress)
  }

  private func layout(_ rules: [BackhaulRule], after book: SlotBook = SlotBook()) throws -> Layout {
    let ruleSet = Branch.ruleSet(rules: rules)
    let slots = try #require(Layout.slots(ruleSet, Branch.configuration(), after: book))
    return Layout(ruleSet, Branch.configuration(), slots)
  }

  @Test func thoseThatSayTheSameAreOne() throws {
    let layout = try layout([
      rule("office", "lan0"), rule("guests", "lan1") { $0.holdDown = .seconds(1) }, rule("phones", "lan2"),
    ])
    let active = layout.activeRules
    #expect(active.map(\.egress) == ["office", "guests", "office"])
    #expect(active[0].mark == active[2].mark && active[0].table == active[2].table)
    #expect(active[0].mark != active[1].mark && active[0].table != active[1].table)
    #expect(layout.activeEgresses.map { $0.rules.map(\.name) } == [["office", "phones"], ["guests"]])
  }

  /// Live flows carry its mark.
  @Test func aSlotIsKeptForWhoeverComesToSayTheSame() throws {
    let alone = try layout([rule("phones", "lan2")])
    let joined = try layout([rule("office", "lan0"), rule("phones", "lan2")], after: alone.slots)
    #expect(joined.activeRules.map(\.mark) == [alone.activeRules[0].mark, alone.activeRules[0].mark])
    // Nor is it lost to the others when one goes.
    let first = try self.layout([rule("office", "lan0")], after: joined.slots)
    #expect(first.activeRules.map(\.mark) == alone.activeRules.map(\.mark))
    let left = try self.layout([rule("phones", "lan2")], after: joined.slots)
    #expect(left.activeRules.map(\.mark) == alone.activeRules.map(\.mark))
  }

  @Test func aThousandRulesNeedOneSlot() throws {
    let rules = try (0..<1_000).map { number in
      let prefix = try #require(IPv4Prefix("10.\(number / 256).\(number % 256).0/24"))
      let name = try #require(Name("rule-\(number)"))
      return BackhaulRule(
        name: name, sources: Sources(prefixes: [prefix]), egress: Branch.office.egress.named(name))
    }
    let layout = try layout(rules)
    #expect(layout.activeEgresses.count == 1 && layout.activeRules.count == 1_000)
    let state = EdgeCompiler(layout, Branch.kernel()).compile()
    #expect(Set(state.rules).count == state.rules.count)
    #expect(state.routes.filter { $0.table == layout.activeRules[0].table }.count == 1)
  }
}
