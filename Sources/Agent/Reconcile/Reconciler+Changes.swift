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

extension Reconciler {
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
