import Core
internal import RuleSets

// The invariants that hold at every moment.
extension World {
  // MARK: - Verdicts

  func probed(_ target: Int, _ from: ProbeMachine.State, _ to: ProbeMachine.State) {
    witness.probeStates[target] = to
    guard let probe = witness.probes[target] else { return }
    let ledger = network.ledgers[target]
    switch to {
    case .down:
      let failures = ledger.failures(at: now)
      if failures < probe.fall {
        fail(
          .answeringPathIsKept,
          "probe \(probe.name) is held for down after \(failures) failures in a row, and its fall is \(probe.fall)")
      }
      let silence = ledger.silence(at: now)
      if from == .up, silence < probe.patienceInForce.nanoseconds {
        fail(
          .answeringPathIsKept,
          "probe \(probe.name) is held for down after \(silence / microsecond) µs of silence, and its patience is "
            + "\(probe.patienceInForce.milliseconds) ms")
      }
    case .up:
      let successes = ledger.successes(at: now)
      let needed = from == .down ? probe.rise : 1
      if successes < needed {
        fail(.onlyAnswersMakeUp, "probe \(probe.name) is up after \(successes) answers in a row of \(needed) needed")
      }
    case .unknown: break
    }
  }

  func judged(_ path: Int, _ state: PathHealth.State) {
    guard let known = known(path: path) else { return }
    let before = witness.paths[path].state
    if state != before {
      count { $0.verdicts[state, default: 0] += 1 }
      witness.isStirred = true
    }
    defer { witness.paths[path].state = state }
    if state == .down && before != .down {
      if Self.isUsable(before) { witness.paths[path].falls = witness.paths[path].falls.suffix(2) + [now] }
      // Among several that may fail, one that has failed stays down until it was answered `rise` times.
      let failed = witness.paths[path].hadQuorum ? doubtfulProbes(known) : failedProbes(known)
      if !hasObstacle(known) && failed <= Self.spare(known) {
        fail(
          .answeringPathIsKept,
          "path \(known.name) is held for down, and no probe of it failed as often as its fall says")
      }
    }
    if state == .up && before != .up { witness.paths[path].upSince = now }
    guard Self.isUsable(state), !Self.isUsable(before) else { return }
    witness.paths[path].usableSince = now
    if hasObstacle(known) { fail(.onlyAnswersMakeUp, "path \(known.name) is \(state), and it has an obstacle") }
    if failedProbes(known, surely: true) > Self.spare(known) {
      let told = known.probes.compactMap { probe -> String? in
        guard let ledger = town.targetNumbers[probe.name].map({ network.ledgers[$0] }) else { return nil }
        return "\(probe.name) \(ledger.failures(at: now - 1, surely: true)) of \(probe.fall), "
          + "\(ledger.silence(at: now - 1, surely: true) / microsecond) of "
          + "\(probe.patienceInForce.nanoseconds / microsecond) µs"
      }
      fail(.onlyAnswersMakeUp, "path \(known.name) is \(state), and a probe of it fails: \(told)")
    }
    let answered = town.targetsOf[path].count { witness.probes[$0] != nil && network.ledgers[$0].wasAnswered }
    if answered < known.probes.count - Self.spare(known) {
      fail(.onlyAnswersMakeUp, "path \(known.name) is \(state), and too few of its probes ever had an answer")
    }
  }

  /// Those that are down, or whose state is unknown.
  private func doubtfulProbes(_ path: WatchPlan.WatchedPath) -> Int {
    path.probes.count { probe in
      town.targetNumbers[probe.name].map { witness.probeStates[$0] == .down || witness.probeStates[$0] == nil } ?? false
    }
  }

  private func failedProbes(_ path: WatchPlan.WatchedPath, surely: Bool = false) -> Int {
    path.probes.count { probe in
      guard let ledger = town.targetNumbers[probe.name].map({ network.ledgers[$0] }) else { return false }
      guard surely else { return ledger.failures(at: now) >= probe.fall }
      // Losses of rehearsals do not count, and which probes those are cannot be seen from outside. An agent that wakes
      // does many things at one time: what comes out at this very moment may come after the verdict.
      let before = now - 1
      return ledger.failures(at: before, surely: true) >= probe.fall + Promise.probesInARehearsal(probe)
        && ledger.silence(at: before, surely: true, rehearsed: Promise.probesInARehearsal(probe))
          >= probe.patienceInForce.nanoseconds
    }
  }

