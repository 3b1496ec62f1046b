package import RuleSets

// Which connections must go because their way no longer carries them or no longer belongs to them.
extension WatchMachine {
  /// Each way of a choice by itself, with the mark of the connections that were made on it.
  func marks(of choice: RuleSelection.Choice) -> [(way: RuleSelection.Choice, mark: Mark)] {
    switch choice {
    case .path, .paths:
      choice.paths.compactMap { name in (index.path(name)?.mark ?? orphans[name]).map { (.path(name), $0) } }
    case .localWAN(let uplink), .underlay(let uplink): index.uplink(uplink).map { [(choice, $0.mark)] } ?? []
    case .blocked: []
    }
  }

  mutating func sweep(
    after flip: RuleSelection.Flip, leaving from: RuleSelection.Choice, _ number: Int, at now: Instant
  ) {
    let watched = egresses[number].watched
    // Whoever sends now has settled, and is set free first.
    sweepSettled(of: number, for: flip.to, leaving: from.description)
    // What goes on sharing the flows keeps its own.
    let staying = flip.to.paths
    for (way, mark) in marks(of: from) where !way.paths.contains(where: staying.contains) {
      if let name = way.paths.first {
        let path = index.paths[name]
        let isOrphan = orphans[name] != nil
        // Others may still be on it, and their flows with them.
        let isLast = !isSelected(name)
        if isOrphan && isLast { orphans[name] = nil }
        if isOrphan || path.map({ health[$0].isDead }) == true {
          move(flowsOf: number, on: way, mark)
          // One that has just died is swept whole once every rule has flipped.
          if path.map(newlyDown.contains) != true {
            sweep(way, mark, from: isOrphan && !isLast && watched.isExact ? watched.sources : nil, filter(number))
          }
          continue
        }
      }
      if flip.kind == .failback && watched.egress.failback == .drain {
        drain(way, number, at: now)
      } else {
        sweepFlows(of: number, on: way)
      }
    }
  }

  /// Connections that have settled on an egress follow it from tunnel to tunnel, and wait while it leads nowhere. By a
  /// private line they go on as they are, bound to it; where an uplink translates them they are set up again.
  private mutating func sweepSettled(of number: Int, for choice: RuleSelection.Choice, leaving way: String) {
    guard let mark = egresses[number].watched.settledMark else { return }
    let ways = marks(of: choice)
    guard ways.contains(where: { !$0.way.paths.contains(where: index.isTunnel) }) else { return }
    let isKept = ways.allSatisfy { index.keepsAddresses($0.way) }
    ask(.sweep(ConnectionSweep(mark: mark, sources: nil, way: way, heirs: isKept ? ways.map(\.mark) : [])))
  }

  private mutating func sweep(
    _ way: RuleSelection.Choice, _ mark: Mark, from sources: [ClosedRange<UInt32>]?, _ filter: FlowFilter? = nil
  ) {
    ask(.sweep(ConnectionSweep(mark: mark, sources: sources, way: way.description, filter: filter)))
  }

  /// Where steering rules send some packets of a source elsewhere, its address does not say whose a connection is.
  private func filter(_ number: Int) -> FlowFilter? {
    plan.steering.isEmpty ? nil : .of(egresses[number].watched.egress.name, index.owners)
  }

  /// The rule's live flows on a way that it has left go on, or are set up again, on the one that it goes now.
  mutating func sweepFlows(of number: Int, on way: RuleSelection.Choice) {
    let watched = egresses[number].watched
    // If not every source is known, all connections with the mark go: a flow left behind would hang, while one set up
    // again needlessly does no harm.
    let exact = watched.isExact
    for (way, mark) in marks(of: way) where !move(flowsOf: number, on: way, mark) || !exact {
      sweep(way, mark, from: exact ? watched.sources : nil, filter(number))
    }
  }

