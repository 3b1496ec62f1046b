internal import RuleSets

extension WatchPlan {
  /// What to watch under the rule set that is compiled here, on a router whose kernel says this. Every path of the rule
  /// set is in it, also one that cannot carry now: it says why.
  package init(_ compiler: EdgeCompiler) {
    let uplinks = Self.uplinks(compiler)
    self.init(
      paths: Self.paths(compiler, uplinks), uplinks: uplinks, rules: Self.rules(compiler),
      steered: Self.steered(compiler),
      steering: compiler.layout.steeringRules,
      directDestinations: compiler.layout.ruleSet.directDestinations, mask: compiler.layout.mask,
      revision: compiler.layout.ruleSet.revision)
  }

  private static func uplinks(_ compiler: EdgeCompiler) -> [WatchedUplink] {
    // By tier; within one as configured.
    compiler.uplinks.enumerated().sorted { ($0.element.tier, $0.offset) < ($1.element.tier, $1.offset) }
      .compactMap { _, state in
        guard let mark = compiler.layout.mark(.uplink(state.interface)) else { return nil }
        let configured = compiler.layout.configuration.uplinks.first { $0.interface == state.interface }
        return WatchedUplink(
          interface: state.interface, tier: state.tier, isPrivate: state.isPrivate, mark: mark, way: state.way,
          obstacle: state.obstacle, source: state.address,
          targets: configured?.targets ?? [], probeBudget: configured?.probeBudget)
      }
  }

  private static func paths(_ compiler: EdgeCompiler, _ uplinks: [WatchedUplink]) -> [WatchedPath] {
    let probes = Dictionary(grouping: compiler.layout.ruleSet.probes, by: \.path)
    return compiler.layout.ruleSet.paths.compactMap { path in
      guard let binding = compiler.binding(of: path) else { return nil }
      var isTunnel = false
      var secured: Name?
      var underlay: InterfaceName?
      var obstacle: String?
      var hub: IPv4Address?
      var headers = 0
      var outer: [[TrackedFlow]] = []
      switch path.way {
      case .tunnel(let name):
        let tunnel = compiler.layout.tunnel(named: name)
        isTunnel = true
        secured = tunnel?.profile == nil ? nil : name
        underlay = tunnel?.uplink
        headers = tunnel.map { compiler.headers(of: $0) } ?? 0
        outer = tunnel.map { compiler.outerFlows(of: $0) } ?? []
        hub = tunnel.flatMap { compiler.layout.hub(of: $0)?.address }
        obstacle = tunnel.flatMap { compiler.obstacle(to: $0) }
      case .uplink(let interface):
        obstacle = uplinks.first { $0.interface == interface }?.obstacle
      }
      return WatchedPath(
        name: path.name, isTunnel: isTunnel, securedTunnel: secured, device: binding.device, underlay: underlay,
        mark: binding.mark,
        way: compiler.way(by: path), obstacle: obstacle, source: binding.source, probes: probes[path.name] ?? [],
        quorum: path.quorum, limits: path.limits, hub: hub, headers: headers, outer: outer)
    }
  }

  private static func rules(_ compiler: EdgeCompiler) -> [WatchedRule] {
    compiler.layout.activeRules.map { active in
      let prefixes = active.rule.sources.prefixes
      let known =
        prefixes.isEmpty
        ? compiler.layout.interfaces(of: active.rule).flatMap { compiler.actual.addresses[$0] ?? [] }.map(\.subnet)
        : prefixes
      return WatchedRule(
        rule: active.rule, table: active.table, mark: active.mark, sources: AddressRanges.merged(known),
        underlays: compiler.layout.underlays(of: active.rule.egress))
    }
  }

  private static func steered(_ compiler: EdgeCompiler) -> [SteeredEgress] {
    compiler.layout.activeEgresses.filter { !$0.steering.isEmpty }.map { active in
      let sources = active.steering.map { rule in
        let lans = rule.match.lans.isEmpty ? compiler.layout.configuration.lans : rule.match.lans
        return rule.match.sources.isEmpty
          ? lans.flatMap { compiler.actual.addresses[$0] ?? [] }.map(\.subnet) : rule.match.sources
      }
      return SteeredEgress(
        active.egress, table: active.table, mark: active.mark, rules: active.steering.map(\.name),
        sources: AddressRanges.merged(sources.flatMap { $0 }),
        isExact: active.steering.allSatisfy { !$0.match.sources.isEmpty },
        underlays: compiler.layout.underlays(of: active.egress))
    }
  }
}
