import Core

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
      // Among several that may fail, one that has failed is still down until it was answered as often as `rise` says.
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
      fail(.onlyAnswersMakeUp, "path \(known.name) is \(state), and a probe of it fails")
    }
    let answered = town.targetsOf[path].count { witness.probes[$0] != nil && network.ledgers[$0].wasAnswered }
    if answered < known.probes.count - Self.spare(known) {
      fail(.onlyAnswersMakeUp, "path \(known.name) is \(state), and too few of its probes ever had an answer")
    }
  }

  /// Those that are down, or of whom nobody says whether they are.
  private func doubtfulProbes(_ path: WatchPlan.WatchedPath) -> Int {
    path.probes.count { probe in
      town.targetNumbers[probe.name].map { witness.probeStates[$0] == .down || witness.probeStates[$0] == nil } ?? false
    }
  }

  private func failedProbes(_ path: WatchPlan.WatchedPath, surely: Bool = false) -> Int {
    path.probes.count { probe in
      town.targetNumbers[probe.name].map { network.ledgers[$0].failures(at: now, surely: surely) >= probe.fall }
        ?? false
    }
  }

  // MARK: - Flips

  func adopted(_ rule: Int, _ choice: RuleSelection.Choice?) {
    settle(rule, on: choice)
    witness.rules[rule].isFresh = choice == nil
    guard let known = known(rule) else { return }
    let device: InterfaceName? = if case .out(let device, _)? = kernel.routesBefore[rule] { device } else { nil }
    let standing = device.map { choices(by: $0, of: known) } ?? []
    if choice.map({ standing.contains($0) }) ?? standing.isEmpty { return }
    fail(
      .kernelFollowsChoice,
      "rule \(known.rule.name) takes over \(choice?.description ?? "nothing"), and the kernel has \(device?.text ?? "nothing")"
    )
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
    witness.rules[rule].path = if case .path(let name)? = choice { town.pathNumbers[name] } else { nil }
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

  /// What it says of why is so.
  private func checkReason(of move: Move, _ rule: Int, _ known: WatchPlan.WatchedRule) {
    let paths = known.rule.paths
    switch (move.kind, move.from) {
    case (.initial, nil): break
    case (.failover, .path(let left)?) where paths.contains(left):
      guard let number = town.pathNumbers[left] else { break }
      let state = witness.paths[number].state
      let isPoorer = state == .degraded && isUp(move.to)
      if !Self.isDead(state) && !isPoorer {
        fail(.answeringPathIsKept, "rule \(known.rule.name) leaves path \(left), which is \(state), for \(move.to)")
      }
    case (.failover, .localWAN(let left)?), (.failover, .underlay(let left)?):
      if fallback(of: known) == move.from {
        fail(.everyFlipHasACause, "rule \(known.rule.name) leaves \(left), which can be used and is preferred")
      }
    case (.failback, _): checkReturn(by: move, rule, known)
    case (.changed, .path(let left)?) where !paths.contains(left): break
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

  private func isDegraded(_ choice: RuleSelection.Choice?) -> Bool {
    guard case .path(let name)? = choice, let number = town.pathNumbers[name] else { return false }
    return witness.paths[number].state == .degraded
  }

  private func isUp(_ choice: RuleSelection.Choice) -> Bool {
    guard case .path(let name) = choice, let number = town.pathNumbers[name] else { return false }
    return witness.paths[number].state == .up
  }

  private func checkReturn(by move: Move, _ rule: Int, _ known: WatchPlan.WatchedRule) {
    guard case .path(let name) = move.to, let number = town.pathNumbers[name] else {
      return checkBetterUplink(move, known)
    }
    if case .path(let left)? = move.from, let was = known.rule.paths.firstIndex(of: left),
      let new = known.rule.paths.firstIndex(of: name), was < new
    {
      fail(.bestWayIsTaken, "rule \(known.rule.name) returns from path \(left) to \(name), which is less preferred")
    }
    let seen = witness.paths[number]
    let period = max(seen.upSince, seen.usableSince)
    if witness.rules[rule].returns[number] == period {
      fail(.flipsAreBounded, "rule \(known.rule.name) returns to path \(name) twice while it is up once")
    }
    witness.rules[rule].returns[number] = period
    // While blocked nothing is won by waiting; and at the start the first verdict on a path is no return.
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

  /// Where it goes is the best there is.
  private func checkTarget(of move: Move, _ rule: Int, _ known: WatchPlan.WatchedRule) {
    let name = known.rule.name
    let usable = usablePaths(of: known)
    guard case .path(let path) = move.to else {
      // A path that is up, but not for long enough to be returned to, is no reason to stay on a dead uplink.
      let canWait = if case .path? = move.from { false } else { move.from != nil && move.from != .blocked }
      if !usable.isEmpty && !canWait {
        fail(.bestWayIsTaken, "rule \(name) goes \(move.to), and path \(town.paths[usable[0]].name) is up")
      }
      if move.to != fallback(of: known) { fail(wrongFallback(move.to, known), "rule \(name) goes \(move.to)") }
      return
    }
    guard known.rule.paths.contains(path), let number = town.pathNumbers[path], usable.contains(number) else {
      let state = town.pathNumbers[path].map { witness.paths[$0].state.rawValue } ?? "gone"
      return fail(.bestWayIsTaken, "rule \(name) goes by path \(path), which is \(state)")
    }
    // A better one that keeps falling may be passed over.
    if move.kind != .failback, !isDegraded(move.from),
      let first = usable.first(where: { witness.paths[$0].falls.count < 3 && isUp(.path(town.paths[$0].name)) }),
      let best = usable.firstIndex(of: first), let taken = usable.firstIndex(of: number), best < taken
    {
      fail(.bestWayIsTaken, "rule \(name) goes by path \(path), and \(town.paths[first].name) is preferred and up")
    }
  }

  private func wrongFallback(_ choice: RuleSelection.Choice, _ known: WatchPlan.WatchedRule) -> Invariant {
    switch (choice, known.rule.fallback) {
    case (.localWAN, .localWAN), (.underlay, .underlay), (.blocked, _), (.path, _), (.paths, _): .bestWayIsTaken
    case (.localWAN, _), (.underlay, _): .noUplinkUnderBlock
    }
  }
}
