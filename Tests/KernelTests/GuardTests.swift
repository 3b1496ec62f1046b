import Agent
import Core
import KernelGrounds
internal import RuleSets
import Testing

@Suite("The guard, on the real kernel")
struct GuardOnTheRealKernelTests {
  private func layout() throws -> Layout {
    let configuration = AgentConfiguration(
      device: try #require(Name("branch-017")), ruleSet: .init(location: .file(path: "/nowhere")),
      uplinks: [UplinkConfiguration(interface: try #require(InterfaceName("wan0")))],
      lans: [try #require(InterfaceName("lan0"))])
    let (hub, tunnel) = (try #require(Name("fra")), try #require(Name("fra-a")))
    let ruleSet = RuleSet(
      device: configuration.device, revision: 1,
      hubs: [Hub(name: hub, address: try #require(IPv4Address("203.0.113.2")))],
      tunnels: [Tunnel(name: tunnel, kind: .ipip, hub: hub, uplink: configuration.uplinks[0].interface)],
      paths: [Path(name: tunnel, way: .tunnel(tunnel))],
      backhaulRules: [
        BackhaulRule(
          name: try #require(Name("office")),
          sources: Sources(prefixes: [try #require(IPv4Prefix("192.168.10.0/24"))]), paths: [tunnel], fallback: .block,
          ipv6: .block)
      ], directDestinations: [try #require(IPv4Prefix("198.18.0.0/15"))])
    return Layout(ruleSet, configuration, try #require(Layout.slots(ruleSet, configuration, after: SlotBook())))
  }

  @Test("is set up before any device exists, and only once")
  func isPutOnce() throws {
    let layout = try layout()
    try RealGround.with { ground in
      let plan = try ground.kernel.guardPlan(for: layout)
      #expect(!plan.isEmpty)
      for step in plan.steps { try ground.kernel.apply(step) }
      let compiler = EdgeCompiler(layout, ActualState())
      let actual = try ground.kernel.read(expecting: compiler.compileGuard().nftTable)
      #expect(actual.nftTable == compiler.compileGuard().nftTable)
      #expect(try ground.kernel.guardPlan(for: layout).isEmpty)
      // What another program removes is restored, and nothing else is touched.
      let rule = try #require(actual.rules.last)
      try ground.kernel.apply(.deleteRule(rule))
      #expect(try ground.kernel.guardPlan(for: layout).steps == [.addRule(rule)])
    }
  }
}