  // MARK: - Flips

  func adopted(_ rule: Int, _ choice: RuleSelection.Choice?) {
    settle(rule, on: choice)
    witness.rules[rule].isFresh = choice == nil
    guard let known = known(rule) else { return }
    let way = kernel.routesBefore[rule]
    let standing = way.map { choices(by: $0, of: known) } ?? []
    if choice.map({ standing.contains($0) }) ?? standing.isEmpty { return }
    let (old, new) = (Self.text(way), choice?.description ?? "nothing")
    fail(.kernelFollowsChoice, "rule \(known.rule.name) takes over \(new), and the kernel has \(old)")
  }

  /// Which of the rule's choices a route can stand for. One that shares flows stands for those of its paths that are in
  /// the first tier that has any.
  func choices(by way: TableRoute.Way, of rule: WatchPlan.WatchedRule) -> [RuleSelection.Choice] {
    let devices = way.devices
    if devices.count == 1 { return choices(by: devices[0], of: rule) }
    let names = Set(knownPlan.paths.filter { devices.contains($0.device) }.map(\.name))
    let shared = rule.rule.tiers.lazy.map { $0.map(\.path).filter(names.contains) }.first { !$0.isEmpty }
    return shared.map { [RuleSelection.Choice($0)] } ?? []
  }

  /// Which of the rule's choices a route by this device can stand for.
  func choices(by device: InterfaceName, of rule: WatchPlan.WatchedRule) -> [RuleSelection.Choice] {
    var choices: [RuleSelection.Choice] = []
    for path in knownPlan.paths where path.device == device && rule.rule.paths.contains(path.name) {
      choices.append(.path(path.name))
    }
    if rule.underlays.contains(device) { choices.append(.underlay(device)) }
    if rule.rule.fallback == .localWAN, knownPlan.uplinks.contains(where: { $0.interface == device && !$0.isPrivate }) {
      choices.append(.localWAN(device))
    }
    return choices
  }

  private func settle(_ rule: Int, on choice: RuleSelection.Choice?) {
    witness.rules[rule].choice = choice
    witness.rules[rule].paths = (choice?.paths ?? []).compactMap { town.pathNumbers[$0] }
  }

  func isOn(_ rule: Int, _ choice: RuleSelection.Choice?) {
    settle(rule, on: choice)
    witness.rules[rule].isUntold = true
    witness.isStirred = true
  }

  func moved(_ rule: Int, _ move: Move) {
    count { $0.moved(move) }
    guard let known = known(rule) else {
      return fail(.everyFlipHasACause, "rule \(town.rules[rule].rule.name) flips, and there is no such rule")
    }
    let name = known.rule.name
    let isLate = witness.rules[rule].isUntold && move.to == witness.rules[rule].choice
    witness.rules[rule].isUntold = false
    if isLate { return }
    if move.cause.isEmpty { fail(.everyFlipHasACause, "rule \(name) flips to \(move.to) without a cause") }
    if move.from != witness.rules[rule].choice || move.to == move.from {
      let was = witness.rules[rule].choice?.description ?? "nothing"
      fail(
        .everyFlipHasACause, "rule \(name) says it leaves \(move.from?.description ?? "nothing"), and it went \(was)")
    }
    checkReason(of: move, rule, known)
    checkTarget(of: move, rule, known)
    settle(rule, on: move.to)
    witness.isStirred = true
  }

