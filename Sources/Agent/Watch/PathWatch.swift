package import Core
package import RuleSets

/// Drives the watch over paths: it feeds each event and its time into the machine and carries out what comes out, so
/// that probe, verdict and flip happen on one thread with no hop in between. It alone owns the active default route of
/// the rules' tables.
package actor PathWatch {
  private let loop: any EventLoop
  private let prober: any ProbePort
  private let flipper: any FlipPort
  private let events: any EventSink
  private let onSweep: @Sendable (ConnectionSweep) -> Void
  private let chance: @Sendable () -> Double

  private var machine: WatchMachine
  /// By the numbers that the machine gives them.
  private var handles: [(any OpenProbe)?] = []
  /// For what the machine waits for.
  private var timer: (id: TimerID, due: Instant)?
  /// What is being done, and the list that takes turns with it.
  private var effects: [WatchEffect] = []
  private var isActing = false
  private var isStopped = false

  package nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  /// - Parameter onSweep: called with the connections to delete after a flip; must not block.
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
    machine = WatchMachine(mask)
  }

  // MARK: - What happens

  /// Takes a new plan: after a rule set, and whenever addresses, gateways or devices have changed. Throws if the kernel
  /// cannot be read; then nothing has changed.
  ///
  /// - Parameter generation: `linkGeneration` from before `actual` was read: what events said since is newer.
  package func watch(_ new: WatchPlan, links actual: [InterfaceName: Link], generation: UInt64) throws(KernelFailure) {
    let routes = try flipper.activeRoutes(of: Set(new.rules.map(\.table)))
    machine.follow(new, links: actual, generation: generation, routes: routes, chance: chance, at: loop.now)
    act()
  }

  /// Ends all probing and leaves the data plane as it is.
  package func stop() {
    machine.stop()
    act()
    isStopped = true
    if let timer { loop.cancel(timer.id) }
    timer = nil
  }

  /// A device came, changed or went; nil: it is gone.
  package func linkChanged(_ name: InterfaceName, _ link: Link?) {
    machine.linkChanged(name, link, at: loop.now)
    act()
  }

  /// Rises with each link event.
  package var linkGeneration: UInt64 { machine.linkGeneration }

  /// A tunnel's keys came or went; nil: the tunnel has been removed.
  package func keysChanged(of tunnel: Name, _ word: IKENews.Word?) {
    machine.keysChanged(of: tunnel, word, at: loop.now)
    act()
  }

  /// Replaces all of the paths' forced states.
  package func force(_ new: [Name: PathHealth.Force]) {
    machine.force(new, at: loop.now)
    act()
  }

  /// Other software changed something of ours.
  package func inspectSoon() {
    machine.inspectSoon(at: loop.now)
    act()
  }

  /// Reads the active routes, and restores those that other software has changed.
  package func inspect() {
    machine.inspect()
    act()
  }

  /// Takes what the devices have carried so far.
  package func counted(_ traffic: [InterfaceName: Traffic]) {
    machine.counted(traffic, at: loop.now)
    act()
  }

  /// The router's resolver has found these destinations for a steering rule's domains.
  package func learnt(_ destinations: [ClosedRange<UInt32>], of rule: Name) {
    machine.learnt(destinations, of: rule)
    act()
  }

  /// Whether some path's probes are so far apart that its traffic says more than they do.
  package var awaitsTraffic: Bool { machine.awaitsTraffic }

  /// The kernel has found no neighbour with this address on the device's link.
  package func neighbourFailed(_ address: IPv4Address, on device: InterfaceName) {
    machine.neighbourFailed(address, on: device, at: loop.now)
    act()
  }

  /// The router's own connections, which must keep their places in the connection tracking table.
  package var trackedFlows: Set<TrackedFlow> { machine.trackedFlows }

  /// - Parameter missing: of `trackedFlows` those that are not in the table.
  package func connectionTableChanged(isFull: Bool, missing: Set<TrackedFlow>) {
    machine.connectionTableChanged(isFull: isFull, missing: missing)
    act()
  }

  private func came(_ outcome: ProbeOutcome, of number: UInt64, by socket: Int) {
    machine.came(outcome, of: number, by: socket, at: loop.now)
    act()
  }

  private func timePassed(to now: Instant) {
    timer = nil
    machine.timePassed(to: now)
    act()
  }

  // MARK: - What is to be done

  /// Carries out everything that the machine asks for, in order, including what it asks for meanwhile.
  private func act() {
    guard !isActing else { return }
    isActing = true
    while machine.takeEffects(&effects) {
      for index in effects.indices { act(effects[index]) }
    }
    isActing = false
    arm()
  }

  private func act(_ effect: WatchEffect) {
    switch effect {
    case .send(let socket, let number): handles[socket]?.send(number)
    case .abandon(let socket, let number): handles[socket]?.abandon(number)
    case .lead(let egress, let table, let way): lead(egress, table, way)
    case .tell(let event): events.record(event)
    case .sweep(let sweep): onSweep(sweep)
    case .open(let socket): open(socket)
    case .close(let socket):
      handles[socket]?.close()
      handles[socket] = nil
    // Where this fails, the next look finds it.
    case .leave(let table): try? flipper.deactivate(table)
    case .look(let tables): look(at: tables)
    }
  }

  private func lead(_ egress: Int, _ table: TableID, _ way: TableRoute.Way?) {
    do throws(KernelFailure) {
      if let way {
        try flipper.activate(TableRoute(table: table, metric: .active, way: way))
      } else {
        try flipper.deactivate(table)
      }
      machine.led(egress: egress, at: loop.now)
    } catch {
      machine.notLed(egress: egress, error.description, at: loop.now)
    }
  }

  private func look(at tables: Set<TableID>) {
    do throws(KernelFailure) {
      machine.sawRoutes(try flipper.activeRoutes(of: tables), at: loop.now)
    } catch {
      machine.sawNoRoutes(error.description, at: loop.now)
    }
  }

  /// The handle knows where its outcomes go, so that no probe needs a lookup by name.
  private func open(_ socket: Int) {
    while handles.count <= socket { handles.append(nil) }
    guard let (probe, binding) = machine.use(of: socket) else { return }
    let handle = prober.open(probe, bound: binding) { [weak self] number, outcome in
      self?.assumeIsolated { $0.came(outcome, of: number, by: socket) }
    }
    handles[socket] = handle
    machine.opened(socket, flow: handle.flow)
  }

  private func arm() {
    let due = machine.nextDeadline
    guard due != timer?.due, !isStopped else { return }
    if let timer { loop.cancel(timer.id) }
    timer = due.map { due in
      let id = loop.at(due) { [weak self] now in self?.assumeIsolated { $0.timePassed(to: now) } }
      return (id, due)
    }
  }

  // MARK: - What is seen

  /// Calls back on the loop once a timer has fired, with true where every probe is handled on time. A stalled loop
  /// never does.
  package nonisolated func pulse(_ answer: @escaping @Sendable (Bool) -> Void) {
    let loop = loop
    loop.enqueue { [weak self] in
      _ = loop.at(loop.now) { [weak self] now in
        self?.assumeIsolated { answer($0.machine.keepsPace(within: Self.tolerableDelay, at: now)) }
      }
    }
  }

  /// Far later than timers are on a router under load; half a millisecond is normal.
  private static let tolerableDelay: Duration = .seconds(2)

  /// The devices that rules' traffic leaves by now: none of them may be deleted until its traffic has moved.
  package var devicesInUse: Set<InterfaceName> { machine.devicesInUse }

  /// The path's last hour; nil if the running plan has no such path.
  package func history(of path: Name) -> PathHistory? { machine.history(of: path) }

  /// - Parameter choice: which paths' probes shall be among it. What is handed out the loop has to copy before it
  ///   changes it, and a thousand probes change all the time.
  package func snapshot(of choice: PathChoice = .all, forced: Set<Name> = []) -> WatchSnapshot {
    let count = machine.plan.paths.count
    return machine.snapshot(at: loop.now) { path, state in
      choice.tells(of: path, state, isForced: forced.contains(path), of: count)
    }
  }
}
