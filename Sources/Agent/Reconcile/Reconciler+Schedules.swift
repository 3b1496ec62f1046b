internal import Core
internal import RuleSets

/// Steering rules that hold only at times: the clock is a reason to look at the kernel.
extension Reconciler {
  /// The layout with the steering rules that hold now. Thousands of them take a while, in which the reconciler answers.
  func layout(_ ruleSet: RuleSet, _ slots: SlotBook) async -> Layout {
    await Self.layout(ruleSet, configuration, slots, steering: clock.inForce(ruleSet, rereading: true))
  }

  private nonisolated static func layout(
    _ ruleSet: RuleSet, _ configuration: AgentConfiguration, _ slots: SlotBook, steering: [SteeringRule]?
  ) async -> Layout {
    Layout(ruleSet, configuration, slots, steering: steering)
  }

  /// The same layout, with the steering rules that hold now.
  func current(_ layout: Layout, rereading: Bool = false) -> Layout {
    guard let now = clock.inForce(layout.ruleSet, rereading: rereading), now != layout.steeringRules else {
      return layout
    }
    return Layout(layout.ruleSet, configuration, layout.slots, steering: now)
  }

  /// The time has come for which `awaitSchedule` waited. The kernel is looked at only if another rule holds.
  func scheduleIsDue() {
    guard let layout else { return }
    if current(layout, rereading: true).steeringRules != layout.steeringRules {
      look(because: .schedule)
    } else {
      awaitSchedule()
    }
  }

  /// Waits for the next time at which other rules may hold, in place of what was waited for before.
  func awaitSchedule() {
    alarm?.cancel()
    alarm = layout.flatMap { clock.wait($0.ruleSet) }.map { wait in
      time.alarm(after: wait) { [weak self] in self?.schedulesMayHaveTurned() }
    }
  }
}
