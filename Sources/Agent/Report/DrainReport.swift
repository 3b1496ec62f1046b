internal import Core
internal import RuleSets

/// A way that live flows of a rule were left on when its traffic returned to a better one.
package struct DrainReport: Codable, Equatable, Sendable {
  /// As a rule's `choice`.
  package var way: String
  package var sinceSeconds: Double
  /// Until those that are left are set up again; null: never, they stay until they end.
  package var endsInSeconds: Double?
}

extension DrainReport {
  /// Of one rule. What an agent that has just started cannot know is not said.
  static func all(_ drains: Drains?, at now: Instant) -> [DrainReport] {
    (drains?.all ?? []).filter(\.isCertain).map {
      DrainReport(
        way: $0.way.description, sinceSeconds: max(0, (now - $0.since).inSeconds),
        endsInSeconds: $0.until.map { max(0, ($0 - now).inSeconds) })
    }
  }
}
