package import RuleSets

/// How long a rule has been in each mode, since the agent started or the rule came.
package struct ModeClock: Equatable, Sendable {
  package private(set) var mode: RuleMode
  private var since: Instant
  private var before: [RuleMode: Duration] = [:]

  package init(_ mode: RuleMode, at now: Instant) {
    self.mode = mode
    since = now
  }

  /// The rule is in this mode now. Nothing changes where it already was.
  package mutating func turned(to new: RuleMode, at now: Instant) {
    guard new != mode else { return }
    before[mode] = time(in: mode, at: now)
    mode = new
    since = now
  }

  /// How long the rule has been in a mode in total, the current spell included.
  package func time(in asked: RuleMode, at now: Instant) -> Duration {
    (before[asked] ?? .zero) + (asked == mode ? max(.zero, now - since) : .zero)
  }
}
