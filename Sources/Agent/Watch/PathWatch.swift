package import Core
package import RuleSets

/// Watches the paths and moves each rule's traffic to the best of them: probe, verdict and flip on one thread, with no
/// hop in between. It alone owns the active default route of the rules' tables.
package actor PathWatch {
  let loop: any EventLoop
  let prober: any ProbePort
  let flipper: any FlipPort
  let events: any EventSink
  let onSweep: @Sendable (ConnectionSweep) -> Void
  let chance: @Sendable () -> Double

  private(set) var plan: WatchPlan
  var links: [InterfaceName: Link] = [:]
  /// Rises with each link event.
  package private(set) var linkGeneration: UInt64 = 0
  /// Which event last told of a device.
  private var touched: [InterfaceName: UInt64] = [:]
  var probes: [Name: WatchedProbe] = [:]
  var schedule = ProbeSchedule()
  /// For the first probe of the schedule.
  var probeTimer: (timer: TimerID, due: Instant)?
  /// Several probes are seen to at once, and one decision follows.
  var gathersVerdicts = false
  var hasNewVerdict = false
  private(set) var health: [Name: PathHealth] = [:]
  /// What operators say of paths.
  private var forces: [Name: PathHealth.Force] = [:]
  /// The paths that have limits.
  var limited: Set<Name> = []
  /// Those that have more than one probe.
  var shared: Set<Name> = []
  /// The table of tracked connections.
  var isTableFull = false
  var histories: [Name: WatchedHistory] = [:]
  /// What is known of the SAs of tunnels.
  private var keys: [Name: IKENews.Word] = [:]
  private(set) var selections: [Name: RuleSelection] = [:]
  /// How long each rule was in which mode.
  private var modes: [Name: ModeClock] = [:]
  /// What was last put into each rule's table: compared with the kernel whenever something stirs there.
  var active: [TableID: TableRoute.Way] = [:]
  /// Where live flows of rules were left.
  var drains: [Name: Drains] = [:]
  var drainTimer: TimerID?
  private var holdDownTimer: TimerID?
  var retryTimer: TimerID?
  var inspection: TimerID?
  /// How long the events of one change take to come in.
  static let burst: Duration = .milliseconds(2)
  private var flips = FlipTimes()
  /// Flips that the kernel has not taken yet.
  var unfinished: [TableID: (flip: RuleSelection.Flip, verdict: Instant)] = [:]
  /// Marks of paths that a rule set took away while a rule's traffic still went by them.
  var orphans: [Name: Mark] = [:]
  /// Paths that went down and whose connections must go once the rules have flipped.
  private(set) var newlyDown: [Name] = []
  /// Events that are told once the flips are made.
  var pending: [AgentEvent] = []
  /// Spreads the first probes.
  var bound = 0
  let causes: CauseFinder
  let meter = ProbeMeter()
  var causeTimer: TimerID?
  /// Of devices that carry traffic now by paths that are probed seldom.
  var silences: [InterfaceName: SilentTraffic] = [:]

  package nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// - Parameter onSweep: is told which connections to delete after a flip; must not block.
  package init(
    loop: any EventLoop, prober: any ProbePort, flipper: any FlipPort, events: any EventSink, mask: MarkMask,
    chance: @escaping @Sendable () -> Double, onSweep: @escaping @Sendable (ConnectionSweep) -> Void
  ) {
    self.loop = loop
    self.prober = prober
    self.flipper = flipper
    self.events = events
    self.chance = chance
    self.onSweep = onSweep
    plan = .empty(mask)
    causes = CauseFinder(loop: loop, prober: prober, meter: meter)
  }

  // MARK: - What to watch

  /// Takes a new plan: after a rule set, and whenever addresses, gateways or devices have changed. Probes keep their
  /// history, and rules their choice, as far as they still exist. Throws where the kernel cannot be read; then nothing
  /// has changed.
  ///
  /// - Parameter generation: `linkGeneration` from before `actual` was read: what events said since is newer.
  package func watch(_ new: WatchPlan, links actual: [InterfaceName: Link], generation: UInt64) throws(KernelFailure) {
    let inKernel = try flipper.activeRoutes(of: Set(new.rules.map(\.table)))
    let now = loop.now
    let first = plan.rules.isEmpty
    let before = plan
    plan = new
    limited = Set(new.paths.filter { $0.limits != nil }.map(\.name))
    shared = Set(new.paths.filter { $0.probes.count > 1 }.map(\.name))
    let newer = touched.filter { $0.value > generation }
    let told = links.filter { newer[$0.key] != nil }
    // Mostly nothing: then it is one dictionary here and there.
    links = newer.isEmpty ? actual : actual.filter { newer[$0.key] == nil }.merging(told) { $1 }
    touched = newer
    let same = Set(new.paths.filter { path in before.paths.contains { $0.isSameWay(as: path) } }.map(\.name))
    let known = histories
    histories = Dictionary(
      new.paths.map { ($0.name, known[$0.name] ?? WatchedHistory(PathHistory(at: now))) }
    ) { first, _ in first }
    bindProbes(keeping: same, at: now)
    health = Dictionary(
      new.paths.map { ($0.name, same.contains($0.name) ? health[$0.name] ?? PathHealth(at: now) : PathHealth(at: now)) }
    ) { first, _ in first }
    var kept: [Name: RuleSelection] = [:]
    for watched in new.rules {
      if var selection = selections[watched.rule.name] {
        selection.ruleChanged(to: watched.rule)
        kept[watched.rule.name] = selection
      } else {
        let adopted = inKernel[watched.table].flatMap { choice(of: $0, for: watched) }
        let selection = RuleSelection(watched.rule, adopted: adopted, at: now)
        kept[watched.rule.name] = selection
        tellOfEncryption(nil, selection, at: now)
      }
    }
    for (name, gone) in selections where kept[name] == nil { tellOfEncryption(gone, nil, at: now) }
    selections = kept
    keepModes(at: now)
    active = inKernel
    postScouts(at: now)
    for path in new.paths { judge(path, at: now) }
    settleDrains(since: before)
    decideAll(at: now)
    sweepVanished(since: before)
    sweepOldSources(since: before)
    if first { sweepLeftovers() } else { sweepWhatChangedHands(since: before) }
    if first { assumeDrains() }
    leave(Set(before.rules.map(\.table)).subtracting(new.rules.map(\.table)))
  }

  /// Ends all probing; the data plane stays as it is.
  package func stop() {
    for probe in probes.values { end(probe) }
    probes = [:]
    causes.close()
    armProbeTimer()
    for timer in [holdDownTimer, drainTimer, retryTimer, inspection, causeTimer] {
      if let timer { loop.cancel(timer) }
    }
  }

  /// The devices that rules' traffic leaves by now: whoever wants to delete one of them waits until it is left.
  package var devicesInUse: Set<InterfaceName> {
    Set(active.values.flatMap(\.devices))
  }

  // MARK: - Evidence

  /// A device came, changed or went: a verdict at once, without waiting for a probe.
  package func linkChanged(_ name: InterfaceName, _ link: Link?) {
    let now = loop.now
    links[name] = link
    linkGeneration += 1
    touched[name] = linkGeneration
    var changed = false
    for path in plan.paths where path.device == name || path.underlay == name {
      if judge(path, at: now) { changed = true }
    }
    if changed || plan.uplinks.contains(where: { $0.interface == name }) { decideAll(at: now) }
    // With a device that goes down the kernel takes its routes away, and tells nobody.
    inspectSoon()
  }

  /// Keys of a tunnel came or went: its probes are due now. The verdict stays theirs, but that what they lost before the
  /// first keys were there is no evidence. Nil: the tunnel is no more.
  package func keysChanged(of tunnel: Name, _ word: IKENews.Word?) {
    let now = loop.now
    let isFirst = keys[tunnel] == .pending && word == .up
    keys[tunnel] = word
    var changed = false
    for path in plan.paths where path.securedTunnel == tunnel {
      for probe in path.probes {
        guard let watched = probes[probe.name] else { continue }
        if isFirst && health[path.name]?.state == .unknown { watched.machine.begun(at: now) }
        watched.machine.prompted(at: now)
        reschedule(watched)
      }
      if judge(path, at: now) { changed = true }
    }
    if changed { decideAll(at: now) } else { findCauses() }
  }

  /// What operators say of paths from now on, all of them: verdicts and flips at once.
  package func force(_ new: [Name: PathHealth.Force]) {
    let now = loop.now
    let before = forces
    forces = new
    for path in plan.paths where new[path.name] != before[path.name] { judge(path, at: now) }
    // A path that is up already may be returned to now without its hold-down.
    if new != before { decideAll(at: now) }
  }

  // MARK: - Verdict and flip

  func verdictMayChange(of name: Name, at now: Instant) {
    guard let path = plan.paths.first(where: { $0.name == name }) else { return }
    guard judge(path, at: now) else { return }
    if gathersVerdicts { hasNewVerdict = true } else { decideAll(at: now) }
  }

  /// True where the path's state changed.
  @discardableResult func judge(_ path: WatchPlan.WatchedPath, at now: Instant) -> Bool {
    guard var state = health[path.name] else { return false }
    let before = state
    let changed = judge(path, &state, at: now)
    health[path.name] = state
    guard state.state != before.state else { return changed }
    let kind: AgentEvent.Kind =
      switch state.state {
      case .up, .degraded: .pathUp
      case .down, .disabled: .pathDown
      case .unknown: .pathUnknown
      }
    pending.append(
      AgentEvent(
        kind, path.name.text,
        "path \(path.name) is \(state.state.rawValue), was \(before.state.rawValue): \(state.cause)",
        details: [
          "cause": state.cause, "before": before.state.rawValue, "state": state.state.rawValue,
          "duration_seconds": AgentEvent.seconds(state.since - before.since),
        ]))
    if state.isDead && !before.isDead { newlyDown.append(path.name) }
    if state.state == .down { causes.wentDown(path, at: now) }
    if state.state == .up { causes.wentUp(path, at: now) }
    return true
  }

  /// By all that is known of the path now.
  @discardableResult private func judge(
    _ path: WatchPlan.WatchedPath, _ state: inout PathHealth, at now: Instant
  ) -> Bool {
    state.judge(
      obstacle: obstacle(of: path), probes: path.probes.compactMap { probes[$0.name]?.machine }, quorum: path.quorum,
      limits: path.limits, force: forces[path.name], remark: remark(on: path), doubt: doubt(about: path), at: now)
  }

  private func obstacle(of path: WatchPlan.WatchedPath) -> String? {
    if let underlay = path.underlay, let trouble = trouble(of: underlay) { return "uplink \(trouble)" }
    if let trouble = path.obstacle ?? trouble(of: path.device) { return trouble }
    // With no probe to ask, the keys are the only evidence that there is.
    guard path.probes.isEmpty, case .down(let why)? = word(on: path) else { return nil }
    return "no SA: \(why)"
  }

  /// With no probe to ask and no word on the keys, nobody knows; while the first keys are being made no probe does.
  private func doubt(about path: WatchPlan.WatchedPath) -> PathHealth.Doubt? {
    guard path.securedTunnel != nil else { return nil }
    return switch word(on: path) {
    case .up?, .down?: nil
    case .pending?: .passing("no SA yet")
    case .unknown?: .lasting("charon does not answer")
    case nil: path.probes.isEmpty ? .passing("no SA yet") : nil
    }
  }

  private func word(on path: WatchPlan.WatchedPath) -> IKENews.Word? { path.securedTunnel.flatMap { keys[$0] } }

  func remark(on path: WatchPlan.WatchedPath) -> String? {
    switch word(on: path) {
    case .up?: "the SA is up, so the data plane is dead"
    case .down(let why)?: "no SA: \(why)"
    case .pending?: "no SA yet"
    case .unknown?: "charon does not answer"
    case nil: nil
    }
  }

  func trouble(of device: InterfaceName) -> String? {
    guard let link = links[device] else { return "\(device) does not exist" }
    if !link.isUp { return "\(device) is set down" }
    return link.hasCarrier ? nil : "\(device) has no carrier"
  }

  private func canUse(_ uplink: WatchPlan.WatchedUplink) -> Bool {
    uplink.obstacle == nil && uplink.way != nil && trouble(of: uplink.interface) == nil
      && !causes.cutOff.contains(uplink.interface)
  }

  func decideAll(at now: Instant) {
    hasNewVerdict = false
    let doubts = causes.doubts(at: now)
    let undoubted = plan.uplinks.first { canUse($0) && !$0.isPrivate && doubts[$0.interface] == nil }?.interface
    let choices = selections.mapValues(\.choice)
    let uplinks = plan.uplinks.filter(canUse)
    let best = uplinks.first { !$0.isPrivate }?.interface
    for watched in plan.rules {
      guard var selection = selections[watched.rule.name] else { continue }
      var view = view(for: watched, uplinks, health)
      // Who is on an uplink is not driven from it by a doubt; who would go there waits for a moment.
      if case .localWAN? = selection.choice { view.localWAN = best } else { view.localWAN = undoubted }
      let before = selection
      let flip = selection.decide(view, at: now)
      selections[watched.rule.name] = selection
      tellOfEncryption(before, selection, at: now)
      if let flip {
        modes[watched.rule.name]?.turned(to: selection.mode(isTunnel: isTunnel), at: now)
        carryOut(flip, watched, verdict: now)
      }
    }
    scheduleHoldDown(doubts.values.min())
    let dead = newlyDown
    newlyDown = []
    for name in dead where !isHeld(name, since: choices) { sweepDead(name) }
    // Words after deeds: the log is slower than the kernel.
    tellPending()
    settleActiveRoutes()
    findCauses()
  }

  /// What the rule's machine looks at, but for doubts.
  private func view(
    for watched: WatchPlan.WatchedRule, _ usable: [WatchPlan.WatchedUplink], _ health: [Name: PathHealth]
  ) -> RuleSelection.View {
    let uplinks = usable.map(\.interface)
    return RuleSelection.View(
      state: { health[$0] }, localWAN: usable.first { !$0.isPrivate }?.interface,
      underlay: watched.underlays.first { uplinks.contains($0) }, isAstray: isAstray(watched),
      canUse: { uplinks.contains($0) })
  }

  private func isTunnel(_ path: Name) -> Bool { plan.paths.first { $0.name == path }?.isTunnel ?? false }

  /// The same path may lead through a tunnel in one plan and not in the next.
  private func keepModes(at now: Instant) {
    let tunnels = Set(plan.paths.filter(\.isTunnel).map(\.name))
    modes = selections.mapValues { selection in
      let mode = selection.mode { tunnels.contains($0) }
      var clock = modes[selection.rule.name] ?? ModeClock(mode, at: now)
      clock.turned(to: mode, at: now)
      return clock
    }
  }

  /// Every rule that was on the path still is, for want of another way: nothing is torn down until one leaves it.
  private func isHeld(_ path: Name, since choices: [Name: RuleSelection.Choice?]) -> Bool {
    let users = choices.filter { $0.value?.paths.contains(path) == true }.keys
    return !users.isEmpty && users.allSatisfy { selections[$0]?.choice?.paths.contains(path) == true }
  }

  /// `before` is nil at the first look after a start, `after` where the rule is no more.
  private func tellOfEncryption(_ before: RuleSelection?, _ after: RuleSelection?, at now: Instant) {
    guard let name = (after ?? before)?.rule.name else { return }
    let since = before?.unencryptedSince
    if case .underlay(let line)? = after?.choice, since == nil {
      pending.append(
        AgentEvent(
          .unencryptedStarted, name.text,
          "rule \(name): traffic goes by the private line \(line) in the clear, until its tunnel is back",
          details: ["uplink": line.text]))
    } else if let since, after?.isUnencrypted != true {
      let seconds = (now - since).inSeconds
      pending.append(
        AgentEvent(
          .unencryptedEnded, name.text, "rule \(name): no traffic goes in the clear any more, after \(Int(seconds)) s",
          details: ["seconds": "\(Int(seconds))"]))
    }
  }

  /// - Parameter doubt: when the first doubt about an uplink is over.
  private func scheduleHoldDown(_ doubt: Instant?) {
    if let holdDownTimer { loop.cancel(holdDownTimer) }
    holdDownTimer = (selections.values.compactMap(\.nextDeadline) + (doubt.map { [$0] } ?? [])).min().map { deadline in
      loop.at(deadline) { [weak self] now in
        self?.assumeIsolated {
          $0.holdDownTimer = nil
          $0.decideAll(at: now)
        }
      }
    }
  }

  private func carryOut(_ flip: RuleSelection.Flip, _ watched: WatchPlan.WatchedRule, verdict: Instant) {
    guard put(flip.to, watched) else {
      unfinished[watched.table] = (flip, verdict)
      return
    }
    unfinished[watched.table] = nil
    made(flip, watched, verdict: verdict)
  }

  /// The kernel leads the other way now.
  func made(_ flip: RuleSelection.Flip, _ watched: WatchPlan.WatchedRule, verdict: Instant) {
    let committed = loop.now
    flips.add(committed - verdict)
    let rule = watched.rule
    let kind: AgentEvent.Kind =
      switch flip.kind {
      case .initial: .initial
      case .failover: .failover
      case .failback: .failback
      case .changed: .changed
      }
    let from = flip.from?.description ?? "nothing"
    pending.append(
      AgentEvent(
        kind, rule.name.text, "rule \(rule.name): traffic goes \(flip.to), was \(from): \(flip.cause)",
        details: [
          "from": from, "to": flip.to.description, "cause": flip.cause,
          "flip_microseconds": "\((committed - verdict).nanoseconds / 1_000)",
          "duration_seconds": AgentEvent.seconds(flip.after),
        ], payload: reason(of: flip)))
    for (way, _) in marks(of: flip.to) { stopDraining(way, of: rule.name, because: "traffic goes there again") }
    if let from = flip.from, from != flip.to { sweep(after: flip, leaving: from, watched) }
  }

  private func reason(of flip: RuleSelection.Flip) -> AgentEvent.Payload? {
    guard flip.kind == .failover else { return nil }
    return .failover(FailoverCause(leaving: flip.from, for: flip.to) { health[$0] })
  }

  // MARK: - What is seen

  package func history(of path: Name) -> PathHistory? { histories[path]?.past }

  /// - Parameter choice: which paths' probes shall be among it. What is handed out the loop has to copy before it changes
  ///   it, and a thousand probes change all the time.
  package func snapshot(of choice: PathChoice = .all, forced: Set<Name> = []) -> WatchSnapshot {
    let now = loop.now
    let usable = plan.uplinks.filter(canUse)
    let health = presentHealth(at: now)
    let standing = plan.rules.compactMap { watched in
      selections[watched.rule.name].map {
        (watched.rule.name, $0.standing(view(for: watched, usable, health), at: now))
      }
    }
    return WatchSnapshot(
      at: now, plan: plan, links: links, health: health, probes: machines(choice, forced),
      selections: selections, causes: Dictionary(standing) { first, _ in first }, drains: drains,
      usableUplinks: usable.map(\.interface), flips: flips,
      diagnoses: causes.diagnoses,
      outlooks: Dictionary(
        plan.uplinks.map { ($0.interface, causes.outlook(of: $0.interface)) }, uniquingKeysWith: { first, _ in first }),
      keys: keys, meters: meter.readings(at: loop.now), modes: modes)
  }

  /// With the causes of now: what stands beside a state is otherwise as old as the state. No state changes here.
  private func presentHealth(at now: Instant) -> [Name: PathHealth] {
    var present = health
    for path in plan.paths {
      guard let known = health[path.name], known.state != .up else { continue }
      var judged = known
      judge(path, &judged, at: now)
      if judged.state == known.state { present[path.name] = judged }
    }
    return present
  }

  private func machines(_ choice: PathChoice, _ forced: Set<Name>) -> [Name: ProbeMachine] {
    if choice == .all { return probes.mapValues(\.machine) }
    var machines: [Name: ProbeMachine] = [:]
    for path in plan.paths {
      let isForced = forced.contains(path.name)
      guard choice.tells(of: path.name, health[path.name]?.state, isForced: isForced, of: plan.paths.count) else {
        continue
      }
      for probe in path.probes { machines[probe.name] = probes[probe.name]?.machine }
    }
    return machines
  }
}
