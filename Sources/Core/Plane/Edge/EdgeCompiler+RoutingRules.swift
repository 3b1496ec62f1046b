internal import RuleSets

extension EdgeCompiler {
  /// Our ip rules, in the order in which the kernel asks them:
  ///
  ///     p+0   fwmark bypass        lookup main                          direct destinations
  ///     p+4   from UPLINK to HUB   lookup main suppress_prefixlength 0  IKE and ESP of a tunnel leave by its own uplink
  ///     p+5   from UPLINK to HUB   lookup TABLE of the uplink
  ///     p+6   fwmark passed        goto p+99                            what no rule of ours takes
  ///     p+10  not fwmark 0         lookup main suppress_prefixlength 0  what has a better route than a default keeps it
  ///     p+20  fwmark MARK          lookup TABLE                         one for each tunnel, uplink and egress; of many a
  ///                                                                     tree: see `MarkTree`
  ///     p+30  iif lo               goto p+99                            the router's own packets
  ///     p+69  to SITE              goto p+90                            what main leads to by an uplink: see `Fence`
  ///     p+80  from PREFIX          lookup main suppress_prefixlength 0  belts: see `belts()`
  ///     p+90  from PREFIX          lookup TABLE of the rule
  ///     p+99                       nop                                  from here on others' rules decide, and main's
  ///
  /// and of IPv6, by each LAN that a rule with `ipv6: block` has, and by its subnets:
  ///
  ///     p+30  iif lo               goto p+99
  ///     p+69  to SITE              goto p+90
  ///     p+80  iif LAN, from SUBNET lookup main suppress_prefixlength 3
  ///     p+90  iif LAN, from SUBNET prohibit
  ///     p+99                       nop
  ///
  /// Where an uplink's default route in main is a pair of halves (`0.0.0.0/1` and `128.0.0.0/1`), `suppress_prefixlength`
  /// is 1 in IPv4's: halves are no better than a default.
  ///
  /// Where the range has more than a hundred priorities, p+29 and what follows stand that much later.
  ///
  /// - Parameters:
  ///   - outer: those that tunnels' own packets need, at p+4 and p+5.
  ///   - egresses: which egress has which table.
  ///   - ways: which tunnel or uplink has which table.
  func routingRules(
    outer: [RoutingRule], egresses: [MarkTree.Entry], ways: [MarkTree.Entry]
  ) -> [RoutingRule] {
    let mask = layout.mask
    var rules = [
      RoutingRule(
        priority: priority(0), mark: .init(layout.bypass, mask), action: .lookup(.main, suppressPrefixLength: nil))
    ]
    rules += outer
    if hasPrefixBelts {
      rules.append(
        RoutingRule(priority: priority(6), mark: .init(layout.passed, mask), action: .goto(priority(99))))
    }
    rules += [
      RoutingRule(
        priority: priority(10), mark: .init(layout.none, mask), inverted: true, action: mainWithoutDefault)
    ]
    return rules + MarkTree(egresses: egresses, ways: ways, layout.configuration.kernel).rules + beltRules()
      + ipv6Belts()
  }

  func routingRules() -> [RoutingRule] {
    routingRules(
      outer: outerRules(),
      egresses: layout.activeEgresses.map { ($0.mark, $0.table) }, ways: layout.ways.map { ($0.mark, $0.table) })
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

  /// What main has that is better than a default route.
  var mainWithoutDefault: RoutingRule.Action {
    let isInHalves = actual.mainDefaults.contains { route in
      route.isInHalves && layout.configuration.uplinks.contains { $0.interface == route.device }
    }
    return .lookup(.main, suppressPrefixLength: isInHalves ? 1 : 0)
  }

  func priority(_ offset: UInt32) -> RulePriority { layout.configuration.kernel.priority(offset) }
}
