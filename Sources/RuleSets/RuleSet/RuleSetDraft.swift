/// A rule set whose fields are read one by one, before they are held against each other. Each part keeps its place in
/// the document, so that what is found wrong later can be named.
struct RuleSetDraft {
  enum Role: String, CaseIterable, Writable { case edge }

  var names = NameBook(ComplaintBook())
  var device = Name.blank
  var revision: UInt64 = 0
  var role = Role.edge
  var hubs: [Item<Hub>] = []
  var profiles: [Item<IPsecProfile>] = []
  var tunnels: [Item<Tunnel>] = []
  var paths: [Item<Path>] = []
  var probes: [Item<Probe>] = []
  var egresses: [Item<DraftEgress>] = []
  var steering: [Item<SteeringRule>] = []
  var rules: [Item<DraftRule>] = []
  var directDestinations: [Item<IPv4Prefix>] = []

  var book: ComplaintBook { names.book }
}

extension RuleSetDraft {
  /// A draft that says what the rule set says.
  init(_ ruleSet: RuleSet) {
    func items<Value, Draft>(_ values: [Value], _ make: (Value) -> Draft) -> [Item<Draft>] {
      values.enumerated().map { Item(index: $0, value: make($1)) }
    }
    device = ruleSet.device
    revision = ruleSet.revision
    hubs = items(ruleSet.hubs) { $0 }
    profiles = items(ruleSet.profiles) { $0 }
    tunnels = items(ruleSet.tunnels) { $0 }
    paths = items(ruleSet.paths) { $0 }
    probes = items(ruleSet.probes) { $0 }
    egresses = items(ruleSet.egresses) { DraftEgress($0) }
    steering = items(ruleSet.steeringRules) { $0 }
    let named = Set(ruleSet.egresses.map(\.name))
    rules = items(ruleSet.backhaulRules) { DraftRule($0, isNamed: named.contains($0.egress.name)) }
    directDestinations = items(ruleSet.directDestinations) { $0 }
  }

  /// The rule set that the draft says, where `validate` had nothing to complain of.
  var ruleSet: RuleSet {
    let egresses = self.egresses.map(\.value.value)
    let byName = Dictionary(egresses.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    return RuleSet(
      device: device, revision: revision, hubs: hubs.map(\.value), profiles: profiles.map(\.value),
      tunnels: tunnels.map(\.value), paths: paths.map(\.value), probes: probes.map(\.value), egresses: egresses,
      steeringRules: steering.map(\.value), backhaulRules: rules.map { $0.value.rule(among: byName) },
      directDestinations: directDestinations.map(\.value))
  }
}

/// An egress, its lists with the places of their items.
struct DraftEgress: Sendable {
  /// All of it but its tiers.
  var egress: Egress
  var tiers: [Item<DraftTier>]

  /// The egress itself.
  var value: Egress {
    var result = egress
    result.tiers = tiers.lazy.map { $0.value.shares.map(\.value) }.filter { !$0.isEmpty }
    return result
  }

  /// Its paths, each with its place.
  var paths: [DraftPath] {
    tiers.flatMap { tier in
      tier.value.shares.map { share in
        let place = "paths[\(tier.index)]" + (tier.value.isBalance ? ".balance[\(share.index)].path" : "")
        return DraftPath(place: place, name: share.value.path)
      }
    }
  }
}

/// An item of an egress's `paths`: one path, or several that share flows.
struct DraftTier: Sendable {
  var shares: [Item<PathShare>] = []
  /// Whether it is said at length, as a `balance`.
  var isBalance = true
}

/// A path that an egress names, and where: `paths[1]`, `paths[2].balance[0].path`.
struct DraftPath: Sendable {
  var place: String
  var name: Name
}

/// A backhaul rule, its lists with the places of their items.
struct DraftRule: Sendable {
  var name = Name.blank
  var enabled = true
  var sources = DraftSources()
  /// The egress that it names; nil where it has one of its own.
  var named: Name?
  var own = DraftEgress.blank
  var ipv6 = BackhaulRule.IPv6.local
  var allowBypass = false

  /// The name of its egress: its own one has the rule's.
  var egressName: Name { named ?? name }
}

/// Whose traffic a rule takes, each prefix with its place.
struct DraftSources: Sendable {
  var interfaces: [InterfaceName] = []
  var prefixes: [Item<IPv4Prefix>] = []
  /// False where a list was given and nothing of it could be read: then it is not known what the rule takes.
  var isKnown = true
}
