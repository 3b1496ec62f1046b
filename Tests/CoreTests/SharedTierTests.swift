internal import RuleSets
import Testing

@testable import Core

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

/// A rule whose first tier is shared by `a`, `b` and `c`, and `z` after them.
private struct Bench {
  var selection: RuleSelection
  var health: [Name: PathHealth] = [:]
  let a, b, c, z: Name
  let wan: InterfaceName

  init(adopted: ((Name, Name) -> RuleSelection.Choice)? = nil) throws {
    a = try #require(Name("a"))
    b = try #require(Name("b"))
    c = try #require(Name("c"))
    z = try #require(Name("z"))
    wan = try #require(InterfaceName("wan0"))
    let rule = BackhaulRule(
      name: try #require(Name("office")), sources: Sources(interfaces: [try #require(InterfaceName("lan0"))]),
      egress: Egress(
        name: try #require(Name("office")),
        tiers: [[PathShare(a, weight: 3), PathShare(b), PathShare(c)], [PathShare(z)]], fallback: .localWAN,
        holdDown: .seconds(30)))
    selection = RuleSelection(rule.egress, adopted: adopted?(a, b), at: at(0))
    for name in [a, b, c, z] { health[name] = PathHealth(at: at(0)) }
  }

  mutating func set(_ paths: [Name], up: Bool, at now: Instant) {
    for path in paths { _ = health[path]?.judge(PathEvidence(obstacle: up ? nil : "cut", probes: []), at: now) }
  }

  mutating func degrade(_ path: Name, at now: Instant) {
    let probe = Probe(
      name: path, path: path, kind: .icmp(target: IPv4Address(value: 1)), interval: .milliseconds(100),
      timeout: .milliseconds(80), fall: 1, rise: 1)
    var machine = ProbeMachine(probe, at: now, phase: .zero)
    for number in UInt64(1)...6 {
      _ = machine.timePassed(to: machine.nextDeadline)
      _ = machine.came(.answered(roundTrip: .milliseconds(50)), of: number, at: now)
    }
    let limits = PathLimits(roundTrip: .init(over: .milliseconds(10), under: .milliseconds(8)), window: 5)
    _ = health[path]?.judge(PathEvidence(obstacle: nil, probes: [machine], limits: limits), at: now)
  }

  mutating func decide(at now: Instant) -> RuleSelection.Flip? {
    let (health, wan) = (health, wan)
    return selection.decide(.init(state: { health[$0] }, localWAN: wan, canUse: { $0 == wan }), at: now)
  }
}

@Suite struct SharedTierTests {
  @Test func thoseThatAreUpShare() throws {
    var bench = try Bench()
    bench.set([bench.a, bench.c, bench.z], up: true, at: at(0))
    let flip = bench.decide(at: at(0))
    #expect(flip?.to == .paths([bench.a, bench.c]))
    #expect(flip?.to.description == "paths:a,c")
    #expect(bench.selection.mode { _ in true } == .backhaul)
    bench.set([bench.b], up: true, at: at(1))
    let joined = bench.decide(at: at(1))
    #expect(joined?.to == .paths([bench.a, bench.b, bench.c]), "its first verdict is not a return: no hold-down")
    #expect(joined?.kind == .failback)
  }

  @Test func oneThatIsLostLeavesAndJoinsAfterTheHoldDown() throws {
    var bench = try Bench()
    bench.set([bench.a, bench.b, bench.c, bench.z], up: true, at: at(0))
    #expect(bench.decide(at: at(0))?.to == .paths([bench.a, bench.b, bench.c]))
    bench.set([bench.b], up: false, at: at(1))
    let left = bench.decide(at: at(1))
    #expect(left?.to == .paths([bench.a, bench.c]))
    #expect(left?.kind == .failover)
    #expect(left?.cause == "path b is down: cut")
    bench.set([bench.b], up: true, at: at(2))
    #expect(bench.decide(at: at(2)) == nil)
    #expect(bench.selection.nextDeadline == at(32))
    #expect(bench.decide(at: at(31.9)) == nil)
    #expect(bench.decide(at: at(32))?.to == .paths([bench.a, bench.b, bench.c]))
  }

