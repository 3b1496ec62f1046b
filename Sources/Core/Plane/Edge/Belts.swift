package import RuleSets

/// Whose packets a strict egress gets, as far as ip rules can tell.
struct BeltClaim {
  var table: TableID
  /// Held wherever they come from, or by `interfaces` alone; empty: all that comes in by these.
  var prefixes: [IPv4Prefix]
  var interfaces: [InterfaceName]
  var isBound = false

  init(_ active: Layout.ActiveRule, interfaces: [InterfaceName]) {
    (table, prefixes, self.interfaces) = (active.table, active.rule.sources.prefixes, interfaces)
  }

  init(_ steering: (rule: SteeringRule, table: TableID), lans: [InterfaceName]) {
    let match = steering.rule.match
    (table, prefixes) = (steering.table, match.sources)
    interfaces = match.lans.isEmpty ? lans : match.lans
    isBound = !match.lans.isEmpty
  }
}

/// What holds strict rules to theirs when nftables does not: ip rules for packets without a mark, so that none leaks while
/// someone's `nft flush ruleset` has taken our marks, and with the agent dead for good.
package struct Belts: Sendable {
  /// One belt holds all that comes from a prefix, by whatever device; or, where a rule names no prefixes, all that comes in
  /// by a LAN.
  package struct Belt: Hashable, Sendable {
    package var incoming: InterfaceName?
    /// Nil: every address.
    package var source: IPv4Prefix?
    package var table: TableID
  }

  /// Every packet without a mark walks past every belt.
  package static let maximum = 64

  /// In the order of the rules.
  package let all: [Belt]
  /// What belts by prefix hold, ascending and apart.
  package let ranges: [ClosedRange<UInt32>]
  /// They hold addresses that no rule names: there are more prefixes than belts, and some are covered together.
  package let areWider: Bool

  package static let none = Belts(all: [], ranges: [], areWider: false)

  private init(all: [Belt], ranges: [ClosedRange<UInt32>], areWider: Bool) {
    self.all = all
    self.ranges = ranges
    self.areWider = areWider
  }

  /// - Parameter strict: whose packets to hold, in the order in which rules are asked.
  init(_ strict: [BeltClaim]) {
    let wanted = strict.map { claim in
      claim.prefixes.isEmpty
        ? claim.interfaces.count : claim.prefixes.count * (claim.isBound ? claim.interfaces.count : 1)
    }
    let belts = zip(strict, PrefixCover.shares(of: Self.maximum, among: wanted)).flatMap { claim, share -> [Belt] in
      if claim.prefixes.isEmpty {
        return claim.interfaces.map { Belt(incoming: $0, source: nil, table: claim.table) }
      }
      let devices: [InterfaceName?] = claim.isBound ? claim.interfaces : [nil]
      return PrefixCover.cover(claim.prefixes, limit: max(1, share / max(1, devices.count))).flatMap { prefix in
        devices.map { Belt(incoming: $0, source: prefix == .all ? nil : prefix, table: claim.table) }
      }
    }
    var seen: Set<Belt> = []
    let ranges = AddressRanges.merged(belts.filter { $0.incoming == nil }.map { $0.source ?? .all })
    self.init(
      all: belts.filter { seen.insert($0).inserted }, ranges: ranges,
      areWider: ranges != AddressRanges.merged(strict.filter { !$0.isBound }.flatMap(\.prefixes)))
  }

  /// How many belts by prefix an egress has if they are wider than its rules' prefixes; nil if they are exact.
  package func wider(than active: Layout.ActiveEgress) -> Int? {
    let own = all.filter { $0.table == active.table && $0.incoming == nil }.map { $0.source ?? .all }
    let named =
      active.rules.flatMap(\.sources.prefixes)
      + active.steering.filter(\.match.isOfHostsAlone).filter(\.match.lans.isEmpty).flatMap(\.match.sources)
    return AddressRanges.merged(own) == AddressRanges.merged(named) ? nil : own.count
  }
}

extension EdgeCompiler {
  /// The strict rules that name prefixes. What they name is held by whatever device it comes in.
  var prefixedStrictRules: [Layout.ActiveRule] {
    layout.activeRules.filter { $0.rule.isStrict && !$0.rule.sources.prefixes.isEmpty }
  }

  /// There are belts by prefix. What they would hold although no rule takes it has a mark that leads around them: see
  /// `freedChain`.
  var hasPrefixBelts: Bool { !layout.belts.ranges.isEmpty }

