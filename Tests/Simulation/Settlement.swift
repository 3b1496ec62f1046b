import Core

// What must be so once nothing happens any more.
extension World {
  /// Lets the faults come, then quiet, and compares what has come of it with what the world as it is calls for.
  package func live() {
    while storm.left > 0, violation == nil { _ = step() }
    settle()
    guard violation == nil else { return }
    // Then one of: nothing, an undisturbed restart, a restart with nothing to take over.
    switch dice.below(4) {
    case 0: restartUndisturbed()
    case 1: restartFromScratch()
    default: break
    }
    count { $0.settlements += 1 }
  }

  /// From now on nothing is left to chance, and everybody is told of everything.
  private func settle() {
    guard violation == nil else { return }
    note { "CALM" }
    town.calm()
    sendingChanged()
    kernel.refusesUntil = 0
    busyUntil = 0
    for device in town.devices.indices { tellLink(device, in: 0) }
    run(until: now + awakeIn + millisecond)
    if pilot == nil { plan(.birth, in: 0) }
    tellPlan(in: millisecond)
    letBe()
    compare()
  }

  /// Waits until no verdict and no return is due any more.
  private func letBe() {
    var quiet = 2 * second
    for target in town.targets {
      let probe = target.probe
      quiet = max(quiet, Promise.bound(probe) * 2 + (probe.interval * (probe.rise + 2)).nanoseconds)
    }
    for rule in town.rules { quiet = max(quiet, quiet + rule.rule.holdDown.nanoseconds) }
    run(until: now + quiet)
    // Damping may hold for longer, but not for ever: an hour.
    var rounds = 0
    while violation == nil, let pilot, pilot.waitsToReturn, rounds < 3_600 {
      run(until: now + second)
      rounds += 1
    }
    if rounds == 3_600 { fail(.historyLeavesNoTrace, "after an hour of calm a rule still waits to return") }
  }

  private func restartUndisturbed() {
    note { "RESTART, undisturbed" }
    let before = kernel.routes
    kill()
    plan(.birth, in: 100 * millisecond)
    letBe()
    for rule in before.indices where violation == nil && before[rule] != kernel.routes[rule] {
      // With nowhere to go traffic may still go by a path that the rule does not list any more: nobody can tell then whose
      // doing it was.
      if case .out(let device, _)? = before[rule], let known = known(rule), choices(by: device, of: known).isEmpty {
        continue
      }
      fail(
        .historyLeavesNoTrace,
        "an undisturbed restart leads table \(town.rules[rule].table) to \(Self.text(kernel.routes[rule])), it had "
          + Self.text(before[rule]))
    }
    compare()
  }

  private func restartFromScratch() {
    note { "RESTART from scratch" }
    let before = witness.rules.map(\.choice)
    kill()
    kernel.wipe()
    plan(.birth, in: 100 * millisecond)
    letBe()
    compare()
    for rule in before.indices where violation == nil && before[rule] != witness.rules[rule].choice {
      guard let known = known(rule), !isLeftAsItIs(known) else { continue }
      let (old, new) = (before[rule]?.description ?? "nothing", witness.rules[rule].choice?.description ?? "nothing")
      fail(.historyLeavesNoTrace, "rule \(known.rule.name) went \(old), and worked out from scratch it goes \(new)")
    }
  }

  // MARK: - The oracle: no machine, only the world as it is

  private func compare() {
    guard violation == nil, pilot != nil else { return }
    audit()
    for path in town.paths.indices where town.paths[path].isListed && violation == nil {
      let (is_, should) = (witness.paths[path].state, isSound(path) ? PathHealth.State.up : .down)
      if is_ != should {
        fail(.historyLeavesNoTrace, "path \(town.paths[path].name) is \(is_) in the calm, and should be \(should)")
      }
    }
    for rule in town.rules.indices where violation == nil {
      guard let known = known(rule), !isLeftAsItIs(known) else { continue }
      let should =
        known.rule.paths.compactMap { town.pathNumbers[$0] }.first(where: isSound)
        .map { RuleSelection.Choice.path(town.paths[$0].name) } ?? fallback(of: known)
      if witness.rules[rule].choice != should {
        fail(
          .historyLeavesNoTrace,
          "rule \(known.rule.name) goes \(witness.rules[rule].choice?.description ?? "nothing") in the calm, and should go "
            + (should?.description ?? "nothing"))
      }
    }
  }

  /// With nowhere to go the route is left as it is, wherever that leads.
  private func isLeftAsItIs(_ rule: WatchPlan.WatchedRule) -> Bool {
    fallback(of: rule) == nil && !rule.rule.paths.compactMap { town.pathNumbers[$0] }.contains(where: isSound)
  }

  /// All that the path needs is there, and all its probes are answered in time.
  private func isSound(_ path: Int) -> Bool {
    guard let known = known(path: path), !hasObstacle(known) else { return false }
    return town.targetsOf[path].allSatisfy { !town.targets[$0].isListed || answers($0) }
  }

  private func answers(_ target: Int) -> Bool {
    let path = town.targets[target].path
    if let uplink = town.carrier(of: path), !town.devices[uplink].carries { return false }
    var lines = [Town.Line.path(path), .target(target)]
    if let uplink = town.carrier(of: path) { lines.append(.uplink(uplink)) }
    if let hub = town.paths[path].hub { lines.append(.hub(hub)) }
    return lines.allSatisfy { town[$0].cut == .none && !town[$0].refuses }
      && lines.reduce(0) { $0 + town[$1].delay } <= town.targets[target].probe.timeout.nanoseconds
  }
}
