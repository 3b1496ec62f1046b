internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// Which steering rule takes a packet, and why no other does.
@Suite struct SteeringVerdictTests {
  private func packet() throws -> SteeredPacket {
    SteeredPacket(
      source: try #require(IPv4Address("10.1.2.3")), destination: try #require(IPv4Address("203.0.113.9")),
      lan: try #require(InterfaceName("lan0")), mac: MACAddress("02:00:5e:10:00:01"), protocol: .tcp, port: 443,
      dscp: try #require(DSCP(name: "AF41")), domains: [try #require(DomainName("www.example.com"))],
      minuteOfWeek: 1_440 + 751)
  }

  private func rule(_ name: String, _ match: SteeringMatch, enabled: Bool = true) throws -> SteeringRule {
    SteeringRule(name: try #require(Name(name)), enabled: enabled, match: match, action: .direct)
  }

  @Test func eachFieldSaysWhyItDoesNotMatch() throws {
    let wrong = SteeringMatch(
      lans: try ["lan1", "lan2", "lan3"].map { try #require(InterfaceName($0)) },
      sources: [try #require(IPv4Prefix("10.2.0.0/16"))],
      destinations: try (1...6).map { try #require(IPv4Prefix("198.51.\($0).0/24")) },
      macs: [try #require(MACAddress("02:00:5e:10:00:02"))], protocols: [.udp],
      ports: [try #require(PortRange("3478-3481")), try #require(PortRange(5_004, 5_004))],
      dscp: [try #require(DSCP(name: "EF"))], domains: [try #require(DomainName("mail.example.com"))],
      schedule: Schedule(
        days: [.monday], from: try #require(TimeOfDay("08:00")), to: try #require(TimeOfDay("17:00"))))
    let packet = try packet()
    #expect(wrong.misses(packet) == SteeringField.allCases)
    #expect(
      SteeringField.allCases.map { wrong.words(for: $0, missing: packet) } == [
        "it comes in by lan0, not by lan1, lan2 or lan3",
        "it comes from 10.1.2.3, not from 10.2.0.0/16",
        "it goes to 203.0.113.9, not to 198.51.1.0/24, 198.51.2.0/24, 198.51.3.0/24, 198.51.4.0/24 or 2 more",
        "its sender is 02:00:5e:10:00:01, not 02:00:5e:10:00:02",
        "its protocol is tcp, not udp",
        "it goes to port 443, not to 3478-3481 or 5004",
        "its DSCP is AF41, not EF",
        "the router's resolver has found no address 203.0.113.9 for mail.example.com",
        "it is tue 12:31, and the rule holds mon 08:00-17:00",
      ])
    var bare = packet
    (bare.mac, bare.port, bare.protocol) = (nil, nil, .icmp)
    #expect(
      wrong.words(for: .macs, missing: bare)
        == "its sender's MAC address is not known, and it has to be 02:00:5e:10:00:02")
    #expect(wrong.words(for: .ports, missing: bare) == "it has no port, and the rule asks for 3478-3481 or 5004")
  }

  @Test func theFirstRuleThatMatchesDecides() throws {
    let packet = try packet()
    let rules = [
      try rule("udp", SteeringMatch(protocols: [.udp])),
      try rule("off", SteeringMatch(protocols: [.tcp]), enabled: false),
      try rule(
        "web", SteeringMatch(protocols: [.tcp], ports: [try #require(PortRange("400-500"))])),
      try rule("all", SteeringMatch(dscp: DSCP.all)),
    ]
    let verdict = SteeringVerdict(of: rules, for: packet)
    #expect(verdict.rule?.name.text == "web")
    #expect(
      verdict.passed.map { $0.words(for: packet) } == [
        "rule udp does not take it: its protocol is tcp, not udp", "rule off is disabled",
      ])
    #expect(verdict.passed.first?.reason == .misses([.protocols]))
    #expect(SteeringVerdict(of: [], for: packet).rule == nil)
    #expect(SteeringVerdict(of: Array(rules.prefix(2)), for: packet).passed.count == 2)
  }

  @Test func aDomainTakesWhatItsSubdomainsHave() throws {
    var packet = try packet()
    let match = SteeringMatch(domains: [try #require(DomainName("example.com"))])
    #expect(match.takes(packet))
    packet.domains = [try #require(DomainName("example.org")), try #require(DomainName("com"))]
    #expect(!match.takes(packet))
    packet.domains = []
    #expect(!match.takes(packet))
  }

  @Test(arguments: 0..<20) func bothListsSayTheSame(_ seed: UInt64) throws {
    var dice = SteeringDice(random: SeededRandom(seed: seed))
    let rules = try (0..<12).map { try rule("r\($0)", try dice.match(), enabled: dice.roll(4) > 0) }
    for _ in 0..<200 {
      let packet = dice.packet()
      let verdict = SteeringVerdict(of: rules, for: packet)
      #expect(SteeringVerdict.rule(of: rules, for: packet) == verdict.rule)
      #expect(verdict.passed.map(\.rule) == Array(rules.prefix { $0 != verdict.rule }))
    }
  }
}
