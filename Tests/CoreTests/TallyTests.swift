import Core
internal import RuleSets
import Testing

@Suite struct TallyTests {
  private let begin = Instant(nanoseconds: 0)

  @Test func eventsAreCountedByKindAndFlipsByRule() {
    var tally = EventTally()
    tally.noted(AgentEvent(.failover, "office", "t", payload: .failover(.probes)))
    tally.noted(AgentEvent(.failover, "office", "t", payload: .failover(.device)))
    tally.noted(AgentEvent(.failback, "office", "t"))
    tally.noted(AgentEvent(.causeFound, "fra-a", "t", payload: .cause(.hubDown)))
    #expect(tally.events == [.failover: 2, .failback: 1, .causeFound: 1])
    #expect(tally.flips == [.init("office", "failover"): 2, .init("office", "failback"): 1])
    #expect(tally.failovers == [.init("office", "probes"): 1, .init("office", "device"): 1])
    #expect(tally.causesFound == [.init("fra-a", "hub_down"): 1])
  }

  @Test func whatIsCountedIsAmongTheDetails() {
    #expect(AgentEvent(.failover, "office", "t", payload: .failover(.device)).details == ["reason": "device"])
    let found = AgentEvent(.causeFound, "fra-a", "t", details: ["evidence": "e"], payload: .cause(.hubDown))
    #expect(found.details == ["evidence": "e", "cause": "hub_down"])
  }

  @Test func namesWithoutEndTakeNoMemoryWithoutEnd() {
    var tally = EventTally()
    for number in 0..<(EventTally.mostKeys + 100) {
      tally.noted(AgentEvent(.failover, "rule-\(number)", "t", payload: .failover(.probes)))
    }
    #expect(tally.failovers.count == EventTally.mostKeys)
    tally.noted(AgentEvent(.failover, "rule-0", "t", payload: .failover(.probes)))
    #expect(tally.failovers[.init("rule-0", "probes")] == 2, "those that are known go on")
  }

  @Test func aRulesTimeIsSharedOutToItsModes() {
    var clock = ModeClock(.blocked, at: begin)
    clock.turned(to: .backhaul, at: begin + .seconds(1))
    clock.turned(to: .backhaul, at: begin + .seconds(2))
    clock.turned(to: .fallback, at: begin + .seconds(11))
    clock.turned(to: .backhaul, at: begin + .seconds(14))
    let now = begin + .seconds(20)
    #expect(clock.time(in: .blocked, at: now) == .seconds(1))
    #expect(clock.time(in: .backhaul, at: now) == .seconds(16))
    #expect(clock.time(in: .fallback, at: now) == .seconds(3))
    #expect(clock.time(in: .bypass, at: now) == .zero)
  }

  @Test func theCauseOfAFailoverIsThatOfThePathThatWasLeft() throws {
    let (a, b) = (try #require(Name("a")), try #require(Name("b")))
    func health(_ obstacle: String?, _ force: PathHealth.Force? = nil) -> PathHealth {
      var health = PathHealth(at: begin)
      _ = health.judge(PathEvidence(obstacle: obstacle, probes: [], force: force), at: begin)
      return health
    }
    let wan = RuleSelection.Choice.blocked
    #expect(FailoverCause(leaving: .path(a), for: wan) { _ in health("wan0 has no carrier") } == .device)
    #expect(FailoverCause(leaving: .path(a), for: wan) { _ in health(nil, .down) } == .forced)
    #expect(FailoverCause(leaving: .path(a), for: wan) { _ in health(nil) } == .other)
    #expect(FailoverCause(leaving: nil, for: wan) { _ in health("gone") } == .other)
    #expect(
      FailoverCause(leaving: .paths([a, b]), for: .path(b)) { $0 == a ? health(nil, .down) : health("gone") }
        == .forced, "the path that stays is not to blame")
  }

  @Test func looksThatFailAreLooksToo() {
    var tally = ReconcileTally()
    tally.succeeded(changes: 3, repairing: false)
    tally.succeeded(changes: 0, repairing: true)
    tally.succeeded(changes: 2, repairing: true)
    tally.failed()
    #expect(tally.runs == 4 && tally.failures == 1 && tally.changes == 5 && tally.repairs == 1)
  }
}