  /// The reason it gives is true.
  private func checkReason(of move: Move, _ rule: Int, _ known: WatchPlan.WatchedRule) {
    let paths = known.rule.paths
    switch (move.kind, move.from) {
    case (.initial, nil): break
    case (.failover, .path?), (.failover, .paths?):
      let left = (move.from?.paths ?? []).filter { paths.contains($0) && !move.to.paths.contains($0) }
      if left.isEmpty { return fail(.everyFlipHasACause, "rule \(known.rule.name) leaves no path for \(move.to)") }
      // The rule set may have put those that shared flows into different tiers.
      let isTorn = move.from.map { !isTier($0.paths, of: known.rule) } ?? false
      for name in left {
        guard let number = town.pathNumbers[name] else { continue }
        if isTorn, let new = tier(of: move.to.paths, known.rule), let old = tier(of: [name], known.rule), new < old {
          continue
        }
        let state = witness.paths[number].state
        let isPoorer = state == .degraded && isUp(move.to)
        if !Self.isDead(state) && !isPoorer {
          fail(.answeringPathIsKept, "rule \(known.rule.name) leaves path \(name), which is \(state), for \(move.to)")
        }
      }
    case (.failover, .localWAN(let left)?), (.failover, .underlay(let left)?):
      if fallback(of: known) == move.from {
        fail(.everyFlipHasACause, "rule \(known.rule.name) leaves \(left), which can be used and is preferred")
      }
    case (.failback, _): checkReturn(by: move, rule, known)
    case (.changed, let from?) where !from.paths.isEmpty && !isTier(from.paths, of: known.rule): break
    case (.changed, .localWAN?) where known.rule.fallback != .localWAN: break
    case (.changed, .underlay?) where known.rule.fallback != .underlay: break
    case (.changed, .blocked?) where known.rule.fallback != .block: break
    case (_, let from):
      fail(
        .everyFlipHasACause,
        "rule \(known.rule.name): \(move.kind) from \(from?.description ?? "nothing") to \(move.to), and nothing calls for it"
      )
    }
  }

  /// The rule has all of them, in one tier.
  private func isTier(_ paths: [Name], of rule: BackhaulRule) -> Bool {
    rule.tiers.contains { tier in paths.allSatisfy { name in tier.contains { $0.path == name } } }
  }

  private func isDegraded(_ choice: RuleSelection.Choice?) -> Bool { has(choice, .degraded) }
  private func isUp(_ choice: RuleSelection.Choice) -> Bool { has(choice, .up) }

  /// One of its paths at least is in this state.
  private func has(_ choice: RuleSelection.Choice?, _ state: PathHealth.State) -> Bool {
    (choice?.paths ?? []).contains { name in town.pathNumbers[name].map { witness.paths[$0].state } == state }
  }

  private func checkReturn(by move: Move, _ rule: Int, _ known: WatchPlan.WatchedRule) {
    guard !move.to.paths.isEmpty else { return checkBetterUplink(move, known) }
    let left = move.from?.paths ?? []
    for name in move.to.paths where !left.contains(name) {
      if let was = tier(of: left, known.rule), let new = tier(of: [name], known.rule), was < new {
        fail(.bestWayIsTaken, "rule \(known.rule.name) returns to path \(name), which is less preferred")
      }
      checkReturn(to: name, by: move, rule, known)
    }
  }

  private func tier(of paths: [Name], _ rule: BackhaulRule) -> Int? {
    rule.tiers.firstIndex { tier in tier.contains { paths.contains($0.path) } }
  }

  private func checkReturn(to name: Name, by move: Move, _ rule: Int, _ known: WatchPlan.WatchedRule) {
    guard let number = town.pathNumbers[name] else { return }
    let seen = witness.paths[number]
    let period = max(seen.upSince, seen.usableSince)
    if witness.rules[rule].returns[number] == period {
      fail(.flipsAreBounded, "rule \(known.rule.name) returns to path \(name) twice while it is up once")
    }
    witness.rules[rule].returns[number] = period
    forgetReturns(rule, behind: name, known.rule)
    // While blocked there is nothing to gain by waiting; and at the start the first verdict on a path does not count as
    // a return.
    if move.from == .blocked || (seen.falls.isEmpty && witness.rules[rule].isFresh) { return }
    if isDamped(seen, known.rule.damping) {
      fail(.flipsAreBounded, "rule \(known.rule.name) returns to path \(name), which fell three times a moment ago")
    }
    let hold = known.rule.holdDown.nanoseconds
    if now - seen.upSince < hold {
      fail(
        .flipsAreBounded,
        "rule \(known.rule.name) returns to path \(name) after \((now - seen.upSince) / millisecond) of \(hold / millisecond) ms"
      )
    }
  }

