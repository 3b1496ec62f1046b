package import RuleSets

/// The steps in which the watch asks its machines. The simulation puts a step that errs in the place of one of them, and
/// so shows that its invariants would find the error; the agent has them as they are.
package struct WatchSteps: Sendable {
  package var timePassed: @Sendable (inout ProbeMachine, Instant) -> [ProbeMachine.Directive] = {
    $0.timePassed(to: $1)
  }
  package var came: @Sendable (inout ProbeMachine, ProbeOutcome, UInt64, Instant) -> [ProbeMachine.Directive] = {
    $0.came($1, of: $2, at: $3)
  }
  package var socketChanged: @Sendable (inout ProbeMachine) -> Void = { $0.socketChanged() }
  /// True if the state changed, or whether there can be one.
  package var judge: @Sendable (inout PathHealth, PathEvidence, Instant) -> Bool = { $0.judge($1, at: $2) }
  /// A rule that is new: nil, or the choice that the kernel's route stands for.
  package var adopt: @Sendable (Egress, RuleSelection.Choice?, Instant) -> RuleSelection = {
    RuleSelection($0, adopted: $1, at: $2)
  }
  package var decide: @Sendable (inout RuleSelection, RuleSelection.View, Instant) -> RuleSelection.Flip? = {
    $0.decide($1, at: $2)
  }
  package var deadline: @Sendable (RuleSelection) -> Instant? = { $0.nextDeadline }

  package init() {}
}
