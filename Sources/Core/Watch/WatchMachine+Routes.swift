package import RuleSets

// The active routes in the kernel: set according to the choices, and restored if another program has changed them.
extension WatchMachine {
  /// Other software changed something of ours. A flush reports each object that it took, and one look covers them all.
  package mutating func inspectSoon(at now: Instant) { inspectionDue = inspectionDue ?? now + Self.burst }

  /// Looks at the active routes, and restores those that another program has changed.
  package mutating func inspect() { ask(.look(Set(index.egresses.map(\.table)))) }

  /// The active routes that the kernel has in the tables that it was asked for.
  package mutating func sawRoutes(_ routes: [TableID: TableRoute.Way], at now: Instant) {
    for number in egresses.indices { egresses[number].active = routes[egresses[number].watched.table] }
    settleRoutes(repairing: true, at: now)
  }

  /// The active routes could not be read; `failure` says why. They are tried again after 200 ms.
  package mutating func sawNoRoutes(_ failure: String, at now: Instant) {
    ask(.tell(AgentEvent(.applyFailed, "routes", "the active routes could not be read, will try again: \(failure)")))
    retrySoon(at: now)
  }

  private mutating func retrySoon(at now: Instant) { retryDue = retryDue ?? now + .milliseconds(200) }

  /// The devices that rules' traffic leaves by now. Before one is deleted, traffic must have left it.
  package var devicesInUse: Set<InterfaceName> { Set(egresses.flatMap { $0.active?.devices ?? [] }) }

  // MARK: - Where a rule's traffic may not go

  /// The rule's traffic leaves by a path that the rule no longer names, out of an uplink that it may not use otherwise;
  /// or it would once the route is put back.
  func isAstray(_ number: Int) -> Bool {
    let watched = egresses[number].watched
    let names = egresses[number].selection.choice?.paths ?? []
    guard !names.isEmpty, !names.contains(where: watched.egress.paths.contains) else { return false }
    let known = names.compactMap { index.path($0)?.device }
    let devices = known.count == names.count ? known : known + (egresses[number].active?.devices ?? [])
    return devices.contains { index.isShut($0, to: watched) }
  }

  /// The kernel leads the rule's traffic out of an uplink, where it may rather go nowhere.
  private func leaks(_ egress: WatchedEgress) -> Bool {
    egress.watched.egress.isStrict && egress.active?.devices.contains { index.isShut($0, to: egress.watched) } == true
  }

  // MARK: - Writing

  /// Makes the kernel's active route of an egress's table lead there. Where that fails it is tried again soon.
  mutating func put(_ choice: RuleSelection.Choice, _ number: Int, _ purpose: WatchedEgress.Purpose) {
    write(index.way(of: choice, for: egresses[number].watched.egress), number, purpose)
  }

  private mutating func write(_ way: TableRoute.Way?, _ number: Int, _ purpose: WatchedEgress.Purpose) {
    if egresses[number].write == nil { openWrites += 1 }
    egresses[number].write = (purpose, way)
    ask(.lead(egress: number, egresses[number].watched.table, way))
  }

  /// The kernel's route in the egress's table is as requested.
  package mutating func led(egress number: Int, at now: Instant) {
    guard let (purpose, way) = takeWrite(of: number) else { return }
    egresses[number].active = way
    switch purpose {
    case .flip(let flip, let verdict):
      let late = egresses[number].unfinished
      egresses[number].unfinished = nil
      made(flip, number, verdict: verdict, at: now)
      // The kernel never left the way before that.
      if let from = late?.flip.from, from != flip.to, from != flip.from {
        sweep(after: flip, leaving: from, number, at: now)
      }
    case .settle(let isRepairing):
      if let late = egresses[number].unfinished {
        egresses[number].unfinished = nil
        made(late.flip, number, verdict: late.verdict, at: now)
      } else if isRepairing {
        let watched = egresses[number].watched
        pending.append(
          watched.event(
            .driftRepaired, "the active route of table \(watched.table) was deleted or changed, and is back"))
      }
    case .stray: break
    }
    if openWrites == 0 { haveWritten(at: now) }
  }

