package import RuleSets

// What to watch.
extension WatchMachine {
  /// What remains to be done of a new plan once the rules have flipped.
  struct PlanChange: Sendable {
    var old: WatchIndex
    var isFirst: Bool
  }

  /// Takes a new plan: after a rule set, and whenever addresses, gateways or devices have changed. Probes keep their
  /// history, and rules their choice, as far as they still exist.
  ///
  /// - Parameters:
  ///   - actual: the devices as they were read.
  ///   - generation: `linkGeneration` from before that: what events said since is newer.
  ///   - routes: the active routes that the kernel has in the tables of the plan.
  ///   - chance: 0 up to but not including 1; spreads the first probes.
  package mutating func follow(
    _ new: WatchPlan, links actual: [InterfaceName: Link], generation: UInt64, routes: [TableID: TableRoute.Way],
    chance: () -> Double, at now: Instant
  ) {
    let old = index
    index = WatchIndex(new)
    circumstances.linksRead(actual, asOf: generation)
    let same = new.paths.map { path in old.path(path.name).map { path.isSameWay(as: $0) } ?? false }
    histories = new.paths.map { path in old.paths[path.name].map { histories[$0] } ?? PathHistory(at: now) }
    bindProbes(since: old, keeping: same, chance: chance, at: now)
    health = new.paths.enumerated().map { number, path in
      same[number] ? old.paths[path.name].map { health[$0] } ?? PathHealth(at: now) : PathHealth(at: now)
    }
    newlyDown = []
    let gone = bindEgresses(routes, at: now)
    postScouts(at: now)
    for path in new.paths.indices { judge(path, at: now) }
    settleDrains(since: old, of: gone, at: now)
    takenOver = PlanChange(old: old, isFirst: old.egresses.isEmpty)
    decideAll(at: now)
  }

  /// Each egress keeps the state of the previous one with its name. Returns those that are gone.
  private mutating func bindEgresses(_ routes: [TableID: TableRoute.Way], at now: Instant) -> [WatchedEgress] {
    var known = egresses
    func take(_ isIt: (WatchedEgress) -> Bool) -> WatchedEgress? {
      known.firstIndex(where: isIt).map { known.remove(at: $0) }
    }
    egresses = index.egresses.map { watched in
      var egress: WatchedEgress
      if let before = take({ $0.watched.egress.name == watched.egress.name }) {
        egress = before
        if egress.watched.table != watched.table { egress.unfinished = nil }
        egress.watched = watched
        egress.selection.egressChanged(to: watched.egress)
      } else {
        let adopted = routes[watched.table].flatMap { index.choice(of: $0, for: watched) }
        egress = WatchedEgress(watched, steps.adopt(watched.egress, adopted, now))
        tellOfEncryption(nil, egress.selection, of: watched, at: now)
      }
      egress.active = routes[watched.table]
      return egress
    }
    keepModes(at: now)
    let gone = known.sorted { $0.watched.egress.name < $1.watched.egress.name }
    for egress in gone { tellOfEncryption(egress.selection, nil, of: egress.watched, at: now) }
    return gone
  }

  /// The same path may lead through a tunnel in one plan and not in the next.
  private mutating func keepModes(at now: Instant) {
    var kept: [Name: ModeClock] = [:]
    for egress in egresses {
      let mode = egress.selection.mode(isTunnel: index.isTunnel)
      for rule in egress.watched.rules {
        var clock = modes[rule.rule.name] ?? ModeClock(mode, at: now)
        clock.turned(to: mode, at: now)
        kept[rule.rule.name] = clock
      }
    }
    modes = kept
  }

  /// The rules have flipped to the new plan.
  mutating func finish(_ taken: PlanChange, at now: Instant) {
    sweepVanished(since: taken.old)
    sweepOldSources(since: taken.old.plan)
    if taken.isFirst {
      sweepLeftovers()
    } else {
      sweepWhatChangedHands(since: taken.old)
      sweepSteered(since: taken.old)
    }
    if taken.isFirst { assumeDrains(at: now) }
    let tables = Set(index.egresses.map(\.table))
    for egress in taken.old.egresses where !tables.contains(egress.table) { ask(.leave(egress.table)) }
    tellPending()
  }

  /// Ends all probing; the data plane stays as it is.
  package mutating func stop() {
    for number in probes.indices where probes[number].binding != nil {
      ask(.close(socket: probes[number].socket))
      probes[number].binding = nil
    }
    schedule = ProbeSchedule()
    causes.close(&effects)
  }
}
