internal import Core

/// Requests that have been read and wait to be answered, few at once: an answer may cost a good deal of work, and the
/// agent's other work shares its threads with it. Used on the loop only.
final class LocalQueue: @unchecked Sendable {
  private let atOnce: Int
  private var waiting: [LocalConnection] = []
  private var answering = 0
  private var turns = FairTurns()

  init(atOnce: Int) { self.atOnce = atOnce }

  func enter(_ connection: LocalConnection) {
    waiting.append(connection)
    begin()
  }

  /// A client that went before its turn.
  func leave(_ connection: LocalConnection) { waiting.removeAll { $0 === connection } }

  /// A handler has returned, whether or not its client is still there: until then it has its place.
  func answered() {
    answering -= 1
    begin()
  }

  private func begin() {
    while answering < atOnce, let place = turns.next(of: waiting.map(\.peer.user)) {
      answering += 1
      waiting.remove(at: place).answer()
    }
  }
}
