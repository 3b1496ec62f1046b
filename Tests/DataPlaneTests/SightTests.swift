internal import RuleSets
import Testing

@testable import Core

/// What follows from the kernel's answers about clients' packets.
@Suite struct SourceSurveyTests {
  private func survey(
    _ change: (inout ActualState) -> Void = { _ in }, sources: Sources? = nil, lans: [InterfaceName] = ["lan0"],
    leading: @escaping (IPv4Address) -> InterfaceName? = { _ in nil }
  ) -> SourceSurvey {
    var kernel = Branch.kernel()
    change(&kernel)
    var rule = Branch.office
    if let sources { rule.sources = sources }
    return SourceSurvey(
      rule.sources, ranges: AddressRanges.merged(rule.sources.prefixes),
      SourceSurvey.View(
        lans: lans, ways: ["wan0", "wan1", "bh-fra-a"], links: kernel.links, addresses: kernel.addresses,
        leading: leading))
  }

  private func link(_ stack: LinkStack? = nil) -> Link {
    Link(index: InterfaceIndex(9), isUp: true, hasCarrier: true, mtu: 1500, stack: stack)
  }

  @Test func aClientIsNotARouter() {
    #expect(survey().entrances == [.init("lan0", "192.168.10.2")])
    #expect(survey().issues == [])
    #expect(survey { $0.addresses["lan0"] = ["192.168.10.2/30"] }.entrances == [.init("lan0", "192.168.10.1")])
    #expect(survey { $0.addresses["lan0"] = ["192.168.10.1/31"] }.entrances == [.init("lan0", "192.168.10.0")])
    #expect(
      survey({ $0.addresses["lan0"] = ["172.16.5.1/24"] }, sources: Sources(interfaces: ["lan0"])).entrances
        == [.init("lan0", "172.16.5.2")])
  }

  @Test func aRenamedInterfaceIsFoundByItsNetwork() {
    let renamed = survey {
      $0.links["enp3s0"] = $0.links.removeValue(forKey: "lan0")
      $0.addresses["enp3s0"] = $0.addresses.removeValue(forKey: "lan0")
    }
    #expect(renamed.entrances == [])
    #expect(
      renamed.issues == [
        SourceIssue(
          .absent, "lan0", isNamed: true, prefix: "192.168.10.0/24", instead: "enp3s0",
          sample: .init("enp3s0", "192.168.10.2"))
      ])
    #expect(renamed.issues[0].words == "interface lan0 does not exist, and 192.168.10.0/24 is behind enp3s0")
  }

  @Test func aPortComesInByItsBridge() {
    let bridged = survey {
      $0.links["lan0"] = link(LinkStack(master: "br0"))
      $0.links["br0"] = link()
    }
    #expect(bridged.entrances == [])
    #expect(
      bridged.issues == [
        SourceIssue(
          .part(of: "br0"), "lan0", isNamed: true, instead: "br0", sample: .init("br0", "192.168.10.2"))
      ])
    let both = survey(
      {
        $0.links["lan0"] = link(LinkStack(master: "br0"))
        $0.links["br0"] = link()
        $0.addresses["br0"] = ["192.168.10.1/24"]
      }, sources: Sources(interfaces: ["lan0", "br0"]))
    #expect(both.issues == [], "the rule names the bridge as well")
  }

  @Test func aDeviceOnTopTakesPacketsUnderItsOwnName() {
    func with(_ address: InterfaceAddress, prefixes: [IPv4Prefix]) -> SourceSurvey {
      survey(
        {
          $0.links["vrrp0"] = link(LinkStack(lower: "lan0"))
          $0.addresses["vrrp0"] = [address]
        }, sources: Sources(interfaces: ["lan0"], prefixes: prefixes))
    }
    #expect(with("192.168.10.254/32", prefixes: ["192.168.10.0/24"]).issues.map(\.kind) == [.covered(by: "vrrp0")])
    #expect(with("192.168.10.254/32", prefixes: []).issues.map(\.kind) == [.covered(by: "vrrp0")])
    #expect(with("192.168.20.1/24", prefixes: []).issues == [], "a network of its own is none of the rule's")
    #expect(with("192.168.20.1/24", prefixes: ["192.168.10.0/24"]).issues == [])
  }

  @Test(arguments: [LinkStack(lower: "lan0")]) func whatTookTheOnlyAddressIsNamed(_ stack: LinkStack) {
    func moved(names: [InterfaceName] = ["lan0"]) -> SourceSurvey {
      survey(
        {
          $0.links["lan0.10"] = link(stack)
          $0.addresses["lan0.10"] = $0.addresses.removeValue(forKey: "lan0")
        }, sources: Sources(interfaces: names))
    }
    #expect(moved().issues.map(\.kind) == [.covered(by: "lan0.10")])
    #expect(moved().issues.first?.sample == .init("lan0.10", "192.168.10.2"))
    #expect(moved(names: ["lan0", "lan0.10"]).issues == [], "a trunk whose VLAN the rule names")
  }

  @Test func whatLiesBehindAnotherRouterIsFollowed() {
    let sources = Sources(interfaces: ["lan0"], prefixes: ["10.20.0.0/16"])
    #expect(survey(sources: sources, leading: { _ in "lan0" }).entrances == [.init("lan0", "10.20.0.1")])
    let elsewhere = survey(sources: sources, leading: { _ in "dmz0" })
    #expect(elsewhere.entrances == [])
    #expect(elsewhere.issues.map(\.kind) == [.elsewhere] && elsewhere.issues[0].device == "dmz0")
    #expect(survey(sources: sources, leading: { _ in "wan0" }).issues == [], "no client is behind an uplink")
    #expect(survey(sources: sources).issues == [], "a network that is nowhere yet is nobody's mistake")
  }

  @Test func ofTheRoutersLANsOneMayBeUnplugged() {
    let sources = Sources(interfaces: [], prefixes: ["192.168.10.0/24"])
    #expect(survey(sources: sources, lans: ["lan0", "usb0"]).issues == [])
    #expect(survey(sources: sources, lans: ["usb0"]).issues.map(\.kind) == [.absent])
    #expect(survey(sources: Sources(interfaces: ["lan0", "usb0"]), lans: ["lan0"]).issues.map(\.kind) == [.absent])
  }
}

