internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// Which matches take all that another takes, and what `check` says of rules that never come to their turn.
@Suite struct SteeringCoverTests {
  private func covers(_ one: SteeringMatch, _ other: SteeringMatch) -> Bool {
    SteeringCover(one).covers(SteeringCover(other))
  }

  @Test func eachFieldIsHeldAgainstItsOwn() throws {
    let lan0 = try #require(InterfaceName("lan0"))
    let lan1 = try #require(InterfaceName("lan1"))
    func prefixes(_ texts: String...) throws -> [IPv4Prefix] { try texts.map { try #require(IPv4Prefix($0)) } }
    func ports(_ texts: String...) throws -> [PortRange] { try texts.map { try #require(PortRange($0)) } }
    func domains(_ texts: String...) throws -> [DomainName] { try texts.map { try #require(DomainName($0)) } }
    let mac = try #require(MACAddress(value: 1))
    let pairs: [(wide: SteeringMatch, narrow: SteeringMatch)] = [
      (SteeringMatch(lans: [lan0, lan1]), SteeringMatch(lans: [lan1])),
      (SteeringMatch(dscp: DSCP.all), SteeringMatch(lans: [lan1])),
      (
        SteeringMatch(sources: try prefixes("10.0.0.0/9", "10.128.0.0/9", "192.0.2.0/24")),
        SteeringMatch(sources: try prefixes("10.0.0.0/8"))
      ),
      (SteeringMatch(sources: try prefixes("0.0.0.0/0")), SteeringMatch(macs: [mac])),
      (
        SteeringMatch(destinations: try prefixes("10.0.0.0/8")),
        SteeringMatch(destinations: try prefixes("10.1.0.0/16", "10.255.255.255/32"))
      ),
      (
        SteeringMatch(protocols: [.tcp, .udp], ports: try ports("80-89", "90-99", "443-443")),
        SteeringMatch(protocols: [.udp], ports: try ports("85-95"))
      ),
      (SteeringMatch(protocols: [.udp]), SteeringMatch(protocols: [.udp], ports: try ports("85-95"))),
      (SteeringMatch(domains: try domains("example")), SteeringMatch(domains: try domains("a.b.example", "c.example"))),
      (
        SteeringMatch(schedule: Schedule(days: [.friday, .saturday])),
        SteeringMatch(
          schedule: Schedule(
            days: [.friday], from: try #require(TimeOfDay("22:00")), to: try #require(TimeOfDay("06:00"))))
      ),
      (SteeringMatch(schedule: Schedule()), SteeringMatch(lans: [lan0])),
    ]
    for (wide, narrow) in pairs {
      #expect(covers(wide, narrow), "\(wide) covers \(narrow)")
      // The other way there is something left, except where both are anything.
      #expect(!covers(narrow, wide), "\(narrow) does not cover \(wide)")
      #expect(covers(wide, wide) && covers(narrow, narrow))
    }
  }

  @Test func whatLooksWiderNeedNotBe() throws {
    let domain = try #require(DomainName("example.com"))
    let other = try #require(DomainName("badexample.com"))
    #expect(!covers(SteeringMatch(domains: [domain]), SteeringMatch(domains: [other])))
    // All ports are not all packets: ICMP has none.
    let all = SteeringMatch(protocols: [.tcp, .udp], ports: [try #require(PortRange(1, 65_535))])
    #expect(!covers(all, SteeringMatch(protocols: [.tcp])))
    let night = Schedule(from: try #require(TimeOfDay("22:00")), to: try #require(TimeOfDay("06:00")))
    let friday = Schedule(days: [.friday], from: try #require(TimeOfDay("05:00")), to: try #require(TimeOfDay("06:01")))
    #expect(!covers(SteeringMatch(schedule: night), SteeringMatch(schedule: friday)))
  }

  /// Against the meaning: no packet that the covered match takes, the covering one does not take; and where one is not
  /// covered, there is such a packet.
  @Test(arguments: 0..<40) func aCoverIsWhatNoPacketContradicts(_ seed: UInt64) throws {
    var dice = SteeringDice(random: SeededRandom(seed: seed))
    for _ in 0..<40 {
      let (one, other) = (try dice.match(), try dice.match())
      let packets = try dice.everyPacket(of: one, and: other)
      let isContradicted = packets.contains { other.takes($0) && !one.takes($0) }
      #expect(covers(one, other) == !isContradicted, "\(one) and \(other)")
    }
  }

  /// Against every pair.
  @Test(arguments: 0..<20) func whatIsHiddenIsFound(_ seed: UInt64) throws {
    var dice = SteeringDice(random: SeededRandom(seed: seed))
    let matches = try (0..<40).map { _ in try dice.match() }
    let rules = try matches.enumerated().map {
      SteeringRule(name: try #require(Name("r\($0)")), match: $1, action: .drop)
    }
    // A match that takes anything is none that a rule set may have: it stands last, and is not looked at.
    let usable = rules.filter { $0.match != SteeringMatch() }
    let expected = usable.indices.compactMap { late -> String? in
      let early = usable[..<late].firstIndex { covers($0.match, usable[late].match) }
      return early.map {
        "steering_rules[\(late)]: \"\(usable[late].name)\" never takes a packet: steering_rules[\($0)]"
      }
    }
    let ruleSet = RuleSet(device: try #require(Name("a")), revision: 1, steeringRules: usable)
    let found = try RuleSetDecoder.decodeWithRemarks(RuleSetEncoder.encode(ruleSet)).remarks.map(\.description)
      .filter { $0.contains("never takes") }
    #expect(found.map { $0.prefix { $0 != "]" } } == expected.map { $0.prefix { $0 != "]" } })
    #expect(zip(found, expected).allSatisfy { $0.hasPrefix($1) })
    #expect(!found.isEmpty)
  }

  @Test func checkNamesBothRules() throws {
    let decoded = try RuleSetDecoder.decodeWithRemarks(Repository.bytes("Tests/good-rule-sets/steering-hidden.json"))
    #expect(
      decoded.remarks.map(\.description) == [
        "steering_rules[3].match.domains[0]: mail.example.com lies in example.com at [1]; it is left out",
        #"steering_rules[1]: "sip" never takes a packet: steering_rules[0] "calls" takes all that it would"#,
        #"steering_rules[3]: "mail" never takes a packet: steering_rules[2] "cloud" takes all that it would"#,
        #"steering_rules[5]: "late" never takes a packet: steering_rules[4] "night" takes all that it would"#,
      ])
    var enabled = decoded.ruleSet
    for index in [0, 2, 4] { enabled.steeringRules[index].enabled = false }
    #expect(try RuleSetDecoder.decodeWithRemarks(RuleSetEncoder.encode(enabled)).remarks.isEmpty)
  }
}
