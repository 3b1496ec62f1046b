internal import RuleSets
import Testing

@testable import Core

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

/// A rule with paths `a` and `b`, whose states a test sets by hand.
private struct Bench {
  var selection: RuleSelection
  var health: [Name: PathHealth] = [:]
  var localWAN = InterfaceName("wan0")
  var usable: Set<InterfaceName> = []
  var underlay: InterfaceName?
  var isAstray = false
  let a: Name
  let b: Name
  let wan0: InterfaceName
  let wan1: InterfaceName

  init(
    fallback: Egress.Fallback = .localWAN, holdDown: Duration = .seconds(30), adopted: RuleSelection.Choice? = nil
  )
    throws
  {
    a = try #require(Name("a"))
    b = try #require(Name("b"))
    wan0 = try #require(InterfaceName("wan0"))
    wan1 = try #require(InterfaceName("wan1"))
    usable = [wan0, wan1]
    let rule = BackhaulRule(
      name: try #require(Name("office")), sources: Sources(interfaces: [try #require(InterfaceName("lan0"))]),
      paths: [a, b], fallback: fallback, holdDown: holdDown)
    selection = RuleSelection(rule.egress, adopted: adopted, at: at(0))
    health = [a: PathHealth(at: at(0)), b: PathHealth(at: at(0))]
  }

  /// A probe machine in this state, to judge a path by.
  private func machine(_ path: Name, _ state: ProbeMachine.State, at now: Instant) -> ProbeMachine {
    let probe = Probe(
      name: path, path: path, kind: .icmp(target: IPv4Address(value: 1)), interval: .milliseconds(100),
      timeout: .milliseconds(80), fall: 1, rise: 1)
    var machine = ProbeMachine(probe, at: now, phase: .zero)
    _ = machine.timePassed(to: now)
    switch state {
    case .unknown: break
    case .up: _ = machine.came(.answered(roundTrip: .milliseconds(1)), of: 1, at: now)
    case .down: _ = machine.came(.refused("unreachable"), of: 1, at: now)
    }
    return machine
  }

  mutating func set(_ path: Name, _ state: ProbeMachine.State, at now: Instant) {
    let machine = machine(path, state, at: now)
    _ = health[path]?.judge(PathEvidence(obstacle: nil, probes: [machine]), at: now)
  }

  mutating func force(_ path: Name, _ force: PathHealth.Force?, at now: Instant) {
    let machine = machine(path, .down, at: now)
    _ = health[path]?.judge(PathEvidence(obstacle: nil, probes: [machine], force: force), at: now)
  }

  mutating func degrade(_ path: Name, at now: Instant) {
    var machine = machine(path, .up, at: now)
    for number in UInt64(2)...6 {
      _ = machine.timePassed(to: machine.nextDeadline)
      _ = machine.came(.answered(roundTrip: .milliseconds(50)), of: number, at: now)
    }
    let limits = PathLimits(roundTrip: .init(over: .milliseconds(10), under: .milliseconds(8)), window: 5)
    _ = health[path]?.judge(PathEvidence(obstacle: nil, probes: [machine], limits: limits), at: now)
  }

  private var view: RuleSelection.View {
    let health = health
    let usable = usable
    return .init(
      state: { health[$0] }, localWAN: localWAN, underlay: underlay, isAstray: isAstray,
      canUse: { usable.contains($0) })
  }

  mutating func decide(at now: Instant) -> RuleSelection.Flip? { selection.decide(view, at: now) }
  func standing(at now: Instant) -> String { selection.standing(view, at: now) }
}

