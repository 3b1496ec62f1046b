import Agent
import Core
import RuleSets
import Testing

/// One walk decides for each connection what many successive sweeps would have done with it.
@Suite struct SweepWalkTests {
  private let mask = MarkMask.standard
  private func mark(_ number: UInt32) -> Mark { Mark(value: number << 24) }

  private func connection(
    _ mark: Mark, source: UInt32 = 10, destination: UInt32 = 20, repliesTo: UInt32? = nil, isAnswered: Bool = true
  ) -> SweepWalk.Connection {
    SweepWalk.Connection(
      mark: mark, source: IPv4Address(value: source), destination: IPv4Address(value: destination),
      repliesTo: IPv4Address(value: repliesTo ?? source), isAnswered: isAnswered)
  }

  private func fate(_ sweeps: [ConnectionSweep], _ connection: SweepWalk.Connection) -> SweepWalk.Fate {
    var walk = SweepWalk(sweeps, mask: mask, own: [IPv4Address(value: 77)])
    return walk.fate(of: connection)
  }

  @Test func byMarkSourceAndDestination() {
    let sweep = ConnectionSweep(mark: mark(1), sources: [5...12], way: "a", destinations: [20...25])
    #expect(fate([sweep], connection(Mark(value: mark(1).value | 7))) == .goes, "foreign bits are nobody's affair")
    #expect(fate([sweep], connection(mark(2))) == .stays)
    #expect(fate([sweep], connection(mark(1), source: 13)) == .stays)
    #expect(fate([sweep], connection(mark(1), destination: 26)) == .stays)
  }

  @Test func oneAfterTheOther() {
    let move = ConnectionSweep(mark: mark(1), sources: [10...10], way: "a", heirs: [mark(2), mark(3)])
    let delete = ConnectionSweep(mark: mark(2), sources: nil, way: "b")
    #expect(fate([move], connection(mark(1))) == .moves(mark(2)))
    #expect(fate([move, delete], connection(mark(1))) == .goes, "it is the other's by then")
    #expect(fate([delete, move], connection(mark(1))) == .moves(mark(2)), "it was not the other's yet")
    #expect(fate([move], connection(mark(1), repliesTo: 99)) == .goes, "it was translated")
    var walk = SweepWalk([move], mask: mask)
    let all = (0..<4).map { _ in walk.fate(of: connection(mark(1))) }
    #expect(all == [mark(2), mark(3), mark(2), mark(3)].map { .moves($0) }, "heirs take turns")
    #expect(walk.counts == [4])
  }

  @Test func theUnmarkedAloneThatLeftByAnUplink() {
    let sweep = ConnectionSweep.early(from: [0...100])
    #expect(fate([sweep], connection(Mark(value: 7), repliesTo: 99)) == .goes)
    #expect(fate([sweep], connection(Mark(value: 0))) == .stays)
    #expect(fate([sweep], connection(mark(1), repliesTo: 99)) == .stays)
  }

  @Test func whatLeftWithAnAddressThatIsNoGood() {
    let sweep = ConnectionSweep(mark: mark(1), sources: nil, way: "a", address: IPv4Address(value: 50))
    #expect(fate([sweep], connection(mark(1))) == .stays, "not translated")
    #expect(fate([sweep], connection(mark(1), repliesTo: 50)) == .stays)
    #expect(fate([sweep], connection(mark(1), repliesTo: 60)) == .goes, "nobody's address")
    #expect(fate([sweep], connection(mark(1), repliesTo: 77)) == .stays, "another of ours, and answered")
    #expect(fate([sweep], connection(mark(1), repliesTo: 77, isAnswered: false)) == .goes)
  }

  /// Ninety-nine tunnels go: one question to the kernel.
  @Test func whatWaitsIsTakenAtOnce() async {
    let queue = SweepQueue()
    for number in UInt32(1)...99 {
      queue.add(ConnectionSweep(mark: mark(number), sources: nil, way: "path:\(number)"))
    }
    var bell = queue.bell.makeAsyncIterator()
    await bell.next()
    #expect(queue.take().count == 99)
    #expect(queue.take().isEmpty)
  }
}
