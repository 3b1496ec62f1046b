import Core
import Fakes
internal import RuleSets
import Testing

@testable import Agent

/// A reconciler on a virtual clock, over a kernel in memory, on a router in Berlin.
private final class Bench: Sendable {
  let zone = FakeTimeZone("CET-1CEST,M3.5.0,M10.5.0/3")
  let events = RecordedEvents()
  let reconciler: Reconciler
  private let time: VirtualTime
  private let configuration: AgentConfiguration
  private let work: Task<Void, Never>

  init(_ time: VirtualTime) throws {
    self.time = time
    let fake = FakeKernel()
    let (wan, lan) = (try #require(InterfaceName("wan0")), try #require(InterfaceName("lan0")))
    configuration = AgentConfiguration(
      device: try #require(Name("branch-017")),
      ruleSet: RuleSetSourceConfiguration(location: .file(path: "/nowhere")),
      uplinks: [UplinkConfiguration(interface: wan)], lans: [lan])
    let addresses = (InterfaceAddress("198.51.100.2/24"), InterfaceAddress("192.168.10.1/24"))
    try fake.change("set up") { state in
      state.addLink(wan, address: addresses.0)
      state.addLink(lan, address: addresses.1)
    }
    let loop = VirtualLoop()
    let watch = PathWatch(
      loop: loop, prober: ScriptedProber(loop), flipper: fake, events: events, mask: .standard, chance: { 0 },
      onSweep: { _ in })
    let ike = IKEKeeper(charon: FakeCharon(isRunning: false), events: events, surroundings: time)
    let reconciler = Reconciler(
      kernel: fake, watch: watch, ike: ike, configuration: configuration, events: events, surroundings: time,
      timeZone: zone)
    self.reconciler = reconciler
    work = Task(executorPreference: time) { await reconciler.run() }
  }

  deinit { work.cancel() }

  /// - Parameter clock: what the clock on the wall shows, in UTC.
  static func run(at clock: String, _ body: @Sendable (VirtualTime, Bench) async throws -> Void) async throws {
    let clock = try #require(WallTime(text: clock))
    try await VirtualTime.run { time in
      time.setClock(clock)
      let bench = try Bench(time)
      await time.settle()
      try await body(time, bench)
      bench.work.cancel()
      await time.settle()
    }
  }

  func set(_ clock: String) throws { time.setClock(try #require(WallTime(text: clock))) }

  func apply(_ rules: [SteeringRule], revision: UInt64 = 1) async throws {
    let ruleSet = RuleSet(device: configuration.device, revision: revision, steeringRules: rules)
    let slots = try #require(Layout.slots(ruleSet, configuration, after: SlotBook()))
    try await reconciler.apply(ruleSet, slots: slots)
    await time.settle()
  }

  /// The rules that the kernel is to obey now.
  var steering: [String] { get async { await reconciler.layout?.steeringRules.map(\.name.text) ?? [] } }
  /// How often the kernel was looked at or changed.
  var looks: Int { get async { await reconciler.tally.runs } }

  func texts(_ kind: AgentEvent.Kind) -> [String] { events.all.filter { $0.kind == kind }.map(\.text) }
}

private func rule(
  _ name: String, _ from: String? = nil, _ to: String = "24:00", _ action: SteeringRule.Action = .drop,
  enabled: Bool = true
) throws -> SteeringRule {
  let schedule = try from.map {
    Schedule(from: try #require(TimeOfDay($0)), to: try #require(TimeOfDay(to)))
  }
  return SteeringRule(
    name: try #require(Name(name)), enabled: enabled, match: SteeringMatch(dscp: DSCP.all, schedule: schedule),
    action: action)
}

/// Rules begin and end by the clock on the wall.
@Suite(.timeLimit(.minutes(2))) struct ReconcilerScheduleTests {
  @Test func aRuleBeginsAndEndsOnTime() async throws {
    try await Bench.run(at: "2026-01-09T20:59:50Z") { time, bench in
      try await bench.apply([try rule("night", "22:00", "22:01"), try rule("always")])
      #expect(await bench.steering == ["always"])
      await time.pass(.milliseconds(9_999))
      #expect(await bench.steering == ["always"])
      await time.pass(.milliseconds(1))
      #expect(await bench.steering == ["night", "always"])
      await time.pass(.milliseconds(59_999))
      #expect(await bench.steering == ["night", "always"])
      await time.pass(.milliseconds(1))
      #expect(await bench.steering == ["always"])
      let texts = bench.texts(.scheduleChanged)
      #expect(texts.count == 2)
      #expect(texts.first?.hasPrefix("night holds from now on: ") == true)
      #expect(texts.last?.hasPrefix("night no longer holds: ") == true)
    }
  }

  @Test func theClockAloneIsNoReasonToLookAtTheKernel() async throws {
    try await Bench.run(at: "2026-01-09T21:00:10Z") { time, bench in
      try await bench.apply([try rule("night", "22:00", "22:01"), try rule("off", "22:00", "22:30", enabled: false)])
      let looks = await bench.looks
      try bench.set("2026-01-09T21:00:55Z")
      // It had waited for 50 s. Within 30 s the reconciler looks for other reasons.
      await time.pass(.seconds(25))
      #expect(await bench.looks == looks)
      #expect(await bench.steering == ["night"])
      #expect(await bench.reconciler.alarm != nil)
    }
  }

  @Test func summerTimeBegins() async throws {
    try await Bench.run(at: "2026-03-29T00:59:55Z") { time, bench in
      // The clock goes from 02:00 to 03:00.
      try await bench.apply([try rule("early", "02:30", "04:00"), try rule("late", "03:00", "03:01")])
      #expect(await bench.steering == [])
      await time.pass(.seconds(5))
      #expect(await bench.steering == ["early", "late"])
      await time.pass(.seconds(60))
      #expect(await bench.steering == ["early"])
    }
  }

  @Test func aClockThatIsSetIsFollowedWithinAMinute() async throws {
    try await Bench.run(at: "2026-01-09T12:00:00Z") { time, bench in
      try await bench.apply([try rule("night", "22:00", "06:00")])
      #expect(await bench.steering == [])
      for (clock, steering) in [("2026-01-09T23:00:00Z", ["night"]), ("2026-01-09T12:00:00Z", [])] {
        try bench.set(clock)
        await time.pass(ScheduleClock.longestWait)
        #expect(await bench.steering == steering, "at \(clock)")
      }
    }
  }

  @Test func aZoneThatChangesIsFollowedWithinAMinute() async throws {
    try await Bench.run(at: "2026-01-09T20:30:00Z") { time, bench in
      try await bench.apply([try rule("night", "22:00", "06:00")])
      #expect(await bench.steering == [])
      bench.zone.put(.bytes(TZif.bytes("<+0330>-3:30")), at: .localtime)
      await time.pass(ScheduleClock.longestWait)
      #expect(await bench.steering == ["night"])
      bench.zone.put(nil, at: .localtime)
      bench.zone.put(nil, at: .posix)
      await time.pass(ScheduleClock.longestWait)
      #expect(await bench.steering == [], "it is UTC where nobody says the zone")
      #expect(bench.texts(.timeUnknown) == [], "as everybody has it")
    }
  }

  @Test func aReloadReadsTheZoneAtOnce() async throws {
    try await Bench.run(at: "2026-01-09T20:30:00Z") { time, bench in
      try await bench.apply([try rule("night", "22:00", "06:00")])
      bench.zone.put(.bytes(TZif.bytes("<+0330>-3:30")), at: .localtime)
      async let reloaded: Void = bench.reconciler.look(in: .zero, unlessAppliedSince: 0)
      await time.pass(.seconds(1))
      await reloaded
      await time.settle()
      #expect(await bench.steering == ["night"])
    }
  }

  /// Each look waits anew, and none may put off what is due.
  @Test func looksDoNotPutOffTheReadingOfTheZone() async throws {
    try await Bench.run(at: "2026-01-09T20:30:00Z") { time, bench in
      try await bench.apply([try rule("night", "22:00", "06:00")])
      await time.pass(.seconds(1))
      bench.zone.put(.bytes(TZif.bytes("<+0330>-3:30")), at: .localtime)
      let reads = bench.zone.reads
      for _ in 0..<59 {
        await bench.reconciler.look(because: .timer)
        await time.pass(.seconds(1))
      }
      #expect(await bench.steering == ["night"])
      #expect(bench.zone.reads == reads + 1)
    }
  }

  @Test func aZoneThatCannotBeReadIsToldOnce() async throws {
    try await Bench.run(at: "2026-01-09T21:30:00Z") { time, bench in
      bench.zone.put(.directory, at: .localtime)
      try await bench.apply([try rule("night", "22:00", "06:00")])
      await time.pass(.seconds(300))
      #expect(await bench.steering == [], "it is 21:30 UTC")
      #expect(
        bench.texts(.timeUnknown) == [
          "steering rules with a schedule follow UTC until this is mended: read /etc/localtime: not a file"
        ])
      bench.zone.put(.linkToItself, at: .localtime)
      await time.pass(.seconds(120))
      #expect(bench.texts(.timeUnknown).count == 2, "what has changed is told")
      bench.zone.put(nil, at: .localtime)
      await time.pass(.seconds(120))
      #expect(await bench.steering == ["night"])
      #expect(bench.texts(.timeKnown).count == 1)
    }
  }

  /// What drops holds, what opens does not.
  @Test func aClockThatHasNotBeenSetOpensNothing() async throws {
    try await Bench.run(at: "1970-01-01T00:00:20Z") { time, bench in
      try await bench.apply([
        try rule("shut", "22:00", "06:00"), try rule("open", "00:00", "12:00", .direct), try rule("always"),
      ])
      let looks = await bench.looks
      await time.pass(.seconds(24))
      #expect(await bench.steering == ["shut", "always"])
      #expect(await bench.looks == looks)
      #expect(bench.texts(.timeUnknown).count == 1)
      #expect(
        bench.texts(.timeUnknown).first?.hasPrefix("the clock has not been set, it shows 1970-01-01T00:00:20") == true)
      try bench.set("2026-01-09T09:00:00Z")
      await time.pass(ScheduleClock.waitForTheTime)
      #expect(await bench.steering == ["open", "always"])
      #expect(bench.texts(.timeKnown).count == 1)
      #expect(bench.texts(.scheduleChanged).first?.hasPrefix("open holds from now on; shut no longer holds: ") == true)
    }
  }

  @Test func withoutAScheduleNobodyAsksForTheTime() async throws {
    try await Bench.run(at: "1970-01-01T00:00:20Z") { time, bench in
      bench.zone.put(.directory, at: .localtime)
      try await bench.apply([try rule("always"), try rule("off", "22:00", enabled: false)])
      await time.pass(.seconds(200))
      #expect(await bench.steering == ["always"])
      #expect(bench.zone.reads == 0 && bench.events.count(.timeUnknown) == 0)
      #expect(await bench.reconciler.alarm == nil)
    }
  }

  @Test func aRuleSetWithoutSchedulesEndsTheWait() async throws {
    try await Bench.run(at: "2026-01-09T20:59:50Z") { time, bench in
      try await bench.apply([try rule("night", "22:00", "22:01")])
      #expect(await bench.reconciler.alarm != nil)
      try await bench.apply([try rule("always")], revision: 2)
      #expect(await bench.reconciler.alarm == nil)
      let reads = bench.zone.reads
      await time.pass(.seconds(200))
      #expect(await bench.steering == ["always"])
      #expect(bench.zone.reads == reads && bench.events.count(.scheduleChanged) == 0)
    }
  }
}
