/// What must hold, whatever happens.
package enum Invariant: String, CaseIterable, Sendable {
  /// Under `block` no uplink ever carries the rule's traffic, but one that the rule itself names; under `underlay` none
  /// but the rule's private lines; under `local_wan` no private line, where another can be used.
  case noUplinkUnderBlock = "no-uplink-under-block"
  /// A path that answers all probes is never left, but for a better one.
  case answeringPathIsKept = "answering-path-is-kept"
  /// A path that answers none is left within its bound, where there is anywhere to go.
  case deadPathIsLeft = "dead-path-is-left"
  /// A path is not up before its probes were answered as often as `rise` says.
  case onlyAnswersMakeUp = "only-answers-make-up"
  /// A better path is returned to after the hold-down and not before, and no more flips are made than things happened
  /// that call for one.
  case flipsAreBounded = "flips-are-bounded"
  /// Each flip says why, and what it says is so.
  case everyFlipHasACause = "every-flip-has-a-cause"
  /// No flip leads to a way that is worse than another that could be taken.
  case bestWayIsTaken = "best-way-is-taken"
  /// Once nothing happens any more, all is as if worked out from scratch.
  case historyLeavesNoTrace = "history-leaves-no-trace"
  /// The kernel's active route leads where the choice says, within a second; a restart takes over what it has.
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