@Suite struct RuleSelectionTests {
  /// What `status` says about a rule is true now; whatever made it flip may be long over.
  @Test func theCauseIsOfNow() throws {
    var bench = try Bench()
    #expect(bench.standing(at: at(0)) == "no path has been judged yet")
    bench.set(bench.a, .up, at: at(0))
    bench.set(bench.b, .up, at: at(0))
    _ = bench.decide(at: at(0))
    #expect(bench.standing(at: at(1)) == "first path in order that is up")
    bench.set(bench.a, .down, at: at(10))
    _ = bench.decide(at: at(10))
    #expect(bench.standing(at: at(10)).hasPrefix("path a is down: probe a: 1 in a row"))
    bench.set(bench.a, .up, at: at(20))
    _ = bench.decide(at: at(20))
    #expect(bench.standing(at: at(21)) == "path a is up, and is returned to in 29 s if it stays so")
    _ = bench.decide(at: at(51))
    #expect(bench.standing(at: at(51)) == "first path in order that is up")
  }

  @Test func anUplinkThatCanBeUsedAgainIsNoLongerACause() throws {
    var bench = try Bench()
    for path in [bench.a, bench.b] { bench.set(path, .up, at: at(0)) }
    _ = bench.decide(at: at(0))
    bench.localWAN = nil
    bench.usable = []
    for path in [bench.a, bench.b] { bench.set(path, .down, at: at(10)) }
    #expect(bench.decide(at: at(10)) == nil)
    #expect(bench.standing(at: at(10)).hasSuffix("; no local uplink can be used, so the route is left as it is"))
    bench.set(bench.a, .up, at: at(20))
    bench.localWAN = bench.wan0
    bench.usable = [bench.wan0]
    _ = bench.decide(at: at(20))
    #expect(bench.standing(at: at(20)) == "first path in order that is up")
    // In fallback too.
    bench.set(bench.a, .down, at: at(30))
    _ = bench.decide(at: at(30))
    #expect(bench.selection.choice == .localWAN(bench.wan0))
    bench.localWAN = nil
    bench.usable = []
    _ = bench.decide(at: at(31))
    #expect(bench.standing(at: at(31)).contains("no local uplink can be used"))
    bench.localWAN = bench.wan0
    bench.usable = [bench.wan0]
    _ = bench.decide(at: at(32))
    #expect(!bench.standing(at: at(32)).contains("uplink"))
  }

  @Test func whatTheKernelHadIsJudgedLikeAnyOther() throws {
    let name = try #require(Name("a"))
    var bench = try Bench(adopted: .path(name))
    #expect(bench.standing(at: at(0)) == "no verdict on path a now, and there is no evidence against it")
    bench.set(bench.a, .up, at: at(1))
    #expect(bench.standing(at: at(1)) == "first path in order that is up")
    bench.degrade(bench.a, at: at(2))
    #expect(bench.standing(at: at(2)) == "path a is degraded, and none is up")
    bench.force(bench.a, .down, at: at(3))
    bench.force(bench.b, .down, at: at(3))
    #expect(bench.standing(at: at(3)).hasPrefix("path a is disabled: forced down by an operator; path b is disabled"))
  }

  @Test func nothingMovesBeforeTheFirstVerdict() throws {
    var bench = try Bench()
    #expect(bench.decide(at: at(0)) == nil)
    #expect(bench.selection.choice == nil)
    bench.set(bench.a, .down, at: at(0.1))
    #expect(bench.decide(at: at(0.1)) == nil, "b may still answer")
  }

  @Test func theFirstPathThatAnswersIsTaken() throws {
    var bench = try Bench()
    bench.set(bench.b, .up, at: at(0.001))
    #expect(bench.decide(at: at(0.001))?.to == .path(bench.b))
    bench.set(bench.a, .up, at: at(0.002))
    let flip = bench.decide(at: at(0.002))
    #expect(flip?.to == .path(bench.a), "its first verdict is not a return: no hold-down")
    #expect(flip?.kind == .failback)
  }

  @Test func allDownAtTheStartFallsBack() throws {
    var bench = try Bench()
    bench.set(bench.a, .down, at: at(1))
    bench.set(bench.b, .down, at: at(1))
    let flip = bench.decide(at: at(1))
    #expect(flip?.kind == .initial)
    #expect(flip?.to == .localWAN(bench.wan0))
  }

