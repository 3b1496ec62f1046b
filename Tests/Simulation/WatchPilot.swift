internal import Agent
import Core
internal import RuleSets

/// Drives the agent's own path watch, unchanged, through its ports, as in the real agent. Its actions show in the
/// journal and in its snapshot.
final class WatchPilot: Pilot {
  private unowned let world: World
  private let loop: WorldLoop
  private let ports: WorldPorts
  private let watch: PathWatch
  private var plan = WatchPlan.empty(.standard)
  private var keys = ToldKeys()

  init(_ world: World) {
    self.world = world
    loop = WorldLoop(world)
    ports = WorldPorts(world)
    let ports = ports
    watch = PathWatch(
      loop: loop, prober: ports, flipper: ports, events: ports, mask: .standard, chance: { ports.chance },
      onSweep: { _ in })
  }

  var waitsToReturn: Bool { snapshot.selections.values.contains { $0.nextDeadline != nil } }

  func stop() {
    run { $0.stop() }
    loop.forget()
    ports.forget()
  }

  func watch(_ plan: WatchPlan, links: [InterfaceName: Link]) -> Bool {
    let before = self.plan
    let taken = run { watch in
      do throws(KernelFailure) {
        try watch.watch(plan, links: links, generation: watch.linkGeneration)
        return true
      } catch {
        return false
      }
    }
    guard taken else { return false }
    self.plan = plan
    world.machinesMade(by: plan, since: before)
    let known = Set(before.rules.map(\.rule.name))
    keys.tell(plan, in: world) { tunnel, word in run { $0.keysChanged(of: tunnel, word) } }
    tell(newRules: plan.rules.map(\.rule.name).filter { !known.contains($0) }, allPaths: true)
    return true
  }

  func linkChanged(_ device: InterfaceName, _ link: Link?) {
    run { $0.linkChanged(device, link) }
    tell()
  }

  func keysChanged(of tunnel: Name) {
    if let path = world.town.pathNumbers[tunnel] { world.keysCame(to: path) }
    run { $0.keysChanged(of: tunnel, .up) }
    tell()
  }

  func stirred() { run { $0.inspectSoon() } }

  func came(_ arrival: Arrival, of number: UInt64, by socket: Int) {
    guard let deliver = ports.delivery(to: socket) else { return }
    loop.turn { deliver(number, ProbeOutcome(arrival)) }
    tell()
  }

  func timerFired(_ token: UInt64) {
    loop.fire(token)
    tell()
  }

  // MARK: - What is seen

  @discardableResult private func run<Result: Sendable>(_ body: @Sendable (isolated PathWatch) -> Result) -> Result {
    loop.turn { watch.assumeIsolated { body($0) } }
  }

  private var snapshot: WatchSnapshot { run { $0.snapshot() } }

  /// Tells the witness what changed, if the journal gave a reason to look.
  private func tell(newRules: [Name] = [], allPaths: Bool = false) {
    let events = ports.takeEvents()
    guard !events.isEmpty || allPaths || world.now < world.kernel.refusesUntil else { return }
    let snapshot = snapshot
    for (number, path) in world.town.paths.enumerated() {
      guard let state = snapshot.health[path.name]?.state else { continue }
      if allPaths || state != world.witness.paths[number].state { world.saw(.judged(path: number, state)) }
    }
    for (number, rule) in world.town.rules.enumerated() {
      guard let selection = snapshot.selections[rule.rule.name] else { continue }
      let move = move(of: rule.rule.name, in: events, to: selection.choice)
      var before = world.witness.rules[number].choice
      if newRules.contains(rule.rule.name) {
        before = move == nil ? selection.choice : move?.from
        world.saw(.adopted(rule: number, before))
      }
      if let move {
        world.saw(.moved(rule: number, move))
      } else if selection.choice != before {
        world.saw(.isOn(rule: number, selection.choice))
      }
    }
  }

  /// The flip that the journal reports. A kernel that refuses it delays the report.
  private func move(of rule: Name, in events: [AgentEvent], to choice: RuleSelection.Choice?) -> Move? {
    for event in events where event.subject == rule.text {
      guard let kind = RuleSelection.Flip.Kind(rawValue: event.kind.rawValue), let choice,
        event.details["to"] == choice.description
      else { continue }
      return Move(
        kind: kind, from: world.choice(written: event.details["from"] ?? ""), to: choice,
        cause: event.details["cause"] ?? "")
    }
    return nil
  }
}