  /// Between ways that translate nothing a flow goes on as it is: its connection is bound to the new one. Deleting it
  /// would race with an answer that still comes by the old way, which would then look like a connection that began
  /// there. False if either of them translates.
  @discardableResult private mutating func move(
    flowsOf number: Int, on way: RuleSelection.Choice, _ mark: Mark
  ) -> Bool {
    guard let choice = egresses[number].selection.choice, choice != .blocked, index.keepsAddresses(way) else {
      return false
    }
    let heirs = marks(of: choice)
    guard !heirs.isEmpty, heirs.allSatisfy({ index.keepsAddresses($0.way) && $0.mark != mark }) else { return false }
    let watched = egresses[number].watched
    let turns = heirs.flatMap { heir in
      [Mark](repeating: heir.mark, count: heir.way.paths.first.map { watched.egress.weight(of: $0) } ?? 1)
    }
    ask(
      .sweep(
        ConnectionSweep(
          mark: mark, sources: watched.sources, way: way.description, heirs: turns, filter: filter(number))))
    return true
  }

  /// A path that is down carries nothing: its connections are set up again wherever the rules lead now, if anywhere.
  mutating func sweepDead(_ path: Int, at now: Instant) {
    let way = RuleSelection.Choice.path(plan.paths[path].name)
    sweep(way, plan.paths[path].mark, from: nil)
    for number in egresses.indices {
      stopDraining(way, of: number, because: "it is down, and its flows are set up again", at: now)
    }
  }

  // MARK: - Under a new plan

  /// An agent that was killed between a flip and its sweep left flows that hang. Ways that a `move` rule does not use
  /// now can have none of its flows.
  mutating func sweepLeftovers() {
    for (number, egress) in egresses.enumerated() {
      if let choice = egress.selection.choice { sweepSettled(of: number, for: choice, leaving: egress.watched.title) }
    }
    for (number, egress) in egresses.enumerated()
    where egress.watched.egress.failback == .move && !egress.watched.sources.isEmpty {
      guard let choice = egress.selection.choice else { continue }
      let used = marks(of: choice).map(\.mark)
      for (way, mark) in index.ways(of: egress.watched) where !used.contains(mark) {
        sweep(way, mark, from: egress.watched.sources, filter(number))
      }
    }
  }

  /// A connection belongs to the way that it was made on. Where a new rule set gives its source or its destination
  /// another way, it would be held back as one made elsewhere, so it is set up again.
  mutating func sweepWhatChangedHands(since old: WatchIndex) {
    let changed = ChangedHands(from: old.plan, to: plan)
    guard !changed.sources.isEmpty || !changed.destinations.isEmpty else { return }
    for before in old.egresses {
      let known = before.isExact ? before.sources : nil
      let sources = known.map { AddressRanges.common($0, changed.sources) } ?? changed.sources
      for (way, mark) in old.ways(of: before) {
        // One of the two: whose it is, or where it goes.
        if !sources.isEmpty { sweep(way, mark, from: sources) }
        if !changed.destinations.isEmpty { sweep(way.description, mark, from: known, to: changed.destinations) }
      }
      guard let settled = before.settledMark else { continue }
      if !sources.isEmpty {
        ask(.sweep(ConnectionSweep(mark: settled, sources: sources, way: before.title)))
      }
      if !changed.destinations.isEmpty { sweep(before.title, settled, from: known, to: changed.destinations) }
    }
    if !changed.destinations.isEmpty, let bypass = plan.mask.mark(.bypass) {
      sweep("direct destinations", bypass, from: nil, to: changed.destinations)
    }
  }

  /// Where other steering rules decide since a plan, or send packets elsewhere, the connections that they decide about are
  /// set up again; no others.
  mutating func sweepSteered(since old: WatchIndex) {
    guard old.plan.steering != plan.steering else { return }
    let change = FlowChange(from: old.owners, to: index.owners)
    for mark in steeredMarks(old).sorted() + [Mark(value: 0)] {
      ask(.sweep(.decidedAnew(mark, by: change)))
    }
  }

