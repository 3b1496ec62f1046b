internal import RuleSets
import Testing

@testable import Core

private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: Int64(milliseconds) * 1_000_000) }

/// Machines with the results that a test wants.
private func machine(_ name: String, _ results: [Int?], fall: Int = 3) throws -> ProbeMachine {
  let name = try #require(Name(name))
  var machine = ProbeMachine(
    Probe(
      name: name, path: name, kind: .icmp(target: IPv4Address(value: 1)), interval: .milliseconds(1_000),
      timeout: .milliseconds(1_000), fall: fall, rise: 1), at: at(0), phase: .zero)
  var number: UInt64 = 0
  for (index, result) in results.enumerated() {
    number += 1
    let now = at(index * 1_000)
    let next = UInt64(machine.sentInAll) + 1
    // The first is the one that is due. The following ones are rehearsals, which do not count as results.
    for case .send(next) in machine.timePassed(to: now) { number = next }
    if let result {
      _ = machine.came(.answered(roundTrip: .milliseconds(result)), of: number, at: now)
    } else {
      _ = machine.came(.refused("lost"), of: number, at: now)
    }
  }
  return machine
}

@Suite struct PathLimitsTests {
  private func judged(_ health: inout PathHealth, _ probes: [ProbeMachine], _ limits: PathLimits) -> String {
    _ = health.judge(PathEvidence(obstacle: nil, probes: probes, limits: limits), at: at(0))
    return "\(health.state): \(health.cause)"
  }

  @Test func lossOverItsLimitDegradesUntilItIsUnderTheOther() throws {
    let limits = PathLimits(loss: .init(over: 10, under: 5), window: 20)
    var health = PathHealth(at: at(0))
    let good = Array<Int?>(repeating: 10, count: 18)
    #expect(judged(&health, [try machine("a", good + [10, 10])], limits) == "up: every probe is answered")
    #expect(judged(&health, [try machine("a", [nil] + good + [nil, 10])], limits) == "up: every probe is answered")
    #expect(
      judged(&health, [try machine("a", good + [nil, 10, nil, 10, nil, 10])], limits)
        == "degraded: 15 % loss, limit 10 %")
    #expect(judged(&health, [try machine("a", [nil, nil] + good)], limits) == "degraded: 10 % loss, limit 5 %")
    #expect(judged(&health, [try machine("a", [nil] + good + [10])], limits) == "up: every probe is answered")
  }

  @Test func latencyAndJitterHaveLimits() throws {
    let limits = PathLimits(
      roundTrip: .init(over: .milliseconds(100), under: .milliseconds(80)),
      jitter: .init(over: .milliseconds(30), under: .milliseconds(10)), window: 10)
    var health = PathHealth(at: at(0))
    #expect(judged(&health, [try machine("a", Array(repeating: 90, count: 10))], limits).hasPrefix("up"))
    #expect(
      judged(&health, [try machine("a", Array(repeating: 120, count: 10))], limits)
        == "degraded: round trip 120 ms, limit 100 ms")
    #expect(judged(&health, [try machine("a", Array(repeating: 90, count: 10))], limits).hasPrefix("degraded"))
    #expect(judged(&health, [try machine("a", Array(repeating: 70, count: 10))], limits).hasPrefix("up"))
    let shaky = (0..<10).map { Optional($0 % 2 == 0 ? 20 : 60) }
    #expect(judged(&health, [try machine("a", shaky)], limits) == "degraded: jitter 40 ms, limit 30 ms")
  }

  @Test func tooFewResultsSayNothing() throws {
    let limits = PathLimits(loss: .init(over: 10, under: 5), window: 30)
    var health = PathHealth(at: at(0))
    #expect(judged(&health, [try machine("a", [10, nil, 10])], limits).hasPrefix("up"))
  }

  @Test func aQuorumDecides() throws {
    var health = PathHealth(at: at(0))
    let good = try machine("a", [10])
    let bad = try machine("b", [nil, nil, nil])
    let other = try machine("c", [nil, nil, nil])
    func state(_ probes: [ProbeMachine], _ quorum: Int?) -> String {
      _ = health.judge(PathEvidence(obstacle: nil, probes: probes, quorum: quorum), at: at(0))
      return "\(health.state): \(health.cause)"
    }
    #expect(state([good, bad], 1) == "up: 1 of 2 probes are answered, which is enough")
    #expect(state([good, bad], nil) == "down: probe b: 3 in a row without an answer (lost)")
    #expect(state([good, bad, other], 2) == "down: probe b: 3 in a row without an answer (lost), as 1 other")
    #expect(state([good, bad, other], 1).hasPrefix("up"))
    let silent = ProbeMachine(good.probe, at: at(0), phase: .zero)
    #expect(state([bad, silent], 1) == "unknown: probe a has no answer yet")
  }

  @Test func fallsAreRememberedAndFew() throws {
    var health = PathHealth(at: at(0))
    let good = try machine("a", [10])
    let bad = try machine("a", [nil, nil, nil])
    for round in 0..<40 {
      _ = health.judge(PathEvidence(obstacle: nil, probes: [good]), at: at(round * 10))
      _ = health.judge(PathEvidence(obstacle: nil, probes: [bad]), at: at(round * 10 + 5))
    }
    #expect(health.falls.count == 12)
    #expect(health.falls.last == at(395))
  }
}
