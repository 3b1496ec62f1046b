internal import Core
internal import RuleSets

/// The agent's answers: each asks the loops once and reports what they know.
extension AgentService {
  /// The whole picture: what runs, how the paths are, what protects the clients, and what to do next.
  ///
  /// - Parameter choice: which paths to list; verdicts and counts are of all of them whichever it is.
  package func status(of choice: PathChoice = .all) async -> StatusReport {
    let moment = await moment(of: choice)
    let (snapshot, pull) = (moment.snapshot, moment.pull)
    let writer = ReportWriter(snapshot, forces: moment.forces)
    let seen = await sight.view
    let charon = await ike.status
    let table = await connections.table
    var report = StatusReport(
      device: configuration.device.text, version: identity.version, pid: identity.pid,
      uptimeSeconds: (snapshot.at - identity.started).inSeconds, revision: snapshot.plan.revision,
      source: configuration.ruleSet.location.description,
      lastContactSeconds: pull.lastContact.map { (snapshot.at - $0).inSeconds }, pullFailures: pull.failures,
      pullTrouble: pull.lastTrouble, applyTrouble: await reconciler.trouble,
      rules: rules(of: writer, moment, seen), paths: writer.paths(for: choice),
      pathsInAll: snapshot.plan.paths.count, pathsUp: writer.pathsUp, uplinks: writer.uplinks,
      charon: charon.isNeeded
        ? CharonReport(answers: charon.version != nil, version: charon.version, trouble: charon.trouble) : nil,
      connections: ConnectionsReport(table, at: snapshot.at),
      flipMicroseconds: snapshot.flips.durations.map { Double($0.nanoseconds) / 1_000 }, flips: snapshot.flips.count,
      journalTrouble: await self.writer.trouble, notKept: await notKept(pull), hold: pull.hold?.word.rawValue,
      holdCause: pull.hold?.cause,
      trial: pull.trial.map { TrialReport($0, confirmed: pull.confirmedRevision, at: snapshot.at) },
      acceptsRevision: await keeper.permittedRevision, forcesOfNoPath: writer.forcesOfNoPath,
      sight: SightReport(seen, at: snapshot.at))
    report.flowtable = await reconciler.flowtable
    report.judge(by: view(writer, moment, seen, report))
    return report.keeping(choice)
  }

  /// - Parameter report: the parts of the report that are only shown, and that no judgement depends on.
  private func view(
    _ writer: ReportWriter, _ moment: Moment, _ seen: ClientSight.View, _ report: StatusReport
  ) -> RouterView {
    var view = writer.view(seen, configuration.kernel)
    view.source = report.source
    view.pullTrouble = moment.pull.lastTrouble
    view.pullFailures = moment.pull.failures
    view.applyTrouble = report.applyTrouble
    view.journalTrouble = report.journalTrouble
    view.notKept = report.notKept
    view.hold = moment.pull.hold?.word
    view.holdCause = moment.pull.hold?.cause
    view.charonAnswers = report.charon?.answers
    view.fullTable = report.connections.flatMap { table in
      table.fullSeconds.map { _ in RouterView.FullTable(used: table.used, limit: table.limit) }
    }
    return view
  }

  /// What the loops know of one rule set.
  private struct Moment {
    var snapshot: WatchSnapshot
    var forces: [Name: ForcedPaths.Entry]
    var pull: RuleSetKeeper.Status
    /// The disabled backhaul rules.
    var disabled: [BackhaulRule]
    /// All steering rules.
    var steering: [SteeringRule]
  }

  /// The loops are asked one after the other: if a rule set is taken over in between, they are asked again, for as long
  /// as that may take.
  private func moment(of choice: PathChoice) async -> Moment {
    var tries = 0
    while true {
      let forces = await forces.entries
      let pull = await keeper.status
      let ruleSet = await reconciler.layout?.ruleSet
      let snapshot = await watch.snapshot(of: choice, forced: Set(forces.keys))
      let isOne = snapshot.plan.revision == ruleSet?.revision && pull.revision == ruleSet?.revision
      guard isOne || tries == Self.mostTries else {
        tries += 1
        await ports.surroundings.sleep(Self.pauseBetweenTries)
        continue
      }
      let disabled = (ruleSet?.backhaulRules ?? []).filter { !$0.enabled }
      return Moment(
        snapshot: snapshot, forces: forces, pull: pull,
        disabled: ruleSet?.revision == snapshot.plan.revision ? disabled : [],
        steering: ruleSet?.revision == snapshot.plan.revision ? ruleSet?.steeringRules ?? [] : [])
    }
  }

  private static let mostTries = 20
  private static let pauseBetweenTries: Duration = .milliseconds(20)

