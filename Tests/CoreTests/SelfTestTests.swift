internal import RuleSets
import Testing

@testable import Core

@Suite struct SelfTestTests {
  @Test(arguments: [
    [SelfTest.Kind.gre], [.ipip], [.ipsec], [.gre, .ipip], [.ipip, .ipsec], SelfTest.Kind.allCases,
  ]) func theSampleIsARuleSetThatFits(_ kinds: [SelfTest.Kind]) throws {
    let layout = try #require(try SelfTest.layout(kinds, KernelRanges()))
    #expect(layout.ruleSet.tunnels.map(\.name.text) == kinds.map(\.tunnel))
    #expect(layout.activeRules.map(\.rule.name.text) == [SelfTest.rules.open, SelfTest.rules.strict])
    #expect(layout.tunnelWays.count == kinds.count)
  }

  @Test func withoutRoomThereIsNone() throws {
    #expect(throws: Complaints.self) { try SelfTest.layout([.gre], KernelRanges(tables: 7900...7902)) }
  }
}
