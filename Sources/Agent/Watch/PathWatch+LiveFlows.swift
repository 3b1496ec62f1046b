internal import Core

// Which connections must go, as their way does no longer carry them or is theirs no more.
extension PathWatch {
  private func mark(of choice: RuleSelection.Choice) -> Mark? {
    switch choice {
    case .path(let name): plan.paths.first { $0.name == name }?.mark ?? orphans[name]
    case .localWAN(let uplink), .underlay(let uplink): plan.uplinks.first { $0.interface == uplink }?.mark
    case .blocked: nil
    }
  }

  func sweep(
    after flip: RuleSelection.Flip, leaving from: RuleSelection.Choice, _ watched: WatchPlan.WatchedRule
  ) {
    guard let mark = mark(of: from) else { return }
    if case .path(let name) = from {
      // Swept whole, now that every rule has flipped.
      if newlyDown.contains(name) { return }
      if orphans.removeValue(forKey: name) != nil || health[name]?.isDead == true {
        return onSweep(ConnectionSweep(mark: mark, sources: nil, way: from.description))
      }
    }
    if flip.kind == .failback && watched.rule.failback == .drain { return }
    // A rule of interfaces alone may have sources behind another router, which no list names: then all of the mark, for a
    // flow that stays behind would hang, and one that is set up anew in vain does not.
    let exact = !watched.rule.sources.prefixes.isEmpty
    onSweep(ConnectionSweep(mark: mark, sources: exact ? watched.sources : nil, way: from.description))
  }

  /// A path that is down carries nothing: its connections are set up anew wherever the rules lead now, if anywhere.
  func sweepDead(_ name: Name) {
    guard let path = plan.paths.first(where: { $0.name == name }) else { return }
    onSweep(ConnectionSweep(mark: path.mark, sources: nil, way: "path:\(name)"))
  }

  /// An agent that was killed between a flip and its sweep left flows that hang. Ways that a `move` rule does not use
  /// now can have none of its flows.
  func sweepLeftovers() {
    for watched in plan.rules where watched.rule.failback == .move && !watched.sources.isEmpty {
      guard let choice = selections[watched.rule.name]?.choice else { continue }
      for (way, mark) in ways(of: watched, in: plan) where way != choice && mark != self.mark(of: choice) {
        onSweep(ConnectionSweep(mark: mark, sources: watched.sources, way: way.description))
      }
    }
  }

  /// A connection belongs to the way that it was made on. Where a new rule set gives its source or its destination
  /// another way, it would be held back as one made elsewhere, so it is set up anew.
  func sweepWhatChangedHands(since old: WatchPlan) {
    let otherDestinations = plan.directDestinations != old.directDestinations
    // The first rule that takes a source decides: whatever changes before it can change whose it is.
    let otherSources = plan.rules.map(\.claim) != old.rules.map(\.claim)
    guard otherDestinations || otherSources else { return }
    for before in old.rules {
      let known = before.rule.sources.prefixes.isEmpty ? nil : before.sources
      for (way, mark) in ways(of: before, in: old) {
        onSweep(ConnectionSweep(mark: mark, sources: known, way: way.description))
      }
    }
    if otherDestinations, let bypass = plan.mask.mark(.bypass) {
      onSweep(ConnectionSweep(mark: bypass, sources: nil, way: "direct destinations"))
    }
  }

  /// The mark of a way that is no more, or leads elsewhere now, may be another's soon: no connection may carry it then.
  func sweepVanished(since old: WatchPlan) {
    let living = Set(plan.paths.map(\.mark) + plan.uplinks.map(\.mark))
    for path in old.paths where !plan.paths.contains(where: { $0.isSameWay(as: path) }) {
      let isSelected = selections.values.contains { $0.choice == .path(path.name) }
      if isSelected && !living.contains(path.mark) && !plan.paths.contains(where: { $0.name == path.name }) {
        orphans[path.name] = path.mark
      } else {
        onSweep(ConnectionSweep(mark: path.mark, sources: nil, way: "path:\(path.name)"))
      }
    }
    for uplink in old.uplinks where !living.contains(uplink.mark) {
      onSweep(ConnectionSweep(mark: uplink.mark, sources: nil, way: "local_wan:\(uplink.interface)"))
    }
  }

  /// Every way that a rule's connections can have been made on.
  private func ways(of watched: WatchPlan.WatchedRule, in plan: WatchPlan) -> [(RuleSelection.Choice, Mark)] {
    let rule = watched.rule
    let paths = plan.paths.filter { rule.paths.contains($0.name) }.map {
      (RuleSelection.Choice.path($0.name), $0.mark)
    }
    switch rule.fallback {
    case .block: return paths
    case .localWAN: return paths + plan.uplinks.filter { !$0.isPrivate }.map { (.localWAN($0.interface), $0.mark) }
    case .underlay:
      let lines = plan.uplinks.filter { watched.underlays.contains($0.interface) }
      return paths + lines.map { (.underlay($0.interface), $0.mark) }
    }
  }
}
