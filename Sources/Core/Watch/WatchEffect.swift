internal import RuleSets

/// What the watch asks its driver to do, in this order, and before the driver reports anything else.
package enum WatchEffect: Equatable, Sendable {
  /// Open this socket for `WatchMachine.use(of:)`; report its connection, if it keeps one, with `opened`.
  case open(socket: Int)
  /// Nothing that comes by it counts any more.
  case close(socket: Int)
  case send(socket: Int, UInt64)
  /// Wait for that answer no longer.
  case abandon(socket: Int, UInt64)
  /// Make the active route of the egress's table lead there, or nowhere where the way is nil. The answer is `led` or
  /// `notLed`.
  case lead(egress: Int, TableID, TableRoute.Way?)
  /// Take away the active route of a table that is no egress's any more. Where that fails the next look finds it.
  case leave(TableID)
  /// Read the active routes of these tables. The answer is `sawRoutes` or `sawNoRoutes`.
  case look(Set<TableID>)
  case sweep(ConnectionSweep)
  case tell(AgentEvent)
}
