internal import Core
internal import RuleSets

/// How full the kernel's connection tracking table is. Once it is full, a new connection pushes out an unanswered one
/// or is dropped.
package struct ConnectionsReport: Codable, Equatable, Sendable {
  package var used: Int
  /// The most it can hold; 0: there is no limit.
  package var limit: Int
  /// Connections since the router's start that found no room; their packets were dropped.
  package var refused: Int
  /// Unanswered connections since the router's start that were evicted to make room for others.
  package var evicted: Int
  /// How long the table has been full; null while it has room.
  package var fullSeconds: Double?

  /// Nil if the table was not read yet, or there is none.
  init?(_ table: ConnectionTable, at now: Instant) {
    guard let reading = table.reading else { return nil }
    used = reading.used
    limit = reading.limit
    refused = reading.refused
    evicted = reading.evicted
    fullSeconds = table.fullSince.map { max(0, (now - $0).inSeconds) }
  }
}
