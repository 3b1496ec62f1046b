internal import RuleSets
import Testing

@testable import Core

/// Marks of connections that are from before a change of the rules.
@Suite struct SettledTests {
  private static func rule(_ name: Name, _ prefixes: [IPv4Prefix], _ interfaces: [InterfaceName] = []) -> BackhaulRule {
    var rule = Branch.office
    rule.name = name
    rule.egress.name = name
    rule.sources = Sources(interfaces: interfaces, prefixes: prefixes)
    return rule
  }

  @Test("an egress gets what its rules take and none before them")
  func claims() throws {
    let lans: [InterfaceName] = ["lan0"]
    let first = Self.rule("a", ["192.168.10.0/25"])
    let second = Self.rule("b", ["192.168.10.0/24"])
    let last = Self.rule("c", [])
    let all = SoleClaim.all([first, second, last], lans: lans)
    #expect(all["a"] == .rule("a"))
    #expect(all["b"] == .ranges([0xc0a8_0a80...0xc0a8_0aff]))
    #expect(all["c"] == .ranges([0...0xc0a8_09ff, 0xc0a8_0b00...UInt32.max]))
    #expect(SoleClaim.all([last], lans: lans) == ["c": .everything])
    #expect(SoleClaim.all([second, first], lans: lans)["a"] == nil, "it gets nothing")
    #expect(SoleClaim.all([Self.rule("a", [], ["lan0"])], lans: lans) == ["a": .everything])
    #expect(SoleClaim.all([Self.rule("a", [], ["lan0"])], lans: ["lan0", "lan1"]) == [:], "the device decides as well")
  }

  /// Whatever was killed before it could clean up.
  @Test("lead nobody into another rule's tunnel")
  func stale() throws {
    let rules = [Self.rule("a", ["192.168.10.50/32"]), Self.rule("b", ["192.168.10.51/32"])]
    let ruleSet = Branch.ruleSet(rules: rules)
    let kernel = Branch.kernel()
    var model = ModelKernel(kernel)
    let before = Branch.compiler(ruleSet, Branch.configuration(), kernel)
    try model.apply(Planner.plan(desired: before.compile(), actual: kernel).steps)
    let after = EdgeCompiler(before.layout, model.state)
    for (rule, path) in [("a", "fra-a"), ("b", "fra-b")] as [(Name, Name)] {
      try model.apply(.putRoute(try #require(after.activeRoute(of: rule, for: .path(path)))))
    }
    let walk = PacketWalk(model.state)
    let mark = try #require(before.layout.mark(.egress("a")))
    for (source, device) in [("192.168.10.50", "bh-fra-a"), ("192.168.10.51", "bh-fra-b")]
      as [(IPv4Address, InterfaceName)]
    {
      let packet = Packet(
        incoming: "lan0", source: source, destination: "8.8.8.8",
        tracking: .connection(.original, mark: mark.value, isNew: false))
      #expect(walk.fate(of: packet).devices.first == device, "\(source)")
    }
    let nobody = Packet(
      incoming: "lan0", source: "192.168.10.99", destination: "8.8.8.8",
      tracking: .connection(.original, mark: mark.value, isNew: false))
    #expect(walk.fate(of: nobody).devices.first != "bh-fra-a")
  }
}
