internal import RuleSets
import Testing

@testable import Core

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

/// What is known of a path, from its device, its probes and its tunnel's keys.
@Suite struct PathHealthTests {
  private func down() throws -> ProbeMachine {
    let name = try #require(Name("ping"))
    var machine = ProbeMachine(
      Probe(
        name: name, path: name, kind: .icmp(target: IPv4Address(value: 1)), interval: .milliseconds(100),
        timeout: .milliseconds(80), fall: 1, rise: 1), at: at(0), phase: .zero)
    _ = machine.timePassed(to: at(0))
    _ = machine.came(.refused("unreachable"), of: 1, at: at(0))
    return machine
  }

  @Test func aRemarkExplainsAndDecidesNothing() throws {
    var health = PathHealth(at: at(0))
    _ = health.judge(
      PathEvidence(obstacle: nil, probes: [try down()], remark: "the SA is up, so the data plane is dead"), at: at(1))
    #expect(health.state == .down)
    #expect(
      health.cause
        == "probe ping: 1 in a row without an answer (unreachable); the SA is up, so the data plane is dead")
    _ = health.judge(
      PathEvidence(obstacle: nil, probes: [], remark: "the SA is up, so the data plane is dead"), at: at(2))
    #expect(health.cause == "the device is up; no probe watches it")
    _ = health.judge(
      PathEvidence(obstacle: "wan0 has no carrier", probes: [try down()], remark: "no SA: refused"), at: at(3))
    #expect(health.cause == "wan0 has no carrier")
  }

  @Test func withoutProbesADoubtKeepsWhatWasKnownOfWhatCarries() {
    for doubt in [PathHealth.Doubt.passing("no SA yet"), .lasting("charon does not answer")] {
      var health = PathHealth(at: at(0))
      _ = health.judge(PathEvidence(obstacle: nil, probes: [], doubt: doubt), at: at(1))
      #expect(health.state == .unknown, "the device alone says nothing of the keys")
      _ = health.judge(PathEvidence(obstacle: nil, probes: []), at: at(2))
      #expect(health.state == .up)
      _ = health.judge(PathEvidence(obstacle: nil, probes: [], doubt: doubt), at: at(3))
      #expect(health.state == .up)
      _ = health.judge(PathEvidence(obstacle: "no SA: refused", probes: []), at: at(4))
      #expect(health.state == .down)
      _ = health.judge(PathEvidence(obstacle: nil, probes: [], doubt: doubt), at: at(5))
      #expect(health.state == .unknown, "nothing says that it carries again")
    }
  }

  @Test func onlyADoubtThatLastsIsNotWaitedFor() throws {
    var health = PathHealth(at: at(0))
    var isNews = health.judge(PathEvidence(obstacle: nil, probes: [], doubt: .passing("no SA yet")), at: at(1))
    #expect((isNews, health.cannotBeProbed) == (false, false))
    isNews = health.judge(PathEvidence(obstacle: nil, probes: [], doubt: .lasting("charon does not answer")), at: at(2))
    #expect((isNews, health.cannotBeProbed) == (true, true))
    isNews = health.judge(PathEvidence(obstacle: nil, probes: []), at: at(3))
    #expect((isNews, health.cannotBeProbed) == (true, false))
  }

  @Test func whatProbesLoseWhileTheTunnelIsMadeIsNoEvidence() throws {
    var health = PathHealth(at: at(0))
    _ = health.judge(PathEvidence(obstacle: nil, probes: [try down()], doubt: .passing("no SA yet")), at: at(1))
    #expect(health.state == .unknown)
    #expect(health.cause == "no SA yet")
    _ = health.judge(PathEvidence(obstacle: nil, probes: [try down()]), at: at(2))
    #expect(health.state == .down)
    _ = health.judge(PathEvidence(obstacle: nil, probes: [try down()], doubt: .passing("no SA yet")), at: at(3))
    #expect(health.state == .down, "what is known to be dead is not made anew by a doubt")
    health = PathHealth(at: at(0))
    _ = health.judge(PathEvidence(obstacle: "wan0 has no carrier", probes: [], doubt: .passing("no SA yet")), at: at(1))
    #expect(health.state == .down)
  }

  @Test func probesAreAskedWhateverTheDoubt() throws {
    var health = PathHealth(at: at(0))
    _ = health.judge(
      PathEvidence(obstacle: nil, probes: [try down()], doubt: .lasting("charon does not answer")), at: at(1))
    #expect(health.state == .down)
    #expect(!health.cannotBeProbed)
  }
}
