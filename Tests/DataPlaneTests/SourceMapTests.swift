internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// Many backhaul rules are asked in one look (`EdgeCompiler+Sources`).
@Suite("Many backhaul rules") struct SourceMapTests {
  private static func rules(_ count: Int, _ random: inout SeededRandom, lans: [InterfaceName] = []) -> [BackhaulRule] {
    (0..<count).compactMap { number in
      guard let name = Name("r\(number)") else { return nil }
      var rule = Branch.office
      rule.name = name
      rule.egress.name = name
      rule.egress.fallback = Bool.random(using: &random) ? .block : .localWAN
      let prefixes = (0..<Int.random(in: 1...3, using: &random)).compactMap { _ in
        IPv4Prefix(
          containing: IPv4Address(value: 0x0a00_0000 | UInt32.random(in: 0...0xff, using: &random)),
          length: UInt8.random(in: 25...32, using: &random))
      }
      rule.sources = Sources(interfaces: lans, prefixes: prefixes)
      return rule
    }
  }

  @Test("decide as the list of them does, whatever overlaps")
  func first() throws {
    for seed in 0..<20 as Range<UInt64> {
      var random = SeededRandom(seed: seed)
      let rules = Self.rules(12, &random)
      let compiler = Branch.compiler(Branch.ruleSet(rules: rules))
      var model = ModelKernel(Branch.kernel())
      try model.apply(Planner.plan(desired: compiler.compile(), actual: model.state).steps)
      let table = try #require(model.state.nftTable)
      let isSorted = table.maps.contains { $0.name.hasPrefix("sources_") }
      // An egress that never gets anything keeps the list.
      let everyoneGets = rules.allSatisfy { compiler.layout.claimed[$0.egress.name] != nil }
      #expect(isSorted == everyoneGets)
      let walk = NftWalk.Table(table)
      for last in 0...255 as ClosedRange<UInt32> {
        let source = IPv4Address(value: 0x0a00_0000 | last)
        var way = NftWalk(
          walk,
          Packet(
            incoming: "lan0", source: source, destination: "8.8.8.8",
            tracking: .connection(.original, mark: 0, isNew: true)))
        _ = way.run(.prerouting)
        let rule = rules.first { $0.sources.prefixes.contains { $0.contains(source) } }
        let mark = rule.flatMap { compiler.layout.mark(.egress($0.egress.name)) }
        let passed = compiler.layout.passed
        #expect(
          way.packet.mark == mark?.value ?? 0 || (mark == nil && way.packet.mark == passed.value), "\(source), \(seed)")
      }
    }
  }

  @Test("few ones, and such as hold for some LANs alone, are asked one by one")
  func listed() throws {
    var random = SeededRandom(seed: 1)
    func isSorted(_ rules: [BackhaulRule]) -> Bool {
      let table = Branch.compiler(Branch.ruleSet(rules: rules)).compile().nftTable
      return table?.maps.contains { $0.name.hasPrefix("sources_") } ?? false
    }
    let apart = (0..<6).compactMap { number -> BackhaulRule? in
      guard var rule = Self.rules(1, &random).first, let name = Name("r\(number)") else { return nil }
      rule.name = name
      rule.egress.name = name
      rule.sources.prefixes = [IPv4Prefix(containing: IPv4Address(value: UInt32(number) << 24), length: 8)].compactMap(
        \.self)
      return rule
    }
    #expect(isSorted(apart))
    #expect(!isSorted(Array(apart.prefix(4))))
    var bound = apart
    bound[0].sources.interfaces = ["lan0"]
    #expect(!isSorted(bound) || Branch.configuration().lans == ["lan0"])
    let guarded = Branch.compiler(Branch.ruleSet(rules: apart)).compileGuard().nftTable
    #expect(guarded?.maps.contains { $0.name.hasPrefix("sources_") } == false, "what is not strict is not steered yet")
  }
}