  /// The kernel refused.
  package mutating func notLed(egress number: Int, _ failure: String, at now: Instant) {
    guard let (purpose, _) = takeWrite(of: number) else { return }
    let table = egresses[number].watched.table
    switch purpose {
    case .stray:
      ask(
        .tell(
          AgentEvent(
            .flipFailed, "table \(table)",
            "a stray active route could not be removed, will try again in 200 ms: \(failure)")))
    case .flip, .settle:
      let target = egresses[number].selection.choice?.description ?? "nothing"
      ask(
        .tell(
          AgentEvent(
            .flipFailed, target, "cannot point table \(table) there, will try again in 200 ms: \(failure)")))
    }
    if case .flip(var flip, let verdict) = purpose {
      if let late = egresses[number].unfinished { flip.from = late.flip.from }
      egresses[number].unfinished = (flip, verdict)
    }
    retrySoon(at: now)
    if openWrites == 0 { haveWritten(at: now) }
  }

  private mutating func takeWrite(of number: Int) -> (purpose: WatchedEgress.Purpose, way: TableRoute.Way?)? {
    guard egresses.indices.contains(number), let write = egresses[number].write else { return nil }
    egresses[number].write = nil
    openWrites -= 1
    return write
  }

  /// The kernel leads the other way now.
  private mutating func made(_ flip: RuleSelection.Flip, _ number: Int, verdict: Instant, at committed: Instant) {
    flips.add(committed - verdict)
    let kind: AgentEvent.Kind =
      switch flip.kind {
      case .initial: .initial
      case .failover: .failover
      case .failback: .failback
      case .changed: .changed
      }
    let from = flip.from?.description ?? "nothing"
    pending.append(
      egresses[number].watched.event(
        kind, "now \(flip.to), was \(from): \(flip.cause)",
        [
          "from": from, "to": flip.to.description, "cause": flip.cause,
          "flip_microseconds": "\((committed - verdict).nanoseconds / 1_000)",
          "duration_seconds": AgentEvent.seconds(flip.after),
        ], payload: reason(of: flip)))
    for (way, _) in marks(of: flip.to) {
      stopDraining(way, of: number, because: "traffic goes there again", at: committed)
    }
    if let from = flip.from, from != flip.to { sweep(after: flip, leaving: from, number, at: committed) }
  }

  private func reason(of flip: RuleSelection.Flip) -> AgentEvent.Payload? {
    guard flip.kind == .failover else { return nil }
    let cause = FailoverCause(leaving: flip.from, for: flip.to) { name in index.paths[name].map { health[$0] } }
    return .failover(cause)
  }

  // MARK: - Settling

  /// Sets the kernel's active routes according to the choices, after a gateway changed, a flip failed or another
  /// program interfered. A choice whose device is gone has no route to put back: the floor is right until the next
  /// verdict.
  mutating func settleRoutes(repairing: Bool, at now: Instant) {
    for number in egresses.indices where egresses[number].write == nil {
      guard let choice = egresses[number].selection.choice else {
        if egresses[number].active != nil { write(nil, number, .stray) }
        continue
      }
      let wanted = index.way(of: choice, for: egresses[number].watched.egress)
      guard wanted != egresses[number].active, !keepsOldRoute(choice, of: egresses[number]) else { continue }
      if wanted?.devices.contains(where: { circumstances.trouble(of: $0) != nil }) == true {
        if leaks(egresses[number]) { write(nil, number, .stray) }
        continue
      }
      write(wanted, number, .settle(repairing: repairing))
    }
    if openWrites == 0 { haveWritten(at: now) }
  }

  /// A path that the rule set took away, or led another way that has no verdict yet, keeps the route that it had until
  /// the rule has left it or the verdict is there; but none that leaks.
  private func keepsOldRoute(_ choice: RuleSelection.Choice, of egress: WatchedEgress) -> Bool {
    let names = choice.paths
    if names.isEmpty || leaks(egress) { return false }
    let known = names.compactMap { index.paths[$0] }
    guard !known.isEmpty else { return true }
    return known.contains { health[$0].state == .unknown } && egress.active != nil
  }
}
