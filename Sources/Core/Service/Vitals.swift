package import RuleSets

/// Whether the agent does its work, as reported to its service manager: the watch, which probes and flips, and the
/// reconciler each show regularly that they still get through theirs. A running process alone proves nothing.
///
///     asked ──▶ answered      alive for `patience`
///       └─────▶ no answer     silent: the service manager hears no more, and starts the agent anew
package struct Vitals: Equatable, Sendable {
  /// The loops that must show that they still run.
  package enum Part: String, CaseIterable, Sendable {
    case watch
    case reconciler
  }

  /// How long the service manager waits for a sign of life; nil if it does not wait.
  package let watchdog: Duration?
  private var lastSign: [Part: Instant]
  /// Those who owe an answer.
  package private(set) var asked: Set<Part> = []

  /// Every part counts as alive at the start.
  package init(watchdog: Duration?, at now: Instant) {
    self.watchdog = watchdog
    lastSign = Dictionary(uniqueKeysWithValues: Part.allCases.map { ($0, now) })
  }

  /// How often the parts are asked and the service manager is informed. That makes four messages per watchdog time, so
  /// that one that is late, or that did not fit in its queue, does no harm.
  package var period: Duration { watchdog.map { min($0 / 4, Self.longestPeriod) } ?? Self.longestPeriod }

  /// No status line is older.
  private static let longestPeriod: Duration = .seconds(5)

  /// How old a sign of life may be. Half of the watchdog's time: a stalled agent is ended after at most one and a half
  /// times that.
  package var patience: Duration { watchdog.map { $0 / 2 } ?? .seconds(15) }

  /// The parts to ask now. A part that owes an answer is not asked again.
  package mutating func due() -> [Part] {
    let due = Part.allCases.filter { !asked.contains($0) }
    asked.formUnion(due)
    return due
  }

  /// - Parameter well: false if the part is behind with its work, which does not count as a sign of life.
  package mutating func answered(_ part: Part, well: Bool, at now: Instant) {
    asked.remove(part)
    if well { lastSign[part] = now }
  }

  /// The part that has shown no sign of life for too long, and for how long.
  package func silent(at now: Instant) -> [(part: Part, for: Duration)] {
    Part.allCases.compactMap { part in
      guard let last = lastSign[part], now - last > patience else { return nil }
      return (part, now - last)
    }
  }
}
