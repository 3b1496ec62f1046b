package import Core
package import RuleSets

/// Keeps the kernel as the rule set wants it: compares what should be with what is, and changes what differs. It does
/// one piece of work at a time; whatever happens meanwhile is looked at right after.
package actor Reconciler: RuleSetApplier {
  /// Why to look at the kernel.
  package enum Reason: Hashable, Sendable {
    case ruleSet
    case event(String)
    /// Other programs' nftables changed: what is offloaded is to meet them.
    case firewall
    case timer
    /// By the clock, other steering rules hold than before.
    case schedule
  }

  /// How often the kernel is read without any event: an event may be lost, and some changes send none.
  package static let period: Duration = .seconds(30)
  /// One change sends a burst of events; this long a pause lets one look cover them all.
  static let settleTime: Duration = .milliseconds(15)

  private enum Work {
    case apply(RuleSet, SlotBook, CheckedContinuation<Result<Void, RuleSetRefusal>, Never>)
    case look(Reason)
    case beat
    case schedule
    case pulse(@Sendable () -> Void)
  }

  private struct Running {
    var layout: Layout
    var revision: UInt64 { layout.ruleSet.revision }
  }

  let kernel: any KernelPort
  let watch: PathWatch
  private let ike: IKEKeeper
  let configuration: AgentConfiguration
  let events: any EventSink
  let time: any Surroundings
  private let domains: DomainKeeper?
  private let onSweep: @Sendable (ConnectionSweep) -> Void
  private let giveMemoryBack: @Sendable () -> Void
  private let work: AsyncStream<Work>
  private let inbox: AsyncStream<Work>.Continuation

  private var running: Running?
  var clock: RouterClock
  /// For the next time at which other steering rules may hold.
  var alarm: Alarm?
  /// The steering rules that the kernel was last given.
  private var steering: [SteeringRule] = []
  /// What is held back until a rule set is running.
  private(set) var held: Hold?
  /// The router's surroundings as the last look found them.
  private(set) var surroundings = ActualState()
  /// Why settings are not as they should be, although the rest is.
  private var settingFailure: KernelFailure?
  /// Why settled connections are not offloaded although the configuration asks for it; nil while they are, or need not be.
  package internal(set) var fastTrouble: String?
  /// As it was last put up, or found; nil if it is not there.
  var fastTable: NftTable?
  /// Why a restart would not know what settings were before; nil while it would.
  package internal(set) var memoryTrouble: String?
  var toldDamage: String?
  /// Fingerprints of the last desired state, and of the devices last reported to the watch. Both are computed or read
  /// again at each look, and with a thousand devices they are megabytes.
  private var desired: Fingerprint?
  private var watchedLinks: Fingerprint?
  private var watched: WatchPlan?
  private var connections: [IKEConnection] = []
  private var heldTunnels: Set<Name> = []
  private(set) var esp: [Name: ESPEncapsulation] = [:]
  private(set) var queued: Set<Reason> = []
  /// The uplinks as the last look found them.
  var uplinks: [UplinkState] = []
  /// Each device's first address, as last seen, for reports.
  private(set) package var addresses: [InterfaceName: InterfaceAddress] = [:]
  private(set) package var tally = ReconcileTally()
  /// The last failure that has not been followed by a success.
  private(set) package var trouble: String?
  /// How many rule sets have been brought into the kernel.
  private(set) package var applied = 0
  private var retries = 0
  /// Consecutive looks that left a device in place because traffic was still using it.
  private var waits = 0
  /// The next look that no event asks for.
  private(set) var retry: Task<Void, Never>?
  /// No look is requested and none is in progress.
  private(set) var isIdle = true

  /// - Parameter onSweep: called with the connections to delete after a change; must not block.
  package init(
    kernel: any KernelPort, watch: PathWatch, ike: IKEKeeper, configuration: AgentConfiguration,
    events: any EventSink, surroundings: any Surroundings, timeZone: any TimeZonePort,
    domains: DomainKeeper? = nil, onSweep: @escaping @Sendable (ConnectionSweep) -> Void = { _ in },
    giveMemoryBack: @escaping @Sendable () -> Void = {}
  ) {
    time = surroundings
    clock = RouterClock(timeZone, surroundings, telling: events)
    (self.onSweep, self.domains) = (onSweep, domains)
    self.giveMemoryBack = giveMemoryBack
    self.kernel = kernel
    self.watch = watch
    self.ike = ike
    self.configuration = configuration
    self.events = events
    (work, inbox) = AsyncStream.makeStream(of: Work.self)
  }

  /// The running rule set's layout; nil if none is running.
  package var layout: Layout? { running?.layout }

  /// Does the work until cancelled. What it leaves in the kernel stays.
  package func run() async {
    var beat = nextBeat()
    defer {
      beat.cancel()
      alarm?.cancel()
    }
    for await item in work {
      switch item {
      case .apply(_, _, let done) where Task.isCancelled:
        done.resume(returning: .failure(Self.stopping))
      case .apply(let ruleSet, let slots, let done):
        done.resume(returning: await take(Running(layout: await layout(ruleSet, slots))))
        giveMemoryBack()
      case .look(let reason):
        isIdle = false
        defer { isIdle = queued.isEmpty }
        if reason.isEvent { await time.sleep(Self.settleTime) }
        let reasons = queued
        queued = []
        guard !reasons.isEmpty else { continue }
        // Some losses of a route cause no event at all.
        if reasons.contains(.timer) { await watch.inspectSoon() }
        await repair(because: reasons)
        // Giving memory back takes some milliseconds, so it is not done after each of many events.
        if reasons.contains(.timer) { giveMemoryBack() }
      case .beat:
        look(because: .timer)
        beat = nextBeat()
      case .schedule: scheduleIsDue()
      case .pulse(let answer): answer()
      }
    }
  }

  private func nextBeat() -> Alarm { time.alarm(after: Self.period) { [inbox] in inbox.yield(.beat) } }

  /// Calls back once all the work asked for so far is done. A stalled loop never does.
  package nonisolated func pulse(_ answer: @escaping @Sendable () -> Void) { inbox.yield(.pulse(answer)) }

  /// Other steering rules may hold than before. Called from any thread.
  nonisolated func schedulesMayHaveTurned() { inbox.yield(.schedule) }

  /// Asks for a look at the kernel; requests that wait together share one look.
  package func look(because reason: Reason) {
    isIdle = false
    if queued.insert(reason).inserted { inbox.yield(.look(reason)) }
  }

  /// Takes what charon negotiated for ESP: it decides how large the tunnels' packets may be.
  package func negotiated(_ new: [Name: ESPEncapsulation]) {
    guard new != esp else { return }
    esp = new
    look(because: .event("keys"))
  }

  /// Queues the rule set and waits until it is in the kernel. Throws if the kernel refuses it or the agent is stopping;
  /// the rule set that ran before then runs on.
  package func apply(_ ruleSet: RuleSet, slots: SlotBook) async throws(RuleSetRefusal) {
    try await taken(ruleSet, slots).get()
  }

  private func taken(_ ruleSet: RuleSet, _ slots: SlotBook) async -> Result<Void, RuleSetRefusal> {
    await withCheckedContinuation { done in
      if case .enqueued = inbox.yield(.apply(ruleSet, slots, done)) { return }
      done.resume(returning: .failure(Self.stopping))
    }
  }

  /// Changes nothing in the kernel while a rule set runs. A failed attempt is reported once and retried, at growing
  /// intervals, until the hold is in place or a rule set runs.
  package func hold(_ hold: Hold) async {
    held = hold
    putHold()
  }

  /// A table that is there already, a living agent's or a dead one's, is left alone: it holds back more.
  private func putHold() {
    guard running == nil, let held else { return }
    do throws(KernelFailure) {
      let plan: Plan
      switch held {
      case .everything: plan = try kernel.holdPlan(configuration)
      case .strictRules(let ruleSet, let slots):
        let steering = ScheduleClock.withoutTime(ruleSet)
        plan = try kernel.guardPlan(
          for: Layout(ruleSet, configuration.covering(ruleSet), slots, steering: steering))
      }
      for step in plan.steps { try kernel.make(step) }
      trouble = nil
      retries = 0
      guard !plan.isEmpty else { return }
      let changes = "\(plan.steps.count) change\(plan.steps.count == 1 ? "" : "s") made to the kernel"
      events.record(AgentEvent(.trafficHeld, "kernel", "\(held.description), until a rule set is running: \(changes)"))
    } catch {
      let told = trouble
      trouble = error.description
      retries = min(retries + 1, 6)
      if told != trouble {
        events.record(
          AgentEvent(
            .applyFailed, "kernel",
            "traffic that must not leave cannot be held back, will try again: "
              + "\(error)"))
      }
      lookAgain(in: .milliseconds(100 << retries))
    }
  }

  private static let stopping = RuleSetRefusal(["the agent is stopping"])

  // MARK: - A rule set

  private func take(_ new: Running) async -> Result<Void, RuleSetRefusal> {
    do {
      let changes = try await bring(to: new)
      running = new
      steering = new.layout.steeringRules
      awaitSchedule()
      held = nil
      tally.succeeded(changes: changes.count, repairing: false)
      applied += 1
      if !changes.isEmpty {
        events.record(
          AgentEvent(
            .applied, "revision \(new.revision)",
            "\(changes.count) change\(changes.count == 1 ? "" : "s") made to the kernel"))
      }
      trouble = settingFailure?.description
      if let settingFailure {
        events.record(
          AgentEvent(.applyFailed, "kernel", "steering goes on without a setting, will try again: \(settingFailure)"))
        lookAgain(in: .milliseconds(100 << retries))
      }
      return .success(())
    } catch {
      tally.failed()
      if let old = running {
        // The new table may have been in force for a moment: connections that it steered are set up again.
        watched = nil
        do { _ = try await bring(to: old) } catch let again {
          trouble = again.description
          events.record(
            AgentEvent(.applyFailed, "revision \(old.revision)", "could not go back, will try again: \(again)"))
        }
        look(because: .ruleSet)
      }
      return .failure(RuleSetRefusal(["the kernel refused it: \(error)"]))
    }
  }

  // MARK: - Drift

  private func repair(because reasons: Set<Reason>) async {
    guard let last = running else { return putHold() }
    let next = Running(layout: current(last.layout))
    running = next
    awaitSchedule()
    let before = desired
    do {
      let changes = try await bring(to: next, repairing: true)
      if reasons.contains(.firewall) { renewFlowtable() }
      tally.succeeded(changes: changes.count, repairing: desired == before)
      let turn = ScheduleTurn(from: steering, to: next.layout.steeringRules)
      steering = next.layout.steeringRules
      if let turn { tell(turn, changes) } else if !changes.isEmpty { tell(changes, drift: desired == before) }
      trouble = nil
      retries = 0
    } catch {
      tally.failed()
      let told = trouble
      trouble = error.description
      retries = min(retries + 1, 6)
      if told != trouble {
        events.record(AgentEvent(.applyFailed, "kernel", "\(error); will keep trying until it succeeds"))
      }
      lookAgain(in: .milliseconds(100 << retries))
    }
  }

  /// Only one look is scheduled at a time, however many reasons there are for it.
  private func lookAgain(in wait: Duration) {
    guard retry == nil else { return }
    retry = Task { [weak self, time] in
      await time.sleep(wait)
      await self?.retryIsDue()
    }
  }

  private func retryIsDue() {
    retry = nil
    look(because: .timer)
  }

  // MARK: - From what is to what should be

  /// Reads, plans and applies; then lets the watch know. Returns the steps that were made.
  ///
  /// - Parameter repairing: one step that fails must not keep the others from being made, nor the watch from hearing of
  ///   a new gateway; the first failure is thrown at the end. A new rule set, on the other hand, is all or nothing.
  private func bring(to target: Running, repairing: Bool = false) async throws(KernelFailure) -> [Step] {
    let generation = await watch.linkGeneration
    let (wanted, before) = try await survey(for: target.layout)
    var seen = before
    surroundings = before.surroundings
    let remembered = kernel.rememberedSettings()
    let plan = Planner.plan(desired: wanted, actual: seen, remembered: remembered.values)
    var (made, failure) = try create(plan.creating, repairing: repairing)
    noteMemory()
    // Devices made just now are not in what was read before.
    if !made.allSatisfy(\.isOfOurRoutesAndTables) { seen = try kernel.read(expecting: wanted.nftTable) }
    // Where nothing changed, what is kept lies where it lay: among what a look frees it would hold pages of the heap.
    let first = seen.addresses.compactMapValues(\.first)
    if first != addresses { addresses = first }
    desired = Fingerprint(wanted)
    let compiler = EdgeCompiler(target.layout, seen, negotiated: esp)
    let view = WatchPlan(compiler)
    let former = repairing ? nil : watched
    let isFirst = watched == nil
    let links = Fingerprint(seen.links)
    if view != watched || links != watchedLinks {
      try await watch.watch(view, links: seen.links, generation: generation)
      watched = view
      watchedLinks = links
    }
    await wantKeys(compiler)
    let mayDiffer = isFirst || !repairing || made.contains(where: \.isNftTable)
    if mayDiffer { await domains?.follow(target.layout.ruleSet.steeringRules) }
    for sweep in NewlySteered.sweeps(after: made, view, former, isFirst: isFirst) { onSweep(sweep) }
    if let failure, repairing { throw failure }
    let (kept, clearing) = plan.deleting.partitioned(by: await watch.devicesInUse)
    let cleared = try clear(clearing, before: seen.fastTable, wanted: wanted.fastTable)
    made += cleared.made
    failure = failure ?? cleared.failure
    settingFailure = failure
    if let failure, repairing { throw failure }
    // Traffic leaves a device that is to go as soon as another way is known to work, and then the device is deleted.
    // Where no other way ever works, we look less and less often.
    if kept.isEmpty {
      waits = 0
    } else {
      lookAgain(in: min(.milliseconds(200 << min(waits, 8)), Self.period))
      waits += 1
    }
    return made
  }

  /// Makes what is to be there. Returns what was made, and of what may fail the first failure.
  private func create(
    _ steps: ArraySlice<Step>, repairing: Bool
  ) throws(KernelFailure) -> (made: [Step], failure: KernelFailure?) {
    var made: [Step] = []
    var failure: KernelFailure?
    for step in steps {
      do throws(KernelFailure) {
        made.append(try kernel.make(step))
      } catch {
        if case .moveMarks = step {
          // This kernel does not list its connections. Those with older marks are set up again in time.
          events.record(
            AgentEvent(.applyFailed, "marks", "flows with older marks may hang until they time out: \(error)"))
          continue
        }
        // Nothing else may change while flows go past it.
        if case .deleteFastTable = step { throw error }
        guard repairing || step.isSetting else { throw error }
        failure = failure ?? error
      }
    }
    return (made, failure)
  }

  private func wantKeys(_ compiler: EdgeCompiler) async {
    let (wanted, held) = compiler.ikeConnections()
    guard wanted != connections || held != heldTunnels else { return }
    connections = wanted
    heldTunnels = held
    await ike.want(wanted, held: held)
  }
}
