/// Which way one backhaul rule's traffic goes now. A pure machine: it is told the states of the paths and of the local
/// WAN, and says when to flip and why.
///
///                first path up                       path down, another up
///     undecided ───────────────▶ path(a) ◀──────────────────────────────▶ path(b)
///         │ every path down         │ ▲ up for hold-down (or, while blocked, at once)
///         ▼                         ▼ │ every path down
///     localWAN(uplink), underlay(line) or blocked ◀───┘      by the rule's `fallback`
///
/// A path whose state is `unknown` is never a target, and never a reason to leave. With nowhere to go nothing is torn
/// down: the choice stays, and the cause says so.
package struct RuleSelection: Equatable, Sendable {
  package enum Choice: Hashable, Sendable, CustomStringConvertible {
    case path(Name)
    case localWAN(InterfaceName)
    /// The private line below the rule's tunnels, in the clear.
    case underlay(InterfaceName)
    case blocked

    /// As events and reports write it.
    package var description: String {
      switch self {
      case .path(let name): "path:\(name)"
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
  /// Why traffic goes where it goes.
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
    if adopted != nil { cause = "kept from before the agent started" }
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
    // A path better than the one just taken may be up already, only not for long enough.
    nextDeadline = rule.paths.prefix(preference).compactMap { name in
      view.state(name).flatMap { $0.state == .up ? max(mayReturn($0, at: now), now) : nil }
    }.min()
    return flip
  }

  /// How many of the rule's paths are better than the present choice.
  private var preference: Int {
    switch choice {
    case .path(let name)?: rule.paths.firstIndex(of: name) ?? rule.paths.count
    case .localWAN?, .underlay?: rule.paths.count
    case .blocked?, nil: 0
    }
  }

  private mutating func choose(_ view: View, at now: Instant) -> Flip? {
    let states = rule.paths.map { ($0, view.state($0)) }
    let firstUp = firstUsable(states, at: now)
    unjudged.subtract(states.filter { $0.1?.hasBeenDown ?? false }.map(\.0))

    switch choice {
    case nil:
      if let firstUp {
        unjudged = Set(states.filter { ($0.1?.state ?? .unknown) == .unknown }.map(\.0))
        let isUp = view.state(firstUp)?.state == .up
        let why = isUp ? "first path in order that is up" : "path \(firstUp) is degraded, and none is up"
        return flip(.initial, to: .path(firstUp), cause: why, at: now)
      }
      // Where no probe can be sent there is nothing to wait for, and no living choice to keep.
      guard states.allSatisfy({ $0.1.map { $0.isDead || $0.cannotBeProbed } ?? false }) else {
        cause = "waiting for the first verdict on \(waitingFor(states))"
        return nil
      }
      return fallBack(.initial, view, states, at: now)

    case .path(let current)?:
      guard let index = rule.paths.firstIndex(of: current) else {
        guard let firstUp else {
          // The rule set took the path away before another is known to work: stay until one is, or all are down; but not
          // for a moment on an uplink that was the rule's only by that path.
          guard view.isAstray || states.allSatisfy({ $0.1?.isDead == true }) else { return nil }
          return fallBack(.changed, view, states, at: now)
        }
        return flip(.changed, to: .path(firstUp), cause: "the rule no longer lists path \(current)", at: now)
      }
      guard let health = view.state(current), health.isDead else {
        if let flip = better(than: index, states, .failback, at: now) { return flip }
        guard let health = view.state(current), health.state == .degraded else { return nil }
        let others = states.dropFirst(index + 1)
        guard let next = others.first(where: { isSteady($0.1, at: now) }) else {
          // One that keeps falling is taken once it has been up for long enough: someone must ask again then.
          let due = others.filter { $0.1?.state == .up }.compactMap { suppression($0.1, at: now) }.min()
          nextDeadline = due.map { min(nextDeadline ?? $0, $0) } ?? nextDeadline
          return nil
        }
        return flip(.failover, to: .path(next.0), cause: "path \(current) is degraded: \(health.cause)", at: now)
      }
      let why = "path \(current) is \(health.state.rawValue): \(health.cause)"
      if let firstUp { return flip(.failover, to: .path(firstUp), cause: why, at: now) }
      return fallBack(.failover, view, states, at: now)

    case .localWAN(let uplink)?:
      if let flip = better(than: rule.paths.count, states, .failback, at: now) { return flip }
      guard rule.fallback == .localWAN else { return changeOver(to: firstUp, view, states, at: now) }
      guard let best = view.localWAN else {
        // What is dead is no better for waiting out the hold-down.
        if !view.canUse(uplink), let firstUp {
          let why = "uplink \(uplink) cannot be used, and there is no other"
          return flip(.failover, to: .path(firstUp), cause: why, at: now)
        }
        cause = "no local uplink can be used and no path is up: the route is left as it is"
        return nil
      }
      if best == uplink { return nil }
      let why = view.canUse(uplink) ? "uplink \(best) has a better tier" : "uplink \(uplink) cannot be used"
      return flip(view.canUse(uplink) ? .failback : .failover, to: .localWAN(best), cause: why, at: now)

    case .underlay(let line)?:
      if let flip = better(than: rule.paths.count, states, .failback, at: now) { return flip }
      guard rule.fallback == .underlay else { return changeOver(to: firstUp, view, states, at: now) }
      guard let best = view.underlay else {
        // What is dead is no better for waiting out the hold-down.
        guard let firstUp else { return fallBack(.failover, view, states, at: now) }
        return flip(.failover, to: .path(firstUp), cause: "private line \(line) cannot be used", at: now)
      }
      guard best != line else { return nil }
      let why = view.canUse(line) ? "private line \(best) comes first" : "private line \(line) cannot be used"
      return flip(view.canUse(line) ? .failback : .failover, to: .underlay(best), cause: why, at: now)

    case .blocked?:
      // Nothing flows, so nothing is won by waiting for the hold-down.
      if let firstUp {
        let why = "path \(firstUp) is \(view.state(firstUp)?.state.rawValue ?? "")"
        return flip(.failback, to: .path(firstUp), cause: why, at: now)
      }
      return rule.fallback == .block ? nil : fallBack(.changed, view, states, at: now)
    }
  }

  /// A path before `index` that is up and has been for the hold-down.
  private mutating func better(
    than index: Int, _ states: [(Name, PathHealth?)], _ kind: Flip.Kind, at now: Instant
  ) -> Flip? {
    for (name, health) in states.prefix(index) {
      guard let health, health.state == .up else { continue }
      let due = mayReturn(health, at: now)
      if unjudged.contains(name) || due <= now {
        unjudged.remove(name)
        return flip(kind, to: .path(name), cause: "path \(name) is up: \(health.cause)", at: now)
      }
      nextDeadline = min(nextDeadline ?? due, due)
    }
    return nil
  }

  /// The rule's fallback changed under its traffic: where a path is up nothing waits for its hold-down.
  private mutating func changeOver(
    to firstUp: Name?, _ view: View, _ states: [(Name, PathHealth?)], at now: Instant
  ) -> Flip? {
    guard let firstUp else { return fallBack(.changed, view, states, at: now) }
    let why = "the rule's fallback is \(rule.fallback.rawValue) now, and path \(firstUp) can be used"
    return flip(.changed, to: .path(firstUp), cause: why, at: now)
  }

  /// When traffic may return to a path that is up: after the hold-down, and when it has not fallen too often.
  private func mayReturn(_ health: PathHealth, at now: Instant) -> Instant {
    if health.isForcedUp { return health.since }
    let held = health.since + rule.holdDown
    return max(held, rule.damping.suppressed(falls: health.falls, at: now) ?? held)
  }

  /// The first path that is up, one that keeps falling only where there is no other, then the first that is degraded.
  private func firstUsable(_ states: [(Name, PathHealth?)], at now: Instant) -> Name? {
    let steady = states.first { isSteady($0.1, at: now) }
    return steady?.0 ?? states.first { $0.1?.state == .up }?.0 ?? states.first { $0.1?.state == .degraded }?.0
  }

  private func isSteady(_ health: PathHealth?, at now: Instant) -> Bool {
    guard let health, health.state == .up else { return false }
    return suppression(health, at: now) == nil
  }

  private func suppression(_ health: PathHealth?, at now: Instant) -> Instant? {
    health?.isForcedUp == true ? nil : rule.damping.suppressed(falls: health?.falls ?? [], at: now)
  }

  private mutating func fallBack(
    _ kind: Flip.Kind, _ view: View, _ states: [(Name, PathHealth?)], at now: Instant
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

  private func reasons(_ states: [(Name, PathHealth?)]) -> String {
    states.isEmpty
      ? "the rule has no path"
      : states.map { "path \($0.0) is \($0.1?.state.rawValue ?? "gone"): \($0.1?.cause ?? "")" }.joined(separator: "; ")
  }

  private func waitingFor(_ states: [(Name, PathHealth?)]) -> String {
    states.filter { $0.1?.isDead != true }.map(\.0.text).joined(separator: ", ")
  }
}