extension World {
  /// The choice for an event's text.
  fileprivate func choice(written text: String) -> RuleSelection.Choice? {
    if text == "blocked" { return .blocked }
    let uplinks = town.devices.map(\.name)
    if text.hasPrefix("paths:") {
      return .paths(text.dropFirst("paths:".count).split(separator: ",").compactMap { Name(String($0)) })
    }
    let all =
      town.paths.map { RuleSelection.Choice.path($0.name) } + uplinks.map { .localWAN($0) }
      + uplinks.map { .underlay($0) }
    return all.first { $0.description == text }
  }
}

/// The world's clock as the agent's event loop. Everything runs on one thread; `@unchecked`, as no other ever comes.
private final class WorldLoop: EventLoop, @unchecked Sendable {
  private unowned let world: World
  private var timers: [UInt64: @Sendable (Instant) -> Void] = [:]
  private var lastTimer: UInt64 = 0
  private var jobs: [Job] = []
  private var depth = 0

  private enum Job {
    case task(UnownedJob)
    case body(@Sendable () -> Void)
  }

  init(_ world: World) { self.world = world }

  func forget() {
    timers = [:]
    jobs = []
  }

  /// One turn: the pending work, then all jobs that result from it.
  func turn<Result>(_ body: () -> Result) -> Result {
    depth += 1
    defer { depth -= 1 }
    let result = body()
    while depth == 1, !jobs.isEmpty {
      switch jobs.removeFirst() {
      case .task(let job): job.runSynchronously(on: asUnownedSerialExecutor())
      case .body(let body): body()
      }
    }
    return result
  }

  func fire(_ number: UInt64) {
    guard let body = timers.removeValue(forKey: number) else { return }
    turn { body(now) }
  }

  var now: Instant { world.instant }

  func at(_ deadline: Instant, _ body: @escaping @Sendable (Instant) -> Void) -> TimerID {
    lastTimer += 1
    timers[lastTimer] = body
    world.wake(pilot: lastTimer, at: deadline)
    return TimerID(lastTimer)
  }

  func cancel(_ timer: TimerID) { timers[timer.number] = nil }
  func enqueue(_ body: @escaping @Sendable () -> Void) { jobs.append(.body(body)) }
  func enqueue(_ job: consuming ExecutorJob) { jobs.append(.task(UnownedJob(job))) }
  func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
  func checkIsolated() { precondition(depth > 0, "not on the loop") }
}

/// The world's lines, kernel and journal as the agent's ports. `@unchecked`: see `WorldLoop`.
private final class WorldPorts: ProbePort, FlipPort, EventSink, @unchecked Sendable {
  private unowned let world: World
  private var deliveries: [Int: @Sendable (UInt64, ProbeOutcome) -> Void] = [:]
  private var events: [AgentEvent] = []

  init(_ world: World) { self.world = world }

  var chance: Double { world.chance }

  func forget() { deliveries = [:] }

  func takeEvents() -> [AgentEvent] {
    defer { events.removeAll(keepingCapacity: true) }
    return events
  }

  func delivery(to socket: Int) -> (@Sendable (UInt64, ProbeOutcome) -> Void)? { deliveries[socket] }

  func open(
    _ probe: Probe, bound: ProbeBinding, deliver: @escaping @Sendable (UInt64, ProbeOutcome) -> Void
  ) -> any OpenProbe {
    let socket = world.open(probe.name)
    deliveries[socket] = deliver
    return Socket(ports: self, number: socket)
  }

  func record(_ event: AgentEvent) { events.append(event) }
  func activate(_ route: TableRoute) throws(KernelFailure) { try world.activate(route) }
  func deactivate(_ table: TableID) throws(KernelFailure) { try world.deactivate(table) }
  func activeRoutes(of tables: Set<TableID>) throws(KernelFailure) -> [TableID: TableRoute.Way] {
    try world.activeRoutes(of: tables)
  }

  private struct Socket: OpenProbe {
    let ports: WorldPorts
    let number: Int

    func send(_ probe: UInt64) { ports.world.send(probe, by: number) }
    func abandon(_ probe: UInt64) { ports.world.abandon(probe, by: number) }
    func close() {
      ports.world.close(number)
      ports.deliveries[number] = nil
    }
  }
}
