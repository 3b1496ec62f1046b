internal import RuleSets
import Testing

@testable import Core

/// What a rule set asks of IPsec, held against a router's own configuration.
@Suite struct RuleSetCheckTests {
  @Test func aRuleSetThatNamesItsFilesFitsARouterWithoutAny() throws {
    for name in ["ipsec-psk", "ipsec-certificate"] {
      var router = try router()
      router.ipsec.pskFile = "/etc/backhaul/secrets/hubs.psk"
      router.ipsec.certificateFile = "/etc/backhaul/secrets/branch-017.pem"
      router.ipsec.keyFile = "/etc/backhaul/secrets/branch-017.key"
      router.ipsec.authorityFile = "/etc/backhaul/secrets/authority.pem"
      #expect(try complaints(ruleSet(name), router).isEmpty)
    }
    #expect(try complaints(ruleSet("gre-protected"), router()).isEmpty)
  }

  @Test func steeringRulesFitTheRouter() throws {
    #expect(
      try complaints(ruleSet("steering"), router()).filter { $0.hasPrefix("steering") }.allSatisfy {
        $0.contains("lans")
      })
    var ruleSet = try ruleSet("steering")
    ruleSet.steeringRules = [
      SteeringRule(
        name: try #require(Name("far")), match: SteeringMatch(lans: [try #require(InterfaceName("lan7"))]),
        action: .drop)
    ]
    let found = try complaints(ruleSet, router()).filter { $0.hasPrefix("steering") }
    #expect(found.count == 1)
    #expect(found[0].hasPrefix("steering_rules[0].match.lans[0]: expected a LAN interface of this router"))
    // Counted for each LAN and each code point, before a single box is made of them.
    ruleSet.steeringRules = try (0..<1_000).map { number in
      SteeringRule(
        name: try #require(Name("s\(number)")),
        match: SteeringMatch(
          protocols: [.udp], ports: [try #require(PortRange(1, UInt16(number + 1)))],
          dscp: [try #require(DSCP(value: UInt8(number % 64)))]), action: .drop)
    }
    ruleSet.steeringRules += try (0..<1_200).map { number in
      SteeringRule(
        name: try #require(Name("t\(number)")), match: SteeringMatch(protocols: [.tcp, .udp]), action: .drop)
    }
    let many = try complaints(ruleSet, router()).filter { $0.hasPrefix("steering") }
    #expect(
      many == [
        "steering_rules: expected at most 65536 combinations of what the rules match, counted for each LAN and each DSCP "
          + "value that they name, found 157065"
      ])
  }

  /// dnsmasq goes by one line for each name.
  @Test func aDomainInMoreRulesThanALineHasRoomFor() throws {
    var ruleSet = try ruleSet("steering")
    let (domain, above) = (try #require(DomainName("www.example.com")), try #require(DomainName("com")))
    func rules(_ count: Int) -> [SteeringRule] {
      (0..<count).compactMap { number in
        Name("rule-\(100 + number)").map {
          SteeringRule(name: $0, match: SteeringMatch(domains: [number == 0 ? above : domain]), action: .drop)
        }
      }
    }
    ruleSet.steeringRules = rules(29)
    #expect(try complaints(ruleSet, router()).filter { $0.contains("too many rules") } == [])
    ruleSet.steeringRules = rules(30)
    #expect(
      try complaints(ruleSet, router()).filter { $0.contains("too many rules") } == [
        "steering_rules: www.example.com is in too many rules, or lies in domains of too many: dnsmasq takes them all in one "
          + "line of at most 1000 bytes"
      ])
  }

  /// `spare` names none either, and no tunnel uses it.
  @Test func filesThatNobodyNames() throws {
    #expect(
      try complaints(ruleSet("ipsec-psk"), router()) == [
        "ipsec_profiles[0].psk_file: missing, and [ipsec] of the local configuration has none either"
      ])
    #expect(
      try complaints(ruleSet("ipsec-certificate"), router()) == [
        "ipsec_profiles[0].certificate_file: missing, and [ipsec] of the local configuration has none either",
        "ipsec_profiles[0].key_file: missing, and [ipsec] of the local configuration has none either",
        "ipsec_profiles[0].authority_file: missing, and [ipsec] of the local configuration has none either",
      ])
  }

  @Test func aKeyOfTheRuleSetAndTheRoutersOwnForTheSameIDs() throws {
    var ruleSet = try ruleSet("ipsec-psk")
    ruleSet.profiles[1].localID = IKEIdentity("Branch-017")
    ruleSet.profiles[1].remoteID = try #require(IKEIdentity("FRA.example"))
    var router = try router()
    router.ipsec.pskFile = "/etc/backhaul/secrets/hubs.psk"
    #expect(
      complaints(ruleSet, router) == [
        "ipsec_profiles[1]: the same ids as ipsec_profiles[0] and another psk_file: charon finds a key by the ids alone"
      ])
    router.ipsec.pskFile = "/etc/backhaul/secrets/ams.psk"
    #expect(complaints(ruleSet, router).isEmpty)
  }

