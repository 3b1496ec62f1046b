internal import Core
internal import RuleSets

package struct ConnectionsReport: Codable, Equatable, Sendable {
  package var used: Int
  /// 0: there is none.
  package var limit: Int
  /// Connections that found no place, since the router started; their packets were dropped.
  package var refused: Int
  /// Connections that were thrown out unanswered to make room for others, since the router started.
  package var evicted: Int
  /// How long the table has been full; null while it has room.
  package var fullSeconds: Double?

  /// Nil where the table was not read yet, or there is none.
  init?(_ table: ConnectionTable, at now: Instant) {
    guard let reading = table.reading else { return nil }
    used = reading.used
    limit = reading.limit
    refused = reading.refused
    evicted = reading.evicted
    fullSeconds = table.fullSince.map { max(0, (now - $0).inSeconds) }
  }
}
