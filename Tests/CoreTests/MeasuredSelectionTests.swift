internal import RuleSets
import SeededRandom
import Testing

@testable import Core

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

/// A rule that chooses among paths `a`, `b` and `c` by what their probes measure: round trips in milliseconds, losses in
/// percent.
private struct Bench {
  var selection: RuleSelection
  var health: [Name: PathHealth] = [:]
  var figures: [Name: Double] = [:]
  var flips: [RuleSelection.Flip] = []
  let names: [Name]
  let measure: PathPreference.Measure

  init(
    _ preference: PathPreference = PathPreference(.latency, latencyMargin: .milliseconds(10), hold: .seconds(10)),
    fallback: Egress.Fallback = .block, holdDown: Duration = .zero
  ) throws {
    names = try ["a", "b", "c"].map { try #require(Name($0)) }
    measure = preference.measure
    var rule = BackhaulRule(
      name: try #require(Name("office")), sources: Sources(interfaces: [try #require(InterfaceName("lan0"))]),
      paths: names, fallback: fallback, holdDown: holdDown)
    rule.egress.preference = preference
    selection = RuleSelection(rule.egress, adopted: nil, at: at(0))
    for name in names {
      health[name] = PathHealth(at: at(0))
      set(name, .up, at: at(0))
    }
  }

  private func machine(_ path: Name, _ isAnswered: Bool, _ figure: Double, at now: Instant) -> ProbeMachine {
    let probe = Probe(
      name: path, path: path, kind: .icmp(target: IPv4Address(value: 1)), interval: .milliseconds(100),
      timeout: .milliseconds(80), fall: 1, rise: 1)
    var machine = ProbeMachine(probe, at: now, phase: .zero)
    _ = machine.timePassed(to: now)
    _ = machine.came(isAnswered ? .answered(roundTrip: .milliseconds(1)) : .refused("unreachable"), of: 1, at: now)
    return machine
  }

  mutating func set(_ path: Name, _ state: ProbeMachine.State, at now: Instant) {
    let machine = machine(path, state == .up, 1, at: now)
    _ = health[path]?.judge(PathEvidence(obstacle: nil, probes: [machine]), at: now)
  }

  /// Beyond its limits.
  mutating func degrade(_ path: Name, at now: Instant) {
    var machine = machine(path, true, 1, at: now)
    for number in UInt64(2)...6 {
      _ = machine.timePassed(to: machine.nextDeadline)
      _ = machine.came(.answered(roundTrip: .milliseconds(50)), of: number, at: now)
    }
    let limits = PathLimits(roundTrip: .init(over: .milliseconds(10), under: .milliseconds(8)), window: 5)
    _ = health[path]?.judge(PathEvidence(obstacle: nil, probes: [machine], limits: limits), at: now)
  }

  private var view: RuleSelection.View {
    let (health, figures, measure) = (health, figures, measure)
    return .init(
      state: { health[$0] },
      measure: { name in
        figures[name].map { figure in
          measure == .loss
            ? PathMeasure(results: 30, loss: figure)
            : PathMeasure(results: 30, loss: 0, roundTrip: .nanoseconds(Int64(figure * 1e6)))
        }
      }, localWAN: nil, canUse: { _ in true })
  }

  @discardableResult mutating func decide(at now: Instant) -> RuleSelection.Flip? {
    let flip = selection.decide(view, at: now)
    if let flip { flips.append(flip) }
    return flip
  }

  mutating func flip(at seconds: Double) throws -> RuleSelection.Flip {
    let flip = decide(at: at(seconds))
    return try #require(flip)
  }

  func standing(at now: Instant) -> String { selection.standing(view, at: now) }
}

@Suite struct MeasuredSelectionTests {
  @Test func whileNothingIsMeasuredTheOrderDecides() throws {
    var bench = try Bench()
    #expect(bench.decide(at: at(0))?.to == .path(bench.names[0]))
    #expect(bench.standing(at: at(0)) == "too little is measured yet; path a is up")
    bench.figures = [bench.names[1]: 1]
    #expect(bench.decide(at: at(60)) == nil, "of the present path nothing is known")
  }

  @Test func aPathThatIsBetterByTheMarginForTheHoldIsTaken() throws {
    var bench = try Bench()
    let (a, b) = (bench.names[0], bench.names[1])
    bench.decide(at: at(0))
    bench.figures = [a: 48, b: 39]
    bench.decide(at: at(1))
    #expect(bench.selection.nextDeadline == nil, "nine are less than the margin")
    #expect(bench.standing(at: at(1)) == "round trip 48 ms, and no other path is better by the margin of 10 ms")
    bench.figures[b] = 12
    bench.decide(at: at(2))
    #expect(bench.selection.nextDeadline == at(12))
    #expect(
      bench.standing(at: at(3))
        == "path a: round trip 48 ms; path b: round trip 12 ms, and is taken in 9 s if it stays better")
    #expect(bench.decide(at: at(11.9)) == nil)
    let flip = try bench.flip(at: 12)
    #expect(flip.kind == .failback && flip.from == .path(a) && flip.to == .path(b))
    #expect(flip.cause == "path b has been better for 10 s: round trip 12 ms, path a: round trip 48 ms")
    #expect(bench.standing(at: at(13)) == "best of the paths that are up: round trip 12 ms")
    #expect(bench.selection.isPreferred, "no order says that it is not")
  }

