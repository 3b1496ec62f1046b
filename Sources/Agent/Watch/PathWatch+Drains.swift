internal import Core
internal import RuleSets

// Live flows that were left where they are, until they end or their limit is over (`failback: drain`).
extension PathWatch {
  /// The rule's traffic has returned to a better way, its live flows stay on this one.
  func drain(_ way: RuleSelection.Choice, _ watched: WatchPlan.WatchedRule) {
    let rule = watched.rule
    drains[rule.name, default: Drains()].left(way, limit: rule.drainLimit, at: loop.now)
    let limit = rule.drainLimit > .zero ? "for \(Int(rule.drainLimit.inSeconds)) s at most" : "until they end"
    var details = ["way": way.description]
    if rule.drainLimit > .zero { details["limit_seconds"] = AgentEvent.seconds(rule.drainLimit) }
    pending.append(
      AgentEvent(
        .drainStarted, rule.name.text, "rule \(rule.name): live flows stay on \(way), \(limit)", details: details))
    scheduleDrains()
  }

  /// Nothing of the rule drains on this way any more.
  func stopDraining(_ way: RuleSelection.Choice, of rule: Name, because why: String) {
    guard let drain = drains[rule]?.ended(way) else { return }
    tellDrained(drain, of: rule, because: why)
    scheduleDrains()
  }

  func stopDraining(_ way: RuleSelection.Choice, because why: String) {
    for rule in drains.keys.sorted() { stopDraining(way, of: rule, because: why) }
  }

  /// Brings what drains to a new plan.
  func settleDrains(since old: WatchPlan) {
    for (name, known) in drains.sorted(by: { $0.key < $1.key }) {
      let watched = plan.rules.first { $0.rule.name == name }
      for drain in known.all {
        guard let watched else {
          stopDraining(drain.way, of: name, because: "the rule is no more")
          continue
        }
        if !isSameWay(drain.way, in: old) {
          stopDraining(drain.way, of: name, because: "it is no more, or leads elsewhere")
        } else if watched.rule.failback == .move {
          sweepFlows(of: watched, on: drain.way)
          stopDraining(drain.way, of: name, because: "the rule moves its flows now")
        }
      }
      if let watched { drains[name]?.limitChanged(to: watched.rule.drainLimit) }
      if drains[name]?.all.isEmpty == true { drains[name] = nil }
    }
    scheduleDrains()
  }

  private func isSameWay(_ way: RuleSelection.Choice, in old: WatchPlan) -> Bool {
    switch way {
    case .path(let name):
      guard let before = old.paths.first(where: { $0.name == name }) else { return false }
      return plan.paths.contains { $0.isSameWay(as: before) }
    case .localWAN(let uplink), .underlay(let uplink): return plan.uplinks.contains { $0.interface == uplink }
    // Each of them drains by itself.
    case .paths, .blocked: return false
    }
  }

  /// The life before may have left flows on any way that is not the rule's now. When they were left nobody knows: they
  /// have the whole limit from here on.
  func assumeDrains() {
    for watched in plan.rules where watched.rule.failback == .drain && watched.rule.drainLimit > .zero {
      guard let choice = selections[watched.rule.name]?.choice else { continue }
      let known = Set(drains[watched.rule.name]?.all.map(\.way) ?? [])
      let used = marks(of: choice).map(\.mark)
      for (way, mark) in ways(of: watched, in: plan) where !used.contains(mark) {
        if known.contains(way) { continue }
        drains[watched.rule.name, default: Drains()].left(
          way, limit: watched.rule.drainLimit, isCertain: false, at: loop.now)
      }
    }
    scheduleDrains()
  }

  private func scheduleDrains() {
    if let drainTimer { loop.cancel(drainTimer) }
    drainTimer = drains.values.compactMap(\.nextDeadline).min().map { deadline in
      loop.at(deadline) { [weak self] now in
        self?.assumeIsolated {
          $0.drainTimer = nil
          $0.drainsEnd(at: now)
        }
      }
    }
  }

  private func drainsEnd(at now: Instant) {
    for watched in plan.rules {
      let name = watched.rule.name
      for drain in drains[name]?.timePassed(to: now) ?? [] {
        sweepFlows(of: watched, on: drain.way)
        tellDrained(drain, of: name, because: "the limit is over, and those that are left are set up anew")
      }
    }
    scheduleDrains()
    tellPending()
  }

  private func tellDrained(_ drain: Drains.Drain, of rule: Name, because why: String) {
    guard drain.isCertain else { return }
    let lasted = loop.now - drain.since
    pending.append(
      AgentEvent(
        .drainEnded, rule.text, "rule \(rule): live flows drain on \(drain.way) no longer: \(why)",
        details: ["way": drain.way.description, "cause": why, "duration_seconds": AgentEvent.seconds(lasted)]))
  }
}