@Suite struct WayQuestionTests {
  private let first = RulePriority(9210)

  private func question(_ wanted: WayQuestion.Wanted = .devices(["bh-fra-a"])) -> WayQuestion {
    WayQuestion(
      .init("lan0", "192.168.10.2"), to: "133.0.0.1", mark: Mark(value: 0x0020_0000), wanted: wanted, shut: ["wan0"])
  }

  private func foreign(
    _ priority: UInt32, table: UInt32? = 52, source: IPv4Prefix = .all, destination: IPv4Prefix = .all,
    mask: UInt32 = 0, mark: UInt32 = 0, inverted: Bool = false, refusal: Bool = false
  ) -> ForeignRule {
    ForeignRule(
      priority: RulePriority(priority), mask: mask, mark: mark, table: table.map { TableID($0) }, source: source,
      destination: destination, isInverted: inverted, isRefusal: refusal)
  }

  private func judge(
    _ answer: LookupAnswer, _ rules: [ForeignRule] = [], wanted: WayQuestion.Wanted = .devices(["bh-fra-a"]),
    entry: IPv4Prefix? = nil, isForwarded: Bool = true
  ) -> WayQuestion.Judgement {
    question(wanted).judge(answer, rules: rules, before: first, grounds: { (entry, isForwarded) })
  }

  private func out(_ device: InterfaceName, _ table: UInt32) -> LookupAnswer {
    .out(device, gateway: nil, table: TableID(table))
  }

  @Test func whatGoesTheRulesWayIsAsWanted() {
    #expect(judge(out("bh-fra-a", 7904)) == .asWanted)
    #expect(judge(out("bh-fra-b", 7904), wanted: .devices(["bh-fra-a", "bh-fra-b"])) == .asWanted)
    #expect(judge(.unreachable, wanted: .nowhere) == .asWanted)
  }

