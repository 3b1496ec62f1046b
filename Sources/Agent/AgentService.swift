package import Core

/// Everything that the agent needs of the world.
package struct AgentPorts: Sendable {
  package var loop: any EventLoop
  package var prober: any ProbePort
  package var flipper: any FlipPort
  package var kernel: any KernelPort
  /// A second way into the kernel, for deletions of connections that no reconcile may hold up.
  package var sweeper: any KernelPort
  package var kernelEvents: any KernelEventsPort
  package var charon: any CharonPort
  package var traffic: any TrafficPort
  package var lookup: any LookupPort
  package var sight: any SightPort
  package var connections: any ConnectionTablePort
  package var source: any RuleSetSource
  package var store: any RuleSetStore
  package var attempts: any AttemptStore
  package var journal: any JournalStore
  package var forces: any ForceStore
  package var permits: any PermitStore
  package var surroundings: any Surroundings
  /// Nil where the agent was started by hand.
  package var serviceManager: (any ServiceManagerPort)?
  package var parse: @Sendable ([UInt8]) throws(Complaints) -> RuleSetDecoder.Decoded
  /// Why the local configuration is not kept for the guard; nil where it is.
  package var configurationTrouble: @Sendable () -> String?
  /// Gives what was freed back to the kernel.
  package var giveMemoryBack: @Sendable () -> Void

  package init(
    loop: any EventLoop, prober: any ProbePort, flipper: any FlipPort, kernel: any KernelPort,
    sweeper: any KernelPort, kernelEvents: any KernelEventsPort, charon: any CharonPort, traffic: any TrafficPort,
    lookup: any LookupPort, sight: any SightPort, connections: any ConnectionTablePort,
    source: any RuleSetSource, store: any RuleSetStore, attempts: any AttemptStore,
    journal: any JournalStore, forces: any ForceStore, permits: any PermitStore, surroundings: any Surroundings,
    serviceManager: (any ServiceManagerPort)?,
    parse: @escaping @Sendable ([UInt8]) throws(Complaints) -> RuleSetDecoder.Decoded,
    configurationTrouble: @escaping @Sendable () -> String? = { nil },
    giveMemoryBack: @escaping @Sendable () -> Void = {}
  ) {
    self.loop = loop
    self.prober = prober
    self.flipper = flipper
    self.kernel = kernel
    self.sweeper = sweeper
    self.kernelEvents = kernelEvents
    self.charon = charon
    self.traffic = traffic
    self.lookup = lookup
    self.sight = sight
    self.connections = connections
    self.source = source
    self.store = store
    self.attempts = attempts
    self.journal = journal
    self.forces = forces
    self.permits = permits
    self.surroundings = surroundings
    self.serviceManager = serviceManager
    self.parse = parse
    self.configurationTrouble = configurationTrouble
    self.giveMemoryBack = giveMemoryBack
  }
}

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
  private let ports: AgentPorts
  private let journal: Journal
  private let writer: JournalWriter
  private let watch: PathWatch
  private let reconciler: Reconciler
  let keeper: RuleSetKeeper
  private let ike: IKEKeeper
  private let forces: ForceKeeper
  private let sight: ClientSight
  private let bell = SightBell()
  private let sweeper: ConnectionSweeper
  private let connections: ConnectionKeeper
  private let sweeps: AsyncStream<ConnectionSweep>
  private let pulse: ServicePulse?
  private let identity: Identity

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
    let (sweeps, inbox) = AsyncStream.makeStream(of: ConnectionSweep.self)
    self.sweeps = sweeps
    let surroundings = ports.surroundings
    let flips = TurningPoints(journal, bell)
    writer = JournalWriter(journal, store: ports.journal, surroundings: surroundings)
    watch = PathWatch(
      loop: ports.loop, prober: ports.prober, flipper: ports.flipper, events: flips,
      mask: configuration.kernel.markMask, chance: { surroundings.chance }, onSweep: { inbox.yield($0) })
    forces = ForceKeeper(store: ports.forces, watch: watch, events: journal, surroundings: surroundings)
    sweeper = ConnectionSweeper(kernel: ports.sweeper, mask: configuration.kernel.markMask, events: journal)
    connections = ConnectionKeeper(
      port: ports.connections, watch: watch, events: journal, surroundings: surroundings)
    ike = IKEKeeper(charon: ports.charon, events: journal, surroundings: surroundings)
    reconciler = Reconciler(
      kernel: ports.kernel, watch: watch, ike: ike, configuration: configuration, events: flips,
      giveMemoryBack: ports.giveMemoryBack)
    sight = ClientSight(
      port: ports.sight, traffic: ports.traffic, watch: watch, reconciler: reconciler, configuration: configuration,
      events: journal, surroundings: surroundings, bell: bell,
      fullTable: { [connections] in await connections.overflow })
    keeper = RuleSetKeeper(
      configuration: configuration, source: ports.source, store: ports.store, permits: ports.permits,
      applier: reconciler, parse: ports.parse, events: journal, surroundings: ports.surroundings,
      attempts: ports.attempts)
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
    // A flush of a large table tells of each object: the reconciler needs to know once.
    let (bells, reasons) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(1))
    try ports.kernelEvents.start(on: ports.loop) { [watch, bell] event in
      bell.ring()
      if let reason = Self.noticed(event, by: watch) { reasons.yield(reason) }
    }
    await withTaskGroup { group in
      group.addTask { [reconciler] in await reconciler.run() }
      group.addTask { [keeper, pulse] in await keeper.run { await pulse?.started() } }
      group.addTask { [pulse] in await pulse?.run() }
      group.addTask { [forces] in await forces.run() }
      group.addTask { [connections] in await connections.run() }
      group.addTask { [ike, watch, reconciler] in
        await ike.run(
          telling: .init(
            word: { await watch.keysChanged(of: $0, $1) }, negotiated: { await reconciler.negotiated($0) }))
      }
      group.addTask { [reconciler] in
        for await reason in bells { await reconciler.look(because: .event(reason)) }
      }
      group.addTask { [sight] in await sight.run() }
      group.addTask { [watch, ports] in
        await Self.listen(to: ports.traffic, of: watch)
      }
      group.addTask { [sweeps, sweeper] in
        for await sweep in sweeps { await sweeper.sweep(sweep) }
      }
      await group.waitForAll()
    }
    await watch.stop()
    journal.record(
      AgentEvent(.agentStopping, configuration.device.text, "agent stopped; the kernel keeps steering as it does now"))
  }

  /// Asks the source now, reads the secrets again, and looks at the kernel.
  package func pullNow() async {
    await keeper.pullNow()
    await ike.reload()
    await reconciler.look(because: .timer)
  }

  /// Once a second while traffic goes by a path that is probed less often than that; without one nobody is asked.
  private static func listen(
    to traffic: any TrafficPort, of watch: PathWatch
  ) async {
    while !Task.isCancelled {
      let isAwaited = await watch.awaitsTraffic
      // Counters are a help and no condition.
      if isAwaited, let counted = try? traffic.traffic() { await watch.counted(counted) }
      try? await Task.sleep(for: isAwaited ? SilentTraffic.period : SilentTraffic.period * 3)
    }
  }

  /// On the loop: what concerns a verdict goes to the watch at once. Returns what the reconciler is told; nil: nothing.
  private static func noticed(_ event: KernelEvent, by watch: PathWatch) -> String? {
    switch event {
    case .link(let name, let link):
      watch.assumeIsolated { $0.linkChanged(name, link) }
      return "link \(name)"
    case .address(let name):
      // With a device's last address the kernel takes its routes away, and tells nobody.
      watch.assumeIsolated { $0.inspectSoon() }
      return "address of \(name)"
    case .mainRoute: return "main table"
    case .ours(let what):
      watch.assumeIsolated { $0.inspectSoon() }
      return what
    case .foreign: return nil
    case .neighbourFailed(let device, let address):
      watch.assumeIsolated { $0.neighbourFailed(address, on: device) }
      return nil
    case .overrun:
      watch.assumeIsolated { $0.inspectSoon() }
      return "events lost"
    }
  }

  // MARK: - Reports

  package func status(of choice: PathChoice = .all) async -> StatusReport {
    let forced = await forces.entries
    let snapshot = await watch.snapshot(of: choice, forced: Set(forced.keys))
    let journalTrouble = await writer.trouble
    let writer = ReportWriter(snapshot, forces: forced)
    let pull = await keeper.status
    let trouble = await reconciler.trouble
    let rules = await rules(of: writer)
    let charon = await ike.status
    let notKept = await notKept(pull)
    let seen = await sight.view
    let table = await connections.table
    return StatusReport(
      device: configuration.device.text, version: identity.version, pid: identity.pid,
      uptimeSeconds: (snapshot.at - identity.started).inSeconds, revision: pull.revision,
      source: configuration.ruleSet.location.description,
      lastContactSeconds: pull.lastContact.map { (snapshot.at - $0).inSeconds }, pullFailures: pull.failures,
      pullTrouble: pull.lastTrouble, applyTrouble: trouble, rules: rules, paths: writer.paths(for: choice),
      pathsInAll: snapshot.plan.paths.count, pathsUp: writer.pathsUp, uplinks: writer.uplinks,
      charon: charon.isNeeded
        ? CharonReport(answers: charon.version != nil, version: charon.version, trouble: charon.trouble) : nil,
      connections: ConnectionsReport(table, at: snapshot.at),
      flipMicroseconds: snapshot.flips.durations.map { Double($0.nanoseconds) / 1_000 }, flips: snapshot.flips.count,
      journalTrouble: journalTrouble, notKept: notKept, hold: pull.hold?.word.rawValue, holdCause: pull.hold?.cause,
      acceptsRevision: await keeper.permittedRevision, forcesOfNoPath: writer.forcesOfNoPath,
      sight: SightReport(seen, at: snapshot.at)
    ).judged.keeping(choice)
  }

  /// What a restart would not know, and why. The journal is told of apart from it.
  private func notKept(_ pull: RuleSetKeeper.Status) async -> [String] {
    let troubles = [
      ("the configuration", ports.configurationTrouble()), ("the rule set", pull.storeTrouble),
      ("forced paths", await forces.trouble?.description), ("sysctls", await reconciler.memoryTrouble),
    ]
    return troubles.compactMap { what, trouble in trouble.map { "\(what): \($0)" } }
  }

  package func paths() async -> PathsReport {
    let writer = ReportWriter(await watch.snapshot(), forces: await forces.entries)
    return PathsReport(paths: writer.paths, forcesOfNoPath: writer.forcesOfNoPath)
  }
  package func probes() async -> ProbesReport { await ReportWriter(watch.snapshot()).probesReport }

  package func rules() async -> RulesReport {
    RulesReport(rules: await rules(of: ReportWriter(await watch.snapshot(of: .some([])))))
  }

  private func rules(of writer: ReportWriter) async -> [RuleReport] {
    let seen = await sight.view
    let disabled = (await reconciler.layout?.ruleSet.backhaulRules ?? []).filter { !$0.enabled }
    let ranges = configuration.kernel
    return writer.rules.map { $0.seen(seen, ranges, at: writer.at) } + disabled.map(writer.disabled)
  }

  package func tunnels() async -> TunnelsReport {
    guard let layout = await reconciler.layout else { return TunnelsReport(tunnels: []) }
    // Before the clock is read: ages and deadlines are those of the moment that is told of.
    let machines = await ike.current()
    let snapshot = await watch.snapshot()
    // Counters are a help and no condition: without them the rest is still told.
    let traffic = (try? ports.traffic.traffic()) ?? [:]
    return TunnelsReport(
      tunnels: TunnelReports(
        layout, await reconciler.addresses, snapshot.links, uplinks: snapshot.plan.uplinks, traffic: traffic,
        machines: machines,
        at: snapshot.at
      ).all)
  }

  /// What metrics tell of: the kernel's counters are asked for, charon is not.
  package func meter() async -> MetricsReading {
    let machines = await ike.lastSeen
    var reading = MetricsReading(watch: await watch.snapshot(), version: identity.version, started: identity.started)
    reading.pull = await keeper.status
    reading.reconcile = await reconciler.tally
    reading.sight = await sight.view
    reading.applyTrouble = await reconciler.trouble
    reading.journalTrouble = await writer.trouble
    reading.events = journal.tally
    reading.forced = await forces.entries
    reading.connections = await connections.table
    let charon = await ike.status
    reading.charonAnswers = charon.isNeeded ? charon.version != nil : nil
    guard let layout = await reconciler.layout else { return reading }
    // Counters are a help and no condition: without them the rest is still told.
    let traffic = layout.ruleSet.tunnels.isEmpty ? [:] : (try? ports.traffic.traffic()) ?? [:]
    reading.tunnels = MeteredTunnel.all(layout, links: reading.watch.links, traffic: traffic, machines: machines)
    return reading
  }

  /// Of lives of the agent before this one too, as far as the journal on disk goes back.
  package func events(_ query: EventQuery) async -> EventsReport {
    let numbered = journal.isNumbered
    // Whoever follows asks often, and what is new is in memory.
    let isFollowed = query.after > 0 && journal.firstNumber.map { query.after >= $0 - 1 } == true
    let disk = isFollowed ? [] : await writer.read()
    let (memory, newestAge) = journal.records(after: disk?.last?.number ?? 0)
    let first = numbered ? memory.first?.number ?? .max : .max
    var trouble = await writer.trouble
    if disk == nil && trouble == nil { trouble = "the journal on disk cannot be read now" }
    let records = (disk ?? []).filter { $0.number < first } + memory
    return EventsReport(
      query.select(from: records, newestAge: newestAge, now: ports.surroundings.wallTime),
      lastNumber: records.last?.number, trouble: trouble)
  }

  /// Read from the kernel now: what stands here is what the agent could not put right yet.
  package func diff() async throws(LocalAPI.Refusal) -> DiffReport {
    let choices = await watch.snapshot(of: .some([])).selections.compactMapValues(\.choice)
    let found: (revision: UInt64, differences: [Difference])?
    do throws(KernelFailure) { found = try await reconciler.differences(choices: choices) } catch {
      throw LocalAPI.Refusal("the kernel cannot be read: \(error)")
    }
    guard let found else {
      throw LocalAPI.Refusal("no rule set runs yet, so there is nothing to compare the kernel with")
    }
    return DiffReport(revision: found.revision, from: "agent", found.differences)
  }

  package func explain(_ asked: LocalAPI.Request) async throws(LocalAPI.Refusal) -> ExplainReport {
    try await PacketExplanations(
      lookup: ports.lookup, sight: ports.sight, seen: await sight.view, reconciler: reconciler, watch: watch, ike: ike
    ).explain(asked, ranges: configuration.kernel)
  }

  package func history(of path: String?) async throws(LocalAPI.Refusal) -> HistoryReport {
    guard let path else { throw LocalAPI.Refusal("history needs a path") }
    let snapshot = await watch.snapshot()
    guard let name = Name(path), let watched = snapshot.plan.paths.first(where: { $0.name == name }),
      let health = snapshot.health[name], let history = await watch.history(of: name)
    else { throw unknown(path, among: snapshot.plan.paths.map(\.name.text)) }
    return HistoryReport(
      path: path, device: watched.device.text, state: health.state.rawValue,
      sinceSeconds: (snapshot.at - health.since).inSeconds, cause: health.cause, probes: watched.probes.count,
      lastBucketSeconds: PathHistory.lasted(at: snapshot.at).inSeconds,
      buckets: history.minutes(at: snapshot.at).map(HistoryReport.Bucket.init))
  }

  /// The verdict, and whatever flips because of it, are made when this returns.
  package func force(_ asked: LocalAPI.Request, by user: UInt32) async throws(LocalAPI.Refusal) -> ForceReport {
    let request = try ForceRequest(asked)
    guard let text = asked.path else { throw LocalAPI.Refusal("force needs a path") }
    let known = await watch.snapshot(of: .some([])).plan.paths.map(\.name)
    // One that the rule set no longer has can be taken back all the same.
    let kept = await forces.entries
    guard let name = Name(text), known.contains(name) || (request.force == nil && kept[name] != nil) else {
      throw unknown(text, among: known.map(\.text))
    }
    var warnings: [String] = []
    if let force = request.force {
      let failure = try await forces.force(name, force, for: request.lasting, by: user, reason: request.reason)
      if let failure { warnings.append("a restart of the agent will not know it: \(failure)") }
    } else {
      let (was, failure) = await forces.takeBack(name, by: user, reason: request.reason)
      if !was { warnings.append("path \(name) was not forced") }
      if let failure { warnings.append("a restart of the agent will force it again: \(failure)") }
    }
    let snapshot = await watch.snapshot()
    return ForceReport(
      path: text, force: request.force?.rawValue ?? "auto", until: await forces.entries[name]?.until?.text,
      reason: request.reason, state: snapshot.health[name]?.state.rawValue, cause: snapshot.health[name]?.cause,
      warnings: ForceReport.warnings(of: name, request.force, snapshot) + warnings)
  }

  private func unknown(_ path: String, among names: [String]) -> LocalAPI.Refusal {
    let start = "no path is called \(quoted(path)); "
    if let near = nearest(to: path, among: names) { return LocalAPI.Refusal(start + "did you mean \(quoted(near))?") }
    if names.isEmpty { return LocalAPI.Refusal(start + "there is none at all") }
    let more = names.count > 10 ? " and \(names.count - 10) more" : ""
    return LocalAPI.Refusal(start + "there are " + names.prefix(10).joined(separator: ", ") + more)
  }
}
