import RuleSets
import Testing

@testable import Core

/// Rules that name one egress share a mark, a table and a slot.
struct SharedEgressTests {
  private func rule(_ name: Name, _ sources: Sources, egress: Name) -> BackhaulRule {
    var rule = BackhaulRule(name: name, sources: sources, egress: Branch.office.egress)
    rule.egress.name = egress
    return rule
  }

  private func layout(_ rules: [BackhaulRule], after book: SlotBook = SlotBook()) throws -> Layout {
    let ruleSet = Branch.ruleSet(rules: rules)
    let slots = try #require(Layout.slots(ruleSet, Branch.configuration(), after: book))
    return Layout(ruleSet, Branch.configuration(), slots)
  }

  @Test func thoseThatNameOneShareItAndOthersDoNot() throws {
    let layout = try layout([
      rule("office", Sources(interfaces: ["lan0"]), egress: "hub"),
      rule("guests", Sources(interfaces: ["lan1"]), egress: "guests"),
      rule("phones", Sources(interfaces: ["lan2"]), egress: "hub"),
    ])
    let active = layout.activeRules
    #expect(active[0].mark == active[2].mark && active[0].table == active[2].table)
    #expect(active[0].mark != active[1].mark && active[0].table != active[1].table, "it says the same, by itself")
    #expect(layout.activeEgresses.map { $0.rules.map(\.name) } == [["office", "phones"], ["guests"]])
  }

  /// Live flows carry its mark.
  @Test func theSlotStaysWhileOneRuleNamesIt() throws {
    let both = try layout([
      rule("office", Sources(interfaces: ["lan0"]), egress: "hub"),
      rule("phones", Sources(interfaces: ["lan2"]), egress: "hub"),
    ])
    let left = try layout([rule("phones", Sources(interfaces: ["lan2"]), egress: "hub")], after: both.slots)
    #expect(left.activeRules.map(\.mark) == [both.activeRules[0].mark])
  }

  @Test func aThousandRulesNeedOneSlot() throws {
    let rules = try (0..<1_000).map { number in
      let prefix = try #require(IPv4Prefix("10.\(number / 256).\(number % 256).0/24"))
      return rule(try #require(Name("rule-\(number)")), Sources(prefixes: [prefix]), egress: "hub")
    }
    let layout = try layout(rules)
    #expect(layout.activeEgresses.count == 1 && layout.activeRules.count == 1_000)
    let state = EdgeCompiler(layout, Branch.kernel()).compile()
    #expect(Set(state.rules).count == state.rules.count)
    #expect(state.routes.filter { $0.table == layout.activeRules[0].table }.count == 1)
  }
}
