import Core
import Fakes
internal import RuleSets
import Synchronization
import Testing

@testable import Agent

/// Counts the steps that reach the kernel, and refuses those that a test wants refused.
final class CountingKernel: KernelPort {
  let fake: FakeKernel
  private let state = Mutex<(steps: [Step], refuse: (@Sendable (Step) -> Bool)?)>(([], nil))
  private let work = Mutex<(words: [String], afterRead: (@Sendable (Int) -> Void)?)>(([], nil))

  init(_ fake: FakeKernel) { self.fake = fake }

  var steps: [Step] { state.withLock { $0.steps } }
  func forget() { state.withLock { $0.steps = [] } }
  func refuse(_ which: (@Sendable (Step) -> Bool)?) { state.withLock { $0.refuse = which } }

  /// Reads and steps in order, from here on; `afterRead` gets the number of reads so far.
  func note(afterRead: (@Sendable (Int) -> Void)? = nil) { work.withLock { $0 = ([], afterRead) } }
  var words: [String] { work.withLock { $0.words } }

  func read(expecting: (ActualState) -> NftTable?) throws(KernelFailure) -> ActualState {
    let actual = try fake.read(expecting: expecting)
    let (count, then) = work.withLock { work in
      work.words.append("read")
      return (work.words.count { $0 == "read" }, work.afterRead)
    }
    then?(count)
    return actual
  }
  func apply(_ step: Step) throws(KernelFailure) {
    if state.withLock({ $0.refuse?(step) ?? false }) {
      throw KernelFailure(operation: "a step", errno: 95, cause: "Operation not supported")
    }
    state.withLock { $0.steps.append(step) }
    work.withLock { $0.words.append("step") }
    try fake.apply(step)
  }
  func rememberedSettings() -> RememberedSettings { fake.rememberedSettings() }
  func sweep(_ sweeps: [ConnectionSweep], mask: MarkMask) throws(KernelFailure) -> [Int?] {
    try fake.sweep(sweeps, mask: mask)
  }
}

/// A reconciler over a kernel in memory: uplink wan0, LAN lan0, and a rule set with a tunnel for each name.
final class ReconcilerBench: Sendable {
  let fake = FakeKernel()
  let kernel: CountingKernel
  let events = RecordedEvents()
  let reconciler: Reconciler
  let configuration: AgentConfiguration
  let watch: PathWatch
  let ike: IKEKeeper
  let sweeps = SweepQueue()
  private let work: Task<Void, Never>

  init(usesFlowtable: Bool = false) async throws {
    let wan0 = try #require(InterfaceName("wan0"))
    let lan0 = try #require(InterfaceName("lan0"))
    kernel = CountingKernel(fake)
    configuration = AgentConfiguration(
      device: try #require(Name("branch-017")),
      ruleSet: RuleSetSourceConfiguration(location: .file(path: "/nowhere")),
      uplinks: [UplinkConfiguration(interface: wan0)], lans: [lan0],
      kernel: KernelRanges(usesFlowtable: usesFlowtable))
    let gateway = IPv4Address("198.51.100.1")
    let addresses = (InterfaceAddress("198.51.100.2/24"), InterfaceAddress("192.168.10.1/24"))
    try fake.change("set up") { state in
      state.addLink(wan0, address: addresses.0)
      state.addLink(lan0, address: addresses.1)
      state.setMainDefaults([MainDefault(device: wan0, gateway: gateway.map { .ipv4($0) }, metric: RouteMetric(100))])
    }
    let loop = VirtualLoop()
    let watch = PathWatch(
      loop: loop, prober: ScriptedProber(loop), flipper: fake, events: events, mask: .standard, chance: { 0 },
      onSweep: { _ in })
    let ike = IKEKeeper(charon: FakeCharon(isRunning: false), events: events, surroundings: StillSurroundings())
    let reconciler = Reconciler(
      kernel: kernel, watch: watch, ike: ike, configuration: configuration, events: events,
      surroundings: StillSurroundings(), timeZone: FakeTimeZone(), onSweep: { [sweeps] in sweeps.add($0) })
    self.reconciler = reconciler
    self.watch = watch
    self.ike = ike
    work = Task { await reconciler.run() }
  }

