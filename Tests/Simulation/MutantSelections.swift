import Core
internal import RuleSets

extension Mutant {
  static let ofSelection: [Mutant] = [
    // It returns as soon as the better path is up.
    Mutant("ignores-hold-down", .flipsAreBounded) { .misled($0, rules: { $0.egress.holdDown = .zero }) },
    // It returns to a flapping path every time.
    Mutant("ignores-damping", .flipsAreBounded, amid: [.cut, .carrier]) {
      .misled($0, rules: { $0.egress.damping = FlapDamping(halfLife: .zero) })
    },
    // Under `block` it falls back to an uplink.
    Mutant("falls-back-under-block", .noUplinkUnderBlock, .deadPathIsLeft) {
      .misled($0, rules: { if $0.fallback == .block { $0.egress.fallback = .localWAN } })
    },
    // It prefers the last path.
    Mutant("prefers-the-worst", .bestWayIsTaken, .flipsAreBounded, .historyLeavesNoTrace) {
      .misled($0, rules: { $0.egress.paths.reverse() })
    },
    // Once it has left a path it sees no better one.
    Mutant("never-returns", .historyLeavesNoTrace, .bestWayIsTaken, .deadPathIsLeft) {
      .seeing($0) { name, health, selection, now in
        let (paths, choice) = (selection.egress.paths, selection.choice)
        let current =
          if case .path(let name)? = choice { paths.firstIndex(of: name) ?? 0 } else { choice == nil ? 0 : paths.count }
        let isBetter = (paths.firstIndex(of: name) ?? paths.count) < current
        return isBetter && health.state == .up ? PathHealth(at: now) : health
      }
    },
    // It does not say when it wants to be asked again.
    Mutant("forgets-to-ask-again", .historyLeavesNoTrace) { .erring($0) { $0.deadline = { _ in nil } } },
    // It stays on a path that is down.
    Mutant("stays-on-the-dead", .deadPathIsLeft, .bestWayIsTaken) {
      .seeing($0) { name, health, selection, now in
        selection.choice == .path(name) && health.state == .down ? PathHealth(at: now) : health
      }
    },
    // It leaves a path of unknown state.
    Mutant("leaves-the-unknown", .answeringPathIsKept, .bestWayIsTaken) {
      .seeing($0) { _, health, _, now in
        guard health.state == .unknown else { return health }
        var dead = PathHealth(at: now)
        _ = dead.judge(PathEvidence(obstacle: "not known", probes: []), at: now)
        return dead
      }
    },
    // Now and then it takes another path for no reason.
    Mutant("wanders", .answeringPathIsKept, .everyFlipHasACause, .bestWayIsTaken) { world in
      let asked = Remembered<[Name: Int]>([:])
      return .erring(world) { steps in
        steps.decide = { selection, view, now in
          asked.value[selection.egress.name, default: 0] += 1
          let choice = selection.choice
          let other = selection.egress.paths.last { view.state($0)?.state == .up && choice != .path($0) }
          guard asked.value[selection.egress.name, default: 0] % 7 == 0, case .path? = choice, let other else {
            return selection.decide(view, at: now)
          }
          selection = RuleSelection(selection.egress, adopted: .path(other), at: now)
          return RuleSelection.Flip(
            kind: .failover, from: choice, to: .path(other), cause: "for a change", after: .zero)
        }
      }
    },
    // It gives no reasons.
    Mutant("gives-no-reason", .everyFlipHasACause) {
      .erring($0) { steps in
        steps.decide = { selection, view, now in
          var flip = selection.decide(view, at: now)
          flip?.cause = ""
          return flip
        }
      }
    },
    // After a restart it believes its memory, not the kernel.
    Mutant("believes-its-memory", .kernelFollowsChoice) { world in
      let memory = Remembered(Weak(world))
      return .erring(world) { steps in
        steps.adopt = { rule, choice, now in
          RuleSelection(rule, adopted: memory.value.world?.memory[rule.name] ?? choice, at: now)
        }
      }
    },
    // After a restart it takes nothing over.
    Mutant("takes-nothing-over", .kernelFollowsChoice) {
      .erring($0) { $0.adopt = { rule, _, now in RuleSelection(rule, adopted: nil, at: now) } }
    },
    // It keeps a path that the rule set removed, even an uplink, as it did until a simulation found it.
    Mutant(
      "keeps-an-uplink", .noUplinkUnderBlock, amid: [.ruleChanged, .pathToggled, .probeChanged], isRare: true
    ) {
      .erring($0) { steps in
        steps.decide = { selection, view, now in
          var view = view
          view.isAstray = false
          return selection.decide(view, at: now)
        }
      }
    },
  ]
}

/// The world, which owns this object's owner.
struct Weak {
  weak var world: World?
  init(_ world: World) { self.world = world }
}
