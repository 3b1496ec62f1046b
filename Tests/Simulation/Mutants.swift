/// A machine that is wrong in one way. That the invariants find each is what shows that they hold anything.
package struct Mutant: Sendable {
  package let subject: Subject
  /// The machine as it should be, in the same storm.
  package let honest: Subject
  /// What finds it, in the order of likelihood.
  package let caughtBy: [Invariant]

  /// It errs only where several things come together: in one of some ten thousand faults.
  package let isRare: Bool

  package var name: String { subject.name }

  /// - Parameter amid: faults that come ten times as often, where it is only by them that it errs.
  private init<Under: Machines>(
    _ machines: Under.Type, amid: [Fault] = [], isRare: Bool = false, _ caughtBy: Invariant...
  ) {
    self.isRare = isRare
    let type = "\(machines)"
    // `IgnoresHoldDown` is `ignores-hold-down`.
    let name = type.reduce(into: "") { text, letter in
      if letter.isUppercase && !text.isEmpty { text += "-" }
      text += letter.lowercased()
    }
    let weights = Fault.weights.map { ($0.fault, amid.contains($0.fault) ? $0.weight * 10 : $0.weight) }
    subject = Subject(name: name, weights: weights) { MachinePilot<Under>($0) }
    honest = Subject(name: "\(name)-honest", weights: weights) { MachinePilot<Honest>($0) }
    self.caughtBy = caughtBy
  }

  package static let all: [Mutant] = [
    // Probes.
    Mutant(UnsentIsLost.self, .answeringPathIsKept),
    Mutant(ForgetsToResetLost.self, .answeringPathIsKept),
    Mutant(NeverGivesUp.self, .deadPathIsLeft, .historyLeavesNoTrace, .onlyAnswersMakeUp),
    Mutant(OneLossIsEnough.self, .answeringPathIsKept),
    Mutant(IgnoresPatience.self, .answeringPathIsKept),
    Mutant(OneAnswerIsEnough.self, .onlyAnswersMakeUp),
    Mutant(MakesUpForSleep.self, .probesKeepTheirPace, .answeringPathIsKept),
    Mutant(ClosedSocketLoses.self, amid: [.sourceLost], .answeringPathIsKept),
    // Health.
    Mutant(UnknownIsDown.self, .answeringPathIsKept),
    // Where a quorum is enough without the first, it holds for down what is not.
    Mutant(
      IgnoresTheSecondProbe.self, .onlyAnswersMakeUp, .answeringPathIsKept, .deadPathIsLeft, .historyLeavesNoTrace),
    Mutant(IgnoresTheQuorum.self, .answeringPathIsKept, .historyLeavesNoTrace),
    Mutant(IgnoresLimits.self, .historyLeavesNoTrace),
    Mutant(IgnoresTheDevice.self, .onlyAnswersMakeUp, .deadPathIsLeft),
    Mutant(ForgetsTheLastFall.self, .flipsAreBounded),
    // Selection.
    Mutant(IgnoresHoldDown.self, .flipsAreBounded),
    Mutant(IgnoresDamping.self, amid: [.cut, .carrier], .flipsAreBounded),
    Mutant(FallsBackUnderBlock.self, .noUplinkUnderBlock, .deadPathIsLeft),
    Mutant(PrefersTheWorst.self, .bestWayIsTaken, .flipsAreBounded, .historyLeavesNoTrace),
    Mutant(NeverReturns.self, .historyLeavesNoTrace, .bestWayIsTaken, .deadPathIsLeft),
    Mutant(ForgetsToAskAgain.self, .historyLeavesNoTrace),
    Mutant(StaysOnTheDead.self, .deadPathIsLeft),
    Mutant(LeavesTheUnknown.self, .answeringPathIsKept, .bestWayIsTaken),
    Mutant(Wanders.self, .answeringPathIsKept, .everyFlipHasACause, .bestWayIsTaken),
    Mutant(GivesNoReason.self, .everyFlipHasACause),
    Mutant(BelievesItsMemory.self, .kernelFollowsChoice),
    Mutant(TakesNothingOver.self, .kernelFollowsChoice),
    Mutant(KeepsAnUplink.self, amid: [.ruleChanged, .pathToggled, .probeChanged], isRare: true, .noUplinkUnderBlock),
  ]

  package static func named(_ name: String) -> Mutant? { all.first { $0.name == name } }
}
