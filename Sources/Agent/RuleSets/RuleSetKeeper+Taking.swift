internal import Core
internal import RuleSets

/// Taking a rule set over: all of it, or nothing.
extension RuleSetKeeper {
  /// Where a rule set comes from, and so what it must pass.
  enum Origin: Equatable {
    /// The source has it.
    case new
    /// The store has it as the confirmed one: it has run before, and is never refused because of the agent's fate.
    case confirmed(isWhole: Bool)
    /// The store has it, as the one on trial.
    case onTrial
    /// The confirmed one, after another that ran on trial.
    case rolledBack

    var words: String { self == .new ? "the source" : "the cache" }
  }

  func take(
    _ bytes: [UInt8], etag: String?, slots known: SlotBook?, as origin: Origin
  ) async throws(RuleSetRefusal) {
    let checksum = origin == .new ? RuleSetTrial.Candidate.checksum(of: bytes) : ""
    if origin == .new, let rejection = trial.rejection(of: checksum) { throw RuleSetRefusal([rejection.refusal]) }
    let decoded: RuleSetDecoder.Decoded
    do { decoded = try parse(bytes) } catch { throw RuleSetRefusal(error.all.map(\.description)) }
    let new = decoded.ruleSet
    let older = origin == .rolledBack ? [] : revisionFaults(of: new)
    let faults = older + RuleSetCheck.complaints(new, configuration).map(\.description)
    guard faults.isEmpty else { throw RuleSetRefusal(faults) }
    let before: SlotBook
    if let known { before = known } else { before = await applier.slotsInUse(by: new) }
    guard let slots = Layout.slots(new, configuration, after: before) else {
      throw RuleSetRefusal([
        "more tunnels, uplinks and egresses than kernel.mark_mask and the table range have room for"
      ])
    }
    if origin == .new { await begin(.init(checksum: checksum, revision: new.revision)) }
    try await apply(new, slots, origin)
    ruleSet = new
    running = Running(fingerprint: Fingerprint(bytes: bytes), etag: etag, slots: slots)
    status.revision = new.revision
    status.taken = surroundings.now
    status.lastTrouble = nil
    status.hold = nil
    lastRefusal = []
    if origin != .rolledBack {
      events.record(
        AgentEvent(
          .ruleSetAccepted, "revision \(new.revision)",
          "revision \(new.revision) from \(origin.words) is running" + Self.words(decoded.remarks),
          details: ["revision": "\(new.revision)"]))
    }
    let stored = StoredRuleSet(bytes: bytes, etag: etag, slots: slots)
    await taken(stored, origin, isChanged: slots != before)
  }

  /// What the text says, as far as this agent understands it.
  func parse(_ bytes: [UInt8]) throws(Complaints) -> RuleSetDecoder.Decoded {
    try RuleSetDecoder.decodeWithRemarks(bytes, limits: StrictJSON.Limits(bytes: configuration.ruleSet.maximumBytes))
  }

  /// What its writer may want to know.
  private static func words(_ remarks: [Complaint]) -> String {
    guard !remarks.isEmpty else { return "" }
    let more = remarks.count > 3 ? "; and \(remarks.count - 3) more" : ""
    return "; remarks: " + remarks.prefix(3).map(\.description).joined(separator: "; ") + more
  }

  private func apply(_ new: RuleSet, _ slots: SlotBook, _ origin: Origin) async throws(RuleSetRefusal) {
    guard origin == .new || origin == .onTrial else { return try await applier.apply(new, slots: slots) }
    // If the agent is told to stop while it applies a rule set, the rule set did not take it down.
    let note = trial.noteWhenStopped(at: surroundings.now)
    let result = await withTaskCancellationHandler {
      await applied(new, slots)
    } onCancel: { [trials] in
      try? trials.write(note)
    }
    if case .failure(let refusal) = result {
      await perform(trial.handle(.refused, at: surroundings.now))
      throw refusal
    }
  }

  private func applied(_ new: RuleSet, _ slots: SlotBook) async -> Result<Void, RuleSetRefusal> {
    do throws(RuleSetRefusal) {
      return .success(try await applier.apply(new, slots: slots))
    } catch {
      return .failure(error)
    }
  }

  private func revisionFaults(of new: RuleSet) -> [String] {
    guard let old = ruleSet, permits.permit?.admits(new.revision) != true else { return [] }
    if new.revision < old.revision {
      return [
        "revision: \(new.revision) is older than \(old.revision), which is running (backhaul accept-revision "
          + "\(new.revision) lets it in)"
      ]
    }
    guard new.revision == old.revision && new != old else { return [] }
    return [
      "revision: \(new.revision) is already running with other content; a changed rule set needs a higher revision (or "
        + "backhaul accept-revision \(new.revision))"
    ]
  }

  func refused(_ refusal: RuleSetRefusal, from origin: Origin) {
    guard refusal.complaints != lastRefusal else { return }
    lastRefusal = refusal.complaints
    let shown = refusal.complaints.prefix(8).joined(separator: "; ")
    let more = refusal.complaints.count > 8 ? "; and \(refusal.complaints.count - 8) more" : ""
    events.record(
      AgentEvent(
        .ruleSetRefused, "rule set",
        "the rule set from \(origin.words) is refused, "
          + "\(ruleSet == nil ? "none is running" : "the running one stays"): \(shown)\(more)",
        details: ["cause": shown + more]))
  }
}
