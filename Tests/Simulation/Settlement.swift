import Core
internal import RuleSets

// What must be true once nothing more happens.
extension World {
  /// Lets the faults come, then quiet, and compares the result with what the state of the world calls for.
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

  /// From now on nothing is random, and every change is reported.
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

  /// Waits until no further verdict or return is due.
  private func letBe() {
    var quiet = 2 * second
    for target in town.targets {
      let probe = target.probe
      // And until the storm has left the window that limits use.
      let results = max(probe.rise, town.paths[target.path].limits?.window ?? 0) + 2
      quiet = max(quiet, Promise.bound(probe) * 2 + (probe.interval * results).nanoseconds)
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
      // With nowhere to go, traffic may still use a path that the rule no longer lists: then the cause is ambiguous.
      guard let known = known(rule) else { continue }
      if let way = before[rule], choices(by: way, of: known).isEmpty { continue }
      if hasSoundPath(known) && !hasUpPath(known) { continue }
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
      guard let known = known(rule), !isLeftAsItIs(known), hasUpPath(known) || !hasSoundPath(known) else { continue }
      let (old, new) = (before[rule]?.description ?? "nothing", witness.rules[rule].choice?.description ?? "nothing")
      fail(.historyLeavesNoTrace, "rule \(known.rule.name) went \(old), and worked out from scratch it goes \(new)")
    }
  }

  // MARK: - The oracle: no machine, only the world as it is

  private func compare() {
    guard violation == nil, pilot != nil else { return }
    audit()
    for path in town.paths.indices where town.paths[path].isListed && violation == nil {
      let (has, should) = (witness.paths[path].state, expected(path))
      if !should.contains(has) {
        let states = should.map(\.rawValue).joined(separator: " or ")
        fail(.historyLeavesNoTrace, "path \(town.paths[path].name) is \(has) in the calm, and should be \(states)")
      }
    }
    for rule in town.rules.indices where violation == nil {
      guard let known = known(rule), !isLeftAsItIs(known) else { continue }
      let paths = known.rule.paths.compactMap { town.pathNumbers[$0] }
      let up = known.rule.tiers.map { tier in
        tier.map(\.path).filter { name in town.pathNumbers[name].map { witness.paths[$0].state } == .up }
      }
      let best = up.first { !$0.isEmpty }.map { RuleSelection.Choice($0) }
      let has = witness.rules[rule].choice
      // If the best path is degraded, it is not defined which of several is used, or whether the fallback is left for
      // it.
      if best == nil && paths.contains(where: isSound) && has != .blocked { continue }
      if has != best ?? fallback(of: known) {
        fail(
          .historyLeavesNoTrace,
          "rule \(known.rule.name) goes \(has?.description ?? "nothing") in the calm, and should go "
            + ((best ?? fallback(of: known))?.description ?? "nothing"))
      }
    }
  }

  /// The states that a path may have, as the world is.
  private func expected(_ path: Int) -> [PathHealth.State] {
    guard isSound(path) else { return [.down] }
    guard let limit = town.paths[path].limits?.roundTrip else { return [.up] }
    let trips = town.targetsOf[path].filter { town.targets[$0].isListed && answers($0) }.map(roundTrip)
    guard !trips.isEmpty else { return [.up] }
    let mean = Duration.nanoseconds(trips.reduce(0, +) / Nanoseconds(trips.count))
    // To a microsecond, because everything rounds differently.
    if mean > limit.over + .microseconds(1) { return [.degraded] }
    return mean <= limit.under - .microseconds(1) ? [.up] : [.up, .degraded]
  }

  private func hasSoundPath(_ rule: WatchPlan.WatchedRule) -> Bool {
    rule.rule.paths.compactMap { town.pathNumbers[$0] }.contains(where: isSound)
  }

  /// And not only degraded ones, or unchanged ones.
  private func hasUpPath(_ rule: WatchPlan.WatchedRule) -> Bool {
    let expected = rule.rule.paths.compactMap { town.pathNumbers[$0] }.map(expected)
    return expected.contains([.up]) && !expected.contains { $0.count > 1 }
  }

  /// With nowhere to go the route is left as it is, wherever that leads.
  private func isLeftAsItIs(_ rule: WatchPlan.WatchedRule) -> Bool {
    fallback(of: rule) == nil && !rule.rule.paths.compactMap { town.pathNumbers[$0] }.contains(where: isSound)
  }

  /// Everything that the path needs is there, and all its probes are answered in time.
  private func isSound(_ path: Int) -> Bool {
    guard let known = known(path: path), !hasObstacle(known) else { return false }
    return town.targetsOf[path].count { town.targets[$0].isListed && !answers($0) } <= Self.spare(known)
  }

  private func answers(_ target: Int) -> Bool {
    let path = town.targets[target].path
    if let uplink = town.carrier(of: path), !town.devices[uplink].carries { return false }
    return lines(to: target).allSatisfy { town[$0].cut == .none && !town[$0].refuses }
      && roundTrip(target) <= town.targets[target].probe.timeout.nanoseconds
  }

  private func roundTrip(_ target: Int) -> Nanoseconds { lines(to: target).reduce(0) { $0 + town[$1].delay } }

  private func lines(to target: Int) -> [Town.Line] {
    let path = town.targets[target].path
    var lines = [Town.Line.path(path), .target(target)]
    if let uplink = town.carrier(of: path) { lines.append(.uplink(uplink)) }
    if let hub = town.paths[path].hub { lines.append(.hub(hub)) }
    return lines
  }
}
