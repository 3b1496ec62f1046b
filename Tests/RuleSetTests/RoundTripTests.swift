import Testing

@testable import Core

/// Rule sets made by dice, written and read back.
@Suite struct RoundTripTests {
  @Test(arguments: 0..<200) func whatIsWrittenIsReadBack(_ seed: UInt64) throws {
    var dice = Dice(state: seed &* 0x9e37_79b9_7f4a_7c15 | 1)
    let ruleSet = try dice.ruleSet()
    let bytes = RuleSetEncoder.encode(ruleSet, indented: seed % 2 == 0)
    #expect(try RuleSetDecoder.decode(bytes) == ruleSet)
  }
}

/// Numbers that are the same in every run (xorshift64*).
private struct Dice {
  var state: UInt64

  mutating func roll(_ sides: Int) -> Int {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return Int((state &* 0x2545_f491_4f6c_dd1d) >> 33) % sides
  }

  mutating func maybe<Value>(_ value: Value) -> Value? { roll(2) == 0 ? value : nil }

  mutating func ruleSet() throws -> RuleSet {
    let hubs = try (0...roll(3)).map { Hub(name: try name("hub", $0), address: try address("198.51.100.\($0 + 1)")) }
    let tunnels = try (0...roll(5)).map { try tunnel($0, hubs) }
    var paths = try tunnels.map { Path(name: try name("path-\($0.name)", 0), way: .tunnel($0.name)) }
    paths.append(Path(name: try name("dsl", 0), way: .uplink(try interface("wan0"))))
    let rules = try (0..<roll(4)).map { try rule($0, tunnelPaths: paths.dropLast().map(\.name)) }
    let probes = try (0..<roll(6)).map { try probe($0, paths: paths) }
    return RuleSet(
      device: try name("branch", roll(100)), revision: UInt64(1 + roll(1 << 30)), hubs: hubs, tunnels: tunnels,
      paths: paths, probes: probes, backhaulRules: rules,
      directDestinations: try (0..<roll(4)).map { try prefix("172.16.\($0).0/24") })
  }

  private mutating func tunnel(_ index: Int, _ hubs: [Hub]) throws -> Tunnel {
    let name = try name("t", index)
    let hub = hubs[roll(hubs.count)].name
    if roll(3) == 0 { return Tunnel(name: name, kind: .external(device: try interface("wg\(index)")), hub: hub) }
    let local = try #require(InterfaceAddress("10.255.\(index).1/30"))
    let isNumbered = roll(2) == 0
    return Tunnel(
      name: name, kind: roll(2) == 0 ? .gre(key: maybe(UInt32(roll(1 << 31)))) : .ipip, hub: hub,
      uplink: try interface("wan\(index)"), innerLocal: isNumbered ? local : nil,
      innerRemote: isNumbered ? maybe(try address("10.255.\(index).2")) : nil, mtu: maybe(576 + roll(8424)))
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
      timeout: .milliseconds(10 + roll(interval - 9)), fall: 1 + roll(100), rise: 1 + roll(100))
  }

  private mutating func rule(_ index: Int, tunnelPaths: [Name]) throws -> BackhaulRule {
    let hasInterface = roll(2) == 0
    let sources = Sources(
      interfaces: hasInterface ? [try interface("lan\(index)")] : [],
      prefixes: hasInterface && roll(2) == 0
        ? [] : [try prefix("10.\(index).0.0/17"), try prefix("10.\(index).128.0/32")])
    return BackhaulRule(
      name: try name("rule", index), enabled: index > 0 && !hasInterface ? roll(2) == 0 : false, sources: sources,
      paths: tunnelPaths, fallback: BackhaulRule.Fallback.allCases[roll(2)],
      failback: BackhaulRule.Failback.allCases[roll(2)], holdDown: .milliseconds(roll(86_400_001)),
      ipv6: hasInterface ? BackhaulRule.IPv6.allCases[roll(2)] : .local)
  }

  private func name(_ text: String, _ number: Int) throws -> Name { try #require(Name("\(text)-\(number)")) }
  private func interface(_ text: String) throws -> InterfaceName { try #require(InterfaceName(text)) }
  private func address(_ text: String) throws -> IPv4Address { try #require(IPv4Address(text)) }
  private func prefix(_ text: String) throws -> IPv4Prefix { try #require(IPv4Prefix(text)) }
}
