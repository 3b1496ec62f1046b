package import RuleSets

/// Keeps the log readable when something happens over and over: only a limited number of lines for each kind of event
/// in a while, and then how many more there were. The journal of events has them all.
package struct LogGate: Equatable, Sendable {
  package static let window: Duration = .seconds(10)
  package static let most = 20

  private struct Count: Equatable, Sendable {
    var since: Instant
    var told = 0
    var suppressed = 0
  }

  private var counts: [AgentEvent.Kind: Count] = [:]
  /// Since the start.
  package private(set) var suppressedInAll = 0

  package init() {}

  /// True if the line is to be told.
  package mutating func came(_ kind: AgentEvent.Kind, at now: Instant) -> Bool {
    var count = counts[kind] ?? Count(since: now)
    // Its window is over, and no suppressed line is still to be reported.
    if count.suppressed == 0 && now - count.since >= Self.window { count = Count(since: now) }
    defer { counts[kind] = count }
    guard count.told < Self.most else {
      count.suppressed += 1
      suppressedInAll += 1
      return false
    }
    count.told += 1
    return true
  }

  /// When `due` has something to say next; nil: nothing was suppressed.
  package var nextDeadline: Instant? {
    counts.values.filter { $0.suppressed > 0 }.map { $0.since + Self.window }.min()
  }

  /// How many of which kind were suppressed, of the windows that are over.
  package mutating func due(at now: Instant) -> [(kind: AgentEvent.Kind, count: Int)] {
    let over = counts.filter { $0.value.suppressed > 0 && now - $0.value.since >= Self.window }
    for kind in over.keys { counts[kind] = Count(since: now) }
    return over.map { ($0.key, $0.value.suppressed) }.sorted { $0.0.rawValue < $1.0.rawValue }
  }
}