  @Test func aForeignRuleIsNamed() {
    let tailscale = foreign(5270)
    #expect(
      judge(out("tun9", 52), [tailscale]) == .found(.diverted(Detour(device: "tun9", cause: .rule(tailscale)))))
    #expect(
      judge(out("wan0", 52), [foreign(5210, table: 53), tailscale], wanted: .nowhere)
        == .found(.diverted(Detour(device: "wan0", cause: .rule(tailscale), hold: .shut))))
    #expect(
      judge(out("vrf0", 77)) == .found(.diverted(Detour(device: "vrf0", cause: .table(TableID(77))))),
      "whose rule it was is not to be seen")
    let marked = foreign(100, table: 52, mask: 0xff, mark: 1)
    #expect(
      judge(out("tun9", 52), [marked, foreign(30_000)])
        == .found(.diverted(Detour(device: "tun9", cause: .table(TableID(52))))),
      "one that asks for another mark, and one after ours, took nothing")
  }

  @Test(
    arguments: [
      ("0.0.0.0/1", true), ("128.0.0.0/1", true), ("128.0.0.0/3", true), ("132.0.0.0/6", true), ("133.0.0.0/8", false),
      ("133.0.0.0/24", false),
    ] as [(IPv4Prefix, Bool)])
  func halvesOfTheInternetAreNoSites(_ prefix: IPv4Prefix, _ isDetour: Bool) {
    let judgement = judge(out("tun9", 254), entry: prefix)
    #expect(judgement == (isDetour ? .found(.diverted(Detour(device: "tun9", cause: .route(prefix)))) : .mainsOwn))
  }

  @Test func whatHasNoWayOrNoSourceIsFound() {
    #expect(judge(.unreachable) == .found(.unrouted(by: nil)))
    #expect(judge(.unreachable, isForwarded: false) == .found(.unforwarded("lan0")))
    let refusal = foreign(900, table: nil, refusal: true)
    #expect(judge(.unreachable, [refusal]) == .found(.unrouted(by: refusal)))
    #expect(judge(.spoofed, [refusal]) == .found(.unrouted(by: refusal)), "a blackhole")
    #expect(judge(.spoofed) == .found(.refused("lan0")))
    #expect(judge(.local) == .mainsOwn)
    let tailscale = foreign(5270)
    let held = question().judge(
      .spoofed, rules: [tailscale], before: first, grounds: { nil }, unchecked: { out("tun9", 52) })
    #expect(
      held
        == .found(
          .diverted(Detour(device: "tun9", cause: .rule(tailscale), hold: .reversePath("lan0")))),
      "who leads everything away leads the answers away too")
  }

  /// A default route that discards comes before any rule of ours, because no suppressor skips it.
  @Test func whatEndsEveryLookUpIsNamed() {
    let wall = DeadEnd(.type("blackhole"), metric: RouteMetric(1))
    for answer in [LookupAnswer.discarded, .unreachable] {
      let judgement = question().judge(
        answer, rules: [], before: first, grounds: { (nil, true) }, deadEnd: { wall })
      #expect(judgement == .found(.ended(by: wall)))
    }
    #expect(judge(.discarded) == .found(.unrouted(by: nil)), "and never the reverse-path check")
    #expect(judge(.discarded, wanted: .nowhere) == .asWanted)
    let finding = TrafficFinding.ended(by: wall)
    #expect(
      finding.cause
        == "has no route: the main table's first default route, blackhole default metric 1, ends every lookup")
    #expect(finding.step(for: "office", KernelRanges()).hasSuffix("ip route del blackhole default metric 1"))
  }

  /// Whether a detour's uplink counts as shut follows from our own table.
  @Test func aShutUplinkHoldsWhereItsChainsDo() {
    for isHeld in [true, false] {
      let judgement = question().judge(
        out("wan0", 10), rules: [], before: first, grounds: { nil }, isHeld: { _ in isHeld })
      let detour = Detour(device: "wan0", cause: .table(TableID(10)), hold: isHeld ? .shut : nil)
      #expect(judgement == .found(.diverted(detour)))
    }
  }

  @Test func aRuleIsHeldAgainstThePacket() {
    let asked = question().lookup
    #expect(foreign(1).mayTake(asked))
    #expect(foreign(1, source: "192.168.10.0/25").mayTake(asked))
    #expect(!foreign(1, source: "192.168.10.128/25").mayTake(asked))
    #expect(!foreign(1, destination: "0.0.0.0/1").mayTake(asked))
    #expect(!foreign(1, mask: 0xff, mark: 1).mayTake(asked))
    #expect(foreign(1, mask: 0xff, mark: 1, inverted: true).mayTake(asked))
  }

  @Test func eachQuarterIsAskedAboutAndNoneThatIsDirect() {
    let all = WayQuestion.destinations(avoiding: [], networks: [])
    #expect(all.compactMap(\.first).map { $0.value >> 30 } == [0, 1, 2, 3])
    let direct: [IPv4Prefix] = ["0.0.0.0/3"]
    let left = WayQuestion.destinations(avoiding: direct, networks: ["65.0.0.0/8"])
    #expect(left[0] == ["37.0.0.1", "52.0.0.1"] && left[1].first == "80.0.0.1")
  }

  @Test func aRouteInTheRulesOwnTableIsNamed() {
    let table = TableID(7904)
    let route = ForeignRoute(table: table, destination: "198.18.0.0/15", origin: RouteProtocol(3))
    var way = WayQuestion(
      .init("lan0", "192.168.10.2"), to: "198.18.0.1", mark: Mark(value: 0x0020_0000), wanted: .devices(["bh-fra-a"]),
      table: table)
    way.part = "to 198.18.0.0/15"
    let judgement = way.judge(out("wan1", 7904), rules: [], before: first, routes: [route], grounds: { nil })
    guard case .found(let finding) = judgement else {
      Issue.record("\(judgement)")
      return
    }
    #expect(
      finding.cause
        == "to 198.18.0.0/15 is sent to wan1 by another program's route 198.18.0.0/15 in table 7904")
    #expect(finding.step(for: "office", KernelRanges()).contains("ip route del 198.18.0.0/15 table 7904"))
  }

  @Test func theTrialFollowsTheTable() {
    let trial = NftTrial(Branch.compiler().layout)
    #expect(trial.takes(.init("lan0", "192.168.10.2"), for: "office", to: "133.0.0.1"))
    #expect(!trial.takes(.init("enp3s0", "10.1.1.1"), for: "office", to: "133.0.0.1"))
    #expect(!trial.takes(.init("lan0", "192.168.11.2"), for: "office", to: "133.0.0.1"))
  }
}

