package import RuleSets

/// The ways that live flows of one rule were left on when its traffic returned to a better one (`failback: drain`).
///
///     chosen ──failback──▶ draining ──limit is over──▶ its flows are set up again on the way chosen now
///       ▲                     │  │
///       └──────chosen again───┘  └──▶ the way is dead or no more: its flows went with it
///
/// Without a limit a way drains until its flows have ended, which nothing reports, so here the drain only ends with the
/// way.
package struct Drains: Equatable, Sendable {
  /// A way that traffic has left, and how long its live flows may stay on it.
  package struct Drain: Equatable, Sendable {
    package var way: RuleSelection.Choice
    package var since: Instant
    /// Nil: until its flows end.
    package var until: Instant?
    /// False if the agent has just started and cannot know whether there are any flows.
    package var isCertain: Bool
  }

  /// In the order in which traffic left them.
  package private(set) var all: [Drain] = []

  package init() {}

  /// Traffic left it; its live flows did not.
  /// - Parameter limit: zero: none.
  package mutating func left(_ way: RuleSelection.Choice, limit: Duration, isCertain: Bool = true, at now: Instant) {
    ended(way)
    all.append(Drain(way: way, since: now, until: limit > .zero ? now + limit : nil, isCertain: isCertain))
  }

  /// It is the rule's way again, or carries nothing any more. Returns what is over; nil if it did not drain.
  @discardableResult package mutating func ended(_ way: RuleSelection.Choice) -> Drain? {
    guard let index = all.firstIndex(where: { $0.way == way }) else { return nil }
    return all.remove(at: index)
  }

  /// The rule set has another limit now: it counts from when the way was left.
  package mutating func limitChanged(to limit: Duration) {
    for index in all.indices { all[index].until = limit > .zero ? all[index].since + limit : nil }
  }

  /// When the next limit is over; nil if none has a limit.
  package var nextDeadline: Instant? { all.compactMap(\.until).min() }

  /// Removes those whose limit is over by now, and returns them.
  package mutating func timePassed(to now: Instant) -> [Drain] {
    let over = all.filter { $0.until.map { $0 <= now } ?? false }
    all.removeAll { $0.until.map { $0 <= now } ?? false }
    return over
  }
}
