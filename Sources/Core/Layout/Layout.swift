package import RuleSets

/// Which mark, table and device belongs to what: the names and numbers of everything that we put into the kernel. It
/// depends on the rule set, the configuration and the slots, never on the kernel.
package struct Layout: Sendable {
  package let ruleSet: RuleSet
  package let configuration: AgentConfiguration
  package let slots: SlotBook
  /// The steering rules that hold now, in order: enabled, and with a schedule that says so.
  package let steeringRules: [SteeringRule]
  /// Positions by name: with a thousand tunnels each is looked up some thousand times.
  private let tunnels: [Name: Int]
  private let paths: [Name: Int]
  /// Worked out once: there may be thousands.
  let steering: SteeringPrograms
  /// Worked out once: there may be 100,000 prefixes.
  package private(set) var belts = Belts.none
  /// The sources that each egress gets, whichever LAN they come in by; none where that cannot be said in short.
  package private(set) var claims: [Name: SoleClaim] = [:]
  /// The same of backhaul rules, whatever steering rules there are: these are asked before.
  let claimed: [Name: SoleClaim]
  /// By egress, where `claims` comes to one prefix.
  private(set) var onlyPrefixes: [Name: IPv4Prefix] = [:]

  /// - Parameter steering: the steering rules that hold now; nil: all that are enabled, whatever their schedules say.
  package init(
    _ ruleSet: RuleSet, _ configuration: AgentConfiguration, _ slots: SlotBook, steering: [SteeringRule]? = nil
  ) {
    self.ruleSet = ruleSet
    self.configuration = configuration
    self.slots = slots
    steeringRules = steering ?? ruleSet.steeringRules.filter(\.enabled)
    self.steering = SteeringPrograms(steeringRules)
    tunnels = Dictionary(zip(ruleSet.tunnels.map(\.name), ruleSet.tunnels.indices)) { first, _ in first }
    paths = Dictionary(zip(ruleSet.paths.map(\.name), ruleSet.paths.indices)) { first, _ in first }
    claimed = SoleClaim.all(
      ruleSet.backhaulRules.filter { $0.enabled && slots[.egress($0.egress.name)] != nil }, lans: configuration.lans)
    // Where steering rules look at more than the source, a source alone has no egress.
    claims = steeringRules.isEmpty ? claimed : [:]
    for egress in claims.keys {
      let ranges = sources(of: egress)
      onlyPrefixes[egress] = ranges.count == 1 ? IPv4Prefix(ranges[0]) : nil
    }
    belts = Belts(
      strictSteering.map { BeltClaim($0, lans: configuration.lans) }
        + activeRules.filter(\.rule.isStrict).map { BeltClaim($0, interfaces: interfaces(of: $0.rule)) })
  }

  /// Everyone who needs a slot, in the order in which free ones are given: all tunnels, all configured uplinks
  /// (`local_wan` may leave by one that no path declares), and the egresses of all rules (a disabled rule's too, so
  /// that enabling it moves nobody), steering rules' among them. Rules that name one egress share its slot.
  package static func owners(_ ruleSet: RuleSet, _ configuration: AgentConfiguration) -> [SlotBook.Owner] {
    var known: Set<Name> = []
    let egresses = (ruleSet.backhaulRules.map(\.egress.name) + ruleSet.steeringRules.compactMap(\.egress))
      .filter { known.insert($0).inserted }
    return ruleSet.tunnels.map { .tunnel($0.name) } + configuration.uplinks.map { .uplink($0.interface) }
      + egresses.map { .egress($0) }
  }

  /// The book for this rule set and configuration; nil if there are more owners than slots.
  package static func slots(
    _ ruleSet: RuleSet, _ configuration: AgentConfiguration, after book: SlotBook
  ) -> SlotBook? {
    book.assigning(owners(ruleSet, configuration), of: room(in: configuration))
  }

  /// How many slots there are for owners: the last ones of the mask stand for what came in by the uplinks.
  package static func room(in configuration: AgentConfiguration) -> Int {
    min(configuration.kernel.slots, configuration.kernel.markMask.marks - configuration.uplinks.count)
  }

  package var mask: MarkMask { configuration.kernel.markMask }
  package var none: Mark { Mark(value: 0) }
  package var bypass: Mark { mask.mark(.bypass) ?? none }
  package var passed: Mark { mask.passed }

  /// The owner's mark; nil if it has no slot, or the mask has no room for that slot.
  package func mark(_ owner: SlotBook.Owner) -> Mark? { slots[owner].flatMap { mask.mark($0) } }
  /// The owner's routing table; nil if it has no slot.
  package func table(_ owner: SlotBook.Owner) -> TableID? { slots[owner].map { configuration.kernel.table(of: $0) } }

  /// The device of a tunnel: its maker's for an external one, else ours. Nil only where prefix and name are too long
  /// for the kernel, which `RuleSetCheck` refuses.
  package func device(of tunnel: Tunnel) -> InterfaceName? {
    switch tunnel.kind {
    case .external(let device): device
    case .gre, .ipip, .ipsec: InterfaceName(configuration.kernel.interfacePrefix + tunnel.name.text)
    }
  }

  /// What joins an `ipsec` tunnel's device to its SAs and policies (`if_id`).
  package func interfaceID(of tunnel: Tunnel) -> UInt32? { slots[.tunnel(tunnel.name)]?.interfaceID }

  /// The IPsec profile of this name; nil if the rule set has none.
  package func profile(named name: Name) -> IPsecProfile? { ruleSet.profiles.first { $0.name == name } }
  /// The hub at a tunnel's far end; nil if the rule set has none of that name.
  package func hub(of tunnel: Tunnel) -> Hub? { ruleSet.hubs.first { $0.name == tunnel.hub } }
  /// The tunnel of this name; nil if the rule set has none.
  package func tunnel(named name: Name) -> Tunnel? { tunnels[name].map { ruleSet.tunnels[$0] } }
  /// The path of this name; nil if the rule set has none.
  package func path(named name: Name) -> Path? { paths[name].map { ruleSet.paths[$0] } }

  /// The slot owner that a path leads through.
  package func owner(of path: Path) -> SlotBook.Owner {
    switch path.way {
    case .tunnel(let name): .tunnel(name)
    case .uplink(let interface): .uplink(interface)
    }
  }

  /// A way out with all its numbers.
  package struct Way: Equatable, Sendable {
    /// A tunnel whose device we make, one whose device another program makes, or an uplink.
    package enum Kind: Equatable, Sendable { case ownTunnel, externalTunnel, uplink }
    package var kind: Kind
    /// `tunnel fra-a`, `uplink wan0`: for comments.
    package var title: String
    package var owner: SlotBook.Owner
    package var device: InterfaceName
    package var mark: Mark
    package var table: TableID
    /// Only for an uplink: it is a private line.
    package var isPrivate = false
    /// Only for an uplink: the mark of connections that began beyond it, to the router or a host behind it. They keep
    /// to the uplink that they came in by. `mark` is for those that a rule sent there, and flips sweep only those.
    package var inbound: Mark?
    package var isTunnel: Bool { kind != .uplink }
  }

  /// All tunnels, then all uplinks.
  package var ways: [Way] { tunnelWays + uplinkWays }

  package var tunnelWays: [Way] {
    ruleSet.tunnels.compactMap { tunnel in
      guard let device = device(of: tunnel) else { return nil }
      let kind: Way.Kind = if case .external = tunnel.kind { .externalTunnel } else { .ownTunnel }
      return way(kind, "tunnel \(tunnel.name)", .tunnel(tunnel.name), device)
    }
  }

  package var uplinkWays: [Way] {
    configuration.uplinks.enumerated().compactMap { place, uplink in
      var way = way(.uplink, "uplink \(uplink.interface)", .uplink(uplink.interface), uplink.interface)
      way?.isPrivate = uplink.isPrivate
      // Numbered from the end of the mask, in the configuration's order. No table: packets get the uplink's mark.
      way?.inbound = Slot(mask.marks - place).flatMap { mask.mark($0) }
      return way
    }
  }

  private func way(_ kind: Way.Kind, _ title: String, _ owner: SlotBook.Owner, _ device: InterfaceName) -> Way? {
    guard let mark = mark(owner), let table = table(owner) else { return nil }
    return Way(kind: kind, title: title, owner: owner, device: device, mark: mark, table: table)
  }

  /// A rule that is in force, with the numbers of its egress.
  package struct ActiveRule: Equatable, Sendable {
    package var rule: BackhaulRule
    package var mark: Mark
    package var table: TableID
  }

  /// The enabled rules, in the order of the rule set: the first that takes a packet decides.
  package var activeRules: [ActiveRule] {
    ruleSet.backhaulRules.filter(\.enabled).compactMap { rule in
      let owner = SlotBook.Owner.egress(rule.egress.name)
      guard let mark = mark(owner), let table = table(owner) else { return nil }
      return ActiveRule(rule: rule, mark: mark, table: table)
    }
  }

  /// An egress of rules in force, with its numbers.
  package struct ActiveEgress: Equatable, Sendable {
    package var egress: Egress
    package var mark: Mark
    package var table: TableID
    /// The enabled backhaul rules whose traffic goes by it, in the order of the rule set. Empty where only steering rules
    /// use it.
    package var rules: [BackhaulRule]
    /// The steering rules in force that send packets to it, in their order.
    package var steering: [SteeringRule] = []

    /// Its owner's name, for comments: the backhaul rule, if there is only one.
    package var title: String {
      rules.count == 1 && steering.isEmpty ? "rule \(rules[0].name)" : "egress \(egress.name)"
    }
  }

  /// Ordered by the first rule that uses each; those that only steering rules use come last.
  package var activeEgresses: [ActiveEgress] {
    var found: [ActiveEgress] = []
    var places: [Name: Int] = [:]
    for active in activeRules {
      if let place = places[active.rule.egress.name] {
        found[place].rules.append(active.rule)
      } else {
        places[active.rule.egress.name] = found.count
        found.append(
          ActiveEgress(
            egress: active.rule.egress, mark: active.mark, table: active.table, rules: [active.rule]))
      }
    }
    for rule in steeringRules {
      guard let name = rule.egress, let egress = ruleSet.egresses.first(where: { $0.name == name }),
        let mark = mark(.egress(name)), let table = table(.egress(name))
      else { continue }
      if let place = places[name] {
        found[place].steering.append(rule)
      } else {
        places[name] = found.count
        found.append(ActiveEgress(egress: egress, mark: mark, table: table, rules: [], steering: [rule]))
      }
    }
    return found
  }

  /// Uplinks are shut to some rule's traffic.
  package var isStrict: Bool {
    activeRules.contains(where: \.rule.isStrict)
      || activeEgresses.contains { $0.egress.isStrict && !$0.steering.isEmpty }
  }

  /// The steering rules in force that send all that some hosts send to a strict egress: what ip rules can tell by
  /// themselves.
  var strictSteering: [(rule: SteeringRule, table: TableID)] {
    activeEgresses.filter(\.egress.isStrict).flatMap { active in
      active.steering.filter(\.match.isOfHostsAlone).map { ($0, active.table) }
    }
  }

  /// The uplinks that an egress lists as paths of its own.
  package func ownUplinks(of egress: Egress) -> [InterfaceName] {
    egress.paths.compactMap { name in
      guard case .uplink(let interface)? = path(named: name)?.way else { return nil }
      return interface
    }
  }

  /// The private lines below an egress's tunnels, in the order of its paths: where `fallback: underlay` goes.
  package func underlays(of egress: Egress) -> [InterfaceName] {
    guard egress.fallback == .underlay else { return [] }
    var found: [InterfaceName] = []
    for name in egress.paths {
      guard case .tunnel(let tunnel)? = path(named: name)?.way, let uplink = self.tunnel(named: tunnel)?.uplink,
        !found.contains(uplink), configuration.uplinks.contains(where: { $0.interface == uplink && $0.isPrivate })
      else { continue }
      found.append(uplink)
    }
    return found
  }

  /// The sources whose packets backhaul rules give to an egress, ascending and apart; none where `claimed` does not say.
  func sources(of egress: Name) -> [ClosedRange<UInt32>] {
    switch claimed[egress] {
    case .rule(let name)?:
      AddressRanges.merged(ruleSet.backhaulRules.first { $0.name == name }?.sources.prefixes ?? [])
    case .ranges(let ranges)?: ranges
    case .everything?: [0...UInt32.max]
    case nil: []
    }
  }

  /// The LAN interfaces that a rule's traffic can come in by.
  package func interfaces(of rule: BackhaulRule) -> [InterfaceName] {
    rule.sources.interfaces.isEmpty ? configuration.lans : rule.sources.interfaces
  }
}
