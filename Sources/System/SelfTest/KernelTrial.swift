package import Agent
package import Core
internal import RuleSets

/// Tries everything that the agent asks of a kernel, on the kernel at hand, in a network namespace made for it. Nothing
/// outside of that is touched.
package struct KernelTrial {
  private let ranges: KernelRanges
  private let stateDirectory: String

  /// - Parameter stateDirectory: an empty one, for what settings had before; the caller clears it away.
  package init(_ ranges: KernelRanges, stateDirectory: String) {
    self.ranges = ranges
    self.stateDirectory = stateDirectory
  }

  /// Leaves the calling thread in that namespace. Throws only where there can be none.
  package func run() throws(KernelFailure) -> [SelfTest.Check] {
    try FreshNamespace.enter()
    var checks = [SelfTest.Check.passed("namespace", "a network namespace of its own: nothing outside is touched")]
    do throws(KernelFailure) { try FreshNamespace.furnish() } catch {
      return checks + [.failed("devices", "\(error)", fix: "the kernel must have bridges, and routes for them")]
    }
    let kinds = SelfTest.Kind.allCases.filter { kind in
      let check = tryKind(kind)
      checks.append(check)
      return check.passed
    }
    guard !kinds.isEmpty else { return checks }
    return checks + tryAll(kinds)
  }

  /// Only the devices: the rest is tried with all of them together.
  private func tryKind(_ kind: SelfTest.Kind) -> SelfTest.Check {
    do {
      guard let layout = try SelfTest.layout([kind], ranges) else { return noRoom(kind.rawValue) }
      let kernel = try LinuxKernel(ranges, stateDirectory: stateDirectory)
      let desired = EdgeCompiler(layout, try kernel.read(expecting: nil)).compile()
      try apply(
        Planner.plan(desired: DesiredState(tunnels: desired.tunnels), actual: try kernel.read(expecting: nil)), kernel)
      let left = Planner.plan(desired: DesiredState(tunnels: desired.tunnels), actual: try kernel.read(expecting: nil))
      guard !desired.tunnels.isEmpty, left.isEmpty else {
        return .failed(kind.rawValue, "the device differs from what was asked for", fix: kind.fix)
      }
      try apply(Planner.teardown(actual: try kernel.read(expecting: nil), remembered: [:]), kernel)
      return .passed(kind.rawValue, "a tunnel device of this kind can be made, read back and removed")
    } catch {
      return .failed(kind.rawValue, "\(error)", fix: kind.fix)
    }
  }

  private func noRoom(_ name: String) -> SelfTest.Check {
    .failed(name, "the sample needs more marks or tables than the configuration has", fix: "wider ranges in [kernel]")
  }

  private func tryAll(_ kinds: [SelfTest.Kind]) -> [SelfTest.Check] {
    let fix = "see backhaul doctor for the kernel's features; the kernel's own error is above"
    var checks: [SelfTest.Check] = []
    var step = "rules"
    do {
      guard let layout = try SelfTest.layout(kinds, ranges) else { return [noRoom(step)] }
      let kernel = try LinuxKernel(ranges, stateDirectory: stateDirectory)
      let plan = try kernel.plan(for: layout)
      try apply(plan, kernel)
      checks.append(
        .passed(step, "\(plan.steps.count) changes: devices, settings, routes, ip rules and the nftables table"))

      step = "read back"
      let left = try kernel.plan(for: layout)
      checks.append(
        left.isEmpty
          ? .passed(step, "the kernel has all of it as it was written")
          : .failed(step, PlanText(ranges).lines(left).first ?? "something differs", fix: fix))

      step = "steering"
      checks.append(contentsOf: try tryNftTable(kinds, layout))

      step = "connections"
      if let mark = layout.activeRules.first?.mark {
        _ = try kernel.sweep([ConnectionSweep(mark: mark, sources: nil, way: "selftest")], mask: layout.mask)
      }
      checks.append(.passed(step, "connections are looked up by their mark"))

      step = "flowtable"
      checks.append(tryFlowtable(layout, kernel))

      step = "teardown"
      try apply(
        Planner.teardown(actual: try kernel.read(expecting: nil), remembered: kernel.rememberedSettings().values),
        kernel)
      let rest = Planner.teardown(actual: try kernel.read(expecting: nil), remembered: [:])
      checks.append(
        rest.isEmpty
          ? .passed(step, "nothing is left behind")
          : .failed(step, PlanText(ranges).lines(rest).first ?? "something is left", fix: fix))
    } catch {
      checks.append(.failed(step, "\(error)", fix: fix))
    }
    return checks
  }

  /// By the kernel's own lookup: a rule's traffic follows the flip, and meets the floor if there is no way.
  private func tryNftTable(_ kinds: [SelfTest.Kind], _ layout: Layout) throws -> [SelfTest.Check] {
    let flip = try LinuxFlip(ranges)
    let lookup = try LinuxLookup()
    guard let strict = layout.activeRules.first(where: { $0.rule.name.text == SelfTest.rules.strict }),
      let tunnel = layout.tunnelWays.first, let source = InterfaceAddress(SelfTest.uplinkAddress)?.address,
      let destination = IPv4Address("203.0.113.99")
    else { return [] }
    func way() throws(KernelFailure) -> LookupAnswer {
      try lookup.lookup(
        LookupQuestion(source: source, destination: destination, incoming: nil, mark: strict.mark.value))
    }
    func check(_ name: String, _ expected: LookupAnswer, _ text: String) throws(KernelFailure) -> SelfTest.Check {
      let answer = try way()
      return answer == expected
        ? .passed(name, text)
        : .failed(
          name, "the kernel says \(answer), not \(expected)", fix: "policy routing by marks (CONFIG_IP_MULTIPLE_TABLES)"
        )
    }
    var checks = [try check("floor", .unreachable, "marked traffic without a way meets the floor")]
    let route = TableRoute(table: strict.table, metric: .active, way: .out(device: tunnel.device, gateway: nil))
    try flip.activate(route)
    let steered = LookupAnswer.out(tunnel.device, gateway: nil, table: strict.table)
    checks.append(try check("steering", steered, "marked traffic goes by the tunnel"))
    let rounds = 100
    let begun = MonotonicClock.now
    for _ in 0..<rounds {
      try flip.deactivate(strict.table)
      try flip.activate(route)
    }
    let took = (MonotonicClock.now - begun).nanoseconds / Int64(2 * rounds) / 1_000
    checks.append(try check("flip", steered, "a flip takes the kernel \(took) µs on average"))
    try flip.deactivate(strict.table)
    checks.append(try check("floor again", .unreachable, "once the way is removed, it meets the floor again"))
    return checks
  }

  /// The agent does without: that a kernel has none fails nothing.
  private func tryFlowtable(_ layout: Layout, _ kernel: LinuxKernel) -> SelfTest.Check {
    let name = "flowtable"
    guard let strict = layout.activeRules.first(where: { $0.rule.name.text == SelfTest.rules.strict }),
      let tunnel = layout.tunnelWays.first
    else { return noRoom(name) }
    let table = FastPath.table(
      ranges.fastTable, layout.mask, lans: Set(layout.configuration.lans),
      [FastPath.Way(egress: strict.rule.egress.name, mark: strict.mark, tunnels: [tunnel.device: tunnel.mark])])
    do throws(KernelFailure) {
      try kernel.apply(.putFastTable(table))
      guard try kernel.read(expecting: nil).fastTable == table else {
        return .passed(name, "no: what is read back differs; kernel.flowtable must stay false in agent.toml")
      }
      try kernel.apply(.deleteFastTable(table: table.name))
      return .passed(name, "yes: connections can be offloaded (kernel.flowtable in agent.toml)")
    } catch {
      return .passed(name, "no, and none is needed (kernel.flowtable in agent.toml): \(error)")
    }
  }

  private func apply(_ plan: Plan, _ kernel: LinuxKernel) throws(KernelFailure) {
    for step in plan.steps { try kernel.make(step) }
  }
}
