internal import RuleSets

// Probes: which there are, which is due, and what comes of them.
extension WatchMachine {
  /// - Parameter same: of each path, whether it leads the same way as before: its probes keep their history.
  mutating func bindProbes(since old: WatchIndex, keeping same: [Bool], chance: () -> Double, at now: Instant) {
    let before = Dictionary(probes.enumerated().map { ($1.machine.probe.name, $0) }) { first, _ in first }
    var kept: Set<Int> = []
    var bindings: [(probe: WatchedProbe, binding: ProbeBinding?)] = []
    for (number, path) in plan.paths.enumerated() {
      let binding = path.source.map { ProbeBinding(device: path.device, mark: path.mark, source: $0) }
      for probe in path.probes {
        var watched: WatchedProbe
        if let known = before[probe.name], probes[known].machine.probe == probe, same[number] {
          kept.insert(known)
          watched = probes[known]
          watched.path = number
        } else {
          // The first probes leave at once, spread over at most 50 ms: a router that boots wants its verdict.
          let phase = min(probe.interval, .milliseconds(50)) * chance()
          let machine = ProbeMachine(probe, at: now, phase: bound == 0 ? .zero : phase)
          watched = WatchedProbe(machine: machine, path: number, socket: sockets.add())
        }
        let sourced = probe.source.flatMap { source in
          binding.map { ProbeBinding(device: $0.device, mark: $0.mark, source: source) }
        }
        bindings.append((watched, sourced ?? binding))
        bound += 1
      }
    }
    for number in probes.indices where !kept.contains(number) {
      if probes[number].binding != nil { ask(.close(socket: probes[number].socket)) }
      sockets.remove(probes[number].socket)
    }
    probes = bindings.map(\.probe)
    schedule = ProbeSchedule()
    for (number, entry) in bindings.enumerated() {
      sockets.gave(entry.probe.socket, to: .probe(number))
      bind(number, to: entry.binding)
      schedule.set(number, at: probes[number].machine.nextDeadline)
    }
  }

  /// Opens the probe's socket where its binding is new; the history stays.
  private mutating func bind(_ number: Int, to new: ProbeBinding?) {
    let old = probes[number].binding
    guard new != old || new == nil else { return }
    let socket = probes[number].socket
    if old != nil { ask(.close(socket: socket)) }
    steps.socketChanged(&probes[number].machine)
    probes[number].binding = new
    probes[number].flow = nil
    if new != nil { ask(.open(socket: socket)) }
  }

  func machines(of path: Int) -> [ProbeMachine] { probes[index.probes[path]].map(\.machine) }

  /// After whatever may have changed when a probe is due.
  mutating func reschedule(_ number: Int) { schedule.set(number, at: probes[number].machine.nextDeadline) }

  mutating func probesAreDue(at now: Instant) {
    // What falls at one instant is decided together: no rule flips to a path that is found dead in the same moment.
    gathersVerdicts = true
    // Each once: no probe holds the loop.
    for _ in 0..<schedule.count {
      guard let number = schedule.due(at: now) else { break }
      timePassed(to: now, number)
    }
    gathersVerdicts = false
    if hasNewVerdict { decideAll(at: now) }
  }

  private mutating func timePassed(to now: Instant, _ number: Int) {
    let before = probes[number].machine.state
    let losses = probes[number].machine.window.lossesInAll
    probes[number].machine.stretch = meter.stretch(of: probes[number].path, at: now)
    follow(steps.timePassed(&probes[number].machine, now), number, at: now)
    remember(number, losses: losses, at: now)
    reschedule(number)
    settle(number, before: before, at: now)
  }

  mutating func came(_ outcome: ProbeOutcome, of probe: UInt64, to number: Int, at now: Instant) {
    let before = probes[number].machine.state
    let path = probes[number].path
    if case .couldNotSend = outcome { meter.sent(probes[number].machine.probe, of: path, times: -1, at: now) }
    let deadline = probes[number].machine.nextDeadline
    let answers = probes[number].machine.window.answersInAll
    let losses = probes[number].machine.window.lossesInAll
    follow(steps.came(&probes[number].machine, outcome, probe, now), number, at: now)
    remember(number, losses: losses, at: now)
    if case .answered(let roundTrip) = outcome, probes[number].machine.window.answersInAll > answers {
      histories[path].answered(roundTrip: roundTrip, at: now)
      tellOthers(of: number, sent: now - roundTrip)
    }
    if probes[number].machine.nextDeadline != deadline { reschedule(number) }
    settle(number, before: before, at: now)
  }

  private mutating func follow(_ directives: [ProbeMachine.Directive], _ number: Int, at now: Instant) {
    for directive in directives {
      let isOpen = probes[number].binding != nil
      switch directive {
      case .abandon(let probe): if isOpen { ask(.abandon(socket: probes[number].socket, probe)) }
      case .send(let probe):
        if isOpen {
          meter.sent(probes[number].machine.probe, of: probes[number].path, at: now)
          ask(.send(socket: probes[number].socket, probe))
        } else {
          _ = steps.came(&probes[number].machine, .couldNotSend("no address to send from"), probe, now)
        }
      }
    }
  }

  /// A verdict may follow from a probe's new state, and from each of its results where the path has limits. Where a rule
  /// compares the path with others, another may be better now.
  private mutating func settle(_ number: Int, before: ProbeMachine.State, at now: Instant) {
    let path = probes[number].path
    if probes[number].machine.suspectedSince == now {
      causes.suspected(plan.paths[path], at: now)
      // Whether it is the path or this one's target, the path's others know.
      prompt(path, at: now, besides: number)
    }
    let isNew =
      probes[number].machine.state != before || probes[number].machine.unsent == probes[number].machine.probe.fall
    guard isNew || index.plan.paths[path].limits != nil, judge(path, at: now) else {
      if index.compared.contains(path) { comparisonDue = comparisonDue ?? now + Self.comparisonPace }
      return
    }
    if gathersVerdicts { hasNewVerdict = true } else { decideAll(at: now) }
  }

  /// The path's other probes that miss answers: this one was answered.
  private mutating func tellOthers(of number: Int, sent: Instant) {
    let others = index.probes[probes[number].path]
    guard others.count > 1 else { return }
    for other in others where other != number {
      probes[other].machine.otherAnswered(sent: sent)
      reschedule(other)
    }
  }

  /// - Parameter losses: how many the machine had counted before.
  private mutating func remember(_ number: Int, losses: Int, at now: Instant) {
    let more = probes[number].machine.window.lossesInAll - losses
    if more > 0 { histories[probes[number].path].lost(more, at: now) }
  }
}
