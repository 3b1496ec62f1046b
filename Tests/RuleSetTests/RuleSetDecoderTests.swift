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

  @Test func steeringRulesAreReadInTheirOrder() throws {
    let ruleSet = try RuleSetDecoder.decode(Repository.bytes("Tests/good-rule-sets/steering.json"))
    #expect(ruleSet.steeringRules.map(\.name.text) == ["calls", "partner", "printer", "cloud", "night"])
    #expect(
      ruleSet.steeringRules.map(\.action.words) == ["direct", "egress:held", "drop", "egress:out", "drop"])
    let calls = try #require(ruleSet.steeringRules.first?.match)
    #expect(calls.ports.map(\.description) == ["3478-3481", "5004"])
    #expect(calls.dscp.map(\.value) == [46, 34, 0])
    #expect(ruleSet.steeringRules.last?.match.schedule?.description == "mon, tue, wed, thu, fri 22:00-06:00")
    #expect(ruleSet.backhaulRules.map(\.allowBypass) == [false, false, false, true])
  }

  /// What a strict rule takes is not let out by a direct one: whoever writes the two is told.
  @Test func aDirectRuleBesideAStrictOneIsRemarkedOn() throws {
    func remarks(_ match: String, _ more: String = "") throws -> [String] {
      try RuleSetDecoder.decodeWithRemarks(
        Array(
          """
          {"schema":1,"device":"a","revision":1,"hubs":[{"name":"h","address":"192.0.2.1"}],
           "tunnels":[{"name":"t","kind":"ipip","hub":"h","uplink":"wan0"}],"paths":[{"name":"t","tunnel":"t"}],
           "steering_rules":[{"name":"s","action":"direct","match":{\(match)}}],"backhaul_rules":[{"name":"tills",
           "sources":{"interfaces":["lan3"],"prefixes":["10.3.0.0/16","10.5.0.0/16"]},"paths":["t"],"fallback":"block"
           \(more)}]}
          """.utf8)
      ).remarks.map(\.description)
    }
    let expected =
      "steering_rules[0]: what backhaul rule \"tills\" takes does not leave by an uplink, as its fallback is"
      + " \"block\": it is dropped, unless that rule has allow_bypass"
    #expect(try remarks("\"dscp\":[46]") == [expected])
    #expect(try remarks("\"lans\":[\"lan3\"],\"sources\":[\"10.1.0.0/16\",\"10.5.6.0/24\"]") == [expected])
    #expect(try remarks("\"lans\":[\"lan0\"]") == [])
    #expect(try remarks("\"sources\":[\"10.2.0.0/16\",\"10.4.0.0/16\",\"10.6.0.0/16\"]") == [])
    #expect(try remarks("\"dscp\":[46]", ",\"allow_bypass\":true") == [])
    #expect(try remarks("\"dscp\":[46]", ",\"enabled\":false") == [])
  }

  @Test func thereAreBoundsForAllSteeringRulesTogether() throws {
    func complaints(_ field: String, _ each: Int, _ rules: Int, _ item: (Int) -> String) -> [String] {
      let rules = (0..<rules).map { rule in
        let items = (0..<each).map { item(rule * each + $0) }.joined(separator: ",")
        return "{\"name\":\"r\(rule)\",\"action\":\"drop\",\"match\":{\(field):[\(items)]}}"
      }
      let text =
        "{\"schema\":1,\"device\":\"a\",\"revision\":1,\"backhaul_rules\":[],\"steering_rules\":["
        + rules.joined(separator: ",") + "]}"
      do throws(Complaints) {
        _ = try RuleSetDecoder.decode(Array(text.utf8))
        return []
      } catch {
        return error.all.map(\.description)
      }
    }
    #expect(complaints("\"domains\"", 4_096, 4) { "\"d\($0).example\"" } == [])
    #expect(
      complaints("\"domains\"", 4_096, 5) { "\"d\($0).example\"" } == [
        "steering_rules: expected at most 16384 domains in all rules together, found 20480"
      ])
    let macs = complaints("\"macs\"", 1_024, 17) { "\"\(MACAddress(value: UInt64($0 + 1))?.description ?? "")\"" }
    #expect(macs == ["steering_rules: expected at most 16384 MAC addresses in all rules together, found 17408"])
    #expect(
      complaints("\"protocols\":[\"tcp\"],\"ports\"", 256, 65) { "\($0 + 1)" } == [
        "steering_rules: expected at most 16384 ports and ranges in all rules together, found 16640"
      ])
    let prefixes = complaints("\"sources\"", 1_000, 101) {
      "\"\(IPv4Address(value: 0x0a00_0000 + UInt32($0 * 2)))/32\""
    }
    #expect(prefixes == ["expected at most 100000 prefixes in all lists together, found 101000"])
    #expect(complaints("\"dscp\"", 1, 4_096) { "\($0 % 64)" } == [])
    #expect(
      complaints("\"dscp\"", 1, 4_097) { "\($0 % 64)" } == ["steering_rules: expected at most 4096 items, found 4097"])
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
