package import RuleSets

// What is seen from outside.
extension WatchMachine {
  /// The path's probe results over the last hour; nil if the plan has no such path.
  package func history(of path: Name) -> PathHistory? { index.paths[path].map { histories[$0] } }

  /// - Parameter tells: which paths' probes to include. What is handed out must be copied before it changes, and a
  ///   thousand probes change all the time.
  package func snapshot(at now: Instant, tells: (Name, PathHealth.State) -> Bool) -> WatchSnapshot {
    let health = presentHealth(at: now)
    var snapshot = WatchSnapshot(
      at: now, plan: plan, links: circumstances.links, health: named(health), probes: machines(health, tells),
      selections: [:], drains: [:], usableUplinks: plan.uplinks.filter(canUse).map(\.interface), flips: flips)
    let standings = standings(health, at: now)
    for (egress, standing) in zip(egresses, standings) {
      for rule in egress.watched.rules { snapshot.causes[rule.rule.name] = standing }
      if !egress.watched.steering.isEmpty {
        snapshot.steered[egress.watched.egress.name] = .init(selection: egress.selection, cause: standing)
      }
      for rule in egress.watched.rules {
        snapshot.selections[rule.rule.name] = egress.selection
        if !egress.drains.all.isEmpty { snapshot.drains[rule.rule.name] = egress.drains }
      }
    }
    snapshot.modes = modes
    snapshot.diagnoses = causes.diagnoses
    for uplink in plan.uplinks { snapshot.outlooks[uplink.interface] = causes.outlook(of: uplink.interface) }
    snapshot.keys = circumstances.keys
    snapshot.meters = meter.readings(at: now)
    return snapshot
  }

  private func named(_ health: [PathHealth]) -> [Name: PathHealth] {
    Dictionary(zip(plan.paths.map(\.name), health)) { first, _ in first }
  }

  /// Adds the present causes, which are otherwise as old as the state that they explain. No state changes here.
  private func presentHealth(at now: Instant) -> [PathHealth] {
    health.indices.map { number in
      guard health[number].state != .up else { return health[number] }
      var judged = health[number]
      _ = steps.judge(&judged, evidence(on: number), now)
      return judged.state == health[number].state ? judged : health[number]
    }
  }

  private func machines(_ health: [PathHealth], _ tells: (Name, PathHealth.State) -> Bool) -> [Name: ProbeMachine] {
    var machines: [Name: ProbeMachine] = [:]
    for (number, path) in plan.paths.enumerated() where tells(path.name, health[number].state) {
      for probe in index.probes[number] { machines[probes[probe].machine.probe.name] = probes[probe].machine }
    }
    return machines
  }

  // MARK: - For the simulation

  /// - Parameter path: its place in the plan.
  package func verdict(on path: Int) -> PathHealth.State { health[path].state }
  /// A rule waits until it may return to a better path.
  package var waitsToReturn: Bool { egresses.contains { steps.deadline($0.selection) != nil } }
}
