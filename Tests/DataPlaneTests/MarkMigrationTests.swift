internal import RuleSets
import Testing

@testable import Core

/// From the marks of one mask to those of another, on a router that carries traffic meanwhile.
@Suite struct MarkMigrationTests {
  private static let old = MarkMask(bits: 0x0ff0_0000)
  private static let masks: [UInt32] = [0x7f00_0000, 0x0ff0_0000, 0x0000_ff00, 0xf800_0000]

  private func configuration(_ mask: MarkMask) -> AgentConfiguration {
    var configuration = Branch.configuration()
    configuration.kernel = KernelRanges(markMask: mask)
    return configuration
  }

  private static let strict = BackhaulRule(
    name: "office", sources: Sources(interfaces: ["lan0"], prefixes: ["192.168.10.0/24"]), paths: ["fra-a", "fra-b"],
    fallback: .block, failback: .drain)

  private let ruleSet = Branch.ruleSet(tunnels: [Branch.gre, Branch.ipip, Branch.external], rules: [strict])

  /// Slots from the given one up.
  private func layout(_ mask: MarkMask, from first: Int) -> Layout {
    let configuration = configuration(mask)
    let owners = Layout.owners(ruleSet, configuration)
    let slots = owners.enumerated().compactMap { place, owner in Slot(first + place).map { (owner, $0) } }
    return Layout(ruleSet, configuration, SlotBook(Dictionary(slots) { one, _ in one }))
  }

