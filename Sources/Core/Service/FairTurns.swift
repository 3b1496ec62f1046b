/// Whose turn it is if several users wait: the one whose last turn is longest ago, so that a heavy user delays the
/// others by at most one turn.
package struct FairTurns: Equatable, Sendable {
  /// Only users who were still waiting at the last turn: each has at most one entry, and users with nothing waiting
  /// have none.
  private var lastTurn: [UInt32: UInt64] = [:]
  private var turn: UInt64 = 0

  package init() {}

  /// The index of the next one in `waiting`, the users in order of arrival; nil if nobody is waiting.
  package mutating func next(of waiting: [UInt32]) -> Int? {
    guard let place = waiting.indices.min(by: { lastTurn[waiting[$0], default: 0] < lastTurn[waiting[$1], default: 0] })
    else { return nil }
    turn += 1
    let here = Set(waiting)
    lastTurn = lastTurn.filter { here.contains($0.key) }
    lastTurn[waiting[place]] = turn
    return place
  }
}
