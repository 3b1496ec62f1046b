import Core
internal import RuleSets

extension Mutant {
  static let ofProbes: [Mutant] = [
    // Unsent probes count as lost.
    Mutant("unsent-is-lost", .answeringPathIsKept) { world in
      .erring(world) { steps in
        steps.came = { machine, outcome, number, now in
          if case .couldNotSend(let why) = outcome { return machine.came(.refused(why), of: number, at: now) }
          return machine.came(outcome, of: number, at: now)
        }
      }
    },
    // An answer does not end a row of losses: after `fall` of them, however far apart, answers no longer count.
    Mutant("forgets-to-reset-lost", .answeringPathIsKept) { world in
      let losses = Remembered<[Name: Int]>([:])
      @Sendable func count(_ machine: ProbeMachine, since before: Int) {
        losses.value[machine.probe.name, default: 0] += max(0, machine.lost - before)
        if machine.state == .down { losses.value[machine.probe.name] = 0 }
      }
      return .erring(world) { steps in
        steps.timePassed = { machine, now in
          let before = machine.lost
          defer { count(machine, since: before) }
          return machine.timePassed(to: now)
        }
        steps.came = { machine, outcome, number, now in
          let before = machine.lost
          defer { count(machine, since: before) }
          let isHeldForLost = losses.value[machine.probe.name, default: 0] >= machine.probe.fall
          guard isHeldForLost, machine.state == .up, case .answered = outcome else {
            return machine.came(outcome, of: number, at: now)
          }
          return machine.came(.refused("mutant"), of: number, at: now)
        }
      }
    },
    // It waits for each answer for ever.
    Mutant("never-gives-up", .deadPathIsLeft, .historyLeavesNoTrace, .onlyAnswersMakeUp) {
      .misled($0, probes: { $0.timeout = .seconds(86_400) })
    },
    // One loss is enough, whatever `fall` says.
    Mutant("one-loss-is-enough", .answeringPathIsKept) { .misled($0, probes: { $0.fall = 1 }) },
    // It ignores the patience.
    Mutant("ignores-patience", .answeringPathIsKept) { .misled($0, probes: { $0.patience = .zero }) },
    // One answer is enough to be back, whatever `rise` says.
    Mutant("one-answer-is-enough", .onlyAnswersMakeUp) { .misled($0, probes: { $0.rise = 1 }) },
    // After a sleep it sends all the probes that it missed.
    Mutant("makes-up-for-sleep", .probesKeepTheirPace, .answeringPathIsKept) { world in
      .erring(world) { steps in
        steps.timePassed = { machine, now in
          var directives: [ProbeMachine.Directive] = []
          for _ in 0..<1_000 where machine.nextDeadline < now {
            directives += machine.timePassed(to: machine.nextDeadline)
          }
          return directives + machine.timePassed(to: now)
        }
      }
    },
    // Probes of a closed socket count as lost, as they did until a simulation found it.
    Mutant("closed-socket-loses", .answeringPathIsKept, amid: [.sourceLost]) {
      .erring($0) { $0.socketChanged = { _ in } }
    },
  ]
}
