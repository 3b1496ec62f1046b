import Core
internal import RuleSets
import Testing

@testable import Agent

@Suite struct ProbeScheduleTests {
  private func probes(_ count: Int) throws -> [WatchedProbe] {
    try (0..<count).map { number in
      let name = try #require(Name("p\(number)"))
      let probe = Probe(name: name, path: name, kind: .icmp(target: IPv4Address(value: 1)))
      return WatchedProbe(ProbeMachine(probe, at: Instant(nanoseconds: 0), phase: .zero), order: number)
    }
  }

  @Test func `probes come up by time, whatever was changed and taken away before`() throws {
    var schedule = ProbeSchedule()
    var random = SystemRandomNumberGenerator()
    let probes = try probes(300)
    var expected: [ObjectIdentifier: Int64] = [:]
    for _ in 0..<5_000 {
      let probe = try #require(probes.randomElement(using: &random))
      if Int.random(in: 0..<4, using: &random) == 0 {
        schedule.remove(probe)
        expected[ObjectIdentifier(probe)] = nil
      } else {
        let due = Int64.random(in: 1...1_000, using: &random)
        schedule.set(probe, at: Instant(nanoseconds: due))
        expected[ObjectIdentifier(probe)] = due
      }
      #expect(schedule.next?.nanoseconds == expected.values.min())
      #expect(schedule.count == expected.count)
    }
    var came: [Int64] = []
    while let probe = schedule.due(at: Instant(nanoseconds: 1_000)) {
      came.append(try #require(expected[ObjectIdentifier(probe)]))
      schedule.remove(probe)
      #expect(probe.place == nil)
    }
    #expect(came == expected.values.sorted())
    #expect(schedule.next == nil)
  }

  @Test func `those that are due at one time come up in an order that stays`() throws {
    var schedule = ProbeSchedule()
    let probes = try probes(100)
    for turn in 1...20 {
      for probe in probes.shuffled() { schedule.set(probe, at: Instant(nanoseconds: Int64(turn))) }
      var came: [Int] = []
      while let probe = schedule.due(at: Instant(nanoseconds: Int64(turn))) {
        came.append(probe.order)
        schedule.set(probe, at: Instant(nanoseconds: Int64(turn + 1)))
      }
      #expect(came == Array(0..<100))
    }
  }

  @Test func `none is due before its time`() throws {
    var schedule = ProbeSchedule()
    let probe = try probes(1)[0]
    schedule.set(probe, at: Instant(nanoseconds: 10))
    #expect(schedule.due(at: Instant(nanoseconds: 9)) == nil)
    #expect(schedule.due(at: Instant(nanoseconds: 10)) === probe)
    schedule.remove(probe)
    schedule.remove(probe)
    #expect(schedule.count == 0)
  }
}