/// Packets that other programs single out among office's (192.168.10.0/24 behind lan0, the router is .1).
@Suite struct SingledOutTests {
  private func questions(
    _ rules: [ForeignRule], routes: [ForeignRoute] = [], ranges: [ClosedRange<UInt32>]? = nil,
    direct: [IPv4Prefix] = []
  ) -> [WayQuestion] {
    let office: IPv4Prefix = "192.168.10.0/24"
    return SingledOut(
      .init(
        entrances: [.init("lan0", "192.168.10.2")], ranges: ranges ?? [office.range],
        addresses: ["lan0": ["192.168.10.1/24"]], direct: direct, destinations: ["4.0.0.1", "65.0.0.1", "193.0.0.1"],
        mark: Mark(value: 0x0200_0000), table: TableID(7904), wanted: .devices(["bh-fra-a"]))
    ).questions(rules: rules, routes: routes)
  }

  private func rule(
    _ selector: PacketSelector = PacketSelector(), mask: UInt32 = 0, mark: UInt32 = 0, source: IPv4Prefix = .all,
    destination: IPv4Prefix = .all, incoming: InterfaceName? = nil, inverted: Bool = false
  ) -> ForeignRule {
    ForeignRule(
      priority: RulePriority(100), mask: mask, mark: mark, table: TableID(52), source: source,
      destination: destination, incoming: incoming, isInverted: inverted, selector: selector)
  }

