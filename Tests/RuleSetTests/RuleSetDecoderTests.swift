internal import RuleSets
import Testing

@testable import Core

@Suite struct RuleSetDecoderTests {
  @Test func theExampleIsValid() throws {
    let ruleSet = try RuleSetDecoder.decode(Repository.bytes("etc/rule-set.example.json"))
    #expect(ruleSet.revision == 42)
    #expect(ruleSet.tunnels.map(\.name.text) == ["fra-a", "fra-b", "ams-a", "ams-wg"])
    #expect(ruleSet.tunnels.first?.kind == .gre(key: 7))
    #expect(ruleSet.tunnels.first?.innerLocal?.description == "10.255.1.1/30")
    #expect(ruleSet.tunnels.first?.innerRemote?.description == "10.255.1.2")
    #expect(ruleSet.backhaulRules.first?.sources.prefixes.map(\.description) == ["192.168.10.0/24"])
    #expect(ruleSet.directDestinations.map(\.description) == ["198.18.0.0/15", "192.0.2.53/32"])
  }

  @Test func theExampleWithIPsecIsValid() throws {
    let ruleSet = try RuleSetDecoder.decode(Repository.bytes("etc/rule-set.ipsec.example.json"))
    #expect(ruleSet.tunnels.map(\.profile?.text) == [nil, nil, "to-ams", nil])
    #expect(ruleSet.profiles.map(\.remoteID.text) == ["ams.example"])
  }

