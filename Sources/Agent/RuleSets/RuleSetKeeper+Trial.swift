internal import Core
internal import RuleSets

/// Drives the trial: carries out its directives, and tells it the results.
extension RuleSetKeeper {
  /// A new rule set is applied next. Beside a confirmed one that can be gone back to, it is on trial.
  func begin(_ candidate: RuleSetTrial.Candidate) async {
    permitAtAcceptance = permits.permit
    // One that the kernel has not taken yet can be gone back to as well.
    if status.confirmedRevision == nil, let waiting, waiting.generation == .confirmed {
      status.confirmedRevision = (try? parse(waiting.stored.bytes))?.ruleSet.revision
    }
    await perform(trial.handle(.verified(candidate, terms, returnsTo: status.confirmedRevision), at: surroundings.now))
  }

  /// It runs.
  ///
  /// - Parameter isChanged: the store has it with other slots.
  func taken(_ stored: StoredRuleSet, _ origin: Origin, isChanged: Bool) async {
    switch origin {
    case .new:
      unsaved = stored
      await perform(trial.handle(.applied, at: surroundings.now))
    case .onTrial:
      if isChanged { unsaved = stored }
      await perform((isChanged ? [.storeCandidate] : []) + trial.handle(.applied, at: surroundings.now))
    case .confirmed(let isWhole):
      status.confirmedRevision = status.revision
      if !isWhole || isChanged { save(stored) }
    case .rolledBack:
      unsaved = nil
      status.storeTrouble = nil
      if isChanged { save(stored) }
    }
  }

  /// In this order: what comes later may rely on what comes before it being on disk.
  func perform(_ commands: [RuleSetTrial.Command]) async {
    for command in commands {
      switch command {
      case .note(let note): write(note)
      case .storeCandidate: storeCandidate()
      case .dropCandidate: try? trials.dropCandidate()
      case .keep: await keep()
      case .rollBack: await rollBack()
      case .tell(let news): tell(news)
      }
    }
    status.trial = trial.standing
  }

  private func write(_ note: RuleSetTrial.Note?) {
    do {
      try trials.write(note)
      status.trialTrouble = nil
    } catch {
      status.trialTrouble = "\(error)"
      guard let note, case .applying = note.phase else { return }
      events.record(
        AgentEvent(
          .storeFailed, "trial",
          "revision \(note.candidate.revision) is applied, but the note of its trial could not "
            + "be saved: \(error)"))
    }
  }

  private func storeCandidate() {
    guard let stored = unsaved else { return }
    do {
      try trials.store(stored)
      unsaved = nil
      status.storeTrouble = nil
    } catch {
      tellUnsaved(
        "revision \(status.revision ?? 0) is on trial, but a restart will run the one before it: \(error)", error)
    }
  }

  private func keep() async {
    guard let stored = unsaved ?? ((try? trials.candidate()) ?? nil) else {
      // The source is asked for its text once more.
      running?.etag = nil
      status.storeTrouble = "the text of revision \(status.revision ?? 0) can no longer be read"
      return
    }
    if save(stored) { await kept() }
  }

  private func kept() async {
    // One that was given since then is for the next.
    if let revision = status.revision, permits.permit == permitAtAcceptance {
      permits.isUsed(by: revision, after: status.confirmedRevision)
    }
    status.confirmedRevision = status.revision
    await perform(trial.handle(.kept, at: surroundings.now))
  }

  /// The source gives what runs, whose text could not be read when it was to be kept.
  func saveAgain(_ bytes: [UInt8], _ etag: String?) async {
    guard case .keeping = trial.state, unsaved == nil, let slots = running?.slots else { return }
    unsaved = StoredRuleSet(bytes: bytes, etag: etag, slots: slots)
    await saveAtLast()
  }

  /// What the disk did not take before.
  func saveAtLast() async {
    guard let unsaved else { return }
    if trial.isOnTrial { return storeCandidate() }
    guard save(unsaved) else { return }
    if case .keeping = trial.state { await kept() }
  }

  /// As the confirmed generation. True if it is on disk.
  @discardableResult private func save(_ stored: StoredRuleSet) -> Bool {
    do {
      try store.save(stored)
      status.storeTrouble = nil
      unsaved = nil
      return true
    } catch {
      tellUnsaved(
        "revision \(status.revision ?? 0) is running, but a restart will not know it: \(error)", error)
      unsaved = stored
      return false
    }
  }

  /// Told once; tried again after each pull.
  private func tellUnsaved(_ text: String, _ failure: StoreFailure) {
    if status.storeTrouble == nil { events.record(AgentEvent(.storeFailed, "cache", "\(text); will try again")) }
    status.storeTrouble = "\(failure)"
  }

  private func rollBack() async {
    let why: String
    if let confirmed = store.load().stored {
      // What was on trial may not have run yet.
      if ruleSet == nil { waiting = Waiting(stored: confirmed, generation: .confirmed, isWhole: true) }
      do throws(RuleSetRefusal) {
        try await take(confirmed.bytes, etag: confirmed.etag, slots: confirmed.slots, as: .rolledBack)
        waiting = nil
        return await perform(trial.handle(.returned, at: surroundings.now))
      } catch {
        why = "\(error)"
      }
    } else {
      why = "its text cannot be read"
    }
    await perform(trial.handle(.notReturned(why), at: surroundings.now))
  }

  private func tell(_ news: RuleSetTrial.News) {
    let runs = ruleSet?.revision ?? waiting.flatMap { (try? parse($0.stored.bytes))?.ruleSet.revision }
    events.record(
      AgentEvent(
        news.kind, "revision \(news.revision)", news.text(running: runs), details: ["revision": "\(news.revision)"]))
  }

  /// The time left, where the agent ends.
  func noteTheEnd() { if trial.isUnderWay { write(trial.noteWhenStopped(at: surroundings.now)) } }
}