  deinit { work.cancel() }

  /// Of wan0.
  static func defaults() throws -> [MainDefault] {
    let gateway = try #require(IPv4Address("198.51.100.1"))
    return [
      MainDefault(device: try #require(InterfaceName("wan0")), gateway: .ipv4(gateway), metric: RouteMetric(100))
    ]
  }
  func setDefaults(_ defaults: [MainDefault]) throws {
    try fake.change("default routes") { $0.setMainDefaults(defaults) }
  }
  var obstacle: String? { get async { await watch.snapshot().plan.uplinks.first?.obstacle } }

  func ruleSet(_ revision: UInt64, tunnels: [String]) throws -> RuleSet {
    let hub = try #require(Name("fra"))
    let names = try tunnels.map { try #require(Name($0)) }
    return RuleSet(
      device: configuration.device, revision: revision,
      hubs: [Hub(name: hub, address: try #require(IPv4Address("203.0.113.2")))],
      tunnels: names.enumerated().map { index, name in
        Tunnel(name: name, kind: .gre(key: UInt32(index + 1)), hub: hub, uplink: configuration.uplinks[0].interface)
      }, paths: names.map { Path(name: $0, way: .tunnel($0)) },
      backhaulRules: [
        BackhaulRule(
          name: try #require(Name("office")), sources: Sources(interfaces: configuration.lans), paths: names,
          fallback: .localWAN)
      ])
  }

  func apply(_ ruleSet: RuleSet) async throws {
    let slots = try #require(Layout.slots(ruleSet, configuration, after: SlotBook()))
    try await reconciler.apply(ruleSet, slots: slots)
  }

  /// Asks for a look and waits until it is over.
  func look() async throws {
    await reconciler.look(because: .event("test"))
    for _ in 0..<4_000 {
      try await Task.sleep(for: .milliseconds(5))
      if await reconciler.isIdle { return }
    }
    Issue.record("the reconciler did not come to rest")
  }
}

@Suite struct ReconcilerTests {
  @Test func aRuleSetIsApplied() async throws {
    let bench = try await ReconcilerBench()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a", "b"]))
    let actual = try bench.fake.read(expecting: nil)
    #expect(actual.links[try #require(InterfaceName("bh-a"))]?.isOurs == true)
    #expect(actual.links[try #require(InterfaceName("bh-b"))]?.isOurs == true)
    #expect(actual.nftTable != nil)
    #expect(bench.events.count(.applied) == 1)
  }

  @Test func showsThatItLivesOnceItsWorkIsDone() async throws {
    let bench = try await ReconcilerBench()
    let applying = Task { try await bench.apply(try bench.ruleSet(1, tunnels: ["a"])) }
    try await applying.value
    await withCheckedContinuation { done in bench.reconciler.pulse { done.resume() } }
    #expect(try bench.fake.read(expecting: nil).nftTable != nil)
  }

  @Test func anAgentTakesOverFromTheGuard() async throws {
    let bench = try await ReconcilerBench()
    var ruleSet = try bench.ruleSet(1, tunnels: ["a"])
    ruleSet.backhaulRules[0].egress.fallback = .block
    let slots = try #require(Layout.slots(ruleSet, bench.configuration, after: SlotBook()))
    let layout = Layout(ruleSet, bench.configuration, slots)
    for step in try bench.fake.guardPlan(for: layout).steps { try bench.fake.apply(step) }
    #expect(try bench.fake.guardPlan(for: layout).isEmpty)
    try await bench.apply(ruleSet)
    #expect(!bench.kernel.steps.contains { if case .deleteRule = $0 { true } else { false } })
    #expect(!bench.kernel.steps.contains { if case .deleteNftTable = $0 { true } else { false } })
    #expect(try bench.fake.guardPlan(for: layout).isEmpty, "beside an agent there is nothing to do")
  }

  /// In doubt no forwarded traffic leaves until a rule set takes over, in one transaction.
  @Test func whatIsHeldIsHeldUntilARuleSetIsRunning() async throws {
    let bench = try await ReconcilerBench()
    await bench.reconciler.hold(.everything)
    let held = DesiredState.holdingEverything(bench.configuration, in: ActualState())
    #expect(try bench.fake.read(expecting: held.nftTable).nftTable == held.nftTable)
    #expect(bench.events.count(.trafficHeld) == 1)
    await bench.reconciler.hold(.everything)
    #expect(bench.events.count(.trafficHeld) == 1, "nothing was to be done")
    try bench.fake.change("nft flush ruleset") { $0.setNftTable(nil) }
    try await bench.look()
    #expect(try bench.fake.read(expecting: held.nftTable).nftTable == held.nftTable, "another's flush is repaired")
    bench.kernel.forget()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a"]))
    #expect(!bench.kernel.steps.contains { if case .deleteNftTable = $0 { true } else { false } })
    #expect(try bench.fake.read(expecting: nil).rules.allSatisfy { !held.rules.contains($0) })
    try bench.fake.change("nft flush ruleset") { $0.setNftTable(nil) }
    try await bench.look()
    #expect(try bench.fake.read(expecting: held.nftTable).nftTable != held.nftTable, "it is over")
  }

  @Test func whatAnEarlierAgentLeftIsNotHeldAgain() async throws {
    let bench = try await ReconcilerBench()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a"]))
    let before = try bench.fake.read(expecting: nil)
    let other = Reconciler(
      kernel: bench.fake, watch: bench.watch, ike: bench.ike, configuration: bench.configuration, events: bench.events,
      surroundings: StillSurroundings(), timeZone: FakeTimeZone())
    await other.hold(.everything)
    #expect(try bench.fake.read(expecting: nil) == before)
  }

  /// Where there is no table of ours, what carries our marks is of another life: they may have been another egress's.
  @Test func marksOfAnotherLifeSteerNoFlow() async throws {
    let bench = try await ReconcilerBench()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a"]))
    let stale = bench.sweeps.take().filter(\.isSilent)
    #expect(stale.count == 1 && stale.first?.isOfTheMarkAlone == true)
    try bench.fake.change("nft flush ruleset") { $0.setNftTable(nil) }
    try await bench.look()
    #expect(!bench.sweeps.take().contains { $0.isSilent }, "a flush takes no flow along")
    let other = Reconciler(
      kernel: bench.fake, watch: bench.watch, ike: bench.ike, configuration: bench.configuration, events: bench.events,
      surroundings: StillSurroundings(), timeZone: FakeTimeZone(),
      onSweep: { [sweeps = bench.sweeps] in sweeps.add($0) })
    let work = Task { await other.run() }
    defer { work.cancel() }
    let ruleSet = try bench.ruleSet(1, tunnels: ["a"])
    try await other.apply(ruleSet, slots: try #require(Layout.slots(ruleSet, bench.configuration, after: SlotBook())))
    #expect(!bench.sweeps.take().contains { $0.isSilent }, "nor does a restart")
  }

  /// A sysctl that cannot be set (a read-only /proc/sys) is reported, but is no reason to stop steering.
  @Test func aSettingThatCannotBeMadeKeepsNoRuleSetFromBeingApplied() async throws {
    let bench = try await ReconcilerBench()
    bench.kernel.refuse { if case .changeSettings = $0 { true } else { false } }
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a"]))
    #expect(try bench.fake.read(expecting: nil).nftTable != nil)
    #expect(await bench.reconciler.trouble != nil)
    #expect(bench.events.count(.applyFailed) == 1)
    bench.kernel.refuse(nil)
    try await bench.look()
    #expect(await bench.reconciler.trouble == nil)
  }

  /// If the book is lost, the kernel shows which slot belongs to what.
  @Test func slotsAreReadBack() async throws {
    let bench = try await ReconcilerBench()
    let ruleSet = try bench.ruleSet(1, tunnels: ["a", "b"])
    let owners = Layout.owners(ruleSet, bench.configuration)
    let slots = SlotBook(
      Dictionary(uniqueKeysWithValues: zip(owners, stride(from: 30, to: 0, by: -2).compactMap { Slot($0) })))
    try await bench.reconciler.apply(ruleSet, slots: slots)
    let readBack = await bench.reconciler.slotsInUse(by: ruleSet)
    #expect(readBack.slots == slots.slots)
  }

  @Test func aSecondLookChangesNothing() async throws {
    let bench = try await ReconcilerBench()
    let ruleSet = try bench.ruleSet(1, tunnels: ["a"])
    try await bench.apply(ruleSet)
    bench.kernel.forget()
    try await bench.look()
    try await bench.apply(ruleSet)
    #expect(bench.kernel.steps.isEmpty)
    #expect(bench.events.count(.driftRepaired) == 0)
  }

  @Test func whatAnotherProgramDeletedIsRestoredAndReported() async throws {
    let bench = try await ReconcilerBench()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a"]))
    let device = try #require(InterfaceName("bh-a"))
    try bench.fake.change("ip link delete bh-a") { $0.removeLink(device) }
    try await bench.look()
    #expect(try bench.fake.read(expecting: nil).links[device]?.isOurs == true)
    #expect(bench.events.count(.driftRepaired) == 1)
    #expect(bench.events.all.last { $0.kind == .driftRepaired }?.text.contains("bh-a") == true)
  }

  @Test func aRuleSetThatTheKernelRefusesLeavesTheOldOne() async throws {
    let bench = try await ReconcilerBench()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a"]))
    let before = try bench.fake.read(expecting: nil)
    bench.kernel.refuse { if case .createTunnel = $0 { true } else { false } }
    let new = try bench.ruleSet(2, tunnels: ["a", "b"])
    await #expect(throws: RuleSetRefusal.self) { try await bench.apply(new) }
    bench.kernel.refuse(nil)
    try await bench.look()
    #expect(try bench.fake.read(expecting: nil) == before)
    #expect(await bench.reconciler.layout?.ruleSet.revision == 1)
  }

  @Test func aDefaultRouteThatIsBeingReplacedIsNoUplinkLost() async throws {
    let bench = try await ReconcilerBench()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["fra-a"]))
    let defaults = try ReconcilerBench.defaults()
    try bench.setDefaults([])
    bench.kernel.note { [bench] count in
      // The DHCP client keeps working between the first look and the next.
      if count == 1 { try? bench.setDefaults(defaults) }
    }
    try await bench.look()
    #expect(bench.kernel.words == ["read", "read"], "nothing was changed")
    #expect(await bench.obstacle == nil)
    bench.kernel.note()
  }

  @Test func aDefaultRouteThatStaysAwayIsAnUplinkLost() async throws {
    let bench = try await ReconcilerBench()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["fra-a"]))
    try bench.setDefaults([])
    bench.kernel.note()
    try await bench.look()
    #expect(bench.kernel.words.prefix(3) == ["read", "read", "step"])
    #expect(await bench.obstacle?.contains("no default route") == true)
    bench.kernel.note()
    try await bench.look()
    #expect(bench.kernel.words == ["read"], "it is no news")
  }

  @Test func anAddressThatGoesWithTheRouteIsNotWaitedFor() async throws {
    let bench = try await ReconcilerBench()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["fra-a"]))
    let wan0 = bench.configuration.uplinks[0].interface
    try bench.fake.change("no address") { state in
      state.setMainDefaults([])
      state.addLink(wan0)
    }
    bench.kernel.note()
    try await bench.look()
    #expect(bench.kernel.words.prefix(2) == ["read", "step"])
  }

  /// Routes, ip rules and nftables of ours follow from what was read: nothing of it has to be read again.
  @Test func aRuleMoreReadsTheKernelOnce() async throws {
    let bench = try await ReconcilerBench()
    var ruleSet = try bench.ruleSet(1, tunnels: ["fra-a"])
    try await bench.apply(ruleSet)
    ruleSet.revision = 2
    ruleSet.backhaulRules.insert(
      BackhaulRule(
        name: try #require(Name("guests")), sources: Sources(prefixes: [try #require(IPv4Prefix("172.16.1.0/24"))]),
        paths: [try #require(Name("fra-a"))], fallback: .localWAN), at: 0)
    bench.kernel.note()
    try await bench.apply(ruleSet)
    #expect(bench.kernel.words.count { $0 == "read" } == 1)
    #expect(bench.kernel.words.contains("step"))
    ruleSet.revision = 3
    ruleSet.tunnels.append(
      Tunnel(
        name: try #require(Name("fra-b")), kind: .gre(key: 2), hub: ruleSet.tunnels[0].hub,
        uplink: ruleSet.tunnels[0].uplink))
    bench.kernel.note()
    try await bench.apply(ruleSet)
    #expect(bench.kernel.words.count { $0 == "read" } == 2, "the watch has to know a device that was made")
  }

  @Test func aRuleSetThatComesMakesALookUnnecessary() async throws {
    let bench = try await ReconcilerBench()
    let none = await bench.reconciler.applied
    try await bench.apply(try bench.ruleSet(1, tunnels: ["fra-a"]))
    let one = await bench.reconciler.applied
    bench.kernel.note()
    await bench.reconciler.look(in: .zero, unlessAppliedSince: none)
    #expect(await bench.reconciler.isIdle && bench.kernel.words.isEmpty)
    await bench.reconciler.look(in: .zero, unlessAppliedSince: one)
    while await !bench.reconciler.isIdle { try await Task.sleep(for: .milliseconds(5)) }
    #expect(bench.kernel.words == ["read"])
  }

  @Test func aTunnelThatIsRemovedGoesOnceItIsLeft() async throws {
    let bench = try await ReconcilerBench()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a", "b"]))
    try await bench.apply(try bench.ruleSet(2, tunnels: ["a"]))
    #expect(try bench.fake.read(expecting: nil).links[try #require(InterfaceName("bh-b"))] == nil)
  }

  @Test func aFailureIsReportedOnceAndTriedAgain() async throws {
    let bench = try await ReconcilerBench()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a"]))
    let device = try #require(InterfaceName("bh-a"))
    try bench.fake.change("ip link delete bh-a") { $0.removeLink(device) }
    bench.kernel.refuse { if case .createTunnel = $0 { true } else { false } }
    try await bench.look()
    try await bench.look()
    #expect(bench.events.count(.applyFailed) == 1)
    #expect(await bench.reconciler.trouble != nil)
    bench.kernel.refuse(nil)
    try await bench.look()
    #expect(await bench.reconciler.trouble == nil)
    #expect(try bench.fake.read(expecting: nil).links[device] != nil)
  }

  /// The other path's state stays unknown here: no time passes, so its probes are never answered.
  @Test(.timeLimit(.minutes(3))) func aDeviceThatIsNeverLeftIsLookedAtEverMoreSeldom() async throws {
    let bench = try await ReconcilerBench()
    try await bench.apply(try bench.ruleSet(1, tunnels: ["a"]))
    var next = try bench.ruleSet(2, tunnels: ["b"])
    next.tunnels[0].kind = .gre(key: 9)
    next.probes = [
      Probe(
        name: try #require(Name("b-ping")), path: try #require(Name("b")),
        kind: .icmp(target: try #require(IPv4Address("10.1.1.2"))))
    ]
    try await bench.apply(next)
    let kept = try #require(InterfaceName("bh-a"))
    #expect(try bench.fake.read(expecting: nil).links[kept] != nil, "the rule's traffic still goes by it")
    let before = await bench.reconciler.tally.runs
    try await Task.sleep(for: .seconds(3))
    #expect(await bench.reconciler.tally.runs - before <= 5)
    // The retry is not forgotten; between its beginning and its end no other is due.
    while await bench.reconciler.retry == nil { try await Task.sleep(for: .milliseconds(10)) }
  }
}
