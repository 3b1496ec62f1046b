internal import RuleSets
import Testing

@testable import Core

/// What is pinged over an uplink, and what follows from the answers.
@Suite struct WatchCauseTests {
  /// The tunnels `a` (to one hub) and `b` (to another) over `wan0`, which has two targets.
  private struct Bench {
    let bench: WatchBench
    let gateway = IPv4Address(value: 0xc633_6401)
    let hubs = [IPv4Address(value: 0xcb00_7102), IPv4Address(value: 0xcb00_7106)]
    let targets = [IPv4Address(value: 0xc612_0009), IPv4Address(value: 0xc613_0009)]
    let a: Name

    init() throws {
      bench = try WatchBench()
      a = try #require(Name("a"))
    }

    func plan(targets: Bool = true, interval: Duration = .milliseconds(100)) throws -> WatchPlan {
      var plan = try bench.plan()
      for index in plan.paths.indices {
        plan.paths[index].hub = hubs[index]
        for probe in plan.paths[index].probes.indices {
          plan.paths[index].probes[probe].interval = interval
        }
      }
      plan.uplinks[0].source = IPv4Address(value: 0xc633_6402)
      plan.uplinks[0].targets = targets ? self.targets : []
      return plan
    }

    func begin(targets: Bool = true) throws {
      for device in [bench.a, bench.b, bench.wan] { bench.prober.set(device, .answers(.milliseconds(5))) }
      try bench.watch.watch(try plan(targets: targets), links: bench.links, generation: 0)
      bench.loop.advance(by: .seconds(31))
      #expect(bench.goesBy(bench.a))
    }

    func die(silent: [IPv4Address]) {
      bench.prober.silence(Set(silent))
      for device in [bench.a, bench.b] { bench.prober.set(device, .silent) }
    }

    var causes: [String] {
      bench.events.all.filter { $0.kind == .causeFound && $0.subject == "a" }.compactMap { $0.details["cause"] }
    }
  }

  @Test func eachCauseIsReportedOnceAfterTheFlip() throws {
    let cases: [(silent: (Bench) -> [IPv4Address], cause: String)] = [
      ({ [$0.hubs[0], $0.hubs[1]] }, "hub_down"), ({ _ in [] }, "tunnel_down"),
      ({ $0.hubs + $0.targets }, "internet_down"), ({ $0.hubs + $0.targets + [$0.gateway] }, "uplink_down"),
    ]
    for (silent, cause) in cases {
      let bench = try Bench()
      try bench.begin()
      bench.die(silent: silent(bench))
      bench.bench.loop.advance(by: .milliseconds(900))
      #expect(bench.causes == [cause])
      let snapshot = bench.bench.watch.snapshot()
      #expect(snapshot.diagnoses[bench.a]?.cause.rawValue == cause)
      let order = bench.bench.kinds()
      if let flip = order.firstIndex(of: .failover), let found = order.firstIndex(of: .causeFound) {
        #expect(flip < found)
      }
    }
  }

  @Test func anUplinkWhoseTargetsAreSilentIsNoFallback() throws {
    let bench = try Bench()
    try bench.begin()
    let before = bench.bench.flipper.log
    let swept = bench.bench.swept.count
    bench.die(silent: bench.hubs + bench.targets)
    bench.bench.loop.advance(by: .seconds(20))
    #expect(bench.bench.flipper.log.count <= before.count + 1, "to the other tunnel at the most, never to the uplink")
    #expect(!bench.bench.goesBy(bench.bench.wan))
    // Those that continue by the other tunnel, and what was left of them.
    #expect(bench.bench.swept.count <= swept + 2)
    let snapshot = bench.bench.watch.snapshot()
    #expect(snapshot.usableUplinks.isEmpty)
    #expect(snapshot.selections.values.first?.cause.contains("no local uplink can be used") == true)
    bench.bench.prober.silence([])
    bench.bench.loop.advance(by: .seconds(25))
    #expect(bench.bench.goesBy(bench.bench.wan), "now it is one")
  }