  @Test func failoverAtOnceAndFailbackAfterTheHoldDown() throws {
    var bench = try Bench()
    bench.set(bench.a, .up, at: at(0))
    bench.set(bench.b, .up, at: at(0))
    #expect(bench.decide(at: at(0))?.to == .path(bench.a))
    bench.set(bench.a, .down, at: at(10))
    let over = bench.decide(at: at(10))
    #expect(over?.kind == .failover)
    #expect(over?.to == .path(bench.b))
    bench.set(bench.a, .up, at: at(20))
    #expect(bench.decide(at: at(20)) == nil)
    #expect(bench.selection.nextDeadline == at(50))
    #expect(bench.decide(at: at(49.9)) == nil)
    let back = bench.decide(at: at(50))
    #expect(back?.kind == .failback)
    #expect(back?.to == .path(bench.a))
  }

  @Test func whatAnOperatorForcesUpIsTakenAtOnceHoweverOftenItFell() throws {
    var bench = try Bench()
    bench.set(bench.a, .up, at: at(0))
    bench.set(bench.b, .up, at: at(0))
    _ = bench.decide(at: at(0))
    for fall in 1...4 {
      bench.set(bench.a, .down, at: at(Double(fall)))
      _ = bench.decide(at: at(Double(fall)))
      bench.set(bench.a, .up, at: at(Double(fall) + 0.5))
    }
    #expect(bench.selection.choice == .path(bench.b))
    bench.force(bench.a, .up, at: at(5))
    let flip = bench.decide(at: at(5))
    #expect(flip?.to == .path(bench.a))
    #expect(flip?.cause == "path a is up: forced up by an operator, whatever its probes say")
    bench.force(bench.a, .down, at: at(6))
    #expect(bench.decide(at: at(6))?.to == .path(bench.b))
    bench.force(bench.b, .down, at: at(7))
    #expect(bench.decide(at: at(7))?.to == .localWAN(bench.wan0))
  }

  @Test func aBetterPathThatIsDueALittleLaterIsNotForgotten() throws {
    var bench = try Bench()
    bench.set(bench.a, .down, at: at(0))
    bench.set(bench.b, .down, at: at(0))
    #expect(bench.decide(at: at(0))?.to == .localWAN(bench.wan0))
    bench.set(bench.b, .up, at: at(10))
    _ = bench.decide(at: at(10))
    bench.set(bench.a, .up, at: at(10.1))
    _ = bench.decide(at: at(10.1))
    #expect(bench.selection.nextDeadline == at(40))
    #expect(bench.decide(at: at(40))?.to == .path(bench.b))
    #expect(bench.selection.nextDeadline == at(40.1), "someone must ask again when a is due")
    #expect(bench.decide(at: at(40.1))?.to == .path(bench.a))
    #expect(bench.selection.nextDeadline == nil)
  }

  @Test func aFlapStartsTheHoldDownAgain() throws {
    var bench = try Bench(adopted: nil)
    bench.set(bench.a, .up, at: at(0))
    bench.set(bench.b, .up, at: at(0))
    _ = bench.decide(at: at(0))
    bench.set(bench.a, .down, at: at(1))
    _ = bench.decide(at: at(1))
    bench.set(bench.a, .up, at: at(2))
    bench.set(bench.a, .down, at: at(20))
    bench.set(bench.a, .up, at: at(21))
    #expect(bench.decide(at: at(32)) == nil)
    #expect(bench.decide(at: at(51))?.to == .path(bench.a))
  }

  @Test func blockedReturnsAtOnce() throws {
    var bench = try Bench(fallback: .block)
    bench.set(bench.a, .down, at: at(1))
    bench.set(bench.b, .down, at: at(1))
    #expect(bench.decide(at: at(1))?.to == .blocked)
    bench.set(bench.b, .up, at: at(2))
    #expect(bench.decide(at: at(2))?.to == .path(bench.b))
  }

