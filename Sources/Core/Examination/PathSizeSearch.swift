/// The search for the largest packet that comes through a path, to the byte: a ladder of sizes at once, then ever smaller
/// steps between the largest that was answered and the next one that was not. What has no answer is sent twice before that
/// counts, since any packet may be lost by chance.
package struct PathSizeSearch: Equatable, Sendable {
  /// The last is a plain ping's.
  private static let ladder = [1480, 1450, 1420, 1400, 1380, 1340, 1280, 1200, 1000, 576, 84]
  /// New sizes in one round: nine times nearer each time.
  private static let steps = 8
  /// The widest gap of the ladder takes five, and a lost answer one more; then the result so far is reported.
  private static let mostRounds = 7
  private static let tries = 2

  private let mtu: Int
  /// Bytes of the largest packet that was answered.
  package private(set) var largest: Int?
  /// How often each size was sent.
  private var sent: [Int: Int] = [:]
  private var rounds = 0

  /// - Parameter mtu: of the path's device: no larger packet is tried.
  package init(mtu: Int) { self.mtu = mtu }

  /// The sizes that are to be sent now, none where nothing is left to find out. Each call is a round.
  package mutating func nextRound() -> [Int] {
    guard largest != mtu, rounds < Self.mostRounds else { return [] }
    rounds += 1
    var sizes = rounds == 1 ? [mtu] + Self.ladder.filter { $0 < mtu } : []
    let open = sent.keys.filter { $0 > largest ?? 0 }.sorted()
    sizes += open.filter { sent[$0, default: 0] < Self.tries }
    if let largest, let next = open.first {
      let steps = min(Self.steps, next - largest - 1)
      sizes += (0..<steps).map { largest + (next - largest) * ($0 + 1) / (steps + 1) }
    }
    for size in sizes { sent[size, default: 0] += 1 }
    return sizes
  }

  /// A packet of this size, all in all, came through and was answered.
  package mutating func answered(_ size: Int) { largest = max(largest ?? 0, size) }

  /// Nothing is left to wait for in this round.
  package var hasLargest: Bool { largest == mtu }
}
