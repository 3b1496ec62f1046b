import Testing

@testable import Core
@testable import System

@Suite struct AgentConfigurationTests {
  @Test func theSampleIsValidAndHoldsTheDefaults() throws {
    let sample = try ConfigurationFile.load(Repository.path("etc/agent.toml"))
    let device = try #require(Name("branch-017"))
    let wan = try #require(InterfaceName("wan0"))
    let lan = try #require(InterfaceName("lan0"))
    #expect(
      sample
        == AgentConfiguration(
          device: device,
          ruleSet: RuleSetSourceConfiguration(
            location: .web(url: "https://orchestrator.example/v1/devices/branch-017/rule-set")),
          uplinks: [UplinkConfiguration(interface: wan)], lans: [lan]))
  }
}
