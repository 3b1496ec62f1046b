/// What holds strict rules to theirs when nftables does not: ip rules for packets without a mark, so that none leaks while
/// someone's `nft flush ruleset` has taken our marks, and with the agent dead for good.
extension DesiredStateCompiler {
  /// Every packet without a mark walks past every belt.
  static var maximumBelts: Int { 64 }

  /// What one belt holds: all that comes from a prefix, by whatever device; or, where a rule names no prefixes, all that
  /// comes in by a LAN.
  private struct Belt: Hashable {
    var incoming: InterfaceName?
    var source: IPv4Prefix?
    var table: TableID
  }

  /// The strict rules that name prefixes.
  var prefixedStrictRules: [Layout.ActiveRule] {
    layout.activeRules.filter { $0.rule.isStrict && !$0.rule.sources.prefixes.isEmpty }
  }

  /// Belts by prefix know neither device nor rule, and a long list of prefixes has belts that are wider than it. So what
  /// no rule takes is marked as such, and passes by them.
  var passesUnruled: Bool { !prefixedStrictRules.isEmpty }

  /// Belts look into the rule's own table (whose floor is `unreachable`) rather than end in `unreachable` themselves: the
  /// kernel's reverse-path check asks these same rules, without a mark, about every packet that comes back to the source,
  /// and takes "unreachable" for a spoofed one, in loose mode too. It asks as if the packet came in by the device that it
  /// is about to leave by, or by `lo` where the router takes it (`flowi4_iif` in __fib_validate_source,
  /// net/ipv4/fib_frontend.c).
  ///
  /// The router's own packets are passed over, from an address in a prefix too: its services never enter a tunnel.
  func beltRules() -> [RoutingRule] {
    let belts = belts()
    var rules: [RoutingRule] = []
    if passesUnruled {
      rules.append(RoutingRule(priority: priority(70), incoming: .loopback, action: .goto(priority(99))))
    }
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
    return passesUnruled ? rules + [RoutingRule(priority: priority(99), action: .nop)] : rules
  }

  /// In the order of the rules. Where there are more prefixes than belts, some are covered together.
  private func belts() -> [Belt] {
    let strict = layout.activeRules.filter(\.rule.isStrict)
    let wanted = strict.map { active in
      let sources = active.rule.sources
      return sources.prefixes.isEmpty ? layout.interfaces(of: active.rule).count : sources.prefixes.count
    }
    let shares = PrefixCover.shares(of: Self.maximumBelts, among: wanted)
    return zip(strict, shares).flatMap { active, share -> [Belt] in
      let sources = active.rule.sources
      if sources.prefixes.isEmpty {
        return layout.interfaces(of: active.rule).map { Belt(incoming: $0, source: nil, table: active.table) }
      }
      return PrefixCover.cover(sources.prefixes, limit: share).map {
        Belt(incoming: nil, source: $0 == .all ? nil : $0, table: active.table)
      }
    }
  }

  // MARK: IPv6

  /// As nftables does it, but for every device that an IPv6 default leads to, uplinks that nobody has configured included.
  /// Routes that are more specific stay allowed; one to a whole half or eighth of all addresses (2000::/3 is all that is
  /// given out) is a default in disguise.
  ///
  /// What goes to the router itself is found before, in the table `local`.
  func ipv6Belts() -> [RoutingRule] {
    guard actual.hasIPv6Rules else { return [] }
    let blocked = ipv6Blocks.map(\.interface)
    return blocked.map { interface in
      RoutingRule(
        .ipv6, priority: priority(80), incoming: interface, action: .lookup(.main, suppressPrefixLength: 3))
    } + blocked.map { RoutingRule(.ipv6, priority: priority(90), incoming: $0, action: .prohibit) }
  }

  /// The devices whose IPv6 is refused, each with the first rule that says so.
  ///
  /// An IPv4 prefix says nothing of a host's IPv6 address, so a rule's choice holds for the whole of each LAN that its
  /// sources are on; `block` wins over another rule's `local` there. A device that is neither a LAN nor a way out, and has
  /// an address in one of the rule's prefixes, is such a LAN too: it has taken the place of one that was renamed or put
  /// into a bridge, or stands on top of one.
  var ipv6Blocks: [(interface: InterfaceName, rule: BackhaulRule)] {
    var seen: Set<InterfaceName> = []
    let known = Set(layout.configuration.lans + layout.ways.map(\.device) + [.loopback])
    let others = actual.addresses.filter { !known.contains($0.key) }.sorted { $0.key < $1.key }
    return layout.activeRules.filter { $0.rule.ipv6 == .block }.map(\.rule).flatMap { rule in
      let prefixes = AddressRanges.merged(rule.sources.prefixes.filter { $0 != .all })
      let moved = others.filter { $0.value.contains { AddressRanges.contain($0.address, prefixes) } }.map(\.key)
      return (layout.interfaces(of: rule) + moved).filter { seen.insert($0).inserted }.map { ($0, rule) }
    }
  }
}