  /// Published lists repeat themselves: what means the same is merged, and its writer is told.
  @Test func prefixesThatSayNothingNewAreMerged() throws {
    let bytes = Array(
      """
      {"schema":1,"device":"a","revision":1,"backhaul_rules":[{"name":"r","sources":{"prefixes":
       ["10.1.2.0/24","10.9.0.0/16","10.1.0.0/16","10.9.0.0/16"]},"paths":["w"],"fallback":"local_wan"}],
       "paths":[{"name":"w","uplink":"wan0"}],
       "direct_destinations":["198.18.1.0/24","198.18.0.0/15","192.0.2.0/24","198.18.0.0/15"]}
      """.utf8)
    let decoded = try RuleSetDecoder.decodeWithRemarks(bytes)
    #expect(
      decoded.ruleSet.backhaulRules.first?.sources.prefixes.map(\.description) == ["10.9.0.0/16", "10.1.0.0/16"])
    #expect(decoded.ruleSet.directDestinations.map(\.description) == ["198.18.0.0/15", "192.0.2.0/24"])
    #expect(
      decoded.remarks.map(\.description) == [
        "backhaul_rules[0].sources.prefixes[0]: 10.1.2.0/24 lies in 10.1.0.0/16 at [2]; it is left out",
        "backhaul_rules[0].sources.prefixes[3]: 10.9.0.0/16 is there twice, first at [1]; it is left out",
        "direct_destinations[0]: 198.18.1.0/24 lies in 198.18.0.0/15 at [1]; it is left out",
        "direct_destinations[3]: 198.18.0.0/15 is there twice, first at [1]; it is left out",
      ])
    #expect(try RuleSetDecoder.decode(RuleSetEncoder.encode(decoded.ruleSet)) == decoded.ruleSet)
  }

  @Test func remarksAreBounded() throws {
    let many = Array(repeating: "\"192.0.2.0/24\"", count: 1_000).joined(separator: ",")
    let decoded = try RuleSetDecoder.decodeWithRemarks(
      Array(
        "{\"schema\":1,\"device\":\"a\",\"revision\":1,\"backhaul_rules\":[],\"direct_destinations\":[\(many)]}".utf8))
    #expect(decoded.remarks.count == ComplaintBook.limit + 1)
    #expect(decoded.remarks.last?.text == "and 899 more")
    #expect(decoded.ruleSet.directDestinations.count == 1)
  }

  @Test func defaultsAreAsThePageSays() throws {
    let ruleSet = try decode(
      """
      {"schema":1,"device":"a","revision":1,"hubs":[{"name":"h","address":"192.0.2.1"}],
       "tunnels":[{"name":"t","kind":"gre","hub":"h","uplink":"wan0"}],"paths":[{"name":"t","tunnel":"t"}],
       "probes":[{"name":"i","path":"t","kind":"icmp","target":"10.0.0.1"},
                 {"name":"f","path":"t","kind":"icmp","target":"10.0.0.1","interval_ms":200},
                 {"name":"w","path":"t","kind":"http","url":"https://10.0.0.1?q"}],
       "backhaul_rules":[{"name":"r","sources":{"interfaces":["lan0"]},"paths":["t"],"fallback":"block"}]}
      """)
    let rule = try #require(ruleSet.backhaulRules.first)
    #expect(rule.enabled && rule.failback == .move && rule.holdDown == .seconds(30) && rule.ipv6 == .local)
    #expect(ruleSet.tunnels.first?.kind == .gre(key: nil) && ruleSet.tunnels.first?.mtu == nil)
    #expect(ruleSet.probes.map(\.timeout) == [.milliseconds(800), .milliseconds(200), .milliseconds(800)])
    #expect(ruleSet.probes.map(\.interval) == [.seconds(1), .milliseconds(200), .seconds(1)])
    #expect(ruleSet.probes.allSatisfy { $0.fall == 5 && $0.rise == 3 && $0.source == nil })
    let address = try #require(IPv4Address("10.0.0.1"))
    #expect(
      ruleSet.probes.last?.kind
        == .http(HTTPCheck(scheme: .https, address: address, port: 443, target: "/?q", statuses: [200, 204])))
  }

  @Test func defaultsOfAProfileAreAsThePageSays() throws {
    let ruleSet = try decode(
      """
      {"schema":1,"device":"a","revision":1,"backhaul_rules":[],
       "ipsec_profiles":[{"name":"p","auth":"psk","remote_id":"hub.example"},
                         {"name":"c","auth":"certificate","remote_id":"hub.example"}]}
      """)
    #expect(ruleSet.profiles.map(\.authentication) == [.psk(file: nil), .certificate(CertificateFiles())])
    let profile = try #require(ruleSet.profiles.first)
    #expect(profile.localID == nil && profile.remoteID.text == "hub.example")
    #expect(profile.ikeProposals.isEmpty && profile.espProposals.isEmpty)
    #expect(profile.ikeRekey == .seconds(14_400) && profile.childRekey == .seconds(3_600))
    #expect(profile.reauthentication == nil && profile.deadPeerDetection == .seconds(10))
    #expect(profile.udpEncapsulation == .auto)
  }

  /// A path that could not be read may be the one that fits: only what is known to be wrong is complained of.
  @Test func underlayIsNotJudgedByABrokenPath() throws {
    let error = #expect(throws: Complaints.self) {
      try decode(
        #"{"schema":1,"device":"a","revision":1,"paths":[{"name":"p","tunnel":"t"},{"name":"d","uplink":"wan0"}],"#
          + #""backhaul_rules":[{"name":"r","sources":{"interfaces":["l"]},"paths":["d","p"],"fallback":"underlay"}]}"#)
    }
    #expect(error?.description == #"paths[0].tunnel: no tunnel is named "t""#)
  }

  @Test func tenThousandPrefixesAreReadAndHeldApart() throws {
    let prefixes = (0..<10_000).map { "\"10.\($0 >> 8).\($0 & 255).0/24\"" }
    let ruleSet = try decode(
      #"{"schema":1,"device":"a","revision":1,"backhaul_rules":[],"direct_destinations":["#
        + prefixes.joined(separator: ",") + "]}")
    #expect(ruleSet.directDestinations.count == 10_000)
  }

  /// Costs n log n and a little for each rule, not n² and not rules²×n.
  @Test func manyRulesWithTheSamePrefixesOnTheirOwnInterfacesStayApart() throws {
    let prefixes = (0..<40).map { "\"10.\($0 >> 8).\($0 & 255).0/24\"" }.joined(separator: ",")
    let rules = (0..<256).map {
      #"{"name":"r\#($0)","sources":{"interfaces":["lan\#($0)"],"prefixes":[\#(prefixes)]},"paths":["p"],"fallback":"block"}"#
    }
    let ruleSet = try decode(
      #"{"schema":1,"device":"a","revision":1,"hubs":[{"name":"h","address":"192.0.2.1"}],"#
        + #""tunnels":[{"name":"t","kind":"ipip","hub":"h","uplink":"w"}],"paths":[{"name":"p","tunnel":"t"}],"#
        + #""backhaul_rules":["# + rules.joined(separator: ",") + "]}")
    #expect(ruleSet.backhaulRules.count == 256)
  }

  @Test func moreThanAHundredThousandPrefixesInAllAreRefused() throws {
    func list(_ first: Int, _ count: Int) -> String {
      (0..<count).map { "\"\(first).\($0 >> 8).\($0 & 255).0/24\"" }.joined(separator: ",")
    }
    let text =
      #"{"schema":1,"device":"a","revision":1,"hubs":[{"name":"h","address":"192.0.2.1"}],"#
      + #""tunnels":[{"name":"t","kind":"ipip","hub":"h","uplink":"w"}],"paths":[{"name":"p","tunnel":"t"}],"#
      + #""backhaul_rules":[{"name":"r","sources":{"prefixes":["# + list(10, 50_001)
      + #"]},"paths":["p"],"fallback":"block"}],"direct_destinations":["# + list(20, 50_000) + "]}"
    let error = #expect(throws: Complaints.self) { try decode(text) }
    #expect(error?.description == "expected at most 100000 prefixes in all lists together, found 100001")
  }

  @Test func ofManyStrangersAmongKeysAHundredAreShown() throws {
    let strangers = (0..<100_000).map { "\"k\($0)\":1" }.joined(separator: ",")
    let error = #expect(throws: Complaints.self) {
      try RuleSetDecoder.decode(Array(#"{"schema":1,"device":"a","revision":1,\#(strangers)}"#.utf8))
    }
    #expect(error?.all.count == 101)
    #expect(error?.all.last?.description.hasPrefix("and 99") == true)
  }

  @Test func aHundredComplaintsAreShownAndTheOthersCounted() throws {
    let error = #expect(throws: Complaints.self) {
      try RuleSetDecoder.decode(Repository.bytes("Tests/bad-rule-sets/more-than-a-hundred-mistakes.json"))
    }
    #expect(error?.all.count == 101)
    #expect(error?.all.last?.description == "and 30 more")
  }

  private func decode(_ text: String) throws(Complaints) -> RuleSet { try RuleSetDecoder.decode(Array(text.utf8)) }
}