  /// What a restart would not know, and why. The journal has a field of its own.
  private func notKept(_ pull: RuleSetKeeper.Status) async -> [String] {
    let troubles = [
      ("the configuration", ports.configurationTrouble()), ("the rule set", pull.storeTrouble),
      ("the rule set's trial", pull.trialTrouble),
      ("forced paths", await forces.trouble?.description), ("sysctls", await reconciler.memoryTrouble),
    ]
    return troubles.compactMap { what, trouble in trouble.map { "\(what): \($0)" } }
  }

  /// Every path with its health, without the rest of the status.
  package func paths() async -> PathsReport {
    let writer = ReportWriter(await watch.snapshot(), forces: await forces.entries)
    return PathsReport(paths: writer.paths, forcesOfNoPath: writer.forcesOfNoPath)
  }
  /// Every probe with its counters and round-trip times, and what metered uplinks allow them.
  package func probes() async -> ProbesReport { await ReportWriter(watch.snapshot()).probesReport }

  /// Every rule with the way it takes now, the disabled ones last.
  package func rules() async -> RulesReport {
    let moment = await moment(of: .some([]))
    let writer = ReportWriter(moment.snapshot)
    return RulesReport(
      rules: rules(of: writer, moment, await sight.view),
      steering: writer.steering(moment.steering, hits(of: moment.snapshot)))
  }

  /// A help and no condition: without them the rest is still told.
  private func hits(of snapshot: WatchSnapshot) -> SeenCounts {
    let chains = snapshot.plan.steering.map { EdgeCompiler.hitChain(of: $0.name) }
    return chains.isEmpty ? SeenCounts() : (try? ports.sight.counted(in: chains)) ?? SeenCounts()
  }

  private func rules(of writer: ReportWriter, _ moment: Moment, _ seen: ClientSight.View) -> [RuleReport] {
    writer.rules.map { $0.seen(seen, configuration.kernel, at: writer.at) } + moment.disabled.map(writer.disabled)
  }

  /// Every tunnel's device, addresses and SAs, with counters read from the kernel now. Asks charon too, which takes
  /// seconds where it hangs. Empty while no rule set is running.
  package func tunnels() async -> TunnelsReport {
    guard let layout = await reconciler.layout else { return TunnelsReport(tunnels: []) }
    // Before the clock is read, so that ages and deadlines fit the reported moment.
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

  /// The numbers behind the metrics. The kernel is asked for its counters; charon is not asked.
  package func meter() async -> MetricsReading {
    let machines = await ike.lastSeen
    var reading = MetricsReading(watch: await watch.snapshot(), version: identity.version, started: identity.started)
    reading.hits = hits(of: reading.watch)
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

  /// Includes events from before the agent's start, as far back as the journal on disk goes.
  package func events(_ query: EventQuery) async -> EventsReport {
    let numbered = journal.isNumbered
    // Followers ask often, and new events are in memory.
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

  /// Reads the kernel now: what differs is what the agent has not been able to put right yet.
  package func diff() async throws(LocalAPI.Refusal) -> DiffReport {
    let choices = await watch.snapshot(of: .some([])).choices
    let found: (revision: UInt64, differences: [Difference])?
    do throws(KernelFailure) { found = try await reconciler.differences(choices: choices) } catch {
      throw LocalAPI.Refusal("the kernel cannot be read: \(error)")
    }
    guard let found else {
      throw LocalAPI.Refusal("no rule set is running yet, so there is nothing to compare the kernel with")
    }
    return DiffReport(revision: found.revision, from: "agent", found.differences)
  }

  /// Says where a packet goes, and why. Throws if the request is malformed, no rule set is running or the kernel cannot
  /// be read.
  package func explain(_ asked: LocalAPI.Request) async throws(LocalAPI.Refusal) -> ExplainReport {
    try await PacketExplanations(
      lookup: ports.lookup, sight: ports.sight, fedSets: ports.fedSets, seen: await sight.view, reconciler: reconciler,
      watch: watch, ike: ike
    ).explain(asked, ranges: configuration.kernel)
  }

  /// One path's last hour. Throws if no path is named, or none has this name.
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

  /// When this returns, the verdict has been made, and so has any flip that follows from it.
  package func force(_ asked: LocalAPI.Request, by user: UInt32) async throws(LocalAPI.Refusal) -> ForceReport {
    let request = try ForceRequest(asked)
    guard let text = asked.path else { throw LocalAPI.Refusal("force needs a path") }
    let known = await watch.snapshot(of: .some([])).plan.paths.map(\.name)
    // A force for a path that the rule set no longer has can still be cleared.
    let kept = await forces.entries
    guard let name = Name(text), known.contains(name) || (request.force == nil && kept[name] != nil) else {
      throw unknown(text, among: known.map(\.text))
    }
    var warnings: [String] = []
    if let force = request.force {
      let failure = try await forces.force(name, force, for: request.lasting, by: user, reason: request.reason)
      if let failure { warnings.append("a restart of the agent will forget it: \(failure)") }
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