  /// Once a better path has been returned to and has fallen, one behind it is returned to again: it may have been
  /// skipped for falling too often. Returns stay bounded by those to the better one.
  private func forgetReturns(_ rule: Int, behind path: Name, _ known: BackhaulRule) {
    guard let tier = known.tiers.firstIndex(where: { $0.contains { $0.path == path } }) else { return }
    for share in known.tiers.dropFirst(tier + 1).joined() {
      guard let number = town.pathNumbers[share.path] else { continue }
      witness.rules[rule].returns[number] = nil
    }
  }

  /// Three falls within a quarter of a half-life keep a path out of use for a half-life at least: each costs as much as
  /// halves in that time, and return is when less than one is left.
  private func isDamped(_ seen: Witness.SeenPath, _ damping: FlapDamping) -> Bool {
    let halfLife = damping.halfLife.nanoseconds
    guard halfLife > 0, seen.falls.count == 3 else { return false }
    return seen.falls[2] - seen.falls[0] < halfLife / 4 && now - seen.falls[2] < halfLife
  }

  private func checkBetterUplink(_ move: Move, _ known: WatchPlan.WatchedRule) {
    guard case .localWAN(let left)? = move.from, case .localWAN(let new) = move.to,
      let was = knownPlan.uplinks.firstIndex(where: { $0.interface == left }),
      let now = knownPlan.uplinks.firstIndex(where: { $0.interface == new }), now < was
    else { return fail(.bestWayIsTaken, "rule \(known.rule.name) returns to \(move.to), which is not better") }
  }

  /// Where it goes is the best available.
  private func checkTarget(of move: Move, _ rule: Int, _ known: WatchPlan.WatchedRule) {
    let name = known.rule.name
    let usable = usablePaths(of: known)
    guard let path = move.to.paths.first else {
      // A path that is up, but not for long enough to be returned to, is no reason to stay on a dead uplink.
      let canWait = move.from.map { $0.paths.isEmpty && $0 != .blocked } ?? false
      if !usable.isEmpty && !canWait {
        fail(.bestWayIsTaken, "rule \(name) goes \(move.to), and path \(town.paths[usable[0]].name) is up")
      }
      if move.to != fallback(of: known) { fail(wrongFallback(move.to, known), "rule \(name) goes \(move.to)") }
      return
    }
    if !isTier(move.to.paths, of: known.rule) {
      fail(.bestWayIsTaken, "rule \(name) goes \(move.to), which is no tier")
    }
    for path in move.to.paths {
      guard let number = town.pathNumbers[path] else { continue }
      let state = witness.paths[number].state
      // A current path of unknown state is no reason to leave it.
      let isKept = move.from?.paths.contains(path) == true && state == .unknown
      if !usable.contains(number) && !isKept {
        fail(.bestWayIsTaken, "rule \(name) goes by path \(path), which is \(state)")
      }
    }
    // A better one that keeps falling may be skipped.
    let steady = usable.filter { witness.paths[$0].falls.count < 3 && witness.paths[$0].state == .up }
      .map { town.paths[$0].name }
    // A path that keeps carrying flows need not be left in haste for a better one, and its own tier may join it.
    let goesOn = move.to.paths.contains { (move.from?.paths ?? []).contains($0) }
    if move.kind != .failback, !isDegraded(move.from), !goesOn, let first = steady.first,
      let best = tier(of: [first], known.rule), let taken = tier(of: [path], known.rule), best < taken
    {
      fail(.bestWayIsTaken, "rule \(name) goes by path \(path), and \(first) is preferred and up")
    }
    if move.kind == .initial, let taken = tier(of: [path], known.rule) {
      for other in steady where tier(of: [other], known.rule) == taken && !move.to.paths.contains(other) {
        fail(.bestWayIsTaken, "rule \(name) goes \(move.to), and \(other), which is up, has no share")
      }
    }
  }

  private func wrongFallback(_ choice: RuleSelection.Choice, _ known: WatchPlan.WatchedRule) -> Invariant {
    switch (choice, known.rule.fallback) {
    case (.localWAN, .localWAN), (.underlay, .underlay), (.blocked, _), (.path, _), (.paths, _): .bestWayIsTaken
    case (.localWAN, _), (.underlay, _): .noUplinkUnderBlock
    }
  }
}
