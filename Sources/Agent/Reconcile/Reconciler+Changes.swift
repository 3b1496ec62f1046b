internal import Core

/// What people are told of what was changed.
extension Reconciler {
  func tell(_ changes: [Step], drift: Bool) {
    let text = PlanText(configuration.kernel)
    let lines = changes.flatMap { $0.nftObjects ?? text.lines($0) }
    let shown = lines.prefix(6).joined(separator: "; ") + (lines.count > 6 ? "; and \(lines.count - 6) more" : "")
    events.record(
      drift
        ? AgentEvent(.driftRepaired, "kernel", "changed by another program and put back: \(shown)")
        : AgentEvent(.uplinkChanged, "kernel", "followed a change of the uplinks or devices: \(shown)"))
  }

  func tell(_ turn: ScheduleTurn, _ changes: [Step]) {
    let count = "\(changes.count) change\(changes.count == 1 ? "" : "s") made to the kernel"
    events.record(AgentEvent(.scheduleChanged, "steering", "\(turn.words): \(count)"))
  }

  /// The flowtable was refused, or nil. Told once; each look tries again, and there are as many as there are without it.
  func tellFast(_ failure: KernelFailure?) {
    if let failure, fastTrouble == nil {
      events.record(
        AgentEvent(
          .applyFailed, "flowtable", "connections are not offloaded, each packet goes through the chains: \(failure)"))
    }
    fastTrouble = failure?.description
  }

  /// The settings' former values only help later, so no rule set waits for them.
  func noteMemory() {
    let remembered = kernel.rememberedSettings()
    if let damage = remembered.damage, damage != toldDamage {
      toldDamage = damage
      events.record(AgentEvent(.stateDamaged, "sysctls", damage))
    }
    if let trouble = remembered.trouble, memoryTrouble == nil {
      events.record(
        AgentEvent(
          .storeFailed, "sysctls",
          "the sysctls' earlier values are not saved, and a restart will not put them back: \(trouble)"))
    }
    memoryTrouble = remembered.trouble
  }
}

extension Reconciler.Reason {
  /// Others come with it.
  var isEvent: Bool {
    switch self {
    case .event, .firewall: true
    case .ruleSet, .timer, .schedule: false
    }
  }
}

extension Reconciler {
  /// Each offloaded connection goes through everyone's chains again with its next packet, and comes back only if they let it
  /// through. Nothing of ours has changed, so nothing is told.
  func renewFlowtable() {
    guard let wanted = fastTable else { return }
    do throws(KernelFailure) { try kernel.make(.putFastTable(wanted)) } catch {
      // The one that is there must not stay.
      _ = try? kernel.make(.deleteFastTable(table: wanted.name))
      tellFast(error)
    }
  }

  /// A look that is not needed if a rule set is applied within this time: that reads all that a look does. The time zone is
  /// read again in any case.
  ///
  /// - Parameter count: `applied` from before the rule set was asked for.
  package func look(in wait: Duration, unlessAppliedSince count: Int) async {
    await time.sleep(wait)
    schedulesMayHaveTurned()
    if applied == count { look(because: .timer) } else { await watch.inspectSoon() }
  }
}