  @Test func eachSelectorHasItsPacket() {
    let udp = rule(PacketSelector(protocolNumber: 17, destinationPorts: 7000...7000))
    let all = questions([
      udp, rule(PacketSelector(protocolNumber: 6, sourcePorts: 1024...65535)), rule(PacketSelector(protocolNumber: 1)),
      rule(destination: "198.16.0.0/12"), rule(source: "192.168.10.64/26"), rule(PacketSelector(typeOfService: 0x10)),
    ])
    #expect(all.allSatisfy { $0.mark == Mark(value: 0x0200_0000) && $0.table == TableID(7904) })
    let parts = Dictionary(all.map { ($0.part, $0) }) { first, _ in first }
    #expect(parts["by udp to port 7000"]?.service == .udp && parts["by udp to port 7000"]?.port == 7000)
    #expect(parts["by tcp from port 1024-65535"]?.sourcePort == 1024)
    #expect(parts["by icmp"]?.service == .icmp)
    #expect(parts["to 198.16.0.0/12"]?.destination == "198.16.0.1")
    #expect(parts["from 192.168.10.64/26"]?.entrance == .init("lan0", "192.168.10.65"))
    #expect(parts["with TOS 0x10"]?.typeOfService == 0x10)
    #expect(all.count == 6)
    #expect(all.first?.part == "by icmp", "the most general one")
    for question in all { #expect(question.lookup.service == question.service) }
    #expect(udp.mayTake(parts["by udp to port 7000"]?.lookup ?? all[0].lookup))
    #expect(!udp.mayTake(parts["by icmp"]?.lookup ?? all[0].lookup))
    #expect(udp.description == "100: ipproto udp dport 7000 lookup 52")
  }

  @Test func whatNoClientSendsIsNotAskedAbout() {
    #expect(questions([rule()]) == [], "that is for all: those that stand for all tell")
    #expect(questions([rule(PacketSelector(protocolNumber: 17), mask: 0xff, mark: 1)]) == [], "another's mark")
    #expect(questions([rule(source: "10.0.0.0/8")]) == [], "none of the rule's")
    #expect(questions([rule(PacketSelector(protocolNumber: 17), incoming: "dmz0")]) == [])
    #expect(questions([rule(PacketSelector(protocolNumber: 47))]) == [], "the kernel cannot be asked")
    #expect(questions([rule(PacketSelector(hasMore: true))]) == [], "a user")
    #expect(questions([rule(destination: "10.99.0.0/16")]) == [], "a site")
    #expect(questions([rule(destination: "198.18.0.0/15")], direct: ["198.16.0.0/12"]) == [], "not the rule's")
    #expect(questions([rule(source: "192.168.11.0/24")], ranges: []) == [], "behind none of its devices")
  }

  @Test func theOwnMarkIsMet() {
    #expect(questions([rule(PacketSelector(protocolNumber: 6), mask: 0x0200_0000, mark: 0x0200_0000)]).count == 1)
  }

  @Test func exceptionsAreAskedAboutFromOutside() {
    let notTCP = questions([rule(PacketSelector(protocolNumber: 17, destinationPorts: 53...53), inverted: true)])
    #expect(notTCP.map(\.service) == [.tcp, .udp] && notTCP.last?.port == 52)
    let others = questions([rule(source: "192.168.10.2/32", inverted: true)])
    #expect(others.map(\.entrance) == [.init("lan0", "192.168.10.3")])
    #expect(questions([rule(destination: "0.0.0.0/1", inverted: true)]).map(\.destination) == ["193.0.0.1"])
  }

  @Test func routesInTheRulesTableAreAskedAbout() {
    func route(_ prefix: IPv4Prefix, _ table: UInt32 = 7904) -> ForeignRoute {
      ForeignRoute(table: TableID(table), destination: prefix, origin: RouteProtocol(3))
    }
    let all = questions(
      [], routes: [route("198.18.0.0/15"), route("10.5.0.0/16"), route("0.0.0.0/0"), route("1.0.0.0/8", 99)])
    #expect(all.map(\.destination) == ["198.18.0.1", "10.5.0.1"])
  }

  @Test func theirNumberIsBounded() {
    let rules = (1...500).map { rule(PacketSelector(protocolNumber: 6, destinationPorts: $0...$0)) }
    #expect(questions(rules + [rule(PacketSelector(protocolNumber: 1))]).count == SingledOut.most)
    #expect(questions(rules + [rule(PacketSelector(protocolNumber: 1))]).first?.service == .icmp)
  }
}

/// IPv6 of lan0, which a rule says `block` for.
@Suite struct IPv6QuestionTests {
  private let last = RulePriority(9300)

  private func foreign(
    _ selector: PacketSelector = PacketSelector(), priority: UInt32 = 100, table: UInt32 = 52,
    source: IPv6Prefix = .all, destination: IPv6Prefix = .all, mask: UInt32 = 0, mark: UInt32 = 0
  ) -> ForeignIPv6Rule {
    ForeignIPv6Rule(
      priority: RulePriority(priority), mask: mask, mark: mark, table: TableID(table), source: source,
      destination: destination, selector: selector)
  }

  private func prefix(_ text: String, _ length: UInt8) throws -> IPv6Prefix {
    let address = try #require(IPv6Address(text))
    return try #require(IPv6Prefix(of: address, length: length))
  }