  @Test func aLeadThatIsLostBeginsAgain() throws {
    var bench = try Bench()
    let (a, b) = (bench.names[0], bench.names[1])
    bench.decide(at: at(0))
    bench.figures = [a: 48, b: 12]
    bench.decide(at: at(0))
    // Half of the margin keeps the lead, less does not.
    bench.figures[b] = 42
    bench.decide(at: at(5))
    #expect(bench.selection.nextDeadline == at(10))
    bench.figures[b] = 44
    bench.decide(at: at(6))
    #expect(bench.selection.nextDeadline == nil)
    bench.figures[b] = 12
    bench.decide(at: at(7))
    #expect(bench.decide(at: at(16.9)) == nil)
    #expect(bench.decide(at: at(17))?.to == .path(b))
  }

  @Test func theBestOfThoseThatLeadIsTaken() throws {
    var bench = try Bench()
    let (a, b, c) = (bench.names[0], bench.names[1], bench.names[2])
    bench.decide(at: at(0))
    bench.figures = [a: 90, b: 60, c: 30]
    bench.decide(at: at(0))
    #expect(bench.decide(at: at(10))?.to == .path(c))
  }

  @Test func aLossyPathIsLeftForOneThatLosesLess() throws {
    var bench = try Bench(PathPreference(.loss, lossMargin: 2, hold: .seconds(10)))
    let (a, b) = (bench.names[0], bench.names[1])
    bench.decide(at: at(0))
    bench.figures = [a: 6.5, b: 5]
    bench.decide(at: at(0))
    #expect(bench.decide(at: at(30)) == nil)
    bench.figures[b] = 0
    bench.decide(at: at(30))
    let flip = try bench.flip(at: 40)
    #expect(flip.cause == "path b has been better for 10 s: 0 % loss, path a: 6.5 % loss")
  }

  @Test func aDeadPathIsLeftAtOnceForTheBestThatIsUp() throws {
    var bench = try Bench()
    let (a, b, c) = (bench.names[0], bench.names[1], bench.names[2])
    bench.figures = [a: 10, b: 60, c: 30]
    bench.decide(at: at(0))
    bench.set(a, .down, at: at(1))
    let flip = try bench.flip(at: 1)
    #expect(flip.kind == .failover && flip.to == .path(c))
    // It is back and better, and waits for the hold like any other.
    bench.set(a, .up, at: at(2))
    bench.decide(at: at(2))
    #expect(bench.decide(at: at(11.9)) == nil)
    #expect(bench.decide(at: at(12))?.to == .path(a))
  }

  @Test func thePathThatIsReturnedToIsTheBest() throws {
    var bench = try Bench()
    bench.decide(at: at(0))
    for name in bench.names { bench.set(name, .down, at: at(1)) }
    #expect(bench.decide(at: at(1))?.to == .blocked)
    bench.figures = [bench.names[0]: 50, bench.names[1]: 20, bench.names[2]: 30]
    for name in bench.names { bench.set(name, .up, at: at(2)) }
    #expect(bench.decide(at: at(2))?.to == .path(bench.names[1]))
  }

  @Test func aPathMustHaveBeenUpForTheHoldDown() throws {
    var bench = try Bench(holdDown: .seconds(30))
    let (a, b) = (bench.names[0], bench.names[1])
    bench.decide(at: at(0))
    bench.set(b, .down, at: at(1))
    bench.set(b, .up, at: at(2))
    bench.figures = [a: 48, b: 12]
    bench.decide(at: at(3))
    #expect(bench.selection.nextDeadline == at(32))
    #expect(bench.decide(at: at(31.9)) == nil)
    #expect(bench.decide(at: at(32))?.to == .path(b))
  }

