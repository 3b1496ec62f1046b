internal import Core
internal import RuleSets

// The active routes in the kernel: brought to the choices, and put back where another has meddled.
extension PathWatch {
  /// Something of ours was changed by another. A flush tells of each object it took: one look for all of them.
  package func inspectSoon() {
    guard inspection == nil else { return }
    inspection = loop.at(loop.now + Self.burst) { [weak self] _ in
      self?.assumeIsolated {
        $0.inspection = nil
        $0.inspect()
      }
    }
  }

  /// Looks at the active routes, and puts back those that another has changed.
  package func inspect() {
    do {
      active = try flipper.activeRoutes(of: Set(plan.rules.map(\.table)))
    } catch {
      events.record(AgentEvent(.applyFailed, "routes", "the active routes could not be read, tried again: \(error)"))
      return retrySoon()
    }
    settleActiveRoutes(repairing: true)
  }

  /// By a path that it no longer names the rule's traffic leaves, or would leave once its route is put back, out of an
  /// uplink that it may not use otherwise.
  func isAstray(_ watched: WatchPlan.WatchedRule) -> Bool {
    let names = selections[watched.rule.name]?.choice?.paths ?? []
    guard !names.isEmpty, !names.contains(where: watched.rule.paths.contains) else { return false }
    let known = plan.paths.filter { names.contains($0.name) }.map(\.device)
    let devices = known.count == names.count ? known : known + (active[watched.table]?.devices ?? [])
    return devices.contains { isShut($0, to: watched) }
  }

  /// The device is an uplink that the rule's traffic may not leave by: neither for a path that the rule names nor as its
  /// fallback.
  func isShut(_ device: InterfaceName, to watched: WatchPlan.WatchedRule) -> Bool {
    guard let uplink = plan.uplinks.first(where: { $0.interface == device }),
      !plan.paths.contains(where: { $0.device == device && watched.rule.paths.contains($0.name) })
    else { return false }
    return watched.rule.isStrict ? !watched.underlays.contains(device) : uplink.isPrivate
  }

  /// Makes the kernel's active route of a table lead there. False where that failed; it is tried again soon.
  func put(_ choice: RuleSelection.Choice, _ watched: WatchPlan.WatchedRule) -> Bool {
    let table = watched.table
    do throws(KernelFailure) {
      if let way = way(of: choice, for: watched.rule) {
        try flipper.activate(TableRoute(table: table, metric: .active, way: way))
        active[table] = way
      } else {
        try flipper.deactivate(table)
        active[table] = nil
      }
      return true
    } catch {
      events.record(
        AgentEvent(
          .flipFailed, choice.description, "table \(table) could not be led there, tried again in 200 ms: \(error)"))
      retrySoon()
      return false
    }
  }

  /// Takes away the active routes of tables that are no rule's any more. No packet is marked for them by now; a plan knows
  /// only of the routes that were there when the kernel was read, and this watch may have put one since.
  func leave(_ tables: Set<TableID>) {
    for table in tables {
      // Where that fails the next look finds it.
      try? flipper.deactivate(table)
    }
  }

  func retrySoon() {
    guard retryTimer == nil else { return }
    retryTimer = loop.at(loop.now + .milliseconds(200)) { [weak self] _ in
      self?.assumeIsolated {
        $0.retryTimer = nil
        $0.inspect()
      }
    }
  }

  private func way(of choice: RuleSelection.Choice, for rule: BackhaulRule) -> TableRoute.Way? {
    switch choice {
    case .path(let name): return plan.paths.first { $0.name == name }?.way
    case .paths(let names):
      return .sharing(names.map { name in (plan.paths.first { $0.name == name }?.way, rule.weight(of: name)) })
    case .localWAN(let uplink), .underlay(let uplink): return plan.uplinks.first { $0.interface == uplink }?.way
    case .blocked: return nil
    }
  }

  /// Which choice a route in the kernel stands for; nil where it stands for none of the rule's.
  func choice(of way: TableRoute.Way, for watched: WatchPlan.WatchedRule) -> RuleSelection.Choice? {
    let rule = watched.rule
    if case .shared(let shares) = way {
      let devices = shares.map(\.device)
      for tier in rule.tiers {
        let names = tier.map(\.path).filter { name in
          plan.paths.contains { $0.name == name && devices.contains($0.device) }
        }
        if names.count > 1 { return .paths(names) }
        if let only = names.first { return .path(only) }
      }
      return nil
    }
    guard case .out(let device, _, _) = way else { return nil }
    if let path = plan.paths.first(where: { $0.device == device && rule.paths.contains($0.name) }) {
      return .path(path.name)
    }
    if watched.underlays.contains(device) { return .underlay(device) }
    guard rule.fallback == .localWAN, plan.uplinks.contains(where: { $0.interface == device && !$0.isPrivate })
    else { return nil }
    return .localWAN(device)
  }

  /// Brings the kernel's active routes to the choices, where a gateway changed, a flip failed or another has meddled. A
  /// choice whose device is gone has no route to put back: the floor is right until the next verdict.
  func settleActiveRoutes(repairing: Bool = false) {
    for watched in plan.rules {
      guard let choice = selections[watched.rule.name]?.choice else {
        if active[watched.table] != nil { removeStray(watched.table) }
        continue
      }
      let wanted = way(of: choice, for: watched.rule)
      guard wanted != active[watched.table], !keepsOldRoute(choice, of: watched) else { continue }
      if wanted?.devices.contains(where: { trouble(of: $0) != nil }) == true {
        if leaks(watched) { removeStray(watched.table) }
        continue
      }
      guard put(choice, watched) else { continue }
      if let late = unfinished.removeValue(forKey: watched.table) {
        made(late.flip, watched, verdict: late.verdict)
      } else if repairing {
        pending.append(
          AgentEvent(
            .driftRepaired, watched.rule.name.text,
            "rule \(watched.rule.name): the active route of table \(watched.table) was gone or changed, and is back"))
      }
    }
    tellPending()
  }

  func tellPending() {
    let told = pending
    pending = []
    for event in told { events.record(event) }
  }

  /// A path that the rule set took away, or led another way that has no verdict yet, keeps the route that it had until
  /// the rule has left it or the verdict is there; but none that leaks.
  private func keepsOldRoute(_ choice: RuleSelection.Choice, of watched: WatchPlan.WatchedRule) -> Bool {
    let names = choice.paths
    if names.isEmpty || leaks(watched) { return false }
    let known = plan.paths.map(\.name).filter(names.contains)
    guard !known.isEmpty else { return true }
    return known.contains { health[$0]?.state == .unknown } && active[watched.table] != nil
  }

  /// The kernel leads the rule's traffic out of an uplink, where it may rather go nowhere.
  private func leaks(_ watched: WatchPlan.WatchedRule) -> Bool {
    watched.rule.isStrict && active[watched.table]?.devices.contains { isShut($0, to: watched) } == true
  }

  private func removeStray(_ table: TableID) {
    do throws(KernelFailure) {
      try flipper.deactivate(table)
      active[table] = nil
    } catch {
      events.record(
        AgentEvent(
          .flipFailed, "table \(table)", "a stray active route could not be removed, tried again in 200 ms: \(error)"))
      retrySoon()
    }
  }
}
