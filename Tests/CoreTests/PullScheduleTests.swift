import Testing

@testable import Core

@Suite struct PullScheduleTests {
  @Test func theIntervalIsSpreadByATenth() {
    var schedule = PullSchedule(interval: .seconds(60))
    #expect(schedule.succeeded(chance: 0) == .seconds(54))
    #expect(schedule.succeeded(chance: 1) == .seconds(66))
  }

  @Test func failuresDoubleUpToTheInterval() {
    var schedule = PullSchedule(interval: .seconds(60))
    let waits = (0..<9).map { _ in schedule.failed(chance: 1) }
    #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { Duration.seconds($0) })
    #expect(schedule.failed(chance: 0) == .seconds(30), "cut by up to a half")
    _ = schedule.succeeded(chance: 0.5)
    #expect(schedule.failed(chance: 1) == .seconds(1))
  }

  @Test func aWeekOfFailuresIsBounded() {
    var schedule = PullSchedule(interval: .seconds(3_600))
    for _ in 0..<100_000 { #expect(schedule.failed(chance: 1) <= PullSchedule.longestRetry) }
  }
}
