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

  package mutating func succeeded(changes count: Int, repairing drift: Bool) {
    runs += 1
    changes += count
    if drift && count > 0 { repairs += 1 }
  }

  package mutating func failed() {
    runs += 1
    failures += 1
  }
}
