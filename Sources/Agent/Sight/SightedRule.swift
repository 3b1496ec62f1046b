internal import Core
internal import RuleSets

/// One rule as a look needs it: where its clients come in, where they are to leave, and what is counted of them.
struct SightedRule {
  /// The rule's, or that of an egress which only steering rules use.
  var name: Name
  /// An egress's: whether packets are taken depends on more than where they come from.
  var isSteered = false
  /// What its egress is known by in the kernel: rules that share one are counted together.
  var egress: Name
  var mark: Mark
  var table: TableID?
  /// Of its prefixes; empty if it has none.
  var ranges: [ClosedRange<UInt32>]
  var choice: RuleSelection.Choice?
  /// Nil: there is no verdict yet, or its way is known to carry nothing.
  var wanted: WayQuestion.Wanted?
  var shut: Set<InterfaceName>
  var survey: SourceSurvey
  /// For each part of the internet some addresses, one of which is looked up.
  var destinations: [[IPv4Address]]
  /// Its tunnels' counters of packets that came back and got through.
  var returnChains: [(device: InterfaceName, chain: String)]
  /// What counts unmarked packets of LANs that leave by the rule's devices, and by each other one.
  var carryingChains: Set<String>
  var strayChains: [InterfaceName: String]
  /// Its own traffic leaves by some device.
  var isCounted: Bool {
    if case .devices? = wanted { true } else { false }
  }

  static func all(
    _ snapshot: WatchSnapshot, _ layout: Layout, _ network: SeenNetwork, _ exits: Set<InterfaceName>,
    leading: @escaping (IPv4Address) -> InterfaceName?
  ) -> [SightedRule] {
    let compiler = EdgeCompiler(layout, ActualState())
    let ways = layout.ways
    let paths = Dictionary(snapshot.plan.paths.map { ($0.name, $0) }) { first, _ in first }
    let view = SourceSurvey.View(
      lans: layout.configuration.lans, ways: Set(ways.map(\.device)), links: snapshot.links,
      addresses: network.addresses, leading: leading)
    let networks = network.addresses.values.joined().map(\.subnet)
    let destinations = WayQuestion.destinations(avoiding: snapshot.plan.directDestinations, networks: networks)
    return Watched.all(snapshot, layout).map { watched in
      let devices = devices(of: watched.choice, paths, snapshot)
      return SightedRule(
        name: watched.name, isSteered: watched.isSteered, egress: watched.egress.name, mark: watched.mark,
        table: watched.table,
        ranges: watched.sources.prefixes.isEmpty ? [] : watched.ranges, choice: watched.choice,
        wanted: watched.choice == .blocked ? .nowhere : devices.isEmpty ? nil : .devices(devices),
        shut: exits.subtracting(devices).union(
          snapshot.plan.uplinks.map(\.interface).filter { isShut($0, to: watched, snapshot.plan) }),
        survey: SourceSurvey(watched.sources, ranges: watched.ranges, view), destinations: destinations,
        returnChains: ways.filter { $0.isTunnel && devices.contains($0.device) }.map { way in
          (way.device, compiler.arrivedChain(of: way))
        }, carryingChains: Set(ways.filter { devices.contains($0.device) }.map(compiler.exitChain)),
        strayChains: Dictionary(
          ways.filter { !$0.isTunnel && !devices.contains($0.device) }.map { ($0.device, compiler.exitChain(of: $0)) }
        ) { first, _ in first })
    }
  }

  /// The working ones of the choice: a dead way's route may be gone, and its probes already say so.
  private static func devices(
    of choice: RuleSelection.Choice?, _ paths: [Name: WatchPlan.WatchedPath], _ snapshot: WatchSnapshot
  ) -> Set<InterfaceName> {
    switch choice {
    case .path, .paths:
      let known = choice?.paths ?? []
      let isAlive = known.contains { snapshot.health[$0].map { !$0.isDead } ?? false }
      return isAlive ? Set(known.compactMap { paths[$0]?.device }) : []
    case .localWAN(let uplink), .underlay(let uplink):
      return snapshot.usableUplinks.contains(uplink) ? [uplink] : []
    case .blocked, nil: return []
    }
  }

