import Core
internal import RuleSets
import Testing

/// Probes of many paths leave together, each no later than at its own time.
@Suite struct ProbeBeatTests {
  private func milliseconds(_ count: Double) -> Instant { Instant(nanoseconds: Int64(count * 1_000_000)) }

  private func machine(interval: Int64, phase: Double) throws -> ProbeMachine {
    let name = try #require(Name("p"))
    var probe = Probe(name: name, path: name, kind: .icmp(target: IPv4Address(value: 1)))
    (probe.interval, probe.timeout) = (.milliseconds(interval), .milliseconds(interval))
    return ProbeMachine(probe, at: Instant(nanoseconds: 0), phase: milliseconds(phase) - Instant(nanoseconds: 0))
  }

  /// When it sends within this many milliseconds, if each answer takes one.
  private func sends(_ machine: ProbeMachine, during time: Double) -> [Instant] {
    var machine = machine
    var sends: [Instant] = []
    while machine.nextDeadline < milliseconds(time) {
      let now = machine.nextDeadline
      for case .send(let number) in machine.timePassed(to: now) {
        sends.append(now)
        _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: number, at: now + .milliseconds(1))
      }
    }
    return sends
  }

  @Test func aHundredPathsLeaveOnTenBeatsOfTheirFirstFiftyMilliseconds() throws {
    let all = try (0..<100).map { sends(try machine(interval: 100, phase: Double($0) / 2), during: 10_000) }
    // The rehearsal after the first answer is not on the beat.
    let late = Set(all.joined().filter { $0 >= milliseconds(2_000) })
    #expect(late.allSatisfy { $0.nanoseconds % 5_000_000 == 0 })
    #expect(late.count == 80 * 10)
  }

  @Test(arguments: [50, 77, 100, 103, 250, 1_000] as [Int64], [0, 1.3, 12.5, 49.9])
  func noneIsLateAndNoneIsSentTooMuch(_ interval: Int64, _ phase: Double) throws {
    let sends = try sends(machine(interval: interval, phase: phase), during: 100_000)
    let earliest = min(5, Double(interval) / 20)
    let peace = sends.filter { $0 > milliseconds(20_000) }
    for (one, next) in zip(peace, peace.dropFirst()) {
      let pause = (next - one).milliseconds
      #expect(pause <= Double(interval) + earliest && pause >= Double(interval) - earliest)
    }
    let first = try #require(peace.first), last = try #require(peace.last)
    let mean = (last - first).milliseconds / Double(peace.count - 1)
    #expect(abs(mean - Double(interval)) < Double(interval) / 500, "the rate is the interval's")
  }
}
