package import Core

/// Applies a rule set to the router, or refuses it and leaves everything as it was.
package protocol RuleSetApplier: Sendable {
  /// Where it throws, the rule set that ran before runs on.
  func apply(_ ruleSet: RuleSet, slots: SlotBook) async throws(RuleSetRefusal)
}

/// Why a rule set was not taken over.
package struct RuleSetRefusal: Error, Equatable, Sendable, CustomStringConvertible {
  /// Each names a field, where one is to blame.
  package var complaints: [String]
  package init(_ complaints: [String]) { self.complaints = complaints }
  package var description: String { complaints.joined(separator: "; ") }
}

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
  }

  private let configuration: AgentConfiguration
  private let source: any RuleSetSource
  private let store: any RuleSetStore
  private let attempts: (any AttemptStore)?
  private let applier: any RuleSetApplier
  private let parse: @Sendable ([UInt8]) throws(Complaints) -> RuleSet
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
  /// The agent or the router went down while this was applied for the first time, and nobody has said since that it may be
  /// tried again.
  private var fatal: RuleSetAttempt?

  /// Of what runs as much as it takes to know it again: its text is as large as all that was made of it.
  private struct Running {
    var fingerprint: Fingerprint
    var etag: String?
    var slots: SlotBook
  }

  /// How soon the cached rule set is tried again after the kernel refused it.
  static let retryOfCache: Duration = .seconds(1)

  package init(
    configuration: AgentConfiguration, source: any RuleSetSource, store: any RuleSetStore, applier: any RuleSetApplier,
    parse: @escaping @Sendable ([UInt8]) throws(Complaints) -> RuleSet, events: any EventSink,
    surroundings: any Surroundings, attempts: (any AttemptStore)? = nil
  ) {
    self.attempts = attempts
    fatal = attempts?.unfinished()
    self.configuration = configuration
    self.source = source
    self.store = store
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
    let stored: StoredRuleSet
    do {
      guard let found = try store.load() else { return }
      stored = found
    } catch {
      events.record(AgentEvent(.storeFailed, "cache", "the cached rule set is not used, the source is asked: \(error)"))
      return
    }
    waiting = stored
    await runWaiting()
  }

  /// Takes over what the cache holds, unless something newer runs by now.
  private func runWaiting() async {
    guard let stored = waiting else { return }
    guard ruleSet == nil else { return waiting = nil }
    do {
      try await take(stored.bytes, etag: stored.etag, slots: stored.slots, from: "the cache", keep: false)
      waiting = nil
    } catch {
      refused(error, from: "the cache")
    }
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
            try await take(
              bytes, etag: etag, slots: running?.slots ?? waiting?.slots ?? SlotBook(), from: "the source", keep: true)
          } catch {
            refused(error, from: "the source")
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
    _ bytes: [UInt8], etag: String?, slots before: SlotBook, from origin: String, keep: Bool
  ) async throws(RuleSetRefusal) {
    if keep { try refuseFatal(bytes) }
    let new: RuleSet
    do { new = try parse(bytes) } catch { throw RuleSetRefusal(error.all.map(\.description)) }
    try checkRevision(of: new)
    do { try RuleSetCheck.check(new, configuration) } catch { throw RuleSetRefusal(error.all.map(\.description)) }
    guard let slots = Layout.slots(new, configuration, after: before) else {
      throw RuleSetRefusal(["more tunnels, uplinks and rules than kernel.mark_mask and the table range have room for"])
    }
    if keep { try await attempt(new, bytes, slots) } else { try await applier.apply(new, slots: slots) }
    let stored = StoredRuleSet(bytes: bytes, etag: etag, slots: slots)
    ruleSet = new
    running = Running(fingerprint: Fingerprint(bytes: bytes), etag: etag, slots: slots)
    status.revision = new.revision
    status.taken = surroundings.now
    status.lastTrouble = nil
    lastRefusal = []
    events.record(
      AgentEvent(
        .ruleSetAccepted, "revision \(new.revision)", "revision \(new.revision) from \(origin) runs",
        details: ["revision": "\(new.revision)"]))
    guard keep || slots != before else { return }
    do { try store.save(stored) } catch {
      events.record(
        AgentEvent(.storeFailed, "cache", "revision \(new.revision) runs, but a restart will not know it: \(error)"))
    }
  }

  /// For the first time: what the cache holds has run before, and is never refused for what became of the agent.
  private func attempt(_ new: RuleSet, _ bytes: [UInt8], _ slots: SlotBook) async throws(RuleSetRefusal) {
    do {
      try attempts?.begin(RuleSetAttempt(bytes, revision: new.revision))
    } catch {
      events.record(
        AgentEvent(.storeFailed, "attempt", "revision \(new.revision) is applied without a note of it: \(error)"))
    }
    // An agent that is told to end while it applies a rule set was not taken down by it.
    let result = await withTaskCancellationHandler {
      await applied(new, slots)
    } onCancel: { [attempts] in
      attempts?.end()
    }
    attempts?.end()
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

  private func checkRevision(of new: RuleSet) throws(RuleSetRefusal) {
    guard let old = ruleSet else { return }
    if new.revision < old.revision {
      throw RuleSetRefusal(["revision: \(new.revision) is older than \(old.revision), which runs"])
    }
    if new.revision == old.revision && new != old {
      throw RuleSetRefusal([
        "revision: \(new.revision) already runs with other content; a changed rule set needs a higher revision"
      ])
    }
  }

  private func refused(_ refusal: RuleSetRefusal, from origin: String) {
    guard refusal.complaints != lastRefusal else { return }
    lastRefusal = refusal.complaints
    let shown = refusal.complaints.prefix(8).joined(separator: "; ")
    let more = refusal.complaints.count > 8 ? "; and \(refusal.complaints.count - 8) more" : ""
    events.record(
      AgentEvent(
        .ruleSetRefused, "rule set",
        "the rule set from \(origin) is refused, \(ruleSet == nil ? "none runs" : "what runs keeps running"): \(shown)\(more)",
        details: ["cause": shown + more]))
  }
}
