package import Core
package import RuleSets

/// Gets the rule set from the store at the start, then from its source, again and again. It is all or nothing: a rule
/// set is fetched, parsed, validated, planned, applied, put on trial and only then kept. Whatever the source answers,
/// the running rule set keeps running. `RuleSetTrial` decides what happens to an applied one; this drives it.
package actor RuleSetKeeper {
  /// What runs and where it came from, for reports and metrics.
  package struct Status: Sendable {
    package var revision: UInt64?
    /// When the running rule set was taken over.
    package var taken: Instant?
    /// The last exchange in which the source gave a usable answer.
    package var lastContact: Instant?
    package var lastTrouble: String?
    package var failures = 0
    /// Why a restart would not know the running rule set; nil while it would.
    package var storeTrouble: String?
    /// Why a restart would not know how far the trial has come; nil if it would.
    package var trialTrouble: String?
    /// The revision that a restart runs however a trial ends; nil if none is confirmed.
    package var confirmedRevision: UInt64?
    /// Nil if the running rule set is confirmed and none was rolled back.
    package var trial: RuleSetTrial.Standing?
    /// What is held back while no rule set is running; nil for nothing.
    package var hold: Held?

    /// What is held back, and why no rule set is running.
    package struct Held: Equatable, Sendable {
      package var word: RouterView.Hold
      package var cause: String
    }
  }

  let configuration: AgentConfiguration
  private let source: any RuleSetSource
  let store: any RuleSetStore
  let trials: any TrialStore
  let applier: any RuleSetApplier
  let events: any EventSink
  let surroundings: any Surroundings
  private var schedule: PullSchedule
  /// What a rule set must show on its trial.
  let terms: RuleSetTrial.Terms

  var running: Running?
  var ruleSet: RuleSet?
  package internal(set) var status = Status()
  /// Why the last text was refused: the same refusal is not reported twice.
  var lastRefusal: [String] = []
  /// Wakes those waiting for the next pull.
  private var wake: AsyncStream<Void>.Continuation?
  /// Someone asked for a pull while one was under way.
  private var pullRequested = false
  /// What the store holds, until it runs: the kernel may refuse it for a moment, at boot.
  var waiting: Waiting?
  var permits: RevisionPermits
  var trial = RuleSetTrial()
  /// What held when the rule set on trial was accepted.
  var permitAtAcceptance: RevisionPermit?
  /// The running rule set while it is not stored yet. It may be megabytes, so it is kept here only while it is being
  /// applied or the disk refuses it.
  var unsaved: StoredRuleSet?

  /// Just enough to recognise the running rule set: its text is as large as everything made from it.
  struct Running {
    var fingerprint: Fingerprint
    var etag: String?
    var slots: SlotBook
  }

  struct Waiting {
    var stored: StoredRuleSet
    var generation: RuleSetTrial.Generation
    /// Both copies are on disk.
    var isWhole: Bool
  }

  /// How soon the stored rule set is tried again after the kernel refused it.
  static let retryOfCache: Duration = .seconds(1)
  /// How soon the source is asked again if its answer decides a trial.
  static let firstConfirmation: Duration = .seconds(1)
  static let nextConfirmation: Duration = .seconds(15)

  /// - Parameter terms: nil: what the kind of source asks for.
  package init(
    configuration: AgentConfiguration, source: any RuleSetSource, store: any RuleSetStore, permits: any PermitStore,
    applier: any RuleSetApplier, events: any EventSink, surroundings: any Surroundings, trials: any TrialStore,
    terms: RuleSetTrial.Terms? = nil
  ) {
    self.trials = trials
    self.configuration = configuration
    self.source = source
    self.store = store
    self.permits = RevisionPermits(permits, events, surroundings)
    self.applier = applier
    self.events = events
    self.surroundings = surroundings
    self.terms = terms ?? configuration.ruleSet.location.trialTerms
    schedule = PullSchedule(interval: configuration.ruleSet.interval)
  }

  /// Runs until cancelled.
  ///
  /// - Parameter started: called once the stored rule set runs, or none does: none is stored, it cannot be used, or the
  ///   kernel refuses it for now. The source is not waited for, which may be away for days.
  package func run(started: @Sendable () async -> Void = {}) async {
    await startFromStore()
    await started()
    while !Task.isCancelled {
      var next = surroundings.now + (await pull())
      if waiting != nil { next = min(next, surroundings.now + Self.retryOfCache) }
      if pullRequested { next = surroundings.now }
      pullRequested = false
      await rest(until: next)
      await runWaiting()
      await saveAtLast()
    }
    noteTheEnd()
  }

  /// Until the next pull is due, or someone asks for it. The trial's deadlines come in between.
  private func rest(until end: Instant) async {
    let (bell, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    self.wake = wake
    while !Task.isCancelled, !pullRequested, surroundings.now < end {
      let due = trial.nextDeadline.map { min($0, end) } ?? end
      let alarm = surroundings.alarm(after: max(.zero, due - surroundings.now)) { wake.yield() }
      for await _ in bell { break }
      alarm.cancel()
      await timePassed()
    }
    pullRequested = false
    self.wake = nil
  }

  func timePassed() async { await perform(trial.handle(.time, at: surroundings.now)) }

  /// Ends the present wait, so that the source is asked now. An operator wants that: what was rolled back may be tried
  /// again.
  package func pullNow() {
    _ = trial.handle(.askedAgain, at: surroundings.now)
    pullRequested = true
    wake?.yield()
  }

  // MARK: - The source

  /// One pull. Returns how long to wait for the next.
  func pull() async -> Duration {
    do {
      switch try await source.fetch(etag: running?.etag) {
      case .unchanged:
        reached()
        await sourceIsSeen()
      case .document(let bytes, let etag):
        reached()
        // A captive portal has an answer to everything, but no rule set.
        if !trial.awaitsSource || isRunning(bytes) || (try? parse(bytes)) != nil { await sourceIsSeen() }
        await came(bytes, etag)
      }
      let wait = schedule.succeeded(chance: surroundings.chance)
      // Spread out, in case a thousand routers have just taken the same rule set.
      let soon = Self.firstConfirmation * (1 + 2 * surroundings.chance)
      return trial.awaitsSource ? min(wait, soon) : wait
    } catch {
      let wait = schedule.failed(chance: surroundings.chance)
      let bounded = trial.awaitsSource ? min(wait, Self.nextConfirmation) : wait
      failed(error, bounded)
      return bounded
    }
  }

  private func came(_ bytes: [UInt8], _ etag: String?) async {
    if isRunning(bytes) {
      running?.etag = etag
      await saveAgain(bytes, etag)
      return
    }
    do {
      try await take(bytes, etag: etag, slots: running?.slots ?? waiting?.stored.slots, as: .new)
    } catch {
      refused(error, from: .new)
      status.lastTrouble = "rule set refused: \(error)"
    }
  }

  private func isRunning(_ bytes: [UInt8]) -> Bool { Fingerprint(bytes: bytes) == running?.fingerprint }

  private func failed(_ failure: FetchFailure, _ wait: Duration) {
    status.lastTrouble = "\(failure)"
    status.failures = schedule.failures
    let again = "will ask again in \(max(1, Int(wait.inSeconds.rounded()))) s"
    let event = AgentEvent(
      .pullFailed, "rule set",
      "\(failure); \(ruleSet == nil ? "no rule set is running" : "the running one stays"), \(again)",
      details: ["cause": "\(failure)", "failures": "\(schedule.failures)"])
    // Reported at the first failure, then at each doubling: a source that is away for a week does not fill the journal.
    if schedule.failures.nonzeroBitCount == 1 { events.record(event) }
  }

  private func reached() {
    if status.failures > 0 {
      events.record(
        AgentEvent(.pullRecovered, "rule set", "the source answers again after \(status.failures) failures"))
    }
    status.failures = 0
    status.lastTrouble = nil
    status.lastContact = surroundings.now
  }

  /// What it said is of use.
  private func sourceIsSeen() async { await perform(trial.handle(.seen(.source), at: surroundings.now)) }

  // MARK: - An operator's word on revisions

  /// The lowest revision that an operator lets in, until it is used; nil for none.
  package var permittedRevision: UInt64? { permits.permit?.revision }

  /// From now on the next rule set of this revision or a higher one is accepted, even if a higher one is running; nil
  /// withdraws the permission. Returns why a restart will not know it; nil if it will.
  package func permit(_ revision: UInt64?, by user: UInt32) -> StoreFailure? {
    // A rule set that was refused for its revision is reported again if it is refused again.
    lastRefusal = []
    return permits.set(revision, by: user)
  }
}

extension RuleSetSourceConfiguration.Location {
  /// No rule set can cut the router off from a file on its own disk.
  var trialTerms: RuleSetTrial.Terms {
    switch self {
    case .file: .atOnce
    case .web: RuleSetTrial.Terms(awaits: [.source])
    }
  }
}
