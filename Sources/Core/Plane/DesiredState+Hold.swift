internal import RuleSets

/// What holds where a rule set was accepted once and nobody can say any more which of its rules are strict.
extension DesiredState {
  /// Nothing that the router forwards leaves by an uplink, IPv4 and IPv6 alike, whichever device it came in by: a strict
  /// rule may have named any. Two lines of it, as one may be taken away by another program:
  ///
  /// - ip rules: what is forwarded finds no default route. More specific routes of main (other LANs, site to site) hold
  ///   where they lead by no uplink.
  /// - nftables: what is forwarded by one of the configured uplinks is dropped, whatever route sent it there.
  ///
  /// The router's own traffic, and what goes between its other devices, is not touched. It is the ground that the agent
  /// finds: its own table replaces this one in one nftables transaction, and the ip rules go after that.
  package static func holdingEverything(
    _ configuration: AgentConfiguration, in actual: ActualState
  ) -> DesiredState {
    DesiredState(rules: heldRules(configuration, actual), nftTable: heldTable(configuration))
  }

  /// `not iif lo` is whatever the router forwards: what it sends itself has the loopback device as its incoming one
  /// (flowi_iif = LOOPBACK_IFINDEX in ip_route_output_key_hash_rcu), and the inversion holds for the whole selector
  /// (fib_rule_match). What is for the router itself has been found in the table `local` before.
  private static func heldRules(_ configuration: AgentConfiguration, _ actual: ActualState) -> [RoutingRule] {
    guard let loopback = InterfaceName("lo") else { return [] }
    let ranges = configuration.kernel
    let uplinks = Set(configuration.uplinks.map(\.interface))
    let fence = Fence(actual.sites) { $0.contains(where: uplinks.contains) ? .shut : .main }
    let ipv6Fence = Fence(actual.ipv6Sites, uplinks: configuration.uplinks)
    func rules(_ family: RoutingRule.Family, widest: UInt32, _ end: RoutingRule.Action) -> [RoutingRule] {
      [
        RoutingRule(
          family, priority: ranges.priority(80), inverted: true, incoming: loopback,
          action: .lookup(.main, suppressPrefixLength: widest)),
        RoutingRule(family, priority: ranges.priority(90), inverted: true, incoming: loopback, action: end),
      ]
    }
    // 2000::/3 is all IPv6 that is given out: a default in disguise.
    return fence.rules(in: ranges) + rules(.ipv4, widest: 0, .unreachable) + ipv6Fence.rules(in: ranges)
      + rules(.ipv6, widest: 3, .prohibit)
  }

  private static func heldTable(_ configuration: AgentConfiguration) -> NftTable {
    let uplinks = configuration.uplinks.map(\.interface)
    // Traffic from one WAN to another does not come from behind the router.
    let passing = uplinks.map { NftRule([.incoming($0)], [.return], comment: "from uplink \($0)") }
    let held = uplinks.map {
      NftRule([.outgoing($0)], [.count, .drop], comment: "held: no rule set can be read, uplink \($0)")
    }
    return NftTable(
      name: configuration.kernel.nftTable, sets: [],
      chains: [
        NftChain(
          name: "pass", hook: .init(kind: .filter, point: .forward, priority: -150), rules: passing + held)
      ])
  }
}