  @Test func aPathBeyondItsLimitsIsNoCandidateAndIsLeft() throws {
    var bench = try Bench()
    let (a, b, c) = (bench.names[0], bench.names[1], bench.names[2])
    bench.decide(at: at(0))
    bench.figures = [a: 48, b: 12, c: 60]
    bench.degrade(b, at: at(0))
    for second in 0..<60 { #expect(bench.decide(at: at(Double(second))) == nil) }
    bench.degrade(a, at: at(60))
    let flip = try bench.flip(at: 60)
    #expect(flip.kind == .failover && flip.to == .path(c), "the worst figure, and the only one within its limits")
  }

  /// Two paths that are about equal, and both noisy: within the margin nothing moves, whatever the noise.
  @Test(arguments: 0..<8) func equalPathsDoNotTakeTurns(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var bench = try Bench()
    for tick in 0..<5_000 {
      for name in bench.names { bench.figures[name] = 40 + Double.random(in: -4.9...4.9, using: &random) }
      bench.decide(at: at(Double(tick) / 5))
    }
    #expect(bench.flips.map(\.kind) == [.initial])
  }

  /// Noise that passes the margin now and then never lasts for the hold.
  @Test(arguments: 0..<8) func spikesMoveNothing(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var bench = try Bench()
    for tick in 0..<5_000 {
      for name in bench.names {
        let spike = Int.random(in: 0..<10, using: &random) == 0 ? 100.0 : 0
        bench.figures[name] = 40 + spike + Double.random(in: -2...2, using: &random)
      }
      bench.decide(at: at(Double(tick) / 5))
    }
    #expect(bench.flips.map(\.kind) == [.initial])
  }

  /// Whatever the states and figures do: no path that is up is left for one that is not, a path that is plainly worse is
  /// left within the hold and one interval, and traffic does not move more than once in a hold but for deaths.
  @Test(arguments: 0..<20) func promisesHoldWhateverHappens(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }
    let holdDown = Duration.seconds(roll(2) * 7)
    var bench = try Bench(PathPreference(roll(2) == 0 ? .latency : .loss, hold: .seconds(5)), holdDown: holdDown)
    let margin = bench.measure == .loss ? bench.selection.egress.preference.lossMargin : 10
    let interval = 0.2
    var worseSince: [Name: Double] = [:]
    var lastMove = -100.0
    for tick in 0..<3_000 {
      let now = Double(tick) * interval
      if roll(40) == 0 {
        let name = bench.names[roll(3)]
        switch roll(4) {
        case 0: bench.set(name, .down, at: at(now))
        case 1: bench.degrade(name, at: at(now))
        default: bench.set(name, .up, at: at(now))
        }
        worseSince = [:]
      }
      if roll(60) == 0 {
        for name in bench.names { bench.figures[name] = Double(roll(90)) }
        worseSince = [:]
      }
      let before = bench.selection.choice
      let flip = bench.decide(at: at(now))
      if let flip, case .path(let old)? = flip.from, bench.health[old]?.state == .up {
        #expect(flip.to.paths.allSatisfy { bench.health[$0]?.state == .up }, "\(flip)")
        #expect(now - lastMove > 4.9, "\(flip)")
      }
      if flip != nil { lastMove = now }
      // Plainly worse: a steady other one has been better by the margin all the time.
      guard flip == nil, case .path(let current)? = before, bench.health[current]?.state == .up else {
        worseSince = [:]
        continue
      }
      for name in bench.names where name != current {
        guard let own = bench.figures[current], let other = bench.figures[name], own - other >= margin,
          let health = bench.health[name], health.state == .up,
          bench.selection.mayReturn(health, at: at(now)) <= at(now)
        else {
          worseSince[name] = nil
          continue
        }
        let since = worseSince[name] ?? now
        worseSince[name] = since
        #expect(now - since <= 5 + interval, "\(current) is kept at \(own), \(name) has \(other)")
      }
    }
    #expect(bench.flips.count > 10)
  }
}

/// The choice by measurement in the watch over paths: what probes measure moves traffic without any verdict.
@Suite struct WatchMeasuredTests {
  private func bench(_ preference: PathPreference) throws -> WatchBench {
    let bench = try WatchBench()
    bench.prober.set(bench.a, .answers(.milliseconds(40)))
    bench.prober.set(bench.b, .answers(.milliseconds(41)))
    try bench.watch.watch(try bench.plan(preference: preference), links: bench.links, generation: 0)
    bench.loop.advance(by: .seconds(20))
    return bench
  }

  @Test func trafficFollowsTheShorterRoundTrip() throws {
    let bench = try bench(PathPreference(.latency, latencyMargin: .milliseconds(5), hold: .seconds(2)))
    #expect(bench.goesBy(bench.a))
    bench.prober.set(bench.b, .answers(.milliseconds(4)))
    bench.loop.advance(by: .seconds(2))
    #expect(bench.goesBy(bench.a), "not before the hold is over")
    bench.loop.advance(by: .seconds(4))
    #expect(bench.goesBy(bench.b))
    let event = try #require(bench.events.all.last { $0.kind == .failback })
    #expect(event.details["cause"]?.hasPrefix("path b has been better for 2 s: round trip ") == true)
    // No order leads it back.
    bench.loop.advance(by: .seconds(60))
    #expect(bench.goesBy(bench.b))
    #expect(bench.events.count(.failback) == 1)
  }

  @Test func inOrderNothingMovesWhateverIsMeasured() throws {
    let bench = try bench(.inOrder)
    bench.prober.set(bench.b, .answers(.milliseconds(1)))
    bench.loop.advance(by: .seconds(60))
    #expect(bench.goesBy(bench.a))
  }
}