  /// What runs under a mask, with the rule's traffic on its first path.
  private func router(_ layout: Layout) throws -> ModelKernel {
    var model = ModelKernel(Branch.withWireGuard(Branch.kernel()))
    let desired = EdgeCompiler(layout, model.state).compile()
    try model.apply(Planner.plan(desired: desired, actual: model.state).steps)
    let after = EdgeCompiler(layout, model.state)
    try model.apply(.putRoute(#require(after.activeRoute(of: "office", for: .path("fra-a")))))
    return model
  }

  private func fate(_ model: ModelKernel, _ tracking: Packet.Tracking, to destination: IPv4Address = "8.8.8.8")
    -> PacketFate
  {
    PacketWalk(model.state).fate(
      of: Packet(incoming: "lan0", source: "192.168.10.50", destination: destination, tracking: tracking))
  }

  @Test(
    "at every step of the migration, each packet goes where it went before",
    arguments: masks, [(2, false), (2, true), (14, false), (14, true)])
  func everyStep(_ bits: UInt32, _ start: (first: Int, isKilled: Bool)) throws {
    for former in Self.masks where former != bits {
      let before = try #require(MarkMask(bits: former))
      let after = try #require(MarkMask(bits: bits))
      // Some masks have only 31 slots.
      let (old, new) = (layout(before, from: start.first), layout(after, from: start.first))
      var model = try router(old)
      func mark(_ owner: SlotBook.Owner) throws -> UInt32 { try #require(old.mark(owner)).value }
      // A flow of the first tunnel, one that drains on the second, an answer to what came by the second.
      model.connections = [
        try mark(.tunnel("fra-a")), try mark(.tunnel("fra-b")), try mark(.tunnel("fra-b")), old.bypass.value,
      ]
      let desired = EdgeCompiler(new, model.state).compile()
      let plan = Planner.plan(desired: desired, actual: model.state)
      // From 16 on, a number may be one owner's mark under one mask and another owner's under the other: then traffic
      // past the tunnels may take a wrong way for one step.
      let isPlain = start.first < 10 && ![bits, former].contains(0xf800_0000)
      try check(model, isPlain: isPlain)
      for step in plan.steps {
        try model.apply(step)
        try check(model, isPlain: isPlain)
        if start.isKilled {
          var again = model
          let rest = Planner.plan(desired: EdgeCompiler(new, again.state).compile(), actual: again.state)
          for step in rest.steps {
            try again.apply(step)
            try check(again, isPlain: isPlain)
          }
          try checkEnd(again, new, isPlain: isPlain)
        }
      }
      try checkEnd(model, new, isPlain: isPlain)
      #expect(Planner.plan(desired: EdgeCompiler(new, model.state).compile(), actual: model.state).isEmpty)
    }
  }

  /// Where numbers of the two masks cannot be told apart, a packet may be dropped for a step, but never gets out.
  private func checkThatNothingLeaks(_ model: ModelKernel) throws {
    for mark in [0, model.connections[0], model.connections[1]] {
      let fate = fate(model, .connection(.original, mark: mark, isNew: mark == 0))
      guard case .left(let device, _) = fate.end else { continue }
      try #require(!["wan0", "wan1"].contains(device), "\(fate.trace)")
    }
  }

  private func check(_ model: ModelKernel, isPlain: Bool = true) throws {
    try checkThatNothingLeaks(model)
    guard isPlain else { return }
    let fresh = fate(model, .connection(.original, mark: 0, isNew: true))
    try #require(fresh.end == .left("bh-fra-a", gateway: nil), "\(fresh.end)")
    try #require(fresh.devices == ["bh-fra-a", "wan0"], "the outer packet by its own uplink: \(fresh.devices)")
    let live = fate(model, .connection(.original, mark: model.connections[0], isNew: false))
    try #require(live.end == .left("bh-fra-a", gateway: nil), "a live flow: \(live.trace)")
    let drained = fate(model, .connection(.original, mark: model.connections[1], isNew: false))
    try #require(drained.devices == ["bh-fra-b", "wan1"], "a flow that drains: \(drained.trace)")
    let answer = fate(model, .connection(.reply, mark: model.connections[2], isNew: false))
    try #require(answer.end == .left("bh-fra-b", gateway: nil), "an answer: \(answer.trace)")
    let direct = fate(model, .connection(.original, mark: model.connections[3], isNew: false), to: "198.18.0.9")
    try #require(direct.end == .left("wan0", gateway: "192.0.2.1"), "a direct destination: \(direct.trace)")
  }

  private func checkEnd(_ model: ModelKernel, _ layout: Layout, isPlain: Bool = true) throws {
    try check(model, isPlain: isPlain)
    let masks = Set(model.state.rules.compactMap(\.mark?.mask))
    #expect(masks == [layout.mask], "no ip rule of another mask is left")
    #expect(model.state.nftTable == EdgeCompiler(layout, model.state).compile().nftTable)
    let marks = ["fra-a", "fra-b", "fra-b"].compactMap { layout.mark(.tunnel($0))?.value } + [layout.bypass.value]
    if isPlain { #expect(model.connections == marks) }
    #expect(
      model.state.links.values.compactMap(\.tunnel).allSatisfy { layout.ways.map(\.mark).contains($0.lookupMark) })
  }

  @Test func anotherMaskLeavesXFRMInterfacesAsTheyAre() throws {
    let ruleSet = Branch.secureRuleSet()
    let configuration = Branch.secureConfiguration()
    let slots = try #require(Layout.slots(ruleSet, configuration, after: SlotBook()))
    var other = configuration
    other.kernel = KernelRanges(markMask: Self.old)
    let (one, two) = (Layout(ruleSet, configuration, slots), Layout(ruleSet, other, slots))
    for tunnel in ruleSet.tunnels { #expect(one.interfaceID(of: tunnel) == two.interfaceID(of: tunnel)) }
    let all = (2...4_200).compactMap { Slot($0) }.compactMap { slot in
      Layout(ruleSet, configuration, SlotBook([.tunnel(ruleSet.tunnels[0].name): slot])).interfaceID(
        of: ruleSet.tunnels[0])
    }
    #expect(Set(all).count == all.count && !all.contains(0), "each its own")
  }

  @Test func withoutMarksThereIsNothingToMigrate() throws {
    let mask = try #require(Self.old)
    let model = try router(layout(mask, from: 2))
    #expect(MarkMigration.all(from: model.state.rules, to: []).isEmpty, "teardown")
    #expect(MarkMigration.all(from: [], to: model.state.rules).isEmpty, "the first start")
    #expect(MarkMigration.all(from: model.state.rules, to: model.state.rules).isEmpty)
  }

  @Test func theGuardLeavesATableOfOlderMarksAlone() throws {
    let mask = try #require(Self.old)
    let model = try router(layout(mask, from: 2))
    let compiler = EdgeCompiler(layout(.standard, from: 2), model.state)
    #expect(Planner.guardPlan(desired: compiler.compileGuard(), actual: model.state).isEmpty)
  }
}