  /// The router's resolver has found these destinations for a steering rule's domains. Flows to them that are older than
  /// that, and that the rule may decide about, are set up again, unless they go its way already.
  package mutating func learnt(_ destinations: [ClosedRange<UInt32>], of rule: Name) {
    guard !destinations.isEmpty, let steering = plan.steering.first(where: { $0.name == rule }) else { return }
    var staying: Set<Mark> = []
    if let place = egresses.firstIndex(where: { $0.watched.egress.name == steering.egress }) {
      staying.insert(egresses[place].watched.mark)
      if let choice = egresses[place].selection.choice { staying.formUnion(marks(of: choice).map(\.mark)) }
    }
    for mark in steeredMarks(index).subtracting(staying).sorted() + [Mark(value: 0)] {
      ask(.sweep(.learnt(mark, destinations, of: rule, by: index.owners)))
    }
  }

  /// Those that connections of a plan may have.
  private func steeredMarks(_ index: WatchIndex) -> Set<Mark> {
    Set(index.plan.paths.map(\.mark) + index.plan.uplinks.map(\.mark) + index.egresses.map(\.mark))
      .union(plan.mask.mark(.bypass).map { [$0] } ?? [])
  }

  private mutating func sweep(
    _ way: String, _ mark: Mark, from sources: [ClosedRange<UInt32>]?, to destinations: [ClosedRange<UInt32>]
  ) {
    ask(.sweep(ConnectionSweep(mark: mark, sources: sources, way: way, destinations: destinations)))
  }

  /// Some egress's traffic goes by it.
  private func isSelected(_ path: Name) -> Bool {
    egresses.contains { $0.selection.choice?.paths.contains(path) == true }
  }

  /// The mark of a way that is gone, or leads elsewhere now, may soon belong to another way: no connection may carry it
  /// then.
  mutating func sweepVanished(since before: WatchIndex) {
    let old = before.plan
    let living = Set(plan.paths.map(\.mark) + plan.uplinks.map(\.mark))
    for (name, mark) in orphans.sorted(by: { $0.key < $1.key }) where index.path(name) != nil || !isSelected(name) {
      orphans[name] = nil
      if !living.contains(mark) { sweep(.path(name), mark, from: nil) }
    }
    for path in old.paths where index.path(path.name)?.isSameWay(as: path) != true {
      if isSelected(path.name) && !living.contains(path.mark) && index.path(path.name) == nil {
        orphans[path.name] = path.mark
      } else {
        sweep(.path(path.name), path.mark, from: nil)
      }
    }
    let (former, marks) = (Set(before.egresses.map(\.mark)), Set(index.egresses.map(\.mark)))
    for egress in before.egresses where !marks.contains(egress.mark) {
      ask(.sweep(ConnectionSweep(mark: egress.mark, sources: nil, way: egress.title)))
    }
    if !former.isEmpty {
      for mark in marks.subtracting(former).sorted() { ask(.sweep(.stale(mark))) }
    }
    // A path may lead out by an uplink now where it led into a tunnel.
    for (number, egress) in egresses.enumerated() {
      guard let choice = egress.selection.choice, !index.isSameWay(choice, in: before) else { continue }
      sweepSettled(of: number, for: choice, leaving: choice.description)
    }
    for uplink in old.uplinks where !living.contains(uplink.mark) {
      sweep(.localWAN(uplink.interface), uplink.mark, from: nil)
    }
  }

  /// With another address of an uplink some of its connections have one that nothing is answered at. What is masqueraded
  /// the kernel forgets by itself, with the address; what is translated to a named address it does not.
  mutating func sweepOldSources(since old: WatchPlan) {
    for uplink in plan.uplinks where !uplink.isPrivate {
      guard let address = uplink.source,
        old.uplinks.first(where: { $0.interface == uplink.interface })?.source != address
      else { continue }
      let way = RuleSelection.Choice.localWAN(uplink.interface)
      ask(.sweep(ConnectionSweep(mark: uplink.mark, sources: nil, way: way.description, address: address)))
    }
  }
}
