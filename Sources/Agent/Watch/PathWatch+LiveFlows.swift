internal import Core
internal import RuleSets

// Which connections must go, as their way does no longer carry them or is theirs no more.
extension PathWatch {
  /// Each way of a choice by itself, with the mark of the connections that were made on it.
  func marks(of choice: RuleSelection.Choice) -> [(way: RuleSelection.Choice, mark: Mark)] {
    switch choice {
    case .path, .paths:
      choice.paths.compactMap { name in
        (plan.paths.first { $0.name == name }?.mark ?? orphans[name]).map { (.path(name), $0) }
      }
    case .localWAN(let uplink), .underlay(let uplink):
      plan.uplinks.filter { $0.interface == uplink }.map { (choice, $0.mark) }
    case .blocked: []
    }
  }

  func sweep(
    after flip: RuleSelection.Flip, leaving from: RuleSelection.Choice, _ watched: WatchPlan.WatchedRule
  ) {
    // What goes on sharing the flows keeps its own.
    let staying = flip.to.paths
    for (way, mark) in marks(of: from) where !way.paths.contains(where: staying.contains) {
      if let name = way.paths.first {
        let isOrphan = orphans.removeValue(forKey: name) != nil
        if isOrphan || health[name]?.isDead == true {
          move(flowsOf: watched, on: way, mark)
          // One that has just died is swept whole once every rule has flipped.
          if !newlyDown.contains(name) { onSweep(ConnectionSweep(mark: mark, sources: nil, way: way.description)) }
          continue
        }
      }
      if flip.kind == .failback && watched.rule.failback == .drain {
        drain(way, watched)
      } else {
        sweepFlows(of: watched, on: way)
      }
    }
  }

  /// The rule's live flows on a way that it has left go on, or are set up anew, on the one that it goes now.
  func sweepFlows(of watched: WatchPlan.WatchedRule, on way: RuleSelection.Choice) {
    // A rule of interfaces alone may have sources behind another router, which no list names: then all of the mark, for a
    // flow that stays behind would hang, and one that is set up anew in vain does not.
    let exact = !watched.rule.sources.prefixes.isEmpty
    for (way, mark) in marks(of: way) where !move(flowsOf: watched, on: way, mark) || !exact {
      onSweep(ConnectionSweep(mark: mark, sources: exact ? watched.sources : nil, way: way.description))
    }
  }

  /// Between ways that translate nothing a flow goes on as it is: its connection is bound to the new one. To delete it
  /// would lose the race against an answer that still comes by the old way, and would be taken for a connection that began
  /// there. False where one of both translates.
  @discardableResult private func move(
    flowsOf watched: WatchPlan.WatchedRule, on way: RuleSelection.Choice, _ mark: Mark
  ) -> Bool {
    guard let choice = selections[watched.rule.name]?.choice, choice != .blocked, keepsAddresses(way) else {
      return false
    }
    let heirs = marks(of: choice)
    guard !heirs.isEmpty, heirs.allSatisfy({ keepsAddresses($0.way) && $0.mark != mark }) else { return false }
    let turns = heirs.flatMap { heir in
      [Mark](repeating: heir.mark, count: heir.way.paths.first.map { watched.rule.weight(of: $0) } ?? 1)
    }
    onSweep(ConnectionSweep(mark: mark, sources: watched.sources, way: way.description, heirs: turns))
    return true
  }

  /// What leaves by it is not masqueraded.
  private func keepsAddresses(_ way: RuleSelection.Choice) -> Bool {
    switch way {
    case .path(let name):
      guard let path = plan.paths.first(where: { $0.name == name }) else { return false }
      return path.isTunnel || plan.uplinks.contains { $0.interface == path.device && $0.isPrivate }
    case .underlay: return true
    case .paths, .localWAN, .blocked: return false
    }
  }

  /// A path that is down carries nothing: its connections are set up anew wherever the rules lead now, if anywhere.
  func sweepDead(_ name: Name) {
    guard let path = plan.paths.first(where: { $0.name == name }) else { return }
    onSweep(ConnectionSweep(mark: path.mark, sources: nil, way: "path:\(name)"))
    stopDraining(.path(name), because: "it is down, and its flows are set up anew")
  }

  /// An agent that was killed between a flip and its sweep left flows that hang. Ways that a `move` rule does not use
  /// now can have none of its flows.
  func sweepLeftovers() {
    for watched in plan.rules where watched.rule.failback == .move && !watched.sources.isEmpty {
      guard let choice = selections[watched.rule.name]?.choice else { continue }
      let used = marks(of: choice).map(\.mark)
      for (way, mark) in ways(of: watched, in: plan) where !used.contains(mark) {
        onSweep(ConnectionSweep(mark: mark, sources: watched.sources, way: way.description))
      }
    }
  }

  /// A connection belongs to the way that it was made on. Where a new rule set gives its source or its destination
  /// another way, it would be held back as one made elsewhere, so it is set up anew.
  func sweepWhatChangedHands(since old: WatchPlan) {
    let changed = ChangedHands(from: old, to: plan)
    guard changed.sources?.isEmpty != true || !changed.destinations.isEmpty else { return }
    for before in old.rules {
      let known = before.rule.sources.prefixes.isEmpty ? nil : before.sources
      for (way, mark) in ways(of: before, in: old) {
        // One of both: whose it is, or where to.
        if changed.sources?.isEmpty != true {
          onSweep(ConnectionSweep(mark: mark, sources: changed.sources ?? known, way: way.description))
        }
        if !changed.destinations.isEmpty {
          onSweep(
            ConnectionSweep(
              mark: mark, sources: known, way: way.description, destinations: changed.destinations))
        }
      }
    }
    if !changed.destinations.isEmpty, let bypass = plan.mask.mark(.bypass) {
      onSweep(
        ConnectionSweep(
          mark: bypass, sources: nil, way: "direct destinations", destinations: changed.destinations))
    }
  }

  /// The mark of a way that is no more, or leads elsewhere now, may be another's soon: no connection may carry it then.
  func sweepVanished(since old: WatchPlan) {
    let living = Set(plan.paths.map(\.mark) + plan.uplinks.map(\.mark))
    for path in old.paths where !plan.paths.contains(where: { $0.isSameWay(as: path) }) {
      let isSelected = selections.values.contains { $0.choice?.paths.contains(path.name) == true }
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

  /// With another address of an uplink some of its connections have one that nothing is answered at. What is masqueraded
  /// the kernel forgets by itself, with the address; what is translated to a named address it does not.
  func sweepOldSources(since old: WatchPlan) {
    for uplink in plan.uplinks where !uplink.isPrivate {
      guard let address = uplink.source,
        old.uplinks.first(where: { $0.interface == uplink.interface })?.source != address
      else { continue }
      onSweep(
        ConnectionSweep(mark: uplink.mark, sources: nil, way: "local_wan:\(uplink.interface)", address: address))
    }
  }

  /// Every way that a rule's connections can have been made on.
  func ways(of watched: WatchPlan.WatchedRule, in plan: WatchPlan) -> [(RuleSelection.Choice, Mark)] {
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
