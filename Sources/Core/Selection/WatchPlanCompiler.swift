extension WatchPlan {
  /// What to watch under this rule set, on a router whose kernel says this. Every path of the rule set is in it, also one
  /// that cannot carry now: it says why.
  package init(_ layout: Layout, _ actual: ActualState) {
    let uplinks = Self.uplinks(layout, actual)
    self.init(
      paths: Self.paths(layout, actual, uplinks), uplinks: uplinks, rules: Self.rules(layout, actual), mask: layout.mask)
  }

  private static func uplinks(_ layout: Layout, _ actual: ActualState) -> [WatchedUplink] {
    // Sorted by tier; in one tier as configured.
    layout.configuration.uplinks.enumerated().sorted { ($0.element.tier, $0.offset) < ($1.element.tier, $1.offset) }
      .compactMap { _, uplink in
        guard let mark = layout.mark(.uplink(uplink.interface)) else { return nil }
        let state = UplinkState(uplink, in: actual)
        return WatchedUplink(
          interface: uplink.interface, tier: uplink.tier, mark: mark, way: state.way, obstacle: state.obstacle)
      }
  }

  private static func paths(
    _ layout: Layout, _ actual: ActualState, _ uplinks: [WatchedUplink]
  ) -> [WatchedPath] {
    let probes = Dictionary(grouping: layout.ruleSet.probes, by: \.path)
    let ways = Dictionary(layout.ways.map { ($0.owner, $0) }) { first, _ in first }
    let tunnels = Dictionary(layout.ruleSet.tunnels.map { ($0.name, $0) }) { first, _ in first }
    let byInterface = Dictionary(uplinks.map { ($0.interface, $0) }) { first, _ in first }
    return layout.ruleSet.paths.compactMap { path in
      guard let way = ways[layout.owner(of: path)] else { return nil }
      let watched = probes[path.name] ?? []
      switch path.way {
      case .tunnel(let name):
        guard let tunnel = tunnels[name] else { return nil }
        return WatchedPath(
          name: path.name, isTunnel: true, device: way.device, underlay: tunnel.uplink, mark: way.mark,
          way: .out(device: way.device, gateway: nil), obstacle: tunnel.uplink.flatMap { missingAddress($0, actual) },
          source: source(of: tunnel, on: way, layout, actual), probes: watched)
      case .uplink(let interface):
        guard let uplink = byInterface[interface] else { return nil }
        return WatchedPath(
          name: path.name, isTunnel: false, device: interface, underlay: nil, mark: way.mark, way: uplink.way,
          obstacle: uplink.obstacle, source: actual.addresses[interface]?.first?.address, probes: watched)
      }
    }
  }

  private static func missingAddress(_ uplink: InterfaceName, _ actual: ActualState) -> String? {
    (actual.addresses[uplink] ?? []).isEmpty ? "uplink \(uplink) has no IPv4 address" : nil
  }

  /// The inner address; for an unnumbered tunnel a LAN's, since the hub sends answers to those through the tunnel.
  private static func source(
    of tunnel: Tunnel, on way: Layout.Way, _ layout: Layout, _ actual: ActualState
  ) -> IPv4Address? {
    if let inner = tunnel.innerLocal { return inner.address }
    if way.kind == .externalTunnel, let own = actual.addresses[way.device]?.first { return own.address }
    return layout.configuration.lans.lazy.compactMap { actual.addresses[$0]?.first?.address }.first
  }

  private static func rules(_ layout: Layout, _ actual: ActualState) -> [WatchedRule] {
    layout.activeRules.map { active in
      let sources = active.rule.sources.prefixes
      let known =
        sources.isEmpty ? layout.interfaces(of: active.rule).flatMap { actual.addresses[$0] ?? [] }.map(\.subnet) : sources
      return WatchedRule(
        rule: active.rule, table: active.table, mark: active.mark, sources: AddressRanges.merged(known))
    }
  }
}
