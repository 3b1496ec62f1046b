package import RuleSets

// What a rule can choose, what it looks at, and the result.
extension RuleSelection {
  /// Where a rule's traffic goes.
  package enum Choice: Hashable, Sendable, CustomStringConvertible {
    case path(Name)
    /// Paths of one tier that share the flows, in the rule's order: two at least.
    case paths([Name])
    case localWAN(InterfaceName)
    /// The private line below the rule's tunnels, in the clear.
    case underlay(InterfaceName)
    case blocked

    /// The text in events and reports.
    package var description: String {
      switch self {
      case .path(let name): "path:\(name)"
      case .paths(let names): "paths:\(names.map(\.text).joined(separator: ","))"
      case .localWAN(let uplink): "local_wan:\(uplink)"
      case .underlay(let line): "underlay:\(line)"
      case .blocked: "blocked"
      }
    }
  }

  /// One flip that must be made, as a fact for the journal.
  package struct Flip: Equatable, Sendable {
    /// Why traffic changes its way. Each has an event kind of the same name.
    package enum Kind: String, Equatable, Sendable {
      /// The first choice after a start.
      case initial
      /// To a less preferred way, because the better one is gone.
      case failover
      /// To a better way, because it is back, or has been measured better for long enough.
      case failback
      /// The rule, or the local uplinks, changed.
      case changed
    }
    package var kind: Kind
    package var from: Choice?
    package var to: Choice
    package var cause: String
    /// How long traffic went the way before.
    package var after: Duration

    package init(kind: Kind, from: Choice?, to: Choice, cause: String, after: Duration) {
      self.kind = kind
      self.from = from
      self.to = to
      self.cause = cause
      self.after = after
    }
  }

  /// What the machine looks at.
  package struct View {
    package var state: (Name) -> PathHealth?
    /// What its probes have measured of late; only asked for where a rule chooses by it.
    package var measure: (Name) -> PathMeasure?
    /// The best usable uplink for `fallback: local_wan`; nil if there is none.
    package var localWAN: InterfaceName?
    /// The first usable private line below the rule's tunnels, for `fallback: underlay`.
    package var underlay: InterfaceName?
    package var canUse: (InterfaceName) -> Bool
    /// The path that the rule is on is an uplink that it may no longer use.
    package var isAstray: Bool

    package init(
      state: @escaping (Name) -> PathHealth?, measure: @escaping (Name) -> PathMeasure? = { _ in nil },
      localWAN: InterfaceName?, underlay: InterfaceName? = nil, isAstray: Bool = false,
      canUse: @escaping (InterfaceName) -> Bool
    ) {
      self.state = state
      self.measure = measure
      self.localWAN = localWAN
      self.underlay = underlay
      self.isAstray = isAstray
      self.canUse = canUse
    }
  }

  /// One path as it is looked at.
  struct Seen {
    var name: Name
    var health: PathHealth?
  }

  /// What one decision looks at: the rule's paths by tier, at one moment. Where the rule chooses by measurement, the tiers
  /// are ranked by it, and the present choice comes first: to leave it takes more than a better figure; see `Lead`.
  struct Look {
    let view: View
    let now: Instant
    let tiers: [[Seen]]
    let figures: [Name: Double]
    private let damping: FlapDamping

    init(_ egress: Egress, _ view: View, choice: Choice?, at now: Instant) {
      self.view = view
      self.now = now
      let listed = egress.tiers.map { tier in tier.map { Seen(name: $0.path, health: view.state($0.path)) } }
      figures = RuleSelection.figures(of: egress, view)
      tiers = figures.isEmpty ? listed : Self.ranked(listed, figures, first: choice?.paths ?? [])
      damping = egress.damping
    }

    private static func ranked(_ tiers: [[Seen]], _ figures: [Name: Double], first: [Name]) -> [[Seen]] {
      func rank(_ tier: [Seen]) -> Double {
        if tier.contains(where: { first.contains($0.name) }) { return -1 }
        return tier.compactMap { figures[$0.name] }.min() ?? .infinity
      }
      return tiers.enumerated().map { (rank: rank($1), index: $0, tier: $1) }
        .sorted { ($0.rank, $0.index) < ($1.rank, $1.index) }.map(\.tier)
    }

    /// Where the paths stand among `tiers`; nil: nowhere.
    func tier(of paths: [Name]) -> Int? { tiers.firstIndex { tier in tier.contains { paths.contains($0.name) } } }

    var states: [Seen] { tiers.flatMap(\.self) }

    func isUp(_ choice: Choice) -> Bool { choice.paths.contains { view.state($0)?.state == .up } }

    /// The paths that are up in the first tier that has any, with flapping ones only if there is no other; then
    /// degraded ones.
    var firstUsable: Choice? {
      func first(_ isUsable: (Seen) -> Bool) -> Choice? {
        for tier in tiers {
          let usable = tier.filter(isUsable).map(\.name)
          if !usable.isEmpty { return Choice(usable) }
        }
        return nil
      }
      return first(isSteady) ?? first { $0.health?.state == .up } ?? first { $0.health?.state == .degraded }
    }

    func isSteady(_ seen: Seen) -> Bool {
      seen.health?.state == .up && suppression(seen) == nil
    }

    /// Until when it keeps falling too often; nil: it does not.
    func suppression(_ seen: Seen) -> Instant? {
      seen.health?.isForcedUp == true ? nil : damping.suppressed(falls: seen.health?.falls ?? [], at: now)
    }
  }
}

extension RuleSelection.Choice {
  /// Takes at least one path.
  package init(_ paths: [Name]) {
    if paths.count == 1, let only = paths.first { self = .path(only) } else { self = .paths(paths) }
  }

  /// The paths that the traffic goes by; none where it leaves by an uplink as it is, or nowhere.
  package var paths: [Name] {
    switch self {
    case .path(let name): [name]
    case .paths(let names): names
    case .localWAN, .underlay, .blocked: []
    }
  }
}
