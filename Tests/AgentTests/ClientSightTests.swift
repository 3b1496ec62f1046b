import Core
import Fakes
internal import RuleSets
import Testing

@testable import Agent

/// A look at clients' packets over a kernel in memory: rule `office` with prefix 192.168.10.0/24 on lan0, by tunnel `fra`.
private final class Bench: Sendable {
  let fake = FakeKernel()
  let loop = VirtualLoop()
  let events = RecordedEvents()
  let prober: ScriptedProber
  let watch: PathWatch
  let reconciler: Reconciler
  let sight: ClientSight
  let office: Name
  private let work: Task<Void, Never>
  private let configuration: AgentConfiguration

  init(
    fallback: Egress.Fallback = .localWAN, ipv6: BackhaulRule.IPv6 = .local, usesFlowtable: Bool = false
  ) async throws {
    let (wan, lan, tun) = (
      try #require(InterfaceName("wan0")), try #require(InterfaceName("lan0")), try #require(InterfaceName("tun9"))
    )
    office = try #require(Name("office"))
    configuration = AgentConfiguration(
      device: try #require(Name("branch-017")),
      ruleSet: RuleSetSourceConfiguration(location: .file(path: "/nowhere")),
      uplinks: [UplinkConfiguration(interface: wan)], lans: [lan],
      kernel: KernelRanges(usesFlowtable: usesFlowtable))
    let gateway = IPv4Address("198.51.100.1")
    let addresses = (InterfaceAddress("198.51.100.2/24"), InterfaceAddress("192.168.10.1/24"))
    try fake.change("set up") { state in
      state.addLink(wan, address: addresses.0)
      state.addLink(lan, address: addresses.1)
      state.addLink(tun, isPointToPoint: true)
      state.setMainDefaults([MainDefault(device: wan, gateway: gateway.map { .ipv4($0) }, metric: RouteMetric(100))])
    }
    prober = ScriptedProber(loop)
    watch = PathWatch(
      loop: loop, prober: prober, flipper: fake, events: events, mask: .standard, chance: { 0 }, onSweep: { _ in })
    let ike = IKEKeeper(charon: FakeCharon(isRunning: false), events: events, surroundings: StillSurroundings())
    let reconciler = Reconciler(
      kernel: fake, watch: watch, ike: ike, configuration: configuration, events: events,
      surroundings: StillSurroundings(), timeZone: FakeTimeZone())
    self.reconciler = reconciler
    sight = ClientSight(
      port: fake, traffic: fake, watch: watch, reconciler: reconciler, configuration: configuration, events: events,
      surroundings: StillSurroundings())
    work = Task { await reconciler.run() }
    prober.set(try #require(InterfaceName("bh-fra")), .answers(.milliseconds(5)))
    let ruleSet = try ruleSet(fallback, ipv6)
    let slots = try #require(Layout.slots(ruleSet, configuration, after: SlotBook()))
    try await reconciler.apply(ruleSet, slots: slots)
    loop.advance(by: .seconds(1))
    events.forget()
  }

  deinit { work.cancel() }

  private func ruleSet(_ fallback: Egress.Fallback, _ ipv6: BackhaulRule.IPv6) throws -> RuleSet {
    let name = try #require(Name("fra"))
    return RuleSet(
      device: configuration.device, revision: 1,
      hubs: [Hub(name: name, address: try #require(IPv4Address("203.0.113.2")))],
      tunnels: [
        Tunnel(
          name: name, kind: .gre(key: nil), hub: name, uplink: configuration.uplinks[0].interface,
          innerLocal: InterfaceAddress("10.1.1.1/30"), innerRemote: IPv4Address("10.1.1.2"))
      ], paths: [Path(name: name, way: .tunnel(name))],
      probes: [
        Probe(
          name: name, path: name, kind: .icmp(target: try #require(IPv4Address("10.1.1.2"))),
          interval: .milliseconds(100), timeout: .milliseconds(80), fall: 3, rise: 3)
      ],
      backhaulRules: [
        BackhaulRule(
          name: office,
          sources: Sources(
            interfaces: configuration.lans, prefixes: [try #require(IPv4Prefix("192.168.10.0/24"))]),
          paths: [name], fallback: fallback, ipv6: ipv6)
      ])
  }

  /// Lets this much time pass, then looks.
  func look(after wait: Duration = .milliseconds(1_100)) async {
    loop.advance(by: wait)
    await sight.look()
  }

  /// Of the rule.
  var table: TableID? { get async { await reconciler.layout?.table(.egress(office)) } }

  var state: TrafficFinding.State? { get async { await sight.view.rules[office]?.state } }
  var cause: String? { get async { await sight.view.rules[office]?.findings.first?.cause } }
  var told: [AgentEvent.Kind] {
    events.all.map(\.kind).filter { [.trafficDiverted, .trafficObstructed, .trafficRestored].contains($0) }
  }

  func count(_ counts: [CountedPlace: UInt64]) throws {
    let office = office
    try fake.change("count") { state in
      for (place, packets) in counts { state.counts[place.chain(of: office), default: 0] += packets }
    }
  }

  /// Another program's default by tun9, and an ip rule that leads there.
  func addForeign(_ priority: UInt32 = 5270) throws {
    let tun = try #require(InterfaceName("tun9"))
    try fake.change("ip rule add") { state in
      state.addForeign(TableRoute(table: TableID(52), metric: RouteMetric(0), way: .out(device: tun, gateway: nil)))
      state.addForeign(
        RoutingRule(priority: RulePriority(priority), action: .lookup(TableID(52), suppressPrefixLength: nil)))
    }
  }
}

@Suite struct ClientSightTests {
  @Test func nothingIsClaimedBeforeTheFirstLook() async throws {
    let bench = try await Bench()
    #expect(await bench.state == nil)
    await bench.look()
    #expect(await bench.state == .asIntended)
    #expect(bench.told == [])
    let view = await bench.sight.view
    #expect(view.asked == 4, "a quarter of the internet each")
    #expect(SightReport(view, at: bench.loop.now + .seconds(3)).ageSeconds == 3)
  }

  @Test func aRuleBeforeOursIsReportedOnce() async throws {
    let bench = try await Bench()
    await bench.look()
    try bench.addForeign()
    await bench.look()
    #expect(await bench.state == .asIntended, "once is no finding")
    await bench.look()
    #expect(await bench.state == .diverted)
    #expect(await bench.cause == "is sent to tun9 by ip rule 5270: lookup 52 of another program")
    await bench.look()
    await bench.look()
    #expect(bench.told == [.trafficDiverted])
    let event = try #require(bench.events.all.last)
    #expect(event.subject == "office" && event.details["device"] == "tun9" && event.severity == .error)
    #expect(HookCall(event, at: WallTime(secondsSince1970: 0), on: try #require(Name("r"))) != nil, "hooks are told")
  }

  @Test func aRuleAfterOursTakesNothing() async throws {
    let bench = try await Bench()
    try bench.addForeign(9_900)
    for _ in 0..<3 { await bench.look() }
    #expect(await bench.state == .asIntended)
  }

  @Test func whatIsBlockedAndLeavesIsSeen() async throws {
    let bench = try await Bench(fallback: .block)
    bench.prober.set(try #require(InterfaceName("bh-fra")), .silent)
    bench.loop.advance(by: .seconds(2))
    await bench.look()
    #expect(await bench.state == .asIntended)
    try bench.addForeign()
    await bench.look()
    await bench.look()
    #expect(await bench.state == .diverted)
  }

  @Test func aRenamedInterfaceIsSeen() async throws {
    let bench = try await Bench()
    await bench.look()
    let (old, new) = (try #require(InterfaceName("lan0")), try #require(InterfaceName("enp3s0")))
    let address = InterfaceAddress("192.168.10.1/24")
    try bench.fake.change("ip link set lan0 name enp3s0") { state in
      state.removeLink(old)
      state.addLink(new, address: address)
    }
    let links = try bench.fake.read(expecting: nil).links
    await bench.watch.linkChanged(old, nil)
    await bench.watch.linkChanged(new, links[new])
    await bench.look()
    await bench.look()
    #expect(await bench.state == .untaken)
    #expect(
      await bench.cause == "is not taken: interface lan0 does not exist, and 192.168.10.0/24 is behind enp3s0")
    #expect(bench.told == [.trafficDiverted])
  }

  @Test func whatIsMarkedAndDoesNotLeaveIsSeen() async throws {
    let bench = try await Bench()
    let docker = PacketFilter(table: "ip filter", chain: "FORWARD", place: .forward, priority: 0, dropsByDefault: true)
    try bench.fake.change("nft add chain") { $0.filters.filters = [docker] }
    for _ in 0..<3 { await bench.look() }
    #expect(await bench.state == .asIntended, "without packets nothing is claimed")
    for _ in 0..<2 {
      try bench.count([.taken: 20, .passed: 20])
      await bench.look()
    }
    #expect(await bench.state == .obstructed)
    #expect(
      await bench.cause == "is dropped on this router by chain FORWARD of nft table ip filter (policy drop)")
    try bench.count([.taken: 20, .passed: 20, .left: 20])
    await bench.look()
    #expect(await bench.state == .asIntended)
    #expect(bench.told == [.trafficObstructed, .trafficRestored])
  }

  /// What is offloaded passes no counter: a client whose packets are refused is then the only one that is seen.
  @Test func whatIsOffloadedIsNotTakenForLost() async throws {
    let bench = try await Bench(usesFlowtable: true)
    let mark = try #require(await bench.reconciler.layout?.mark(.egress(bench.office)))
    let client = try #require(IPv4Address("192.168.10.2"))
    let docker = PacketFilter(table: "ip filter", chain: "FORWARD", place: .forward, priority: 0, dropsByDefault: true)
    try bench.fake.change("nft add chain") { $0.filters.filters = [docker] }
    var connection = FakeConnection(source: client, mark: mark, isTranslated: false)
    connection.isOffloaded = true
    bench.fake.connections = [connection]
    await bench.look()
    for _ in 0..<8 {
      try bench.count([.taken: 20, .passed: 20])
      await bench.look()
    }
    #expect(await bench.state == .asIntended && bench.told == [])
    bench.fake.connections = []
    for _ in 0..<20 {
      try bench.count([.taken: 20, .passed: 20])
      await bench.look()
    }
    #expect(await bench.state == .obstructed, "nothing is offloaded, and nothing leaves")
  }

  @Test func aMarkThatIsLostIsSeen() async throws {
    let bench = try await Bench()
    let writer = ForeignMark(table: "inet others", chain: "pre", bits: .max, isConnections: false)
    try bench.fake.change("nft add rule") { $0.filters.marks = [writer] }
    await bench.look()
    for _ in 0..<2 {
      try bench.count([.taken: 20])
      try bench.fake.change("count") { $0.counts["off_wan0", default: 0] += 20 }
      await bench.look()
    }
    #expect(await bench.state == .diverted)
    #expect(await bench.cause?.contains("chain pre of nft table inet others overwrites our bits") == true)
  }

  /// A belt may still carry it to the right place; if nothing leaves, it is held.
  @Test func whatLosesItsMarkAndDoesNotLeaveIsNoDetour() async throws {
    let bench = try await Bench()
    let writer = ForeignMark(table: "inet others", chain: "pre", bits: .max, isConnections: false)
    try bench.fake.change("nft add rule") { $0.filters.marks = [writer] }
    await bench.look()
    for _ in 0..<4 {
      try bench.count([.taken: 20])
      try bench.fake.change("count") { $0.counts["off_tunnels", default: 0] += 20 }
      await bench.look()
    }
    #expect(await bench.state == .asIntended && bench.told == [])
    for _ in 0..<4 {
      try bench.count([.taken: 20])
      await bench.look()
    }
    #expect(await bench.state == .diverted, "new connections would leave")
    #expect(await bench.cause?.contains("loses its mark and leaves by wan0") == true)
  }

  @Test func whatLosesItsMarkAndMayNotLeaveIsHeld() async throws {
    let bench = try await Bench(fallback: .block)
    let writer = ForeignMark(table: "inet others", chain: "pre", bits: .max, isConnections: false)
    try bench.fake.change("nft add rule") { $0.filters.marks = [writer] }
    await bench.look()
    for _ in 0..<4 {
      try bench.count([.taken: 20])
      await bench.look()
    }
    #expect(await bench.state == .obstructed)
    #expect(await bench.cause?.contains("is held back: nothing leaks") == true)
  }

  @Test func whatIsSingledOutIsAskedAbout() async throws {
    let bench = try await Bench()
    await bench.look()
    let (tun, office) = (try #require(InterfaceName("tun9")), try #require(await bench.table))
    let route = TableRoute(
      table: office, destination: try #require(IPv4Prefix("198.18.0.0/15")), metric: RouteMetric(0),
      way: .out(device: tun, gateway: nil))
    try bench.fake.change("ip route add") { $0.addForeign(route) }
    await bench.look()
    await bench.look()
    #expect(await bench.state == .diverted)
    #expect(
      await bench.cause
        == "to 198.18.0.0/15 is sent to tun9 by another program's route 198.18.0.0/15 in table \(office)")
  }

  @Test func ipv6ThatLeavesIsSeen() async throws {
    let bench = try await Bench(ipv6: .block)
    let (lan, tun) = (try #require(InterfaceName("lan0")), try #require(InterfaceName("tun9")))
    try bench.fake.change("ip -6 rule add") { state in
      state.ipv6 = SeenIPv6(
        rules: [ForeignIPv6Rule(priority: RulePriority(100), table: TableID(52))], isForwarded: true)
      state.ipv6Answers[lan] = .out(tun, table: TableID(52), length: 0)
    }
    await bench.look()
    await bench.look()
    #expect(await bench.state == .diverted)
    #expect(await bench.cause?.contains("by IPv6 leaves by tun9 in the clear") == true)
    try bench.fake.change("ip -6 rule del") { $0.ipv6Answers[lan] = .refused }
    await bench.look()
    #expect(await bench.state == .asIntended)
    #expect(bench.told == [.trafficDiverted, .trafficRestored])
  }

  /// Packets for the router itself, and packets lost before the forward hook with nothing to suspect, are not reported.
  @Test func whatHasReasonsOfItsOwnIsNotClaimed() async throws {
    let bench = try await Bench()
    await bench.look()
    for _ in 0..<4 {
      try bench.count([.taken: 20, .kept: 20])
      await bench.look()
    }
    #expect(await bench.state == .asIntended)
    for _ in 0..<4 {
      try bench.count([.taken: 20])
      await bench.look()
    }
    #expect(await bench.state == .asIntended && bench.told == [])
  }

  @Test func eyesThatSeeNothingClaimNothing() async throws {
    let bench = try await Bench()
    await bench.look()
    try bench.fake.change("drop capabilities") { $0.isBlind = true }
    await bench.look()
    #expect(await bench.state == .asIntended, "what was seen holds for a while")
    #expect(await bench.sight.view.trouble?.contains("Operation not permitted") == true)
    await bench.look(after: .seconds(30))
    #expect(await bench.state == .unseen)
    try bench.fake.change("give them back") { $0.isBlind = false }
    await bench.look()
    #expect(await bench.state == .asIntended)
    #expect(await bench.sight.view.trouble == nil)
  }
}
