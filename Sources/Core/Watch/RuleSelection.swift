package import RuleSets

/// Which way an egress's traffic goes now. A pure machine: it gets the states of the paths and of the local
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
  package private(set) var egress: Egress
  package private(set) var choice: Choice?
  package private(set) var since: Instant
  /// Why traffic went there, at the last flip; what holds now `standing` says.
  package private(set) var cause = "no path has been judged yet"
  /// When a path that is up may be returned to; the loop must ask again then.
  package private(set) var nextDeadline: Instant?
  /// How long traffic has gone in the clear, not counting the present spell.
  private var unencryptedBefore: Duration = .zero
  /// Since when it goes in the clear now, by whatever line; nil: it does not.
  package private(set) var unencryptedSince: Instant?
  /// Paths that had no verdict when the first choice was made: their first `up` needs no hold-down.
  private var unjudged: Set<Name> = []
  /// Since when other paths have been measured better than the present one.
  var leads: [Name: Instant] = [:]

  /// - Parameter adopted: what the kernel has from the agent's life before, nil for nothing.
  package init(_ egress: Egress, adopted: Choice?, at now: Instant) {
    self.egress = egress
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

  /// The egress changed under a running agent. A choice that it no longer allows is left at the next `decide`.
  package mutating func egressChanged(to new: Egress) { egress = new }

  /// Looks at the evidence; nil: all stays as it is.
  package mutating func decide(_ view: View, at now: Instant) -> Flip? {
    nextDeadline = nil
    guard let flip = choose(view, at: now) else { return nil }
    // A path better than or equal to those just chosen may already be up, but not for long enough.
    let taken = flip.to.paths
    nextDeadline = egress.tiers.prefix(worth).joined().compactMap { share in
      guard !taken.contains(share.path), let health = view.state(share.path), health.state == .up else { return nil }
      return max(mayReturn(health, at: now), now)
    }.min()
    return flip
  }

  /// How many of the rule's tiers are worth waiting for: those before the present choice, and its own.
  private var worth: Int {
    switch choice {
    case .path?, .paths?:
      egress.preference.isMeasured ? 0 : (tier(of: choice?.paths ?? []) ?? egress.tiers.count - 1) + 1
    case .localWAN?, .underlay?: egress.tiers.count
    case .blocked?, nil: 0
    }
  }

  func tier(of paths: [Name]) -> Int? {
    egress.tiers.firstIndex { tier in tier.contains { paths.contains($0.path) } }
  }

  /// Traffic goes by paths of the rule's first tier, or by any of its paths where it chooses by measurement.
  package var isPreferred: Bool {
    guard let tier = tier(of: choice?.paths ?? []) else { return false }
    return tier == 0 || egress.preference.isMeasured
  }

  // MARK: - One method for each case of the choice

  private mutating func choose(_ view: View, at now: Instant) -> Flip? {
    let look = Look(egress, view, choice: choice, at: now)
    followLeads(look)
    unjudged.subtract(look.states.filter { $0.health?.hasBeenDown ?? false }.map(\.name))
    return switch choice {
    case nil: begin(look)
    case .path(let name)?: reconsider([name], look)
    case .paths(let names)?: reconsider(names, look)
    case .localWAN(let uplink)?: reconsider(localWAN: uplink, look)
    case .underlay(let line)?: reconsider(underlay: line, look)
    case .blocked?: unblock(look)
    }
  }

  /// The first choice.
  private mutating func begin(_ look: Look) -> Flip? {
    if let firstUp = look.firstUsable {
      unjudged = Set(look.states.filter { ($0.health?.state ?? .unknown) == .unknown }.map(\.name))
      let isUp = look.isUp(firstUp)
      let why = isUp ? "first path in order that is up" : "\(words(for: firstUp.paths)) degraded, and none is up"
      return flip(.initial, to: firstUp, cause: why, look)
    }
    // Where no probe can be sent there is nothing to wait for, and no living choice to keep.
    guard look.states.allSatisfy({ $0.health.map { $0.isDead || $0.cannotBeProbed } ?? false }) else {
      cause = "waiting for the first verdict on \(waitingFor(look.states))"
      return nil
    }
    return fallBack(.initial, look)
  }

  /// Traffic goes by paths.
  private mutating func reconsider(_ current: [Name], _ look: Look) -> Flip? {
    guard let index = look.tier(of: current) else { return leave(unlisted: current, look) }
    let members = look.tiers[index].filter { current.contains($0.name) }
    // A path of unknown state is no reason to leave it.
    let living = members.filter { $0.health?.isDead != true }
    guard !living.isEmpty else {
      let why = reasons(members)
      if let firstUp = look.firstUsable { return flip(.failover, to: firstUp, cause: why, look) }
      return fallBack(.failover, look)
    }
    if let flip = better(than: index, .failback, look) { return flip }
    if let (best, why) = overtaking(look) { return flip(.failback, to: .path(best), cause: why, look) }
    return share(living, of: index, leaving: current, look)
  }

  /// The rule set took the paths away.
  private mutating func leave(unlisted current: [Name], _ look: Look) -> Flip? {
    guard let firstUp = look.firstUsable else {
      // Before another is known to work: stay until one is, or all are down; but not for a moment on an uplink that was
      // the rule's only by that path.
      guard look.view.isAstray || look.states.allSatisfy({ $0.health?.isDead == true }) else { return nil }
      return fallBack(.changed, look)
    }
    let names = current.map(\.text).joined(separator: ", ")
    let what = current.count == 1 ? "path" : "paths"
    return flip(.changed, to: firstUp, cause: "the rule no longer lists \(what) \(names)", look)
  }

  private mutating func reconsider(localWAN uplink: InterfaceName, _ look: Look) -> Flip? {
    if let flip = better(than: look.tiers.count, .failback, look) { return flip }
    guard egress.fallback == .localWAN else { return changeOver(look) }
    let canUse = look.view.canUse(uplink)
    guard let best = look.view.localWAN else {
      // What is dead is no better for waiting out the hold-down.
      if !canUse, let firstUp = look.firstUsable {
        return flip(.failover, to: firstUp, cause: "uplink \(uplink) cannot be used, and there is no other", look)
      }
      cause = "no local uplink can be used and no path is up: the route is left as it is"
      return nil
    }
    if best == uplink { return nil }
    let why = canUse ? "uplink \(best) has a better tier" : "uplink \(uplink) cannot be used"
    return flip(canUse ? .failback : .failover, to: .localWAN(best), cause: why, look)
  }

  private mutating func reconsider(underlay line: InterfaceName, _ look: Look) -> Flip? {
    if let flip = better(than: look.tiers.count, .failback, look) { return flip }
    guard egress.fallback == .underlay else { return changeOver(look) }
    guard let best = look.view.underlay else {
      // What is dead is no better for waiting out the hold-down.
      guard let firstUp = look.firstUsable else { return fallBack(.failover, look) }
      return flip(.failover, to: firstUp, cause: "private line \(line) cannot be used", look)
    }
    guard best != line else { return nil }
    let canUse = look.view.canUse(line)
    let why = canUse ? "private line \(best) comes first" : "private line \(line) cannot be used"
    return flip(canUse ? .failback : .failover, to: .underlay(best), cause: why, look)
  }

  /// Nothing flows, so nothing is won by waiting for the hold-down.
  private mutating func unblock(_ look: Look) -> Flip? {
    if let firstUp = look.firstUsable {
      let why = "\(words(for: firstUp.paths)) \(look.isUp(firstUp) ? "up" : "degraded")"
      return flip(.failback, to: firstUp, cause: why, look)
    }
    return egress.fallback == .block ? nil : fallBack(.changed, look)
  }

  /// Which paths of the present tier share the flows from now on: the living ones, without degraded ones if another is
  /// not degraded, and with those that may return. Where all are degraded, the best others after them.
  private mutating func share(
    _ living: [Seen], of index: Int, leaving current: [Name], _ look: Look
  ) -> Flip? {
    let tier = look.tiers[index]
    let isPoor = !living.contains { $0.health?.state == .up } && living.contains { $0.health?.state == .degraded }
    let idle = tier.filter { !current.contains($0.name) }
    // From a degraded path a steady one is taken without waiting out the hold-down.
    let joining = isPoor ? idle.filter { look.isSteady($0) }.map(\.name) : returning(idle, look)
    let good = isPoor && joining.isEmpty ? living : living.filter { $0.health?.state != .degraded }
    let members = tier.map(\.name).filter { name in
      joining.contains(name) || good.contains { $0.name == name }
    }
    let areDegraded = living.allSatisfy { $0.health?.state == .degraded }
    if areDegraded, joining.isEmpty, let flip = relieve(living, after: index, look) { return flip }
    if members == current { return nil }
    unjudged.subtract(joining)
    let left = current.filter { !members.contains($0) }
    let listed = tier.map(\.name)
    if left.contains(where: { !listed.contains($0) }) {
      let names = left.filter { !listed.contains($0) }.map(\.text).joined(separator: ", ")
      return flip(.changed, to: Choice(members), cause: "the rule no longer shares flows with \(names)", look)
    }
    if left.isEmpty {
      let known = tier.filter { joining.contains($0.name) }
      return flip(.failback, to: Choice(members), cause: reasons(known), look)
    }
    return flip(.failover, to: Choice(members), cause: reasons(tier.filter { left.contains($0.name) }), look)
  }

  /// The first tier after a degraded one that has a steady path.
  private mutating func relieve(
    _ degraded: [Seen], after index: Int, _ look: Look
  ) -> Flip? {
    for tier in look.tiers.dropFirst(index + 1) {
      let steady = tier.filter { look.isSteady($0) }.map(\.name)
      if !steady.isEmpty { return flip(.failover, to: Choice(steady), cause: reasons(degraded), look) }
    }
    // One that keeps falling is taken once it has been up for long enough: someone must ask again then.
    let others = look.tiers.dropFirst(index).joined().filter { $0.health?.state == .up }
    ask(at: others.compactMap { look.suppression($0) }.min())
    return nil
  }

  mutating func ask(at due: Instant?) {
    guard let due else { return }
    nextDeadline = min(nextDeadline ?? due, due)
  }

  /// The first tier before `index` with paths that are up and have been for the hold-down.
  private mutating func better(than index: Int, _ kind: Flip.Kind, _ look: Look) -> Flip? {
    for tier in look.tiers.prefix(index) {
      let back = returning(tier, look)
      guard !back.isEmpty else { continue }
      unjudged.subtract(back)
      return flip(kind, to: Choice(back), cause: reasons(tier.filter { back.contains($0.name) }), look)
    }
    return nil
  }

  /// Those that are up and may be returned to; for the others that are up, someone must ask again.
  private mutating func returning(_ states: [Seen], _ look: Look) -> [Name] {
    states.compactMap { seen in
      guard let health = seen.health, health.state == .up else { return nil }
      let due = mayReturn(health, at: look.now)
      if unjudged.contains(seen.name) || due <= look.now { return seen.name }
      ask(at: due)
      return nil
    }
  }

  /// When traffic may return to a path that is up: after the hold-down, and when it has not fallen too often.
  func mayReturn(_ health: PathHealth, at now: Instant) -> Instant {
    if health.isForcedUp { return health.since }
    let held = health.since + egress.holdDown
    return max(held, egress.damping.suppressed(falls: health.falls, at: now) ?? held)
  }

  /// The rule's fallback changed under its traffic: where a path is up nothing waits for its hold-down.
  private mutating func changeOver(_ look: Look) -> Flip? {
    guard let firstUp = look.firstUsable else { return fallBack(.changed, look) }
    let names = firstUp.paths.map(\.text).joined(separator: ", ")
    let why = "the rule's fallback is \(egress.fallback.rawValue) now, and path \(names) can be used"
    return flip(.changed, to: firstUp, cause: why, look)
  }

  /// No path can be used.
  private mutating func fallBack(_ kind: Flip.Kind, _ look: Look) -> Flip? {
    let why = reasons(look.states)
    switch egress.fallback {
    case .block:
      return choice == .blocked ? nil : flip(kind, to: .blocked, cause: why, look)
    case .underlay:
      guard let line = look.view.underlay else {
        let unusable = "\(why); no private line of the rule can be used"
        return choice == .blocked ? nil : flip(kind, to: .blocked, cause: unusable, look)
      }
      return choice == .underlay(line) ? nil : flip(kind, to: .underlay(line), cause: why, look)
    case .localWAN:
      guard let best = look.view.localWAN else {
        cause = "\(why); no local uplink can be used, so the route is left as it is"
        return nil
      }
      return choice == .localWAN(best) ? nil : flip(kind, to: .localWAN(best), cause: why, look)
    }
  }

  private mutating func flip(_ kind: Flip.Kind, to target: Choice, cause why: String, _ look: Look) -> Flip {
    let now = look.now
    let flip = Flip(kind: kind, from: choice, to: target, cause: why, after: now - since)
    if case .underlay = target {
      unencryptedSince = unencryptedSince ?? now
    } else {
      unencryptedBefore = unencrypted(at: now)
      unencryptedSince = nil
    }
    choice = target
    leads = [:]
    since = now
    cause = why
    return flip
  }

  private func reasons(_ states: [Seen]) -> String {
    states.isEmpty
      ? "the rule has no path"
      : states.map { "path \($0.name) is \($0.health?.state.rawValue ?? "gone"): \($0.health?.cause ?? "")" }
        .joined(separator: "; ")
  }

  private func words(for paths: [Name]) -> String {
    let names = paths.map(\.text).joined(separator: ", ")
    return paths.count == 1 ? "path \(names) is" : "paths \(names) are"
  }

  private func waitingFor(_ states: [Seen]) -> String {
    states.filter { $0.health?.isDead != true }.map(\.name.text).joined(separator: ", ")
  }
}