  @Test func aRuleSetFitsTheKernelsNumbersThatTheRouterGivesIt() throws {
    let ruleSet = try ruleSet("gre-protected")
    var router = try router()
    let wanted = Layout.owners(ruleSet, router).count
    // Slot 1 is the bypass, and table 0 stands for none.
    router.kernel.tables = 7900...UInt32(7900 + wanted + 1)
    #expect(complaints(ruleSet, router).isEmpty)
    router.kernel.tables = 7900...UInt32(7900 + wanted)
    #expect(complaints(ruleSet, router).count == 1)
    #expect(
      complaints(ruleSet, router).first?.hasSuffix(
        "\(wanted) tunnels, uplinks and egresses in all, but kernel.mark_mask and the table range in the local "
          + "configuration have room for only \(wanted - 1)") == true)
    router.kernel.tables = 7900...7999
    router.kernel.priorities = 9200...9298
    #expect(complaints(ruleSet, router).first?.hasSuffix("gives 99 ip rule priorities, but 100 are needed") == true)
    router.kernel.priorities = 9200...9299
    #expect(complaints(ruleSet, router).isEmpty)
  }

  @Test func underlayNeedsAPrivateLine() throws {
    let ruleSet = try ruleSet("private-line")
    var router = try router(uplinks: ["wan0", "mpls0"], lans: ["lan0", "lan1"])
    router.ipsec.pskFile = "/etc/backhaul/secrets/hubs.psk"
    let refusal =
      "backhaul_rules[0].fallback: \"underlay\" sends in the clear by a private line, but none of its tunnels goes "
      + "over one (an uplink with private = true in the local configuration)"
    #expect(complaints(ruleSet, router) == [refusal])
    router.uplinks[1].isPrivate = true
    #expect(complaints(ruleSet, router).isEmpty)
    var elsewhere = ruleSet
    elsewhere.backhaulRules[0].egress.paths.removeAll { $0.text == "line" }
    #expect(complaints(elsewhere, router) == [refusal])
  }

  @Test func localWANNeedsAnUplinkThatIsNoPrivateLine() throws {
    let ruleSet = try ruleSet("ipsec-certificate")
    var router = try router()
    router.ipsec.certificateFile = "/a.pem"
    router.ipsec.keyFile = "/a.key"
    router.ipsec.authorityFile = "/ca.pem"
    for index in router.uplinks.indices { router.uplinks[index].isPrivate = true }
    #expect(
      complaints(ruleSet, router) == [
        "backhaul_rules[0].fallback: \"local_wan\" never leaves by a private line, and this router has no other uplink"
      ])
  }

  private func complaints(_ ruleSet: RuleSet, _ router: AgentConfiguration) -> [String] {
    RuleSetCheck.complaints(ruleSet, router).map(\.description)
  }

  private func ruleSet(_ name: String) throws -> RuleSet {
    try RuleSetDecoder.decode(Repository.bytes("Tests/good-rule-sets/\(name).json"))
  }

  private func router(uplinks: [String] = ["wan0", "wan1"], lans: [String] = ["lan0"]) throws -> AgentConfiguration {
    AgentConfiguration(
      device: try #require(Name("branch-017")), ruleSet: .init(location: .file(path: "/rule-set.json")),
      uplinks: try uplinks.map { UplinkConfiguration(interface: try #require(InterfaceName($0))) },
      lans: try lans.map { try #require(InterfaceName($0)) })
  }
}