  private func leak(
    _ answer: IPv6Question.Answer, _ rules: [ForeignIPv6Rule] = [], isHeld: Bool = false
  ) throws -> IPv6Leak? {
    let question = IPv6Question(
      "lan0", from: try #require(IPv6Address("2001:db8:10::2")), to: try #require(IPv6Address("2600::1")))
    return question.leak(answer, rules: rules, before: last, lans: ["lan0", "lan1"], isHeld: { _ in isHeld })
  }

  @Test func whatLeavesInTheClearIsNamed() throws {
    let found = try leak(.out("wan1", table: TableID(52), length: 0), [foreign()])
    #expect(found?.rule == foreign())
    let words = TrafficFinding.leaking(try #require(found))
    #expect(words.state == .diverted && words.device == "wan1")
    #expect(
      words.cause == "by IPv6 leaves by wan1 in the clear, though its rule says block: ip -6 rule 100: lookup 52 of "
        + "another program sends it there")
    #expect(words.step(for: "office", KernelRanges()).contains("remove it, or give it a priority above"))
    #expect(try leak(.out("wan1", table: TableID(254), length: 3)) != nil, "a default but in name, and no belt")
    #expect(try leak(.out("wan1", table: TableID(52), length: 0), [foreign(priority: 9_999)])?.rule == nil)
  }

  @Test func whatIsHeldOrStaysIsNoLeak() throws {
    #expect(try leak(.out("wan1", table: TableID(52), length: 0), [foreign()], isHeld: true) == nil)
    #expect(try leak(.out("lan1", table: TableID(254), length: 64)) == nil)
    #expect(try leak(.out("wan1", table: TableID(254), length: 48)) == nil, "main's own site is kept")
    #expect(try leak(.refused) == nil)
    #expect(try leak(.local) == nil)
  }

  @Test func itIsAskedForEachSelector() throws {
    let lan = ["2001:db8:10::1", "fe80::1"].compactMap { text in
      IPv6Address(text).flatMap { IPv6InterfaceAddress($0, length: 64) }
    }
    let plain = IPv6Question.all(from: "lan0", addresses: lan, rules: [])
    #expect(plain.count == 4)
    #expect(plain.allSatisfy { $0.source == IPv6Address("2001:db8:10::2") })
    #expect(IPv6Question.all(from: "lan0", addresses: [], rules: []).first?.source == IPv6Address("2001:db8::2"))
    let all = IPv6Question.all(
      from: "lan0", addresses: lan,
      rules: [
        foreign(PacketSelector(protocolNumber: 17, destinationPorts: 7000...7000)),
        foreign(destination: try prefix("2001:db8:9::", 48)), foreign(source: try prefix("2001:db8:10::40", 122)),
        foreign(destination: try prefix("fd00::", 8)), foreign(source: try prefix("2001:db8:77::", 64)),
        foreign(PacketSelector(protocolNumber: 6), mask: 0xff, mark: 1), foreign(),
      ])
    #expect(
      all.dropFirst(4).map(\.part) == ["by udp to port 7000", "to 2001:db8:9::/48", "from 2001:db8:10::40/122"])
    #expect(all.dropFirst(4).first?.port == 7000)
    #expect(all.last?.source == IPv6Address("2001:db8:10::41"))
  }

  @Test func prefixesHoldWhatTheyHold() throws {
    #expect(try prefix("2001:db8::", 32).contains(try #require(IPv6Address("2001:db8:ffff::1"))))
    #expect(!(try prefix("2001:db8::", 32).contains(try #require(IPv6Address("2001:db9::1")))))
    #expect(try prefix("::", 0).contains(try #require(IPv6Address("ffff::"))))
    #expect(try prefix("2001:db8::4", 128).host == IPv6Address("2001:db8::4"))
    #expect(!(try prefix("2001:db8::4", 127).contains(try #require(IPv6Address("2001:db8::6")))))
  }

  @Test func ourOwnTableIsAskedWhetherItHolds() {
    var rule = Branch.office
    rule.ipv6 = .block
    rule.egress.fallback = .block
    let layout = Branch.compiler(Branch.ruleSet(rules: [rule])).layout
    #expect(IPv6Blocks(layout, [:]).all.map(\.interface) == ["lan0"])
    var surroundings = ActualState()
    (surroundings.exits, surroundings.ipv6Exits) = (["wan9"], ["wan9"])
    let trial = ForwardTrial(layout, surroundings)
    #expect(trial.holdsIPv6(from: "lan0", leavingBy: "wan9"), "a way out that nobody has configured")
    #expect(
      trial.holds(
        .init("lan0", "192.168.10.2"), to: "133.0.0.1", mark: layout.activeRules[0].mark, by: "lan0", leavingBy: "wan9")
    )
    #expect(trial.holdsIPv6(from: "lan0", leavingBy: "wan0"))
    #expect(!trial.holdsIPv6(from: "dmz0", leavingBy: "lan0"))
    let mark = layout.activeRules[0].mark
    func holds(by device: InterfaceName?) -> Bool {
      trial.holds(.init("lan0", "192.168.10.2"), to: "133.0.0.1", mark: mark, by: device, leavingBy: "wan0")
    }
    #expect(holds(by: "lan0"), "what a strict rule may not leave by")
  }
}
