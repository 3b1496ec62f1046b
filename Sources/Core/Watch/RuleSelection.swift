package import RuleSets

/// Which way one backhaul rule's traffic goes now. A pure machine: it is told the states of the paths and of the local
/// WAN, and says when to flip and why.
///
///                first path up                       path down, another up
///     undecided ───────────────▶ path(a) ◀──────────────────────────────▶ paths(b, c)
///         │ every path down         │ ▲ up for hold-down (or, while blocked, at once)
///         ▼                         ▼ │ every path down
///     localWAN(uplink), underlay(line) or blocked ◀───┘      by the rule's `fallback`
///
/// The paths of a tier that are up share the flows. One that is lost takes its own flows with it and no others, and it
/// joins again as it would be returned to.
///
/// A path whose state is `unknown` is never a target, and never a reason to leave. With nowhere to go nothing is torn
/// down: the choice stays, and the cause says so.
package struct RuleSelection: Equatable, Sendable {
  package enum Choice: Hashable, Sendable, CustomStringConvertible {
    case path(Name)
    /// Paths of one tier that share the flows, in the rule's order: two at least.
    case paths([Name])
    case localWAN(InterfaceName)
    /// The private line below the rule's tunnels, in the clear.
    case underlay(InterfaceName)
    case blocked

    /// As events and reports write it.
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
    package enum Kind: String, Equatable, Sendable {
      /// The first choice after a start.
      case initial
      /// To a less preferred way, because the better one is gone.
      case failover
      /// To a better way, because it is back.
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
  }

  /// What the machine looks at.
  package struct View {
    package var state: (Name) -> PathHealth?
    /// The best usable uplink for `fallback: local_wan`, nil where there is none.
    package var localWAN: InterfaceName?
    /// The first usable private line below the rule's tunnels, for `fallback: underlay`.
    package var underlay: InterfaceName?
    package var canUse: (InterfaceName) -> Bool
    /// The path that the rule is on is an uplink that it may no longer use.
    package var isAstray: Bool

    package init(
      state: @escaping (Name) -> PathHealth?, localWAN: InterfaceName?, underlay: InterfaceName? = nil,
      isAstray: Bool = false, canUse: @escaping (InterfaceName) -> Bool
    ) {
      self.state = state
      self.localWAN = localWAN
      self.underlay = underlay
      self.isAstray = isAstray
      self.canUse = canUse
    }
  }

  package private(set) var rule: BackhaulRule
  package private(set) var choice: Choice?
  package private(set) var since: Instant
  /// Why traffic went there, at the last flip; what holds now `standing` says.
  package private(set) var cause = "no path has been judged yet"
  /// When a path that is up may be returned to; the loop must ask again then.
  package private(set) var nextDeadline: Instant?
  /// How long traffic has gone in the clear, as far as that has ended.
  private var unencryptedBefore: Duration = .zero
  /// Since when it goes in the clear now, by whatever line; nil: it does not.
  package private(set) var unencryptedSince: Instant?
  /// Paths that had no verdict when the first choice was made: their first `up` needs no hold-down.
  private var unjudged: Set<Name> = []

  /// - Parameter adopted: what the kernel has from the agent's life before, nil for nothing.
  package init(_ rule: BackhaulRule, adopted: Choice?, at now: Instant) {
    self.rule = rule
    choice = adopted
    since = now
    if adopted != nil { cause = "as the kernel had it when the rule came into force" }
    if case .underlay? = adopted { unencryptedSince = now }
  }

  /// Traffic goes by a private line without its tunnel's encryption.
  package var isUnencrypted: Bool { unencryptedSince != nil }

  /// How long it has, in all, since the machine was made.
  package func unencrypted(at now: Instant) -> Duration {
    unencryptedBefore + (unencryptedSince.map { now - $0 } ?? .zero)
  }

  /// The rule changed under a running agent. A choice that it no longer allows is left at the next `decide`.
  package mutating func ruleChanged(to new: BackhaulRule) { rule = new }

  /// Looks at the evidence; nil: all stays as it is.
  package mutating func decide(_ view: View, at now: Instant) -> Flip? {
    nextDeadline = nil
    guard let flip = choose(view, at: now) else { return nil }
    // A path better than those just taken, or beside them, may be up already, only not for long enough.
    let taken = flip.to.paths
    nextDeadline = rule.tiers.prefix(worth).joined().compactMap { share in
      guard !taken.contains(share.path), let health = view.state(share.path), health.state == .up else { return nil }
      return max(mayReturn(health, at: now), now)
    }.min()
    return flip
  }

  /// How many of the rule's tiers are worth waiting for: those before the present choice, and its own.
  private var worth: Int {
    switch choice {
    case .path?, .paths?: (tier(of: choice?.paths ?? []) ?? rule.tiers.count - 1) + 1
    case .localWAN?, .underlay?: rule.tiers.count
    case .blocked?, nil: 0
    }
  }

  func tier(of paths: [Name]) -> Int? {
    rule.tiers.firstIndex { tier in tier.contains { paths.contains($0.path) } }
  }

  /// Traffic goes by paths of the rule's first tier.
  package var isPreferred: Bool {
    let taken = choice?.paths ?? []
    return !taken.isEmpty && tier(of: taken) == 0
  }

  private typealias States = [[(name: Name, health: PathHealth?)]]

  private mutating func choose(_ view: View, at now: Instant) -> Flip? {
    let tiers: States = rule.tiers.map { $0.map { ($0.path, view.state($0.path)) } }
    let states = tiers.flatMap(\.self)
    let firstUp = firstUsable(tiers, at: now)
    unjudged.subtract(states.filter { $0.health?.hasBeenDown ?? false }.map(\.name))

    switch choice {
    case nil:
      if let firstUp {
        unjudged = Set(states.filter { ($0.health?.state ?? .unknown) == .unknown }.map(\.name))
        let isUp = firstUp.paths.contains { view.state($0)?.state == .up }
        let why =
          isUp ? "first path in order that is up" : "\(words(for: firstUp.paths)) degraded, and none is up"
        return flip(.initial, to: firstUp, cause: why, at: now)
      }
      // Where no probe can be sent there is nothing to wait for, and no living choice to keep.
      guard states.allSatisfy({ $0.health.map { $0.isDead || $0.cannotBeProbed } ?? false }) else {
        cause = "waiting for the first verdict on \(waitingFor(states))"
        return nil
      }
      return fallBack(.initial, view, states, at: now)

    case .path?, .paths?:
      let current = choice?.paths ?? []
      guard let index = tier(of: current) else {
        guard let firstUp else {
          // The rule set took the path away before another is known to work: stay until one is, or all are down; but not
          // for a moment on an uplink that was the rule's only by that path.
          guard view.isAstray || states.allSatisfy({ $0.health?.isDead == true }) else { return nil }
          return fallBack(.changed, view, states, at: now)
        }
        let names = current.map(\.text).joined(separator: ", ")
        let what = current.count == 1 ? "path" : "paths"
        return flip(.changed, to: firstUp, cause: "the rule no longer lists \(what) \(names)", at: now)
      }
      let members = tiers[index].filter { current.contains($0.name) }
      // One that nothing is known of is no reason to leave.
      let living = members.filter { $0.health?.isDead != true }
      guard !living.isEmpty else {
        let why = reasons(members)
        if let firstUp { return flip(.failover, to: firstUp, cause: why, at: now) }
        return fallBack(.failover, view, states, at: now)
      }
      if let flip = better(than: index, tiers, .failback, at: now) { return flip }
      return share(living, of: tiers, index, leaving: current, at: now)

    case .localWAN(let uplink)?:
      if let flip = better(than: tiers.count, tiers, .failback, at: now) { return flip }
      guard rule.fallback == .localWAN else { return changeOver(to: firstUp, view, states, at: now) }
      guard let best = view.localWAN else {
        // What is dead is no better for waiting out the hold-down.
        if !view.canUse(uplink), let firstUp {
          let why = "uplink \(uplink) cannot be used, and there is no other"
          return flip(.failover, to: firstUp, cause: why, at: now)
        }
        cause = "no local uplink can be used and no path is up: the route is left as it is"
        return nil
      }
      if best == uplink { return nil }
      let why = view.canUse(uplink) ? "uplink \(best) has a better tier" : "uplink \(uplink) cannot be used"
      return flip(view.canUse(uplink) ? .failback : .failover, to: .localWAN(best), cause: why, at: now)

    case .underlay(let line)?:
      if let flip = better(than: tiers.count, tiers, .failback, at: now) { return flip }
      guard rule.fallback == .underlay else { return changeOver(to: firstUp, view, states, at: now) }
      guard let best = view.underlay else {
        // What is dead is no better for waiting out the hold-down.
        guard let firstUp else { return fallBack(.failover, view, states, at: now) }
        return flip(.failover, to: firstUp, cause: "private line \(line) cannot be used", at: now)
      }
      guard best != line else { return nil }
      let why = view.canUse(line) ? "private line \(best) comes first" : "private line \(line) cannot be used"
      return flip(view.canUse(line) ? .failback : .failover, to: .underlay(best), cause: why, at: now)

    case .blocked?:
      // Nothing flows, so nothing is won by waiting for the hold-down.
      if let firstUp {
        let isUp = firstUp.paths.contains { view.state($0)?.state == .up }
        let why = "\(words(for: firstUp.paths)) \(isUp ? "up" : "degraded")"
        return flip(.failback, to: firstUp, cause: why, at: now)
      }
      return rule.fallback == .block ? nil : fallBack(.changed, view, states, at: now)
    }
  }

  /// Which paths of the present tier share the flows from now on: those that live, without those that are degraded where
  /// another is not, and with those that may return. Where all are degraded, the best others after them.
  private mutating func share(
    _ living: [(name: Name, health: PathHealth?)], of tiers: States, _ index: Int, leaving current: [Name],
    at now: Instant
  ) -> Flip? {
    let isPoor = !living.contains { $0.health?.state == .up } && living.contains { $0.health?.state == .degraded }
    let idle = tiers[index].filter { !current.contains($0.name) }
    // From a degraded path a steady one is taken without waiting out the hold-down.
    let joining = isPoor ? idle.filter { isSteady($0.health, at: now) }.map(\.name) : returning(idle, at: now)
    let good = isPoor && joining.isEmpty ? living : living.filter { $0.health?.state != .degraded }
    let members = tiers[index].map(\.name).filter { name in
      joining.contains(name) || good.contains { $0.name == name }
    }
    let areDegraded = living.allSatisfy { $0.health?.state == .degraded }
    if areDegraded, joining.isEmpty, let flip = relieve(living, after: index, tiers, at: now) { return flip }
    if members == current { return nil }
    unjudged.subtract(joining)
    let left = current.filter { !members.contains($0) }
    let listed = tiers[index].map(\.name)
    if left.contains(where: { !listed.contains($0) }) {
      let names = left.filter { !listed.contains($0) }.map(\.text).joined(separator: ", ")
      return flip(.changed, to: Choice(members), cause: "the rule no longer shares flows with \(names)", at: now)
    }
    if left.isEmpty {
      let known = tiers[index].filter { joining.contains($0.name) }
      return flip(.failback, to: Choice(members), cause: reasons(known), at: now)
    }
    return flip(.failover, to: Choice(members), cause: reasons(tiers[index].filter { left.contains($0.name) }), at: now)
  }

  /// The first tier after a degraded one that has a steady path.
  private mutating func relieve(
    _ degraded: [(name: Name, health: PathHealth?)], after index: Int, _ tiers: States, at now: Instant
  ) -> Flip? {
    for tier in tiers.dropFirst(index + 1) {
      let steady = tier.filter { isSteady($0.health, at: now) }.map(\.name)
      if !steady.isEmpty { return flip(.failover, to: Choice(steady), cause: reasons(degraded), at: now) }
    }
    // One that keeps falling is taken once it has been up for long enough: someone must ask again then.
    let others = tiers.dropFirst(index).joined().filter { $0.health?.state == .up }
    ask(at: others.compactMap { suppression($0.health, at: now) }.min())
    return nil
  }

  private mutating func ask(at due: Instant?) {
    guard let due else { return }
    nextDeadline = min(nextDeadline ?? due, due)
  }

  /// The first tier before `index` with paths that are up and have been for the hold-down.
  private mutating func better(than index: Int, _ tiers: States, _ kind: Flip.Kind, at now: Instant) -> Flip? {
    for tier in tiers.prefix(index) {
      let back = returning(tier, at: now)
      guard !back.isEmpty else { continue }
      unjudged.subtract(back)
      return flip(kind, to: Choice(back), cause: reasons(tier.filter { back.contains($0.name) }), at: now)
    }
    return nil
  }

  /// Those that are up and may be returned to; for the others that are up, someone must ask again.
  private mutating func returning(_ states: [(name: Name, health: PathHealth?)], at now: Instant) -> [Name] {
    states.compactMap { name, health in
      guard let health, health.state == .up else { return nil }
      let due = mayReturn(health, at: now)
      if unjudged.contains(name) || due <= now { return name }
      ask(at: due)
      return nil
    }
  }

  /// The rule's fallback changed under its traffic: where a path is up nothing waits for its hold-down.
  private mutating func changeOver(
    to firstUp: Choice?, _ view: View, _ states: [(name: Name, health: PathHealth?)], at now: Instant
  ) -> Flip? {
    guard let firstUp else { return fallBack(.changed, view, states, at: now) }
    let names = firstUp.paths.map(\.text).joined(separator: ", ")
    let why = "the rule's fallback is \(rule.fallback.rawValue) now, and path \(names) can be used"
    return flip(.changed, to: firstUp, cause: why, at: now)
  }

  /// When traffic may return to a path that is up: after the hold-down, and when it has not fallen too often.
  func mayReturn(_ health: PathHealth, at now: Instant) -> Instant {
    if health.isForcedUp { return health.since }
    let held = health.since + rule.holdDown
    return max(held, rule.damping.suppressed(falls: health.falls, at: now) ?? held)
  }

  /// The paths that are up of the first tier that has any, those that keep falling only where there is no other; then
  /// those that are degraded.
  private func firstUsable(_ tiers: States, at now: Instant) -> Choice? {
    func first(_ isUsable: (PathHealth?) -> Bool) -> Choice? {
      for tier in tiers {
        let usable = tier.filter { isUsable($0.health) }.map(\.name)
        if !usable.isEmpty { return Choice(usable) }
      }
      return nil
    }
    return first { isSteady($0, at: now) } ?? first { $0?.state == .up } ?? first { $0?.state == .degraded }
  }

  private func isSteady(_ health: PathHealth?, at now: Instant) -> Bool {
    guard let health, health.state == .up else { return false }
    return suppression(health, at: now) == nil
  }

  private func suppression(_ health: PathHealth?, at now: Instant) -> Instant? {
    health?.isForcedUp == true ? nil : rule.damping.suppressed(falls: health?.falls ?? [], at: now)
  }

  private mutating func fallBack(
    _ kind: Flip.Kind, _ view: View, _ states: [(name: Name, health: PathHealth?)], at now: Instant
  ) -> Flip? {
    let why = reasons(states)
    switch rule.fallback {
    case .block:
      return choice == .blocked ? nil : flip(kind, to: .blocked, cause: why, at: now)
    case .underlay:
      guard let line = view.underlay else {
        let unusable = "\(why); no private line of the rule can be used"
        return choice == .blocked ? nil : flip(kind, to: .blocked, cause: unusable, at: now)
      }
      return choice == .underlay(line) ? nil : flip(kind, to: .underlay(line), cause: why, at: now)
    case .localWAN:
      guard let best = view.localWAN else {
        cause = "\(why); no local uplink can be used, so the route is left as it is"
        return nil
      }
      return choice == .localWAN(best) ? nil : flip(kind, to: .localWAN(best), cause: why, at: now)
    }
  }

  private mutating func flip(_ kind: Flip.Kind, to target: Choice, cause why: String, at now: Instant) -> Flip {
    let flip = Flip(kind: kind, from: choice, to: target, cause: why, after: now - since)
    if case .underlay = target {
      unencryptedSince = unencryptedSince ?? now
    } else {
      unencryptedBefore = unencrypted(at: now)
      unencryptedSince = nil
    }
    choice = target
    since = now
    cause = why
    return flip
  }

  private func reasons(_ states: [(name: Name, health: PathHealth?)]) -> String {
    states.isEmpty
      ? "the rule has no path"
      : states.map { name, health in "path \(name) is \(health?.state.rawValue ?? "gone"): \(health?.cause ?? "")" }
        .joined(separator: "; ")
  }

  private func words(for paths: [Name]) -> String {
    let names = paths.map(\.text).joined(separator: ", ")
    return paths.count == 1 ? "path \(names) is" : "paths \(names) are"
  }

  private func waitingFor(_ states: [(name: Name, health: PathHealth?)]) -> String {
    states.filter { $0.health?.isDead != true }.map(\.name.text).joined(separator: ", ")
  }
}

extension RuleSelection.Choice {
  /// Of paths, of which there is at least one.
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
