import Core
internal import RuleSets

extension Mutant {
  static let ofHealth: [Mutant] = [
    // Unknown counts as down.
    Mutant("unknown-is-down", .answeringPathIsKept) {
      .judging($0) { evidence in
        let isUnknown = evidence.probes.contains { $0.state == .unknown && $0.unsent > 0 }
        if isUnknown { evidence.obstacle = evidence.obstacle ?? "not known" }
      }
    },
    // The second probe of a path is ignored, so a path whose quorum does not need the first one may wrongly count as
    // down.
    Mutant(
      "ignores-the-second-probe", .onlyAnswersMakeUp, .answeringPathIsKept, .deadPathIsLeft, .historyLeavesNoTrace
    ) {
      .judging($0) { $0.probes = Array($0.probes.prefix(1)) }
    },
    // All probes must be answered, whatever the quorum.
    Mutant("ignores-the-quorum", .answeringPathIsKept, .historyLeavesNoTrace) { .judging($0) { $0.quorum = nil } },
    // Whatever is not down is up, however bad it is.
    Mutant("ignores-limits", .historyLeavesNoTrace) { .judging($0) { $0.limits = nil } },
    // Only probes count, not the device.
    Mutant("ignores-the-device", .onlyAnswersMakeUp, .deadPathIsLeft) { .judging($0) { $0.obstacle = nil } },
    // It reports the first time that the path came up as if it had been up ever since.
    Mutant("forgets-the-last-fall", .flipsAreBounded) { world in
      let firstUp = Remembered<[Name: PathHealth]>([:])
      return .seeing(world) { name, health, _, _ in
        guard health.state == .up else { return health }
        let first = firstUp.value[name] ?? health
        firstUp.value[name] = first
        return first
      }
    },
  ]
}

extension MachinePilot {
  /// A mutant that judges paths by false evidence.
  fileprivate static func judging(
    _ world: World, _ twist: @escaping @Sendable (inout PathEvidence) -> Void
  ) -> MachinePilot {
    erring(world) { steps in
      steps.judge = { health, evidence, now in
        var twisted = evidence
        twist(&twisted)
        return health.judge(twisted, at: now)
      }
    }
  }

  /// A mutant that decides by false path states.
  ///
  /// - Parameter twist: gets the path, what is known about it, the selection that is looking, and the time.
  static func seeing(
    _ world: World,
    _ twist: @escaping @Sendable (Name, PathHealth, RuleSelection, Instant) -> PathHealth
  ) -> MachinePilot {
    erring(world) { steps in
      steps.decide = { selection, view, now in
        let state = view.state
        let looking = selection
        var seen = view
        seen.state = { name in state(name).map { twist(name, $0, looking, now) } }
        return selection.decide(seen, at: now)
      }
    }
  }
}
