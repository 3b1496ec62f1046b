/// What the reconciler has done since the agent started.
package struct ReconcileTally: Equatable, Sendable {
  /// Looks at the kernel, those that failed included.
  package private(set) var runs = 0
  package private(set) var failures = 0
  /// Steps made in the kernel.
  package private(set) var changes = 0
  /// Looks that found something of ours changed by another, and put it back.
  package private(set) var repairs = 0

  package init() {}

  /// The kernel was brought in line with this many steps. `drift`: the rule set had not changed, so each step was a
  /// repair.
  package mutating func succeeded(changes count: Int, repairing drift: Bool) {
    runs += 1
    changes += count
    if drift && count > 0 { repairs += 1 }
  }

  /// The kernel could not be read, or refused a step.
  package mutating func failed() {
    runs += 1
    failures += 1
  }
}
