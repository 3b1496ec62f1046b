package import Core
package import RuleSets

/// Gets the rule set: from the cache at the start, then from its source, again and again. All or nothing: fetched,
/// parsed, validated, planned, applied and only then kept. Whatever the source answers, what runs keeps running.
package actor RuleSetKeeper {
  package struct Status: Sendable {
    package var revision: UInt64?
    /// When the agent took over what runs.
    package var taken: Instant?
    /// The last exchange in which the source gave a usable answer.
    package var lastContact: Instant?
    package var lastTrouble: String?
    package var failures = 0
    /// Why a restart will not know the rule set that runs; nil while it will.
    package var storeTrouble: String?
    /// What is held back while no rule set runs; nil for nothing.
    package var hold: Held?

    package struct Held: Equatable, Sendable {
      package enum Word: String, Sendable {
        case everything
        case strictRules = "strict_rules"
        /// Whatever the kernel still has of an agent before this one: nobody knows what that holds and what it lets through.
        case leftOver = "left_over"
      }
      package var word: Word
      package var cause: String
    }
  }

  private let configuration: AgentConfiguration
  private let source: any RuleSetSource
  private let store: any RuleSetStore
  private let permits: any PermitStore
  private let attempts: any AttemptStore
  private let applier: any RuleSetApplier
  private let parse: @Sendable ([UInt8]) throws(Complaints) -> RuleSetDecoder.Decoded
  private let events: any EventSink
  private let surroundings: any Surroundings
  private var schedule: PullSchedule

  private var running: Running?
  private var ruleSet: RuleSet?
  private(set) package var status = Status()
  /// The last text that was refused: the same one again is not told again.
  private var lastRefusal: [String] = []
  private var sleeper: Task<Void, Never>?
  /// Someone asked for a pull while one was under way.
  private var pullRequested = false
  /// What the cache holds, until it runs: the kernel may refuse it for a moment, at boot.
  private var waiting: StoredRuleSet?
  /// Both of its copies are there.
  private var waitingIsWhole = true
  /// A lower revision that an operator lets in.
  private var permit: RevisionPermit?
  /// What runs and is not kept yet: a rule set may be megabytes, and is kept here only while the disk refuses it.
  private var unsaved: StoredRuleSet?
  /// The agent or the router went down while this was applied for the first time, and nobody has said since that it may be
  /// tried again.
  private var fatal: RuleSetAttempt?
  /// Why nobody knows whether there was one.
  private var attemptDamage: StoreFailure?

  /// Of what runs as much as it takes to know it again: its text is as large as all that was made of it.
  private struct Running {
    var fingerprint: Fingerprint
    var etag: String?
    var slots: SlotBook
  }

  private enum Origin: String {
    case cache = "the cache"
    case source = "the source"
  }

  /// How soon the cached rule set is tried again after the kernel refused it.
  static let retryOfCache: Duration = .seconds(1)

  package init(
    configuration: AgentConfiguration, source: any RuleSetSource, store: any RuleSetStore, permits: any PermitStore,
    applier: any RuleSetApplier, parse: @escaping @Sendable ([UInt8]) throws(Complaints) -> RuleSetDecoder.Decoded,
    events: any EventSink,
    surroundings: any Surroundings, attempts: any AttemptStore
  ) {
    self.attempts = attempts
    do { fatal = try attempts.unfinished() } catch { attemptDamage = error }
    self.configuration = configuration
    self.source = source
    self.store = store
    self.permits = permits
    self.applier = applier
    self.parse = parse
    self.events = events
    self.surroundings = surroundings
    schedule = PullSchedule(interval: configuration.ruleSet.interval)
  }

  /// Runs until cancelled.
  ///
  /// - Parameter started: called once the cached rule set runs, or none does: none is cached, it cannot be used, or the
  ///   kernel refuses it for now. The source is not waited for, which may be away for days.
  package func run(started: @Sendable () async -> Void = {}) async {
    await startFromCache()
    await started()
    while !Task.isCancelled {
      var wait = await pull()
      if waiting != nil { wait = min(wait, Self.retryOfCache) }
      if pullRequested { wait = .zero }
      pullRequested = false
      let sleeper = Task { _ = try? await Task.sleep(for: wait) }
      self.sleeper = sleeper
      await withTaskCancellationHandler {
        await sleeper.value
      } onCancel: {
        sleeper.cancel()
      }
      self.sleeper = nil
      await runWaiting()
      saveAtLast()
    }
  }

  /// Ends the present wait, so that the source is asked now. An operator wants that: what took the agent down once may be
  /// tried again.
  package func pullNow() {
    fatal = nil
    if let sleeper { sleeper.cancel() } else { pullRequested = true }
  }

  // MARK: - The cache

  func startFromCache() async {
    loadPermit()
    if let attemptDamage {
      events.record(
        AgentEvent(
          .stateDamaged, "attempt",
          "which rule set was being applied last cannot be read, and none is refused for it: \(attemptDamage); "
            + attempts.setAside()))
    }
    let kept = store.load()
    let aside = kept.damage.isEmpty ? [] : store.setAsideDamaged()
    if !kept.damage.isEmpty { tellDamage(kept, aside) }
    guard let stored = kept.stored else {
      let left = await applier.leftovers()
      if kept.isLost { await holdInDoubt("the rule set that ran last cannot be read") }
      if let left { tell(left) }
      return
    }
    waiting = stored
    waitingIsWhole = kept.isWhole
    await runWaiting()
  }

  /// Takes over what the cache holds, unless something newer runs by now.
  private func runWaiting() async {
    guard let stored = waiting else { return }
    guard ruleSet == nil else { return waiting = nil }
    do {
      try await take(
        stored.bytes, etag: stored.etag, slots: stored.slots, from: .cache, keep: !waitingIsWhole)
      waiting = nil
    } catch {
      refused(error, from: .cache)
      await holdStrictRules(of: stored, error)
    }
  }

  /// The configuration may no longer fit the rule set, or the kernel refuse it: its strict rules hold all the same.
  private func holdStrictRules(of stored: StoredRuleSet, _ refusal: RuleSetRefusal) async {
    guard status.hold == nil else { return }
    guard let old = (try? parse(stored.bytes))?.ruleSet,
      let slots = Layout.slots(old, configuration, after: stored.slots)
    else {
      return await holdInDoubt("the rule set that ran last cannot be used any more")
    }
    let hold = Hold.strictRules(old, slots)
    status.hold = Status.Held(word: .strictRules, cause: "\(refusal)")
    await applier.hold(hold)
  }

  private func holdInDoubt(_ cause: String) async {
    guard configuration.guard.whenInDoubt == .hold else {
      events.record(
        AgentEvent(
          .stateDamaged, "rule set", "\(cause); nothing is held back, as guard.when_in_doubt of agent.toml is \"open\"")
      )
      return
    }
    status.hold = Status.Held(word: .everything, cause: cause)
    await applier.hold(.everything)
  }

  /// Without a rule set, what the kernel still has decides where traffic goes.
  private func tell(_ left: Leftovers) {
    // Where a table is there already, what holds everything is not put beside it.
    guard status.hold == nil || left.hasTable else { return }
    let why =
      status.hold?.cause
      ?? fatal.map { "the agent or the router went down while revision \($0.revision) was applied for the first time" }
      ?? "none is kept"
    let cause = "\(why), and the kernel still has \(left) of an agent before this one"
    status.hold = Status.Held(word: .leftOver, cause: cause)
    events.record(
      AgentEvent(.stateDamaged, "kernel", "no rule set runs: \(cause); that goes on as it is until one does"))
  }

  private func tellDamage(_ kept: KeptRuleSet, _ aside: [String]) {
    let what = kept.damage.map(\.description).joined(separator: "; ")
    let then =
      kept.stored == nil
      ? "the rule set that ran last is lost, and the source is asked"
      : "the other copy is used, and a new one is written"
    events.record(
      AgentEvent(
        .stateDamaged, "rule set", ([what, then] + aside).joined(separator: "; "), details: ["cause": what]))
  }

  // MARK: - The source

  /// One pull. Returns how long to wait for the next.
  func pull() async -> Duration {
    do {
      switch try await source.fetch(etag: running?.etag) {
      case .unchanged:
        reached()
      case .document(let bytes, let etag):
        reached()
        if Fingerprint(bytes: bytes) == running?.fingerprint {
          running?.etag = etag
        } else {
          do {
            try await take(bytes, etag: etag, slots: running?.slots ?? waiting?.slots, from: .source, keep: true)
          } catch {
            refused(error, from: .source)
            status.lastTrouble = "rule set refused: \(error)"
          }
        }
      }
      return schedule.succeeded(chance: surroundings.chance)
    } catch {
      status.lastTrouble = "\(error)"
      let wait = schedule.failed(chance: surroundings.chance)
      status.failures = schedule.failures
      let again = "asked again in \(max(1, Int(wait.inSeconds.rounded()))) s"
      let event = AgentEvent(
        .pullFailed, "rule set",
        "\(error); \(ruleSet == nil ? "no rule set runs" : "what runs keeps running"), \(again)",
        details: ["cause": "\(error)", "failures": "\(schedule.failures)"])
      // Told at the first, then at each doubling: a source that is away for a week fills no journal.
      if schedule.failures.nonzeroBitCount == 1 { events.record(event) }
      return wait
    }
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

  // MARK: - Acceptance

  private func take(
    _ bytes: [UInt8], etag: String?, slots known: SlotBook?, from origin: Origin, keep: Bool
  ) async throws(RuleSetRefusal) {
    if keep { try refuseFatal(bytes) }
    let decoded: RuleSetDecoder.Decoded
    do { decoded = try parse(bytes) } catch { throw RuleSetRefusal(error.all.map(\.description)) }
    let new = decoded.ruleSet
    let faults = revisionFaults(of: new) + RuleSetCheck.complaints(new, configuration).map(\.description)
    guard faults.isEmpty else { throw RuleSetRefusal(faults) }
    let before: SlotBook
    if let known { before = known } else { before = await applier.slotsInUse(by: new) }
    guard let slots = Layout.slots(new, configuration, after: before) else {
      throw RuleSetRefusal(["more tunnels, uplinks and rules than kernel.mark_mask and the table range have room for"])
    }
    if keep { try await attempt(new, bytes, slots) } else { try await applier.apply(new, slots: slots) }
    let old = ruleSet
    ruleSet = new
    running = Running(fingerprint: Fingerprint(bytes: bytes), etag: etag, slots: slots)
    status.revision = new.revision
    status.taken = surroundings.now
    status.lastTrouble = nil
    status.hold = nil
    lastRefusal = []
    events.record(
      AgentEvent(
        .ruleSetAccepted, "revision \(new.revision)",
        "revision \(new.revision) from \(origin.rawValue) runs" + Self.words(decoded.remarks),
        details: ["revision": "\(new.revision)"]))
    if origin == .source { permitIsUsed(by: new.revision, after: old?.revision) }
    guard keep || slots != before else { return }
    save(StoredRuleSet(bytes: bytes, etag: etag, slots: slots))
  }

  /// What its writer may want to know.
  private static func words(_ remarks: [Complaint]) -> String {
    guard !remarks.isEmpty else { return "" }
    let more = remarks.count > 3 ? "; and \(remarks.count - 3) more" : ""
    return "; remarks: " + remarks.prefix(3).map(\.description).joined(separator: "; ") + more
  }

  /// What the disk did not take before.
  func saveAtLast() { if let unsaved { save(unsaved) } }

  private func save(_ stored: StoredRuleSet) {
    do {
      try store.save(stored)
      status.storeTrouble = nil
      unsaved = nil
    } catch {
      // Told once; tried again after each pull.
      if status.storeTrouble == nil {
        events.record(
          AgentEvent(
            .storeFailed, "cache",
            "revision \(status.revision ?? 0) runs, but a restart will not know it: \(error); tried again"))
      }
      status.storeTrouble = "\(error)"
      unsaved = stored
    }
  }

  /// For the first time: what the cache holds has run before, and is never refused for what became of the agent.
  private func attempt(_ new: RuleSet, _ bytes: [UInt8], _ slots: SlotBook) async throws(RuleSetRefusal) {
    do {
      try attempts.begin(RuleSetAttempt(bytes, revision: new.revision))
    } catch {
      events.record(
        AgentEvent(.storeFailed, "attempt", "revision \(new.revision) is applied without a note of it: \(error)"))
    }
    // An agent that is told to end while it applies a rule set was not taken down by it.
    let result = await withTaskCancellationHandler {
      await applied(new, slots)
    } onCancel: { [attempts] in
      attempts.end()
    }
    attempts.end()
    fatal = nil
    try result.get()
  }

  private func applied(_ new: RuleSet, _ slots: SlotBook) async -> Result<Void, RuleSetRefusal> {
    do throws(RuleSetRefusal) {
      return .success(try await applier.apply(new, slots: slots))
    } catch {
      return .failure(error)
    }
  }

  private func refuseFatal(_ bytes: [UInt8]) throws(RuleSetRefusal) {
    guard let fatal, fatal.checksum == RuleSetAttempt.checksum(of: bytes) else { return }
    throw RuleSetRefusal([
      "the agent or the router went down while revision \(fatal.revision) was applied for the first time; it is not tried "
        + "again until the source has another one, or an operator asks for it (systemctl reload backhaul)"
    ])
  }

  private func revisionFaults(of new: RuleSet) -> [String] {
    guard let old = ruleSet, permit?.admits(new.revision) != true else { return [] }
    if new.revision < old.revision {
      return [
        "revision: \(new.revision) is older than \(old.revision), which runs (backhaul accept-revision "
          + "\(new.revision) lets it in)"
      ]
    }
    guard new.revision == old.revision && new != old else { return [] }
    return [
      "revision: \(new.revision) already runs with other content; a changed rule set needs a higher revision (or "
        + "backhaul accept-revision \(new.revision))"
    ]
  }

  private func refused(_ refusal: RuleSetRefusal, from origin: Origin) {
    guard refusal.complaints != lastRefusal else { return }
    lastRefusal = refusal.complaints
    let shown = refusal.complaints.prefix(8).joined(separator: "; ")
    let more = refusal.complaints.count > 8 ? "; and \(refusal.complaints.count - 8) more" : ""
    events.record(
      AgentEvent(
        .ruleSetRefused, "rule set",
        "the rule set from \(origin.rawValue) is refused, \(ruleSet == nil ? "none runs" : "what runs keeps running"): \(shown)\(more)",
        details: ["cause": shown + more]))
  }

  // MARK: - An operator's word on revisions

  /// What an operator lets in, until it is used; nil for nothing.
  package var permittedRevision: UInt64? { permit?.revision }

  /// From now on the next rule set of this revision or a higher one is taken over, also where a higher one runs; nil takes
  /// the word back. Returns why a restart will not know it; nil where it will.
  package func permit(_ revision: UInt64?, by user: UInt32) -> StoreFailure? {
    let old = permit
    permit = revision.map { RevisionPermit(revision: $0, user: user, since: surroundings.wallTime) }
    if let revision {
      tellPermit("the next rule set of revision \(revision) or higher is accepted, by user \(user)", revision)
    } else if let old {
      tellPermit("revision \(old.revision) is not accepted any more, by user \(user)", old.revision)
    }
    // What was refused for its revision is told again if it is refused again.
    lastRefusal = []
    return savePermit()
  }

  private func loadPermit() {
    do {
      permit = try permits.load()
    } catch {
      events.record(
        AgentEvent(
          .stateDamaged, "accept-revision",
          "what an operator said of revisions cannot be read, and no lower one is accepted: \(error); \(permits.setAside())"
        ))
    }
  }

  private func permitIsUsed(by revision: UInt64, after old: UInt64?) {
    guard let used = permit else { return }
    permit = nil
    let was = old.map { $0 >= revision ? "was needed" : "was not needed" } ?? "was not needed"
    tellPermit(
      "accepting revision \(used.revision) or higher \(was) for revision \(revision), and holds no longer",
      used.revision)
    _ = savePermit()
  }

  private func tellPermit(_ text: String, _ revision: UInt64) {
    events.record(AgentEvent(.revisionPermitted, "rule set", text, details: ["revision": "\(revision)"]))
  }

  private func savePermit() -> StoreFailure? {
    do {
      try permits.save(permit)
      return nil
    } catch {
      events.record(
        AgentEvent(.storeFailed, "accept-revision", "what is accepted is not kept over a restart: \(error)"))
      return error
    }
  }
}
