internal import RuleSets
import Testing

@testable import Core

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1_000_000_000)) }

@Suite struct ConnectionTableTests {
  /// What changed at each second.
  private func changes(_ readings: [ConnectionTable.Reading]) -> [ConnectionTable.Change?] {
    var table = ConnectionTable()
    return readings.enumerated().map { table.read($1, at: at(Double($0))) }
  }

  private func room(_ refused: Int = 0, evicted: Int = 0) -> ConnectionTable.Reading {
    .init(used: 10, limit: 100, refused: refused, evicted: evicted)
  }

  @Test func itIsFullAtItsLimitAndUntilFiveSecondsAfter() {
    let full = ConnectionTable.Reading(used: 100, limit: 100)
    #expect(
      changes([room(), full, room(), full, room(), room(), room(), room(), room(), room()]) == [
        nil, .filled, nil, nil, nil, nil, nil, nil, .relieved(after: .seconds(7)), nil,
      ])
  }

  @Test func itIsFullWhileConnectionsFindNoPlaceOrMakeRoom() {
    #expect(changes([room(3), room(3), room(4)]) == [nil, nil, .filled], "what was refused before is none of now")
    #expect(changes([room(), room(evicted: 1)]) == [nil, .filled])
    #expect(changes([room(9), room(2), room(2)]) == [nil, nil, nil], "a counter began anew")
  }

  @Test func withoutALimitItIsNeverAtIt() {
    #expect(changes([.init(used: 5, limit: 0), .init(used: 9, limit: 0)]) == [nil, nil])
  }
}
