package import RuleSets

// Verdicts on paths, and the decisions that follow for each rule.
extension WatchMachine {
  // MARK: - Evidence

  /// Rises with each link event.
  package var linkGeneration: UInt64 { circumstances.generation }

  /// A device came, changed or went: a verdict at once, without waiting for a probe.
  package mutating func linkChanged(_ name: InterfaceName, _ link: Link?, at now: Instant) {
    circumstances.linkChanged(name, link)
    var changed = false
    for path in index.paths(by: name) where judge(path, at: now) { changed = true }
    if changed || index.uplink(name) != nil { decideAll(at: now) }
    // When a device goes down, the kernel removes its routes without an event.
    inspectSoon(at: now)
  }

  /// Keys of a tunnel came or went: its probes are due now. The verdict stays theirs, but that what they lost before
  /// the first keys were there is no evidence. Nil: the tunnel is gone.
  package mutating func keysChanged(of tunnel: Name, _ word: IKENews.Word?, at now: Instant) {
    let isFirst = circumstances.keysChanged(of: tunnel, word)
    var changed = false
    for (path, watched) in plan.paths.enumerated() where watched.securedTunnel == tunnel {
      for number in index.probes[path] {
        if isFirst && health[path].state == .unknown { probes[number].machine.begun(at: now) }
        probes[number].machine.prompted(at: now)
        reschedule(number)
      }
      if judge(path, at: now) { changed = true }
    }
    if changed { decideAll(at: now) } else { findCauses(at: now) }
  }

  /// What operators say of paths from now on, all of them: verdicts and flips at once.
  package mutating func force(_ new: [Name: PathHealth.Force], at now: Instant) {
    let before = circumstances.forces
    circumstances.forces = new
    for (number, path) in plan.paths.enumerated() where new[path.name] != before[path.name] { judge(number, at: now) }
    // A path that is up already may be returned to now without its hold-down.
    if new != before { decideAll(at: now) }
  }

  // MARK: - Verdicts

  func evidence(on number: Int) -> PathEvidence {
    let path = index.plan.paths[number]
    return PathEvidence(
      obstacle: circumstances.obstacle(of: path), probes: machines(of: number), quorum: path.quorum,
      limits: path.limits, force: circumstances.forces[path.name], remark: circumstances.remark(on: path),
      doubt: circumstances.doubt(about: path))
  }

  /// True if the path's state changed.
  @discardableResult mutating func judge(_ number: Int, at now: Instant) -> Bool {
    let (before, since) = (health[number].state, health[number].since)
    let wasDead = health[number].isDead
    let changed = steps.judge(&health[number], evidence(on: number), now)
    let state = health[number].state
    guard state != before else { return changed }
    let path = index.plan.paths[number]
    let kind: AgentEvent.Kind =
      switch state {
      case .up, .degraded: .pathUp
      case .down, .disabled: .pathDown
      case .unknown: .pathUnknown
      }
    let cause = health[number].cause
    pending.append(
      AgentEvent(
        kind, path.name.text, "path \(path.name) is \(state.rawValue), was \(before.rawValue): \(cause)",
        details: [
          "cause": cause, "before": before.rawValue, "state": state.rawValue,
          "duration_seconds": AgentEvent.seconds(health[number].since - since),
        ]))
    if health[number].isDead && !wasDead { newlyDown.append(number) }
    if state == .down { causes.wentDown(path, at: now) }
    if state == .up { causes.wentUp(path, at: now) }
    return true
  }

  // MARK: - Decisions

  func canUse(_ uplink: WatchPlan.WatchedUplink) -> Bool {
    uplink.obstacle == nil && uplink.way != nil && circumstances.trouble(of: uplink.interface) == nil
      && !causes.cutOff.contains(uplink.interface)
  }

