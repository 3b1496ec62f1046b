import Testing

@testable import Core
@testable import System

@Suite struct RuleSetDecoderTests {
  @Test func theExampleIsValid() throws {
    let ruleSet = try RuleSetDecoder.decode(Repository.bytes("etc/rule-set.example.json"))
    #expect(ruleSet.revision == 42)
    #expect(ruleSet.tunnels.map(\.name.text) == ["fra-a", "fra-b", "ams-wg"])
    #expect(ruleSet.probes.first?.timeout == .milliseconds(800))
    #expect(ruleSet.backhaulRules.last?.holdDown == .seconds(30), "the default")
  }
}
