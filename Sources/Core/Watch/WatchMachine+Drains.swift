internal import RuleSets

// Live flows that were left where they are, until they end or their limit is over (`failback: drain`).
extension WatchMachine {
  /// The rule's traffic has returned to a better way, its live flows stay on this one.
  mutating func drain(_ way: RuleSelection.Choice, _ number: Int, at now: Instant) {
    let longest = egresses[number].watched.egress.drainLimit
    egresses[number].drains.left(way, limit: longest, at: now)
    let limit = longest > .zero ? "for \(Int(longest.inSeconds)) s at most" : "until they end"
    var details = ["way": way.description]
    if longest > .zero { details["limit_seconds"] = AgentEvent.seconds(longest) }
    pending.append(
      egresses[number].watched.event(.drainStarted, "live flows stay on \(way), \(limit)", details))
    scheduleDrains()
  }

  /// Nothing of the egress drains on this way any more.
  mutating func stopDraining(_ way: RuleSelection.Choice, of number: Int, because why: String, at now: Instant) {
    guard let drain = egresses[number].drains.ended(way) else { return }
    tellDrained(drain, of: egresses[number].watched, because: why, at: now)
    scheduleDrains()
  }

  /// Brings what drains to a new plan.
  mutating func settleDrains(since old: WatchIndex, of gone: [WatchedEgress], at now: Instant) {
    for egress in gone {
      for drain in egress.drains.all {
        tellDrained(drain, of: egress.watched, because: "the rule is gone", at: now)
      }
    }
    for number in egresses.indices {
      let egress = egresses[number].watched.egress
      for drain in egresses[number].drains.all {
        if !index.isSameWay(drain.way, in: old) {
          stopDraining(drain.way, of: number, because: "it is gone, or leads elsewhere", at: now)
        } else if egress.failback == .move {
          sweepFlows(of: number, on: drain.way)
          stopDraining(drain.way, of: number, because: "the rule moves its flows now", at: now)
        }
      }
      egresses[number].drains.limitChanged(to: egress.drainLimit)
    }
    scheduleDrains()
  }

  /// The life before may have left flows on any way that is not the rule's now. When they were left nobody knows: they
  /// have the whole limit from here on.
  mutating func assumeDrains(at now: Instant) {
    for number in egresses.indices {
      let watched = egresses[number].watched
      guard watched.egress.failback == .drain, watched.egress.drainLimit > .zero,
        let choice = egresses[number].selection.choice
      else { continue }
      let known = Set(egresses[number].drains.all.map(\.way))
      let used = marks(of: choice).map(\.mark)
      for (way, mark) in index.ways(of: watched) where !used.contains(mark) && !known.contains(way) {
        egresses[number].drains.left(way, limit: watched.egress.drainLimit, isCertain: false, at: now)
      }
    }
    scheduleDrains()
  }

  private mutating func scheduleDrains() { drainDue = egresses.compactMap(\.drains.nextDeadline).min() }

  mutating func drainsEnd(at now: Instant) {
    for number in egresses.indices {
      for drain in egresses[number].drains.timePassed(to: now) {
        sweepFlows(of: number, on: drain.way)
        let why = "the time limit is over, and those that are left are set up again"
        tellDrained(drain, of: egresses[number].watched, because: why, at: now)
      }
    }
    scheduleDrains()
    tellPending()
  }

  private mutating func tellDrained(_ drain: Drains.Drain, of watched: EgressPlan, because why: String, at now: Instant)
  {
    guard drain.isCertain else { return }
    pending.append(
      watched.event(
        .drainEnded, "live flows on \(drain.way) are no longer draining: \(why)",
        [
          "way": drain.way.description, "cause": why, "duration_seconds": AgentEvent.seconds(now - drain.since),
        ]))
  }
}
