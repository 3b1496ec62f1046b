internal import Core
internal import RuleSets

/// What runs before the source was asked, and what is held back where that is nothing.
extension RuleSetKeeper {
  func startFromStore() async {
    permits.load()
    permitAtAcceptance = permits.permit
    let kept = KeptGenerations(store, trials)
    if let damage = kept.noteDamage {
      events.record(
        AgentEvent(
          .stateDamaged, "trial",
          "the note of the last trial cannot be read, and no rule set is refused because of it: \(damage); "
            + trials.setAside()))
    }
    let aside = kept.confirmed.damage.isEmpty ? [] : store.setAsideDamaged()
    if !kept.confirmed.damage.isEmpty { tellDamage(kept, aside) }
    let start = RuleSetTrial.Start(kept.kept, terms, at: surroundings.now)
    trial = start.trial
    if let stored = kept.current {
      status.confirmedRevision = revision(of: kept.confirmed.stored)
      waiting = Waiting(stored: stored, generation: start.generation, isWhole: kept.confirmed.isWhole)
    }
    await perform(start.commands)
    guard waiting == nil else { return await runWaiting() }
    let left = await applier.leftovers()
    if kept.isLost { await holdInDoubt("the rule set that ran last cannot be read") }
    if let left { tell(left) }
  }

  private func revision(of stored: StoredRuleSet?) -> UInt64? {
    // Only if it is not the one about to run, which reports its own revision.
    guard let stored, case .applying = trial.state else { return nil }
    return (try? parse(stored.bytes))?.ruleSet.revision
  }

  /// Takes over what the store holds, unless something newer runs by now.
  func runWaiting() async {
    guard let waiting else { return }
    guard ruleSet == nil else { return self.waiting = nil }
    let stored = waiting.stored
    let origin = waiting.generation == .onTrial ? Origin.onTrial : .confirmed(isWhole: waiting.isWhole)
    do {
      try await take(stored.bytes, etag: stored.etag, slots: stored.slots, as: origin)
      self.waiting = nil
    } catch {
      refused(error, from: origin)
      await holdStrictRules(of: stored, error)
    }
  }

  /// The configuration may no longer fit the rule set, or the kernel may refuse it: its strict rules still hold.
  private func holdStrictRules(of stored: StoredRuleSet, _ refusal: RuleSetRefusal) async {
    guard status.hold == nil else { return }
    guard let old = (try? parse(stored.bytes))?.ruleSet,
      let slots = Layout.slots(old, configuration, after: stored.slots)
    else {
      return await holdInDoubt("the rule set that ran last can no longer be used")
    }
    let hold = Hold.strictRules(old, slots)
    status.hold = Status.Held(word: .strictRules, cause: "\(refusal)")
    await applier.hold(hold)
  }

  private func holdInDoubt(_ cause: String) async {
    guard configuration.guard.whenInDoubt == .hold else {
      events.record(
        AgentEvent(
          .stateDamaged, "rule set",
          "\(cause); nothing is held back, because guard.when_in_doubt in agent.toml is "
            + "\"open\"")
      )
      return
    }
    status.hold = Status.Held(word: .everything, cause: cause)
    await applier.hold(.everything)
  }

  /// Without a rule set, what the kernel still has decides where traffic goes.
  private func tell(_ left: Leftovers) {
    // If a table is there already, the one that holds everything is not added beside it.
    guard status.hold == nil || left.hasTable else { return }
    let why =
      status.hold?.cause
      ?? trial.rejection?.whatHappened
      ?? "none is cached"
    let cause = "\(why), and the kernel still has \(left) from an earlier agent"
    status.hold = Status.Held(word: .leftOver, cause: cause)
    events.record(
      AgentEvent(.stateDamaged, "kernel", "no rule set is running: \(cause); it stays as it is until one is"))
  }

  private func tellDamage(_ kept: KeptGenerations, _ aside: [String]) {
    let what = kept.confirmed.damage.map(\.description).joined(separator: "; ")
    let then =
      if kept.current == nil {
        "the rule set that ran last is lost, so the source is asked"
      } else if kept.confirmed.stored == nil {
        "the rule set on trial is used"
      } else {
        "the other copy is used, and a new one is written"
      }
    events.record(
      AgentEvent(
        .stateDamaged, "rule set", ([what, then] + aside).joined(separator: "; "), details: ["cause": what]))
  }
}