  @Test func withNowhereToGoNothingIsTornDown() throws {
    var bench = try Bench()
    bench.set(bench.a, .up, at: at(0))
    bench.set(bench.b, .down, at: at(0))
    _ = bench.decide(at: at(0))
    bench.localWAN = nil
    bench.set(bench.a, .down, at: at(5))
    #expect(bench.decide(at: at(5)) == nil)
    #expect(bench.selection.choice == .path(bench.a))
    bench.localWAN = bench.wan1
    #expect(bench.decide(at: at(6))?.to == .localWAN(bench.wan1))
  }

  @Test func unknownIsNeitherATargetNorAReason() throws {
    var bench = try Bench(adopted: .path(try #require(Name("a"))))
    bench.set(bench.b, .up, at: at(1))
    #expect(bench.decide(at: at(1)) == nil, "a was in use before the restart and has no verdict yet")
    #expect(bench.selection.choice == .path(bench.a))
  }

  @Test func aRestartOnTheFallbackStillWaitsForTheHoldDown() throws {
    var bench = try Bench(adopted: .localWAN(try #require(InterfaceName("wan0"))))
    bench.set(bench.a, .up, at: at(1))
    #expect(bench.decide(at: at(1)) == nil)
    #expect(bench.decide(at: at(31))?.to == .path(bench.a))
  }

  @Test func anUplinkThatGoesIsLeftForTheNextTier() throws {
    var bench = try Bench(adopted: .localWAN(try #require(InterfaceName("wan0"))))
    bench.set(bench.a, .down, at: at(1))
    bench.set(bench.b, .down, at: at(1))
    #expect(bench.decide(at: at(1)) == nil)
    bench.usable = [bench.wan1]
    bench.localWAN = bench.wan1
    let flip = bench.decide(at: at(2))
    #expect(flip?.kind == .failover)
    #expect(flip?.to == .localWAN(bench.wan1))
  }

  @Test func aPathThatIsRemovedIsKeptUntilAnotherWorksButNoUplinkIs() throws {
    for isUplink in [false, true] {
      var bench = try Bench(fallback: .block)
      bench.set(bench.a, .up, at: at(0))
      #expect(bench.decide(at: at(0))?.to == .path(bench.a))
      var egress = bench.selection.egress
      egress.paths = [bench.b]
      bench.selection.egressChanged(to: egress)
      bench.isAstray = isUplink
      let flip = bench.decide(at: at(1))
      #expect(flip?.to == (isUplink ? .blocked : nil))
      #expect(flip?.cause.isEmpty != true)
    }
  }

  /// On the fallback, with `a` up for less than the hold-down.
  private func waiting(_ fallback: Egress.Fallback) throws -> Bench {
    var bench = try Bench(fallback: fallback)
    bench.underlay = fallback == .underlay ? bench.wan1 : nil
    bench.set(bench.a, .down, at: at(0))
    bench.set(bench.b, .down, at: at(0))
    #expect(bench.decide(at: at(0)) != nil)
    bench.set(bench.a, .up, at: at(10))
    #expect(bench.decide(at: at(10)) == nil, "the hold-down")
    return bench
  }

  @Test(arguments: [Egress.Fallback.localWAN, .underlay]) func aFallbackThatIsNoLongerOneIsLeftForAPathThatIsUp(
    _ fallback: Egress.Fallback
  ) throws {
    var bench = try waiting(fallback)
    var egress = bench.selection.egress
    egress.fallback = .block
    bench.selection.egressChanged(to: egress)
    let flip = bench.decide(at: at(11))
    #expect(flip?.to == .path(bench.a), "not blocked, with nobody to ask again")
    #expect(flip?.kind == .changed)
  }

  @Test(arguments: [Egress.Fallback.localWAN, .underlay]) func aFallbackThatIsDeadDoesNotWaitForTheHoldDown(
    _ fallback: Egress.Fallback
  ) throws {
    var bench = try waiting(fallback)
    bench.usable = []
    bench.localWAN = nil
    bench.underlay = nil
    let flip = bench.decide(at: at(11))
    #expect(flip?.to == .path(bench.a))
    #expect(flip?.kind == .failover)
    #expect(flip?.cause.contains("cannot be used") == true)
  }

  @Test func everyFlipHasACause() throws {
    var bench = try Bench()
    bench.set(bench.a, .up, at: at(0))
    #expect(bench.decide(at: at(0))?.cause.isEmpty == false)
    bench.set(bench.a, .down, at: at(1))
    bench.set(bench.b, .down, at: at(1))
    #expect(bench.decide(at: at(1))?.cause.contains("path a is down") == true)
  }

  @Test func aPathThatKeepsFallingIsNotReturnedTo() throws {
    var bench = try Bench(holdDown: .seconds(1))
    bench.set(bench.a, .up, at: at(0))
    bench.set(bench.b, .up, at: at(0))
    #expect(bench.decide(at: at(0))?.to == .path(bench.a))
    for round in 1...3 {
      bench.set(bench.a, .down, at: at(Double(round) * 10))
      #expect(bench.decide(at: at(Double(round) * 10))?.to == .path(bench.b))
      bench.set(bench.a, .up, at: at(Double(round) * 10 + 1))
      #expect(bench.decide(at: at(Double(round) * 10 + 1)) == nil)
      if round < 3 { #expect(bench.decide(at: at(Double(round) * 10 + 3))?.to == .path(bench.a)) }
    }
    #expect(bench.decide(at: at(33)) == nil, "three falls in half a minute")
    let due = try #require(bench.selection.nextDeadline)
    #expect(due > at(90) && due < at(140))
    #expect(bench.decide(at: due)?.to == .path(bench.a))
  }

  @Test func aDegradedPathIsLeftOnceAnotherHasFallenLongAgo() throws {
    var bench = try Bench(holdDown: .seconds(1))
    for round in 0..<3 {
      bench.set(bench.b, .up, at: at(Double(round)))
      bench.set(bench.b, .down, at: at(Double(round) + 0.5))
    }
    bench.set(bench.a, .up, at: at(3))
    #expect(bench.decide(at: at(3))?.to == .path(bench.a))
    bench.set(bench.b, .up, at: at(4))
    bench.degrade(bench.a, at: at(5))
    #expect(bench.health[bench.a]?.state == .degraded)
    #expect(bench.decide(at: at(5)) == nil, "b keeps falling")
    let due = try #require(bench.selection.nextDeadline, "and nobody would ask again")
    #expect(bench.decide(at: due)?.to == .path(bench.b))
  }

  @Test func aPathThatKeepsFallingIsBetterThanNone() throws {
    var bench = try Bench(fallback: .block, holdDown: .seconds(1))
    for round in 0..<4 {
      bench.set(bench.a, .up, at: at(Double(round)))
      #expect(bench.decide(at: at(Double(round)))?.to == .path(bench.a))
      bench.set(bench.a, .down, at: at(Double(round) + 0.5))
      bench.set(bench.b, .down, at: at(Double(round) + 0.5))
      #expect(bench.decide(at: at(Double(round) + 0.5))?.to == .blocked)
    }
  }

  @Test func anOperatorShutsAPath() throws {
    var bench = try Bench()
    bench.set(bench.a, .up, at: at(0))
    bench.set(bench.b, .up, at: at(0))
    #expect(bench.decide(at: at(0))?.to == .path(bench.a))
    _ = bench.health[bench.a]?.judge(PathEvidence(obstacle: nil, probes: [], force: .down), at: at(5))
    #expect(bench.health[bench.a]?.state == .disabled)
    let flip = bench.decide(at: at(5))
    #expect(flip?.to == .path(bench.b))
    #expect(flip?.cause == "path a is disabled: forced down by an operator")
    _ = bench.health[bench.a]?.judge(PathEvidence(obstacle: nil, probes: [], force: .up), at: at(6))
    #expect(bench.health[bench.a]?.state == .up)
    _ = bench.health[bench.a]?.judge(PathEvidence(obstacle: "wan0 has no carrier", probes: [], force: .up), at: at(7))
    #expect(bench.health[bench.a]?.state == .down, "no operator can make a cable")
  }
}
