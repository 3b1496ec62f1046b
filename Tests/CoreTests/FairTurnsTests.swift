import Core
import Testing

@Suite struct FairTurnsTests {
  @Test func `a user with one request waits for one turn of a user with many`() {
    var turns = FairTurns()
    #expect(turns.next(of: []) == nil)
    #expect(turns.next(of: [7, 7, 7]) == 0)
    #expect(turns.next(of: [7, 7, 9]) == 2)
    #expect(turns.next(of: [7, 7]) == 0)
  }

  @Test func `users take turns, and each user's requests keep their order`() {
    var turns = FairTurns()
    var waiting: [(user: UInt32, number: Int)] = [(1, 0), (1, 1), (1, 2), (2, 3), (2, 4), (3, 5)]
    var order: [Int] = []
    while let place = turns.next(of: waiting.map(\.user)) { order.append(waiting.remove(at: place).number) }
    #expect(order == [0, 3, 5, 1, 4, 2])
  }

  @Test func `it forgets users with nothing waiting`() {
    var turns = FairTurns()
    for user in 0..<10_000 as Range<UInt32> { _ = turns.next(of: [user]) }
    var fresh = FairTurns()
    for _ in 0..<10_000 { _ = fresh.next(of: [9_999]) }
    #expect(turns == fresh)
  }
}
