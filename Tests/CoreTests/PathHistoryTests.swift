import Core
internal import RuleSets
import Testing

@Suite struct PathHistoryTests {
  private func minute(_ number: Int64, _ seconds: Int64 = 0) -> Instant {
    Instant(nanoseconds: (number * 60 + seconds) * 1_000_000_000)
  }

  @Test func nothingIsKnownAtFirst() {
    let history = PathHistory(at: minute(10))
    #expect(history.minutes(at: minute(10)) == [PathHistory.Minute()])
    #expect(history.minutes(at: minute(12)).map(\.probes) == [0, 0, 0])
    #expect(history.minutes(at: minute(12)).allSatisfy { $0.loss == nil && $0.meanRoundTrip == nil })
  }

  @Test func aMinuteHasItsOwnNumbers() throws {
    var history = PathHistory(at: minute(10))
    for milliseconds in [2, 4, 9] { history.answered(roundTrip: .milliseconds(milliseconds), at: minute(10, 5)) }
    history.lost(1, at: minute(10, 59))
    history.answered(roundTrip: .milliseconds(1), at: minute(11))
    let minutes = history.minutes(at: minute(11, 30))
    #expect(minutes.map(\.probes) == [4, 1])
    let first = try #require(minutes.first)
    #expect(first.loss == 0.25)
    #expect(first.leastRoundTrip == .milliseconds(2))
    #expect(first.meanRoundTrip == .milliseconds(5))
    #expect(first.mostRoundTrip == .milliseconds(9))
  }

  @Test func onlyTheLastHourIsKept() {
    var history = PathHistory(at: minute(0))
    for number in 0..<200 { history.lost(number + 1, at: minute(Int64(number))) }
    #expect(history.minutes(at: minute(199)).map(\.probes) == Array(141...200))
    #expect(history.minutes(at: minute(229)).map(\.probes) == Array(171...200) + Array(repeating: 0, count: 30))
    #expect(history.minutes(at: minute(300)).allSatisfy { $0.probes == 0 })
  }

  @Test func minutesWithoutAProbeAreEmpty() {
    var history = PathHistory(at: minute(0))
    history.lost(1, at: minute(0))
    history.lost(2, at: minute(3))
    #expect(history.minutes(at: minute(4)).map(\.probes) == [1, 0, 0, 2, 0])
    history.lost(3, at: minute(70))
    #expect(history.minutes(at: minute(70)).map(\.probes) == Array(repeating: 0, count: 59) + [3])
    history.lost(4, at: minute(129))
    #expect(history.minutes(at: minute(129)).map(\.probes) == [3] + Array(repeating: 0, count: 58) + [4])
  }

  @Test func numbersBeyondMeasureStayWithinTheirs() {
    var history = PathHistory(at: minute(0))
    history.lost(.max, at: minute(0))
    history.lost(.max, at: minute(0))
    history.answered(roundTrip: .seconds(1 << 40), at: minute(0))
    history.answered(roundTrip: .seconds(-1), at: minute(0))
    #expect(history.minutes(at: minute(0)).first?.losses == .max)
    #expect(history.minutes(at: minute(0)).first?.leastRoundTrip == .zero)
  }

  @Test func itIsAsSmallAsItSays() { #expect(MemoryLayout<PathHistory.Minute>.stride == 16) }
}