  @Test func aHubWhosePathIsUpAgainIsAskedAtOnce() throws {
    let bench = try Bench()
    try bench.begin()
    bench.die(silent: [bench.hubs[0]])
    bench.bench.loop.advance(by: .seconds(12))
    func hub() -> ProbeMachine.State? {
      let outlook = bench.bench.watch.snapshot().outlooks[bench.bench.wan]
      return outlook?.scouts.first { $0.address == bench.hubs[0] }?.machine.state
    }
    #expect(hub() == .down)
    bench.bench.prober.silence([])
    for device in [bench.bench.a, bench.bench.b] { bench.bench.prober.set(device, .answers(.milliseconds(5))) }
    bench.bench.loop.advance(by: .seconds(4))
    #expect(hub() == .up, "its turn comes each ten seconds")
  }

  @Test func aHubThatIsGoneIsLeftWithoutWaiting() throws {
    for targets in [true, false] {
      let bench = try Bench()
      try bench.begin(targets: targets)
      bench.die(silent: bench.hubs)
      bench.bench.loop.advance(by: .milliseconds(300))
      #expect(bench.bench.goesBy(bench.bench.wan))
    }
  }

  @Test func flowsOfADeadPathAreHeldOnlyWhileEveryRuleStaysOnIt() throws {
    for others in [false, true] {
      let bench = try Bench()
      var plan = try bench.plan()
      plan.rules[0].rule.egress.paths = [bench.a]
      if others {
        // A second rule that has another tunnel to go to.
        var second = plan.rules[0]
        second.rule.name = try #require(Name("shop"))
        second.rule.egress.paths = [bench.a, try #require(Name("b"))]
        second.table = TableID(7911)
        plan.rules.append(second)
      }
      for device in [bench.bench.a, bench.bench.b, bench.bench.wan] {
        bench.bench.prober.set(device, .answers(.milliseconds(5)))
      }
      try bench.bench.watch.watch(plan, links: bench.bench.links, generation: 0)
      bench.bench.loop.advance(by: .seconds(31))
      let swept = bench.bench.swept.count
      bench.bench.prober.silence(Set(bench.hubs + bench.targets))
      bench.bench.prober.set(bench.bench.a, .silent)
      bench.bench.loop.advance(by: .seconds(2))
      #expect(bench.bench.goesBy(bench.bench.a), "it has no other way")
      #expect((bench.bench.swept.count > swept) == others)
    }
  }

  @Test func withoutTargetsAnUplinkIsJudgedAsBefore() throws {
    let bench = try Bench()
    try bench.begin(targets: false)
    bench.die(silent: bench.hubs + [bench.gateway])
    bench.bench.loop.advance(by: .seconds(1))
    #expect(bench.bench.goesBy(bench.bench.wan))
    #expect(bench.causes == ["uplink_down"])
  }

  @Test func aLostCarrierIsACauseAtOnce() throws {
    let bench = try Bench()
    try bench.begin()
    bench.bench.watch.linkChanged(bench.bench.wan, bench.bench.link(carrier: false))
    bench.bench.loop.advance(by: .milliseconds(5))
    #expect(bench.causes == ["uplink_down"])
    bench.bench.watch.linkChanged(bench.bench.wan, bench.bench.link())
    bench.bench.loop.advance(by: .seconds(1))
    #expect(bench.bench.watch.snapshot().diagnoses.isEmpty)
  }

  @Test func aCauseThatBecomesAnotherIsReportedAgain() throws {
    let bench = try Bench()
    try bench.begin()
    bench.die(silent: bench.hubs)
    bench.bench.loop.advance(by: .seconds(5))
    bench.bench.prober.silence(Set(bench.hubs + bench.targets))
    bench.bench.loop.advance(by: .seconds(15))
    #expect(bench.causes == ["hub_down", "internet_down"])
  }

  @Test func anAddressThatHasNeverAnsweredIsNoEvidence() throws {
    let bench = try Bench()
    bench.bench.prober.silence(Set(bench.hubs))
    try bench.begin()
    bench.die(silent: bench.hubs)
    bench.bench.loop.advance(by: .seconds(1))
    #expect(bench.causes == ["unclear"])
  }

  @Test func ofManyHubsFewAreAskedAtOnceAndSeldom() throws {
    let bench = try Bench()
    var plan = try bench.plan()
    let pattern = plan.paths[1]
    plan.paths = try (0..<60).map { number in
      var path = pattern
      path.name = try #require(Name("p\(number)"))
      path.probes[0].name = path.name
      path.probes[0].path = path.name
      path.hub = IPv4Address(value: 0xcb00_7100 + UInt32(number))
      if number == 0 { path.device = bench.bench.a } else { path.probes[0].interval = .seconds(5) }
      return path
    }
    for device in [bench.bench.a, bench.bench.b, bench.bench.wan] {
      bench.bench.prober.set(device, .answers(.milliseconds(5)))
    }
    try bench.bench.watch.watch(plan, links: bench.bench.links, generation: 0)
    bench.bench.loop.advance(by: .seconds(30))
    func sent() -> Int { bench.bench.prober.probesSent.count { $0.device == bench.bench.wan } }
    var before = sent()
    bench.bench.loop.advance(by: .seconds(120))
    #expect(sent() - before <= 76, "no more than six who are asked every ten seconds")
    before = sent()
    bench.bench.prober.set(bench.bench.a, .silent)
    bench.bench.prober.silence([IPv4Address(value: 0xcb00_7100)])
    bench.bench.loop.advance(by: .milliseconds(900))
    #expect(sent() - before <= 20)
    let event = try #require(bench.bench.events.all.last { $0.kind == .causeFound })
    #expect(event.subject == "p0" && event.details["cause"] == "hub_down")
  }

  @Test func inPeaceFewPingsAreSent() throws {
    let bench = try Bench()
    try bench.begin()
    let before = bench.bench.prober.probesSent.count { $0.device == bench.bench.wan }
    bench.bench.loop.advance(by: .seconds(60))
    let sent = bench.bench.prober.probesSent.count { $0.device == bench.bench.wan } - before
    #expect(sent == 5 * 6, "five addresses every ten seconds")
  }

  @Test func uplinksThatFailInTheSameInstantLeaveTheWatchAbleToMoveAgain() throws {
    let bench = try Bench()
    var plan = try bench.plan()
    var links = bench.bench.links
    let first = plan.uplinks[0]
    let names = try ["wan0", "wan1", "wan2"].map { try #require(InterfaceName($0)) }
    plan.uplinks = names.enumerated().map { number, name in
      let address = UInt32(number) << 8
      return .init(
        interface: name, tier: number + 1, mark: Mark(value: UInt32(8 + number) << 20),
        way: .out(device: name, gateway: .ipv4(IPv4Address(value: 0xc633_6401 + address))), obstacle: nil,
        source: IPv4Address(value: 0xc633_6402 + address), targets: [IPv4Address(value: 0xc612_0009 + address)])
    }
    for name in names {
      links[name] = bench.bench.link()
      bench.bench.prober.set(name, .answers(.milliseconds(5)))
    }
    #expect(plan.uplinks[0].interface == first.interface)
    bench.die(silent: bench.hubs)
    try bench.bench.watch.watch(plan, links: links, generation: 0)
    bench.bench.loop.advance(by: .seconds(31))
    #expect(bench.bench.goesBy(names[0]))
    bench.bench.prober.silence(Set(bench.hubs + plan.uplinks[0].targets + plan.uplinks[1].targets))
    bench.bench.loop.advance(by: .seconds(40))
    #expect(bench.bench.goesBy(names[2]))
    bench.bench.prober.silence(Set(bench.hubs))
    bench.bench.loop.advance(by: .seconds(120))
    #expect(bench.bench.goesBy(names[0]), "it still decides")
  }
}
