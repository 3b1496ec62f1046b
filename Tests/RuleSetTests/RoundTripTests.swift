internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// Rule sets made by dice, written and read back.
@Suite struct RoundTripTests {
  @Test(arguments: 0..<200) func whatIsWrittenIsReadBack(_ seed: UInt64) throws {
    var dice = Dice(random: SeededRandom(seed: seed))
    let ruleSet = try dice.ruleSet()
    let bytes = RuleSetEncoder.encode(ruleSet, indented: seed % 2 == 0)
    #expect(try RuleSetDecoder.decode(bytes) == ruleSet)
  }
}

private struct Dice {
  var random: SeededRandom

  mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }

  mutating func maybe<Value>(_ value: Value) -> Value? { roll(2) == 0 ? value : nil }

  mutating func ruleSet() throws -> RuleSet {
    let hubs = try (0...roll(3)).map { Hub(name: try name("hub", $0), address: try address("198.51.100.\($0 + 1)")) }
    let profiles = try (0...roll(3)).map { try profile($0) }
    let tunnels = try (0...roll(5)).map { try tunnel($0, hubs, profiles) }
    var paths = try tunnels.map { Path(name: try name("path-\($0.name)", 0), way: .tunnel($0.name)) }
    paths.append(Path(name: try name("dsl", 0), way: .uplink(try interface("wan0"))))
    let isOverUplink = tunnels.contains { $0.uplink != nil }
    let tunnelPaths = Array(paths.dropLast().map(\.name))
    let egresses = try (0..<roll(3)).map { try egress(try name("egress", $0), tunnelPaths, isOverUplink) }
    let rules = try (0..<roll(4)).map { try rule($0, tunnelPaths, isOverUplink, egresses) }
    let steering = try (0..<roll(5)).map { try steeringRule($0, egresses) }
    let probes = try (0..<roll(6)).map { try probe($0, paths: paths) }
    return RuleSet(
      device: try name("branch", roll(100)), revision: UInt64(1 + roll(1 << 30)), hubs: hubs,
      profiles: profiles, tunnels: tunnels, paths: paths, probes: probes, egresses: egresses,
      steeringRules: steering, backhaulRules: rules,
      directDestinations: try (0..<roll(4)).map { try prefix("172.16.\($0).0/24") })
  }

  private mutating func profile(_ index: Int) throws -> IPsecProfile {
    // A certificate and its key go together.
    let psk = maybe(try file("hub-\(index).psk"))
    let hasFiles = roll(2) == 0
    let files = CertificateFiles(
      certificate: hasFiles ? try file("a.pem") : nil, key: hasFiles ? try file("a.key") : nil,
      authority: maybe(try file("ca_1.DER")))
    let ike = ["aes256gcm16-prfsha384-x25519", "aes128-aes256-sha256-ecp256-modp3072-ke1_mlkem768-ke2_none"]
    let esp = ["aes128gcm16", "camellia256-sha512-esn-noesn", "chacha20poly1305-x25519-none"]
    return IPsecProfile(
      name: try name("profile", index), authentication: roll(2) == 0 ? .psk(file: psk) : .certificate(files),
      localID: maybe(try identity("C=CH, O=\"Ex\\ample\", CN=edge")), remoteID: try identity("hub-\(index).example"),
      ikeProposals: try ike.prefix(roll(3)).map { try Proposal.parse($0, for: .ike) },
      espProposals: try esp.prefix(roll(4)).map { try Proposal.parse($0, for: .esp) },
      ikeRekey: .seconds(5 + roll(604_796)), childRekey: .seconds(5 + roll(604_796)),
      reauthentication: maybe(.seconds(5 + roll(604_796))), deadPeerDetection: .seconds(1 + roll(3_600)),
      udpEncapsulation: IPsecProfile.UDPEncapsulation.allCases[roll(2)])
  }

  private mutating func tunnel(_ index: Int, _ hubs: [Hub], _ profiles: [IPsecProfile]) throws -> Tunnel {
    let name = try name("t", index)
    let hub = hubs[roll(hubs.count)].name
    if roll(3) == 0 { return Tunnel(name: name, kind: .external(device: try interface("wg\(index)")), hub: hub) }
    let local = try #require(InterfaceAddress("10.255.\(index).1/30"))
    let isNumbered = roll(2) == 0
    let profile = profiles[roll(profiles.count)].name
    let kind: Tunnel.Kind = [.gre(key: maybe(UInt32(roll(1 << 31)))), .ipip, .ipsec(profile: profile)][roll(3)]
    return Tunnel(
      name: name, kind: kind, hub: hub, uplink: try interface("wan\(index)"), innerLocal: isNumbered ? local : nil,
      innerRemote: isNumbered ? maybe(try address("10.255.\(index).2")) : nil, mtu: maybe(576 + roll(8424)),
      protection: kind == .ipsec(profile: profile) ? nil : maybe(profile))
  }

  private mutating func probe(_ index: Int, paths: [Path]) throws -> Probe {
    let interval = 50 + roll(10_000)
    var kind = Probe.Kind.icmp(target: try address("10.9.9.\(1 + roll(200))"))
    if roll(2) == 0 {
      kind = .http(
        HTTPCheck(
          scheme: roll(2) == 0 ? .http : .https, address: try address("10.9.8.7"), port: UInt16(1 + roll(65_535)),
          target: ["/", "/health?a=%20", "/?x"][roll(3)], hostName: maybe("hub.example"),
          statuses: [[200], [200, 204], [599, 100]][roll(3)], bodyText: maybe("ok \"ü\" \\ 😀")))
    }
    return Probe(
      name: try name("probe", index), path: paths[roll(paths.count)].name, kind: kind,
      source: maybe(try address("192.168.0.1")), interval: .milliseconds(interval),
      timeout: .milliseconds(10 + roll(interval - 9)), fall: 1 + roll(100),
      patience: maybe(.milliseconds(roll(600_001))), rise: 1 + roll(100))
  }

  private mutating func rule(
    _ index: Int, _ tunnelPaths: [Name], _ isOverUplink: Bool, _ egresses: [Egress]
  ) throws -> BackhaulRule {
    let hasInterface = roll(2) == 0
    let sources = Sources(
      interfaces: hasInterface ? [try interface("lan\(index)")] : [],
      prefixes: hasInterface && roll(2) == 0
        ? [] : [try prefix("10.\(index).0.0/17"), try prefix("10.\(index).128.0/32")])
    let own = try egress(try name("rule", index), tunnelPaths, isOverUplink)
    return BackhaulRule(
      name: own.name, enabled: index > 0 && !hasInterface ? roll(2) == 0 : false, sources: sources,
      egress: egresses.isEmpty || roll(2) == 0 ? own : egresses[roll(egresses.count)],
      ipv6: hasInterface ? BackhaulRule.IPv6.allCases[roll(2)] : .local, allowBypass: roll(2) == 0)
  }

  private mutating func steeringRule(_ index: Int, _ egresses: [Egress]) throws -> SteeringRule {
    var match = SteeringMatch(lans: [try interface("lan\(roll(9))")])
    if roll(2) == 0 { match.sources = [try prefix("10.\(index).0.0/17"), try prefix("10.\(index).128.0/32")] }
    if roll(2) == 0 { match.destinations = [try prefix("0.0.0.0/0")] }
    if roll(2) == 0 { match.macs = try (1...3).map { try #require(MACAddress(value: 0x0200_0000_0000 | UInt64($0))) } }
    if roll(2) == 0 { match.protocols = [.udp, .tcp, ProtocolNumber(UInt8(18 + roll(238)))] }
    if roll(2) == 0 {
      match.protocols = [.tcp]
      match.ports = [try #require(PortRange(1, UInt16(1 + roll(65_535)))), try #require(PortRange(65_535, 65_535))]
    }
    if roll(2) == 0 { match.dscp = DSCP.all.filter { _ in roll(2) == 0 } }
    if roll(2) == 0 { match.domains = try ["a.example", "b.example"].map { try #require(DomainName($0)) } }
    if roll(2) == 0 {
      let from = roll(1_440)
      match.schedule = Schedule(
        days: [Weekday.allCases[roll(7)]], from: try #require(TimeOfDay(minutes: from)),
        to: try #require(TimeOfDay(minutes: (from + 1 + roll(1_439)) % 1_440)))
    }
    let action: SteeringRule.Action =
      egresses.isEmpty || roll(3) == 0 ? (roll(2) == 0 ? .direct : .drop) : .egress(egresses[roll(egresses.count)].name)
    return SteeringRule(name: try name("steer", index), enabled: roll(2) == 0, match: match, action: action)
  }

  private mutating func egress(_ name: Name, _ tunnelPaths: [Name], _ isOverUplink: Bool) throws -> Egress {
    let isBalanced = tunnelPaths.count > 1 && roll(2) == 0
    return Egress(
      name: name,
      tiers: isBalanced
        ? [tunnelPaths.map { PathShare($0, weight: 1 + roll(256)) }] : tunnelPaths.map { [PathShare($0)] },
      fallback: Egress.Fallback.allCases[roll(isOverUplink ? 3 : 2)], failback: Egress.Failback.allCases[roll(2)],
      drainLimit: .seconds(roll(604_801)), holdDown: .milliseconds(roll(86_400_001)),
      damping: FlapDamping(halfLife: .seconds(roll(86_401))),
      preference: PathPreference(
        isBalanced ? .order : PathPreference.Measure.allCases[roll(3)], latencyMargin: .milliseconds(roll(10_001)),
        lossMargin: Double(1 + roll(100)), hold: .milliseconds(roll(86_400_001))))
  }

  private func name(_ text: String, _ number: Int) throws -> Name { try #require(Name("\(text)-\(number)")) }
  private func file(_ text: String) throws -> SecretFileName { try #require(SecretFileName(text)) }
  private func identity(_ text: String) throws -> IKEIdentity { try #require(IKEIdentity(text)) }
  private func interface(_ text: String) throws -> InterfaceName { try #require(InterfaceName(text)) }
  private func address(_ text: String) throws -> IPv4Address { try #require(IPv4Address(text)) }
  private func prefix(_ text: String) throws -> IPv4Prefix { try #require(IPv4Prefix(text)) }
}