  @Test func theLastOfATierIsAPathLikeAnother() throws {
    var bench = try Bench()
    bench.set([bench.a, bench.b, bench.c, bench.z], up: true, at: at(0))
    _ = bench.decide(at: at(0))
    bench.set([bench.a, bench.c], up: false, at: at(1))
    #expect(bench.decide(at: at(1))?.to == .path(bench.b))
    bench.set([bench.b], up: false, at: at(2))
    let flip = bench.decide(at: at(2))
    #expect(flip?.to == .path(bench.z), "the next tier")
    #expect(flip?.cause == "path b is down: cut")
    bench.set([bench.a], up: true, at: at(3))
    bench.set([bench.c], up: true, at: at(4))
    #expect(bench.decide(at: at(33))?.to == .path(bench.a), "who is back first need not wait for the others")
    #expect(bench.selection.nextDeadline == at(34), "and the next one is looked at when its time has come")
    #expect(bench.decide(at: at(34))?.to == .paths([bench.a, bench.c]))
  }

  @Test func allAtOnceFallBack() throws {
    var bench = try Bench()
    bench.set([bench.a, bench.b, bench.c, bench.z], up: true, at: at(0))
    _ = bench.decide(at: at(0))
    bench.set([bench.a, bench.b, bench.c, bench.z], up: false, at: at(1))
    let flip = bench.decide(at: at(1))
    #expect(flip?.to == .localWAN(bench.wan))
    #expect(bench.selection.mode { _ in true } == .fallback)
  }

  @Test func aDegradedOneGetsNothingWhileAnotherIsUp() throws {
    var bench = try Bench()
    bench.set([bench.a, bench.b, bench.z], up: true, at: at(0))
    bench.set([bench.c], up: false, at: at(0))
    _ = bench.decide(at: at(0))
    bench.degrade(bench.b, at: at(1))
    let flip = bench.decide(at: at(1))
    #expect(flip?.to == .path(bench.a))
    #expect(flip?.kind == .failover)
    bench.degrade(bench.a, at: at(2))
    #expect(bench.decide(at: at(2))?.to == .path(bench.z), "where all are, the next tier is better")
  }

  @Test func whereAllThatLiveAreDegradedASteadyOneBesideThemIsTakenAtOnce() throws {
    var bench = try Bench()
    bench.set([bench.a, bench.b], up: true, at: at(0))
    bench.set([bench.c, bench.z], up: false, at: at(0))
    _ = bench.decide(at: at(0))
    bench.set([bench.c], up: true, at: at(1))
    bench.degrade(bench.a, at: at(1))
    bench.degrade(bench.b, at: at(1))
    let flip = bench.decide(at: at(1))
    #expect(flip?.to == .path(bench.c))
    #expect(flip?.kind == .failover)
  }

  @Test func oneOfWhichNothingIsKnownStays() throws {
    var bench = try Bench { .paths([$0, $1]) }
    #expect(bench.decide(at: at(0)) == nil)
    bench.set([bench.b], up: false, at: at(1))
    #expect(bench.decide(at: at(1))?.to == .path(bench.a), "what is dead goes, what is not known stays")
  }

  @Test func aDegradedOneIsNotLeftForOneOfWhichNothingIsKnown() throws {
    var bench = try Bench { .paths([$0, $1]) }
    bench.set([bench.b], up: true, at: at(0))
    bench.degrade(bench.b, at: at(1))
    #expect(bench.decide(at: at(1)) == nil)
  }

  @Test func oneThatTheRuleNoLongerListsGoes() throws {
    var bench = try Bench()
    bench.set([bench.a, bench.b, bench.c], up: true, at: at(0))
    _ = bench.decide(at: at(0))
    var egress = bench.selection.egress
    egress.tiers = [[PathShare(bench.a)], [PathShare(bench.b)]]
    bench.selection.egressChanged(to: egress)
    let flip = bench.decide(at: at(1))
    #expect(flip?.to == .path(bench.a))
    #expect(flip?.kind == .changed)
  }
}
