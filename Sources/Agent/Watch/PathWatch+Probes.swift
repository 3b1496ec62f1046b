internal import Core
internal import RuleSets

// Probes: which there are, which is due, and what comes of them.
extension PathWatch {
  /// - Parameter same: paths that lead the same way as before: their probes keep their history.
  func bindProbes(keeping same: Set<Name>, at now: Instant) {
    var kept: [Name: WatchedProbe] = [:]
    for path in plan.paths {
      let binding = path.source.map { ProbeBinding(device: path.device, mark: path.mark, source: $0) }
      for probe in path.probes {
        let watched: WatchedProbe
        if let before = probes[probe.name], before.machine.probe == probe, same.contains(path.name) {
          watched = before
        } else {
          if let before = probes[probe.name] { end(before) }
          // The first probes leave at once, spread over at most 50 ms: a router that boots wants its verdict.
          let phase = min(probe.interval, .milliseconds(50)) * chance()
          watched = WatchedProbe(ProbeMachine(probe, at: now, phase: bound == 0 ? .zero : phase), order: bound)
        }
        let sourced = probe.source.flatMap { source in
          binding.map { ProbeBinding(device: $0.device, mark: $0.mark, source: source) }
        }
        watched.bind(to: sourced ?? binding, by: prober) { [weak self] number, outcome in
          self?.assumeIsolated { $0.came(outcome, number: number, watched) }
        }
        watched.history = histories[path.name]
        kept[probe.name] = watched
        schedule.set(watched, at: watched.machine.nextDeadline)
        bound += 1
      }
    }
    for (name, gone) in probes where kept[name] == nil { end(gone) }
    probes = kept
    armProbeTimer()
  }

  func end(_ probe: WatchedProbe) {
    probe.close()
    schedule.remove(probe)
  }

  /// Calls back, on the loop, once a timer has fired: true where every probe is seen to at its time. Whoever stands still
  /// never does.
  package nonisolated func pulse(_ answer: @escaping @Sendable (Bool) -> Void) {
    let loop = loop
    loop.enqueue { [weak self] in
      _ = loop.at(loop.now) { [weak self] now in
        self?.assumeIsolated { watch in
          answer(watch.probes.values.allSatisfy { now - $0.machine.nextDeadline < Self.tolerableDelay })
        }
      }
    }
  }

  /// Far more than a router under load makes of the half millisecond that timers may be late.
  private static let tolerableDelay: Duration = .seconds(2)

  /// After whatever may have changed when a probe is due.
  func reschedule(_ probe: WatchedProbe) {
    schedule.set(probe, at: probe.machine.nextDeadline)
    armProbeTimer()
  }

  func armProbeTimer() {
    guard schedule.next != probeTimer?.due else { return }
    if let probeTimer { loop.cancel(probeTimer.timer) }
    probeTimer = schedule.next.map { due in
      let timer = loop.at(due) { [weak self] now in self?.assumeIsolated { $0.probesAreDue(at: now) } }
      return (timer, due)
    }
  }

  private func probesAreDue(at now: Instant) {
    probeTimer = nil
    // What falls at one instant is decided together: no rule flips to a path that is found dead in the same moment.
    gathersVerdicts = true
    // Each once: no probe holds the loop.
    for _ in 0..<schedule.count {
      guard let probe = schedule.due(at: now) else { break }
      timePassed(to: now, probe)
    }
    gathersVerdicts = false
    armProbeTimer()
    if hasNewVerdict { decideAll(at: now) }
  }

  private func timePassed(to now: Instant, _ probe: WatchedProbe) {
    let before = probe.machine.state
    let losses = probe.machine.window.lossesInAll
    probe.machine.stretch = meter.stretch(of: probe.machine.probe.path, at: now)
    follow(probe.machine.timePassed(to: now), probe, at: now)
    remember(probe, losses: losses, at: now)
    schedule.set(probe, at: probe.machine.nextDeadline)
    settle(probe, before: before, at: now)
  }

  /// A verdict may follow from a probe's new state, and from each of its results where the path has limits.
  private func settle(_ probe: WatchedProbe, before: ProbeMachine.State, at now: Instant) {
    if probe.machine.suspectedSince == now, let path = path(of: probe) {
      causes.suspected(path, at: now)
      // Whether it is the path or this one's target, the path's others know.
      if path.probes.count > 1 { prompt(path, at: now, besides: probe) }
    }
    let isNew = probe.machine.state != before || probe.machine.unsent == probe.machine.probe.fall
    if isNew || (!limited.isEmpty && limited.contains(probe.machine.probe.path)) {
      verdictMayChange(of: probe.machine.probe.path, at: now)
    }
  }

  private func follow(_ directives: [ProbeMachine.Directive], _ probe: WatchedProbe, at now: Instant) {
    for directive in directives {
      switch directive {
      case .abandon(let number): probe.handle?.abandon(number)
      case .send(let number):
        if let handle = probe.handle {
          meter.sent(probe.machine.probe, at: now)
          handle.send(number)
        } else {
          _ = probe.machine.came(.couldNotSend("no address to send from"), of: number, at: now)
        }
      }
    }
  }

  private func came(_ outcome: ProbeOutcome, number: UInt64, _ probe: WatchedProbe) {
    let now = loop.now
    let before = probe.machine.state
    let evidence: ProbeMachine.Evidence =
      switch outcome {
      case .answered(let roundTrip): .answered(roundTrip: roundTrip)
      case .refused(let why): .refused(why)
      case .couldNotSend(let why): .couldNotSend(why)
      }
    if case .couldNotSend = outcome { meter.sent(probe.machine.probe, times: -1, at: now) }
    let deadline = probe.machine.nextDeadline
    let (answers, losses) = (probe.machine.window.answersInAll, probe.machine.window.lossesInAll)
    follow(probe.machine.came(evidence, of: number, at: now), probe, at: now)
    remember(probe, losses: losses, at: now)
    if case .answered(let roundTrip) = outcome, probe.machine.window.answersInAll > answers {
      probe.history?.past.answered(roundTrip: roundTrip, at: now)
      tellOthers(of: probe, sent: now - roundTrip)
    }
    if probe.machine.nextDeadline != deadline { reschedule(probe) }
    settle(probe, before: before, at: now)
  }

  private func path(of probe: WatchedProbe) -> WatchPlan.WatchedPath? {
    let name = probe.machine.probe.path
    return plan.paths.first { $0.name == name }
  }

  /// The path's other probes that miss answers: this one was answered.
  private func tellOthers(of probe: WatchedProbe, sent: Instant) {
    guard shared.contains(probe.machine.probe.path), let path = path(of: probe) else { return }
    for other in path.probes {
      guard let other = probes[other.name], other !== probe else { continue }
      other.machine.otherAnswered(sent: sent)
      reschedule(other)
    }
  }

  /// - Parameter losses: how many the machine had counted before.
  private func remember(_ probe: WatchedProbe, losses: Int, at now: Instant) {
    let more = probe.machine.window.lossesInAll - losses
    if more > 0 { probe.history?.past.lost(more, at: now) }
  }
}
