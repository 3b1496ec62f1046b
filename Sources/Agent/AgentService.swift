package import Core
package import RuleSets

/// The service: the loops of the agent, joined.
///
///     kernel events ──▶ PathWatch ──flip──▶ kernel          (one thread, no hop)
///           │               ▲  └──sweep──▶ ConnectionSweeper
///           ▼               │ watch plan
///      Reconciler ──────────┘──steps──▶ kernel
///           │ ▲ ▲        ▲ SAs came, went
///           │ │ └──────IKEKeeper ◀──▶ charon
///           │ │           ▲ connections
///           └─┼───────────┘
///             │ rule set     operators ──▶ ForceKeeper ──▶ PathWatch
///      RuleSetKeeper ◀── cache, source
package final class AgentService: Sendable {
  package let configuration: AgentConfiguration
  let ports: AgentPorts
  let journal: Journal
  let writer: JournalWriter
  let watch: PathWatch
  let reconciler: Reconciler
  let keeper: RuleSetKeeper
  let ike: IKEKeeper
  let forces: ForceKeeper
  let domains: DomainKeeper
  let sight: ClientSight
  private let bell = SightBell()
  private let sweeper: ConnectionSweeper
  let connections: ConnectionKeeper
  private let sweeps = SweepQueue()
  private let pulse: ServicePulse?
  let identity: Identity

  /// Who runs, for the status.
  package struct Identity: Sendable {
    package var version: String
    package var pid: Int32
    package var started: Instant
    package init(version: String, pid: Int32, started: Instant) {
      self.version = version
      self.pid = pid
      self.started = started
    }
  }

  package init(configuration: AgentConfiguration, ports: AgentPorts, journal: Journal, identity: Identity) {
    self.configuration = configuration
    self.ports = ports
    self.journal = journal
    self.identity = identity
    let sweeps = sweeps
    let surroundings = ports.surroundings
    let flips = TurningPoints(journal, bell)
    writer = JournalWriter(journal, store: ports.journal, surroundings: surroundings)
    watch = PathWatch(
      loop: ports.loop, prober: ports.prober, flipper: ports.flipper, events: flips,
      mask: configuration.kernel.markMask, chance: { surroundings.chance }, onSweep: { sweeps.add($0) })
    forces = ForceKeeper(store: ports.forces, watch: watch, events: journal, surroundings: surroundings)
    domains = DomainKeeper(
      resolver: ports.resolver, store: ports.resolverList, sets: ports.fedSets, watch: watch,
      table: configuration.kernel.nftTable, events: journal, surroundings: surroundings)
    sweeper = ConnectionSweeper(kernel: ports.sweeper, mask: configuration.kernel.markMask, events: journal)
    connections = ConnectionKeeper(
      port: ports.connections, watch: watch, events: journal, surroundings: surroundings)
    ike = IKEKeeper(charon: ports.charon, events: journal, surroundings: surroundings)
    reconciler = Reconciler(
      kernel: ports.kernel, watch: watch, ike: ike, configuration: configuration, events: flips,
      surroundings: surroundings, timeZone: ports.timeZone, domains: domains, onSweep: { sweeps.add($0) },
      giveMemoryBack: ports.giveMemoryBack)
    sight = ClientSight(
      port: ports.sight, traffic: ports.traffic, watch: watch, reconciler: reconciler, configuration: configuration,
      events: journal, surroundings: surroundings, bell: bell,
      fullTable: { [connections] in await connections.overflow })
    keeper = RuleSetKeeper(
      configuration: configuration, source: ports.source, store: ports.store, permits: ports.permits,
      applier: reconciler, events: journal, surroundings: ports.surroundings,
      trials: ports.trials)
    if let manager = ports.serviceManager {
      pulse = ServicePulse(
        manager: manager, questions: Self.questions(watch, reconciler, keeper), surroundings: surroundings)
    } else {
      pulse = nil
    }
  }

  private static func questions(
    _ watch: PathWatch, _ reconciler: Reconciler, _ keeper: RuleSetKeeper
  ) -> ServicePulse.Questions {
    ServicePulse.Questions(
      life: { part, answer in
        switch part {
        case .watch: watch.pulse(answer)
        case .reconciler: reconciler.pulse { answer(true) }
        }
      },
      line: { answer in
        Task { answer(ServiceLine.text(await watch.snapshot(of: .some([])), await keeper.status)) }
      })
  }

  /// Runs until the task is cancelled. The data plane stays as it is then.
  package func run() async throws(KernelFailure) {
    // Outside of what is cancelled: the last words must get to the disk too.
    let writing = Task { [writer] in await writer.run() }
    let result: Result<Void, KernelFailure>
    do throws(KernelFailure) {
      result = .success(try await steer())
    } catch {
      result = .failure(error)
    }
    writer.finish()
    await writing.value
    try result.get()
  }

  private func steer() async throws(KernelFailure) {
    journal.record(AgentEvent(.agentStarted, configuration.device.text, "agent \(identity.version) started"))
    await forces.start()
    // Flushing a large table reports each object, but the reconciler only needs to know once.
    let (bells, reasons) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(1))
    let (firewalls, changes) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    try ports.kernelEvents.start(on: ports.loop) { [watch, bell, domains] event in
      // As often as clients ask for names: no reason to look at anything.
      if case .learnt(let rule, let addresses) = event { return domains.learnt(rule, addresses) }
      bell.ring()
      if event == .firewall || event == .overrun { changes.yield() }
      if let reason = Self.noticed(event, by: watch) { reasons.yield(reason) }
    }
    await withTaskGroup { group in
      group.addTask { [reconciler] in await reconciler.run() }
      group.addTask { [keeper, pulse] in await keeper.run { await pulse?.started() } }
      group.addTask { [pulse] in await pulse?.run() }
      group.addTask { [forces] in await forces.run() }
      group.addTask { [connections] in await connections.run() }
      group.addTask { [domains] in await domains.run() }
      group.addTask { [ike, watch, reconciler] in
        await ike.run(
          telling: .init(
            word: { await watch.keysChanged(of: $0, $1) }, negotiated: { await reconciler.negotiated($0) }))
      }
      group.addTask { [reconciler] in
        for await reason in bells { await reconciler.look(because: .event(reason)) }
      }
      group.addTask { [reconciler] in
        for await _ in firewalls { await reconciler.look(because: .firewall) }
      }
      group.addTask { [sight] in await sight.run() }
      group.addTask { [watch, ports] in
        await Self.listen(to: ports.traffic, of: watch, ports.surroundings)
      }
      group.addTask { [sweeps, sweeper] in
        for await _ in sweeps.bell { await sweeper.sweep(sweeps.take()) }
      }
      await group.waitForAll()
    }
    await watch.stop()
    journal.record(
      AgentEvent(.agentStopping, configuration.device.text, "agent stopped; the kernel keeps steering as it does now"))
  }

  /// A file has been read and applied by then, and a web source that takes longer is not waited for.
  private static let timeToPull: Duration = .milliseconds(200)

  /// Asks the source now, reads the secrets again, and looks at the kernel, unless a new rule set comes that is read anyway.
  package func pullNow() async {
    let applied = await reconciler.applied
    await keeper.pullNow()
    await ike.reload()
    await reconciler.look(in: Self.timeToPull, unlessAppliedSince: applied)
  }

  /// Once a second while traffic goes by a path that is probed less often than that; without one, nothing is read.
  private static func listen(
    to traffic: any TrafficPort, of watch: PathWatch, _ surroundings: any Surroundings
  ) async {
    while !Task.isCancelled {
      let isAwaited = await watch.awaitsTraffic
      // Counters are a help and no condition.
      if isAwaited, let counted = try? traffic.traffic() { await watch.counted(counted) }
      await surroundings.sleep(isAwaited ? SilentTraffic.period : SilentTraffic.period * 3)
    }
  }

  /// On the loop: what concerns a verdict goes to the watch at once. Returns what the reconciler is told; nil: nothing.
  private static func noticed(_ event: KernelEvent, by watch: PathWatch) -> String? {
    switch event {
    case .link(let name, let link):
      watch.assumeIsolated { $0.linkChanged(name, link) }
      return "link \(name)"
    case .address(let name):
      // When a device loses its last address, the kernel removes its routes without an event.
      watch.assumeIsolated { $0.inspectSoon() }
      return "address of \(name)"
    case .mainRoute: return "main table"
    case .ours(let what):
      watch.assumeIsolated { $0.inspectSoon() }
      return what
    case .foreign, .firewall, .learnt: return nil
    case .neighbourFailed(let device, let address):
      watch.assumeIsolated { $0.neighbourFailed(address, on: device) }
      return nil
    case .pathMTU(let address): return "path MTU to \(address)"
    case .overrun:
      watch.assumeIsolated { $0.inspectSoon() }
      return "events lost"
    }
  }
}