  /// Stricter than `WatchIndex.isShut` for nobody, and laxer for a rule that may use any uplink: a private line by which its
  /// packets leave is not held against it here.
  private static func isShut(_ uplink: InterfaceName, to watched: Watched, _ plan: WatchPlan) -> Bool {
    if plan.paths.contains(where: { $0.device == uplink && watched.egress.paths.contains($0.name) }) { return false }
    return watched.egress.isStrict && !watched.underlays.contains(uplink)
  }
}

/// Whose packets are looked at: a backhaul rule's, or those of an egress that only steering rules use.
private struct Watched {
  var name: Name
  var isSteered = false
  var egress: Egress
  var sources: Sources
  var ranges: [ClosedRange<UInt32>]
  var choice: RuleSelection.Choice?
  var mark: Mark
  var table: TableID
  var underlays: [InterfaceName]

  static func all(_ snapshot: WatchSnapshot, _ layout: Layout) -> [Watched] {
    snapshot.plan.rules.map { rule in
      Watched(
        name: rule.rule.name, egress: rule.rule.egress, sources: rule.rule.sources, ranges: rule.sources,
        choice: snapshot.selections[rule.rule.name]?.choice, mark: rule.mark, table: rule.table,
        underlays: rule.underlays)
    }
      + snapshot.steeredAlone.map { steered in
        let matches = layout.activeEgresses.first { $0.mark == steered.mark }?.steering.map(\.match) ?? []
        let areNamed = matches.allSatisfy { !$0.lans.isEmpty }
        let interfaces = areNamed ? Set(matches.flatMap(\.lans)).sorted() : []
        let sources = Sources(interfaces: interfaces, prefixes: steered.isExact ? matches.flatMap(\.sources) : [])
        return Watched(
          name: steered.egress.name, isSteered: true, egress: steered.egress, sources: sources,
          ranges: steered.sources, choice: snapshot.steered[steered.egress.name]?.selection.choice,
          mark: steered.mark, table: steered.table, underlays: steered.underlays)
      }
  }
}

/// What is the same for all rules in one look.
struct SightedNetwork {
  /// Not ours, asked before them.
  let rules: [ForeignRule]
  /// Other programs' routes in our rules' tables.
  let routes: [ForeignRoute]
  /// No rule of ours has this priority, or a later one.
  let last: RulePriority
  /// Addresses, main's better routes and ways out.
  let surroundings: ActualState
  let snapshot: WatchSnapshot

  /// More than this many for one rule say nothing new.
  static let mostEntrances = 6

  /// - Parameter surroundings: as the last reconcile has found them; addresses are those of now.
  init(_ network: SeenNetwork, _ snapshot: WatchSnapshot, _ layout: Layout, _ surroundings: ActualState) {
    let last = RulePriority(layout.configuration.kernel.priorities.upperBound + 1)
    self.last = last
    rules = network.rules.filter { $0.priority < last }
    routes = network.routes
    var surroundings = surroundings
    surroundings.addresses = network.addresses
    self.surroundings = surroundings
    self.snapshot = snapshot
  }

  /// By whose name what comes in by a device is forwarded; nil: by that of a VRF, whose port it is.
  func nameInForward(of device: InterfaceName) -> InterfaceName? {
    snapshot.links[device]?.isInVRF == true ? nil : device
  }

  /// Packets of the rule's clients that others single out.
  func singledOut(of rule: SightedRule, _ wanted: WayQuestion.Wanted) -> [WayQuestion] {
    SingledOut(
      SingledOut.Clients(
        entrances: rule.survey.entrances, ranges: rule.ranges, addresses: surroundings.addresses,
        direct: snapshot.plan.directDestinations, destinations: rule.destinations.joined().map(\.self),
        mark: rule.mark, table: rule.table, wanted: wanted, shut: rule.shut)
    ).questions(rules: rules, routes: routes)
  }
}
