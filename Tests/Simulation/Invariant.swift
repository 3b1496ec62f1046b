/// What must hold, whatever happens.
package enum Invariant: String, CaseIterable, Sendable {
  /// Under `block` no uplink ever carries the rule's traffic, except one that the rule itself names; under `underlay`
  /// none but the rule's private lines; under `local_wan` no private line, where another can be used.
  case noUplinkUnderBlock = "no-uplink-under-block"
  /// A path that answers all probes is never left, except for a better one.
  case answeringPathIsKept = "answering-path-is-kept"
  /// A path that answers none is left within its time limit, if there is anywhere to go.
  case deadPathIsLeft = "dead-path-is-left"
  /// A path is not up before its probes were answered `rise` times.
  case onlyAnswersMakeUp = "only-answers-make-up"
  /// A better path is returned to after the hold-down and not before, and no flip is made without a reason.
  case flipsAreBounded = "flips-are-bounded"
  /// Each flip gives a reason, and the reason is true.
  case everyFlipHasACause = "every-flip-has-a-cause"
  /// No flip leads to a way that is worse than another available one.
  case bestWayIsTaken = "best-way-is-taken"
  /// Once nothing more happens, everything is as if worked out from scratch.
  case historyLeavesNoTrace = "history-leaves-no-trace"
  /// The kernel's active route leads where the choice says, within a second; a restart takes over what the kernel has.
  case kernelFollowsChoice = "kernel-follows-choice"
  /// However long it slept, the agent sends one probe at a time, and no more than suspicion asks for.
  case probesKeepTheirPace = "probes-keep-their-pace"
}

/// An invariant that did not hold.
package struct Violation: Sendable {
  package let invariant: Invariant
  package let at: Nanoseconds
  package let text: String
}
