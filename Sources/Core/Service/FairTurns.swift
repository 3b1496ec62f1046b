/// Whose turn it is where several users wait for the same: whoever's last turn is longest ago, so that one who asks for
/// much delays the others by one turn and no more.
package struct FairTurns: Equatable, Sendable {
  /// Of those who still waited at the last turn: no user has more than one entry, and who waits for nothing has none.
  private var lastTurn: [UInt32: UInt64] = [:]
  private var turn: UInt64 = 0

  package init() {}

  /// The place of the next one among `waiting`, the users in the order in which they came; nil where nobody waits.
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
