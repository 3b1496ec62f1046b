extension DesiredStateCompiler {
  /// Our ip rules, in the order in which the kernel asks them:
  ///
  ///     p+0   fwmark bypass        lookup main                          direct destinations
  ///     p+4   from UPLINK to HUB   lookup main suppress_prefixlength 0  IKE and ESP of a tunnel leave by its own uplink
  ///     p+5   from UPLINK to HUB   lookup TABLE of the uplink
  ///     p+10  not fwmark 0         lookup main suppress_prefixlength 0  what has a better route than a default keeps it
  ///     p+20  fwmark MARK          lookup TABLE                         one for each tunnel, uplink and rule
  ///     p+80  iif LAN from PREFIX  lookup main suppress_prefixlength 0  belts
  ///     p+90  iif LAN from PREFIX  lookup TABLE of the rule
  ///
  /// Belts hold for unmarked packets of `fallback: block` and `underlay` rules, so that none leaks while someone's `nft flush ruleset`
  /// has taken our marks. They look into the rule's own table (whose floor is `unreachable`) rather than end in
  /// `unreachable` themselves: the kernel's reverse-path check asks these same rules, without a mark, about every packet
  /// that comes back to the source, and takes "unreachable" for a spoofed one, in loose mode too.
  ///
  /// Where an uplink's default route in main is a pair of halves (`0.0.0.0/1` and `128.0.0.0/1`), `suppress_prefixlength`
  /// is 1: halves are no better than a default.
  func routingRules() -> [RoutingRule] {
    routingRules(
      outer: outerRules(),
      marked: layout.ways.map { ($0.mark, $0.table) } + layout.activeRules.map { ($0.mark, $0.table) }, belted: true)
  }

  func routingRules(outer: [RoutingRule], marked: [(mark: Mark, table: TableID)], belted: Bool) -> [RoutingRule] {
    let mask = layout.mask
    var rules = [
      RoutingRule(
        priority: priority(0), mark: .init(layout.bypass, mask), action: .lookup(.main, suppressPrefixLength: nil))
    ]
    rules += outer
    rules += [
      RoutingRule(
        priority: priority(10), mark: .init(layout.none, mask), inverted: true,
        action: mainWithoutDefault)
    ]
    for (mark, table) in marked {
      rules.append(
        RoutingRule(
          priority: priority(20), mark: .init(mark, mask), action: .lookup(table, suppressPrefixLength: nil)))
    }
    let belts = belted ? belts() : []
    var asked: Set<RoutingRule> = []
    for belt in belts {
      let rule = RoutingRule(
        priority: priority(80), source: belt.source, incoming: belt.incoming, action: mainWithoutDefault)
      // Two rules may take the same source; the kernel refuses the same ip rule twice.
      if asked.insert(rule).inserted { rules.append(rule) }
    }
    for belt in belts {
      rules.append(
        RoutingRule(
          priority: priority(90), source: belt.source, incoming: belt.incoming,
          action: .lookup(belt.table, suppressPrefixLength: nil)))
    }
    return rules
  }

  /// charon's sockets know neither mark nor device, and the kernel looks ESP up without a mark: both are known by their
  /// addresses. Those of GRE and IPIP have a mark of their own.
  private func outerRules() -> [RoutingRule] {
    var ends: Set<[IPv4Address]> = []
    var own: [RoutingRule] = []
    for tunnel in layout.ruleSet.tunnels where tunnel.profile != nil {
      guard let uplink = tunnel.uplink, let local = self.uplink(uplink)?.address, let hub = layout.hub(of: tunnel),
        let table = layout.table(.uplink(uplink)), ends.insert([local, hub.address]).inserted
      else { continue }
      own.append(
        RoutingRule(
          priority: priority(5), source: .host(local), destination: .host(hub.address),
          action: .lookup(table, suppressPrefixLength: nil)))
    }
    let specific = own.map { rule in
      var rule = rule
      rule.priority = priority(4)
      rule.action = mainWithoutDefault
      return rule
    }
    return specific + own
  }

  private var mainWithoutDefault: RoutingRule.Action {
    let isInHalves = actual.mainDefaults.contains { route in
      route.isInHalves && layout.configuration.uplinks.contains { $0.interface == route.device }
    }
    return .lookup(.main, suppressPrefixLength: isInHalves ? 1 : 0)
  }

  /// Every packet walks past every belt, and a rule of thousands of prefixes has none: nftables guards it alone.
  static var maximumBelts: Int { 64 }

  private struct Belt: Hashable {
    var incoming: InterfaceName
    var source: IPv4Prefix?
    var table: TableID
  }

  private func belts() -> [Belt] {
    var belts: [Belt] = []
    for active in layout.activeRules where active.rule.isStrict {
      let rule = active.rule
      let prefixes: [IPv4Prefix?] = rule.sources.prefixes.isEmpty ? [nil] : rule.sources.prefixes
      let own = layout.interfaces(of: rule).flatMap { interface in
        prefixes.map { Belt(incoming: interface, source: $0 == .all ? nil : $0, table: active.table) }
      }
      // Half the belts of a rule would only look as if it had some.
      if belts.count + own.count <= Self.maximumBelts { belts += own }
    }
    return belts
  }

  private func priority(_ offset: UInt32) -> RulePriority {
    RulePriority(layout.configuration.kernel.priorities.lowerBound &+ offset)
  }
}