  /// Belts look into the rule's own table (whose floor is `unreachable`) rather than end in `unreachable` themselves: the
  /// kernel's reverse-path check asks these same rules, without a mark, about every packet that comes back to the source,
  /// and takes "unreachable" for a spoofed one, in loose mode too. It asks as if the packet came in by the device that it
  /// is about to leave by, or by `lo` where the router takes it (`flowi4_iif` in __fib_validate_source,
  /// net/ipv4/fib_frontend.c).
  ///
  /// The router's own packets are passed over, from an address in a prefix too: its services never enter a tunnel.
  ///
  /// Unmarked packets of a strict rule's sources come here only where nftables has lost our table, so belts are stricter
  /// than that: main's better routes hold no longer where they lead by an uplink. See `Fence`.
  func beltRules() -> [RoutingRule] {
    let belts = layout.belts.all
    var rules: [RoutingRule] = []
    if hasPrefixBelts {
      rules.append(RoutingRule(priority: priority(30), incoming: .loopback, action: .goto(priority(99))))
    }
    if !belts.isEmpty { rules += fenceRules() }
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
    return hasPrefixBelts ? rules + [RoutingRule(priority: priority(99), action: .nop)] : rules
  }

  // MARK: IPv6

  /// Like nftables, but for every device that an IPv6 default leads to, including unconfigured uplinks. Routes that are
  /// more specific stay allowed where they lead by no uplink; one to a whole half or eighth of all addresses (2000::/3
  /// is all that is given out) is a default in disguise.
  ///
  /// What goes to the router itself is found before, in the table `local`. Each LAN is known by its device and by its
  /// subnets: with the agent dead it may become the port of a bridge, which no rule names.
  func ipv6Belts() -> [RoutingRule] {
    guard actual.hasIPv6Rules else { return [] }
    let blocked = ipv6Blocks.map(\.interface)
    guard !blocked.isEmpty else { return [] }
    let subnets = subnets(of: Set(blocked))
    func belts(_ offset: UInt32, _ action: RoutingRule.Action) -> [RoutingRule] {
      blocked.map { RoutingRule(.ipv6, priority: priority(offset), incoming: $0, action: action) }
        + subnets.map { subnet in
          var rule = RoutingRule(.ipv6, priority: priority(offset), action: action)
          rule.ipv6Source = subnet
          return rule
        }
    }
    let rules =
      ipv6FenceRules() + belts(80, .lookup(.main, suppressPrefixLength: 3)) + belts(90, .prohibit)
    guard !subnets.isEmpty else { return rules }
    return [RoutingRule(.ipv6, priority: priority(30), incoming: .loopback, action: .goto(priority(99)))] + rules
      + [RoutingRule(.ipv6, priority: priority(99), action: .nop)]
  }

  /// IPv6 subnets of these devices alone, as many as there may be belts.
  private func subnets(of devices: Set<InterfaceName>) -> [IPv6Prefix] {
    let own = actual.ipv6Sites.all.filter { site in
      site.isConnected && !site.devices.isEmpty && site.devices.allSatisfy(devices.contains)
        && site.prefix.length > 3
    }
    return Array(own.map(\.prefix).prefix(Belts.maximum))
  }

  /// The devices whose IPv6 is refused, each with the first rule that says so.
  ///
  /// An IPv4 prefix says nothing of a host's IPv6 address, so a rule's choice holds for the whole of each LAN that its
  /// sources are on; `block` wins over another rule's `local` there. A device that is neither a LAN nor a way out, and has
  /// an address in one of the rule's prefixes, is such a LAN too: it has taken the place of one that was renamed or put
  /// into a bridge, or stands on top of one. So is the bridge or bond that a LAN is a port of, and a device that shares
  /// the wire of any of them: the macvlan of a VRRP instance for IPv6 has no IPv4 address.
  var ipv6Blocks: [(interface: InterfaceName, rule: BackhaulRule)] {
    let blocking = layout.activeRules.map(\.rule).filter { $0.ipv6 == .block }
    guard !blocking.isEmpty else { return [] }
    var seen: Set<InterfaceName> = []
    let known = Set(layout.configuration.lans + layout.ways.map(\.device) + [.loopback])
    let others = actual.addresses.filter { !known.contains($0.key) }.sorted { $0.key < $1.key }
    // Once for all rules: there may be a thousand devices.
    let sharing = actual.links.compactMap { name, link -> (name: InterfaceName, lower: InterfaceName)? in
      guard let stack = link.stack, stack.sharesWire, let lower = stack.lower, !known.contains(name) else { return nil }
      return (name, lower)
    }.sorted { $0.name < $1.name }
    return blocking.flatMap { rule in
      let prefixes = rule.sources.prefixes.filter { $0 != .all }
      let moved = others.filter { $0.value.contains { own in prefixes.contains { $0.contains(own.address) } } }
      let interfaces = layout.interfaces(of: rule)
      let masters = interfaces.compactMap { actual.links[$0]?.stack?.master }.filter { !known.contains($0) }
      let lans = interfaces + masters + moved.map(\.key)
      let beside = sharing.filter { lans.contains($0.lower) }.map(\.name)
      return (lans + beside).filter { seen.insert($0).inserted }.map { ($0, rule) }
    }
  }
}