  mutating func decideAll(at now: Instant) {
    hasNewVerdict = false
    isDeciding = true
    decisionDue = nil
    comparisonDue = nil
    let doubts = causes.doubts(at: now)
    let usable = plan.uplinks.filter(canUse)
    let undoubted = usable.first { !$0.isPrivate && doubts[$0.interface] == nil }?.interface
    var view = view(usable, health)
    let best = view.localWAN
    var due = doubts.values.min()
    for number in egresses.indices {
      look(at: number, &view, usable)
      // A doubt does not drive a rule off an uplink that it already uses; it only delays moving there.
      if case .localWAN? = egresses[number].selection.choice { view.localWAN = best } else { view.localWAN = undoubted }
      decide(number, view, at: now)
      if let next = steps.deadline(egresses[number].selection) { due = due.map { min($0, next) } ?? next }
    }
    decisionDue = due
    if openWrites == 0 { haveWritten(at: now) }
  }

  private mutating func decide(_ number: Int, _ view: RuleSelection.View, at now: Instant) {
    let before = egresses[number].selection
    egresses[number].before = before.choice
    let flip = steps.decide(&egresses[number].selection, view, now)
    guard let flip else { return }
    tellOfEncryption(before, egresses[number].selection, of: egresses[number].watched, at: now)
    let mode = egresses[number].selection.mode(isTunnel: index.isTunnel)
    for rule in egresses[number].watched.rules { modes[rule.rule.name]?.turned(to: mode, at: now) }
    put(flip.to, number, .flip(flip, verdict: now))
  }

  /// What the rules' machines look at, without doubts.
  private func view(_ usable: [WatchPlan.WatchedUplink], _ health: [PathHealth]) -> RuleSelection.View {
    let (index, probes) = (index, probes)
    return RuleSelection.View(
      state: { index.paths[$0].map { health[$0] } },
      measure: { name in
        guard let path = index.paths[name] else { return nil }
        let window = (index.plan.paths[path].limits ?? PathLimits()).window
        return PathMeasure(probes[index.probes[path]].map(\.machine), last: window)
      },
      localWAN: usable.first { !$0.isPrivate }?.interface,
      canUse: { uplink in usable.contains { $0.interface == uplink } })
  }

  /// The same for one of them.
  private func look(at number: Int, _ view: inout RuleSelection.View, _ usable: [WatchPlan.WatchedUplink]) {
    let lines = egresses[number].watched.underlays
    view.underlay = lines.first { line in usable.contains { $0.interface == line } }
    view.isAstray = isAstray(number)
  }

  /// Why each egress's traffic goes where it goes, as things stand now.
  func standings(_ health: [PathHealth], at now: Instant) -> [String] {
    let usable = plan.uplinks.filter(canUse)
    var view = view(usable, health)
    return egresses.enumerated().map { number, egress in
      look(at: number, &view, usable)
      return egress.selection.standing(view, at: now)
    }
  }

  /// The kernel has answered for all routes: what follows from the flips, once.
  mutating func haveWritten(at now: Instant) {
    guard isDeciding else {
      tellPending()
      guard let taken = takenOver else { return }
      takenOver = nil
      return finish(taken, at: now)
    }
    isDeciding = false
    let dead = newlyDown
    newlyDown = []
    for path in dead where !isHeld(index.plan.paths[path].name) { sweepDead(path, at: now) }
    // Words after deeds: the log is slower than the kernel.
    tellPending()
    findCauses(at: now)
    settleRoutes(repairing: false, at: now)
  }

  /// Every rule that was on the path still is, for want of another way: nothing is torn down until one leaves it.
  private func isHeld(_ path: Name) -> Bool {
    let users = egresses.filter { $0.before?.paths.contains(path) == true }
    return !users.isEmpty && users.allSatisfy { $0.selection.choice?.paths.contains(path) == true }
  }

  /// `before` is nil at the first look after a start, `after` if the egress is gone.
  mutating func tellOfEncryption(
    _ before: RuleSelection?, _ after: RuleSelection?, of watched: EgressPlan, at now: Instant
  ) {
    let since = before?.unencryptedSince
    if case .underlay(let line)? = after?.choice, since == nil {
      pending.append(
        watched.event(
          .unencryptedStarted,
          "traffic goes by the private line \(line) in the clear, until its tunnel is back", ["uplink": line.text]))
    } else if let since, after?.isUnencrypted != true {
      let seconds = Int((now - since).inSeconds)
      pending.append(
        watched.event(
          .unencryptedEnded, "no longer in the clear, after \(seconds) s", ["seconds": "\(seconds)"]))
    }
  }
}
