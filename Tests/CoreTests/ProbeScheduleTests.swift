internal import RuleSets
import Testing

@testable import Core

@Suite struct ProbeScheduleTests {
  @Test func `probes come up in order of time, whatever was changed before`() throws {
    var schedule = ProbeSchedule()
    var random = SystemRandomNumberGenerator()
    var expected: [Int: Int64] = [:]
    for _ in 0..<5_000 {
      let probe = Int.random(in: 0..<300, using: &random)
      let due = Int64.random(in: 1...1_000, using: &random)
      schedule.set(probe, at: Instant(nanoseconds: due))
      expected[probe] = due
      #expect(schedule.next?.nanoseconds == expected.values.min())
      #expect(schedule.count == expected.count)
    }
    var came: [Int64] = []
    while let probe = schedule.due(at: Instant(nanoseconds: 1_000)) {
      came.append(try #require(expected[probe]))
      schedule.set(probe, at: Instant(nanoseconds: 2_000))
    }
    #expect(came == expected.values.sorted())
    #expect(schedule.next == Instant(nanoseconds: 2_000))
  }

  @Test func `probes due at the same time always come up in the same order`() {
    var schedule = ProbeSchedule()
    for turn in 1...20 {
      for probe in (0..<100).shuffled() { schedule.set(probe, at: Instant(nanoseconds: Int64(turn))) }
      var came: [Int] = []
      while let probe = schedule.due(at: Instant(nanoseconds: Int64(turn))) {
        came.append(probe)
        schedule.set(probe, at: Instant(nanoseconds: Int64(turn + 1)))
      }
      #expect(came == Array(0..<100))
    }
  }

  @Test func `no probe is due before its time`() {
    var schedule = ProbeSchedule()
    schedule.set(3, at: Instant(nanoseconds: 10))
    #expect(schedule.due(at: Instant(nanoseconds: 9)) == nil)
    #expect(schedule.due(at: Instant(nanoseconds: 10)) == 3)
    schedule.set(3, at: Instant(nanoseconds: 20))
    #expect(schedule.due(at: Instant(nanoseconds: 19)) == nil)
    #expect(schedule.count == 1)
  }
}
