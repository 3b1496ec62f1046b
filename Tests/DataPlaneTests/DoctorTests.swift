internal import RuleSets
import Testing

@testable import Core

/// Each finding, and what does not count as one.
@Suite struct DoctorTests {
  private let now = WallTime(secondsSince1970: 1_800_000_000)

  private func healthy(_ ruleSet: RuleSet = Branch.ruleSet()) throws -> Examination {
    var model = ModelKernel(Branch.kernel())
    try model.apply(Planner.plan(desired: Branch.compiler(ruleSet).compile(), actual: model.state).steps)
    for device in model.state.links.keys { model.state.settings[InterfaceSetting(device, .forwarding)] = 1 }
    return Examination(
      configuration: Branch.configuration(), now: now, agent: .success(AgentSigns()), ruleSet: .success(ruleSet),
      kernel: .success(model.state), foreign: .success(ForeignObjects()),
      clock: .success(ClockCondition(isSynchronised: true, maximumError: .milliseconds(5))),
      nameservers: .success([Nameserver(address: "192.0.2.53", answer: .answered)]),
      sizes: .success([PathSize(path: "fra-a", tunnel: "fra-a", device: "bh-fra-a", mtu: 1472, largest: 1472)]),
      charon: [], features: KernelEvidence(release: "6.12"), certificates: [],
      state: .success(StateDirectory(path: "/var/lib/backhaul", obstacle: nil, freeBytes: 1 << 30, freeFiles: 9)),
      connections: .success(.init(used: 900, limit: 1_000, refused: 5)), journalTrouble: nil)
  }

  /// `error mtu`, in order.
  private func found(_ change: (inout Examination) -> Void) throws -> [String] {
    var examination = try healthy()
    change(&examination)
    let findings = Doctor.findings(examination)
    #expect(findings.allSatisfy { !$0.text.isEmpty && !$0.evidence.isEmpty && !$0.fix.isEmpty })
    return findings.map { "\($0.severity.rawValue) \($0.subject.rawValue)" }
  }

  private func file(_ from: Double, _ to: Double) -> CertificateFile {
    func day(_ days: Double) -> WallTime { WallTime(secondsSince1970: now.secondsSince1970 + days * 86_400) }
    return CertificateFile(
      path: "/c.pem", purpose: "profile hub",
      validities: .success([CertificateValidity(notBefore: day(from), notAfter: day(to))]))
  }

  @Test func aHealthyRouterHasNone() throws { #expect(try found { _ in } == []) }

  @Test func schedulesNeedATimeAndAZone() throws {
    #expect(try found { $0.timeZone = .success(.unsaid) } == [], "no rule has a schedule")
    var ruleSet = Branch.ruleSet()
    var night = SteeringRule(
      name: "night", match: SteeringMatch(schedule: Schedule(days: [.monday])), action: .drop)
    func looked(_ change: (inout Examination) -> Void) throws -> [Finding] {
      ruleSet.steeringRules = [night]
      var examination = try healthy()
      examination.ruleSet = .success(ruleSet)
      examination.timeZone = .success(RouterTimeZone(.utc, file: "/etc/localtime"))
      change(&examination)
      return Doctor.findings(examination)
    }
    #expect(try looked { _ in } == [])
    let unsaid = try looked { $0.timeZone = .success(.unsaid) }
    #expect(unsaid.map(\.subject) == [.clock] && unsaid.map(\.severity) == [.warning])
    #expect(unsaid.first?.evidence == "neither /etc/localtime nor /etc/TZ says the router's time zone")
    let unread = try looked { $0.timeZone = .failure(.init("read /etc/localtime: not a file")) }
    #expect(
      unread.map(\.evidence) == ["the router's time zone cannot be read: read /etc/localtime: not a file"])
    let unset = try looked { $0.now = WallTime(secondsSince1970: 100) }.filter { $0.subject == .clock }
    #expect(unset.map(\.severity) == [.error])
    #expect(unset.first?.evidence == "it shows 1970-01-01T00:01:40.000Z")
    night.enabled = false
    #expect(try looked { $0.timeZone = .success(.unsaid) } == [])
  }

  @Test func domainsNeedADnsmasqThatMayFillSetsAndIsAsked() throws {
    func signs(_ change: (inout DomainSigns) -> Void = { _ in }) -> DomainSigns {
      var signs = DomainSigns(
        answer: .answered, processes: [.init(number: 7, mayFill: true, isOutdated: false)], bypasses: [])
      change(&signs)
      return signs
    }
    func looked(_ signs: Result<DomainSigns, Examination.Unseen>, enabled: Bool = true) throws -> [Finding] {
      var ruleSet = Branch.ruleSet()
      var video = SteeringRule(
        name: "video", match: SteeringMatch(domains: [try #require(DomainName("example.com"))]), action: .direct)
      video.enabled = enabled
      ruleSet.steeringRules = [video]
      var examination = try healthy()
      examination.ruleSet = .success(ruleSet)
      examination.domains = signs
      return Doctor.findings(examination)
    }
    func words(_ signs: DomainSigns) throws -> [String] {
      let found = try looked(.success(signs))
      #expect(found.allSatisfy { $0.subject == .domains && !$0.evidence.isEmpty && !$0.fix.isEmpty })
      return found.map { "\($0.severity.rawValue): \($0.text)" }
    }
    #expect(try looked(.success(signs())) == [])
    #expect(try looked(.failure(.init("unseen"))).map(\.severity) == [.warning])
    #expect(try looked(.failure(.init("unseen")), enabled: false) == [])
    #expect(try words(signs { $0.processes = [] }).first?.hasPrefix("error: no dnsmasq runs here") == true)
    #expect(
      try words(signs { $0.processes[0].mayFill = false }).first?.hasPrefix("error: dnsmasq may not put") == true)
    #expect(
      try words(signs { $0.processes[0].isOutdated = true })
        == ["warning: dnsmasq has not read the newest domains of steering rules"])
    #expect(try words(signs { $0.answer = .silent("refused") }).count == 1)
    let (client, server): (IPv4Address, IPv4Address) = ("192.168.10.2", "9.9.9.9")
    let bypasses = [53, 853, 443].compactMap { port in
      DomainSigns.Bypass(
        FlowTuple(source: client, destination: server, protocol: .tcp, port: port),
        isOwn: { $0 != client && $0 != server })
    }
    #expect(bypasses.map(\.port) == [53, 853, 443])
    #expect(
      try words(signs { $0.bypasses = bypasses }) == [
        "warning: 1 client asks other resolvers by DNS: what only these tell them is not steered by domain",
        "warning: 1 client asks public resolvers over HTTPS: what only these tell them is not steered by domain",
      ])
    let web = FlowTuple(source: client, destination: IPv4Address(value: 1), protocol: .tcp, port: 443)
    #expect(DomainSigns.Bypass(web, isOwn: { _ in false }) == nil, "the web")
    let own = FlowTuple(source: client, destination: server, protocol: .udp, port: 53)
    #expect(DomainSigns.Bypass(own, isOwn: { $0 == client }) == nil, "the router's own resolver asks")
  }

  @Test func anAgentThatDoesNotAnswerIsTheFirst() throws {
    let all = try found {
      $0.agent = .failure(.init("no agent answers at /run/backhaul/agent.sock: is it running?"))
      $0.clock = .success(ClockCondition(isSynchronised: false, maximumError: .seconds(16)))
      $0.ruleSet = .failure(.init("damaged"))
    }
    #expect(all == ["error agent", "error rule_set", "warning clock"])
    #expect(
      try found {
        $0.agent = .success(AgentSigns(applyTrouble: "a", pullTrouble: "b", journalTrouble: "c"))
      } == ["error agent", "warning rule_set", "warning journal"])
    #expect(try found { $0.agent = .success(AgentSigns(rolledBack: "revision 8, as x")) } == ["warning rule_set"])
    // The kernel has an earlier agent's objects, and no rule set is known.
    #expect(try found { $0.ruleSet = .success(nil) } == ["error rule_set"])
    let untouched = try found {
      $0.ruleSet = .success(nil)
      $0.kernel = .success(Branch.kernel())
    }
    #expect(untouched.contains("warning rule_set") && !untouched.contains("error rule_set"))
  }

  @Test func aLibraryThatCannotBeLoadedIsFound() throws {
    #expect(try found { $0.transferTrouble = "libcurl.so.4: cannot open shared object file" } == ["error libraries"])
  }

  @Test func aTableOfConnectionsThatIsFullIsFound() throws {
    func with(_ used: Int, of limit: Int) throws -> [String] {
      try found { $0.connections = .success(.init(used: used, limit: limit, refused: 3)) }
    }
    #expect(try with(950, of: 1_000) == [])
    #expect(try with(951, of: 1_000) == ["warning connections"])
    #expect(try with(1_000, of: 1_000) == ["error connections"])
    #expect(try with(1_000, of: 0) == [], "no limit")
    #expect(try found { $0.connections = .success(nil) } == [])
    #expect(try found { $0.connections = .failure(.init("denied")) } == ["warning connections"])
  }

  @Test func aForeignDeviceOfOurNameIsReported() throws {
    let all = try found { examination in
      guard case .success(var kernel) = examination.kernel else { return }
      kernel.links["bh-fra-a"] = Link(
        index: InterfaceIndex(70), isUp: true, hasCarrier: true, mtu: 1500, alias: "backhaul tunnel fra-a")
      examination.kernel = .success(kernel)
    }
    #expect(all == ["error kernel"])
  }

  @Test func nameserversCountAsTheSourceNeedsThem() throws {
    let silent = Nameserver(address: "192.0.2.53", answer: .silent("no answer within 2 s"))
    let good = Nameserver(address: "192.0.2.54", answer: .answered)
    let unknown = Nameserver(address: "192.0.2.53", answer: .failed(code: 3))
    func with(_ servers: [Nameserver], named: Bool) throws -> [String] {
      try found {
        if named { $0.configuration.ruleSet.location = .web(url: "https://orchestrator.example:8443/r?x=1") }
        $0.nameservers = .success(servers)
      }
    }
    #expect(try with([silent], named: false) == ["warning dns"])
    #expect(try with([silent], named: true) == ["error dns"])
    #expect(try with([silent, good], named: true) == ["warning dns"])
    #expect(try with([unknown], named: true) == ["error dns"])
    #expect(try with([], named: false) == [])
    #expect(try with([], named: true) == ["error dns"])
    #expect(try found { $0.nameservers = .failure(.init("open: no such file")) } == ["warning dns"])
  }

  @Test func whatTheAgentSeesOfTrafficIsReported() throws {
    let signs = [
      TrafficSign(rule: "office", cause: "is sent to tun9", step: "remove it", isError: true),
      TrafficSign(rule: "guests", cause: "is taken, but not as written", step: "name br0", isError: false),
    ]
    #expect(
      try found { $0.agent = .success(AgentSigns(traffic: signs, sightTrouble: "EPERM")) }
        == ["error traffic", "warning traffic", "warning traffic"])
  }

  /// Whenever a next step refers to doctor, doctor has a finding about it.
  @Test func uplinksAndSourcesThatAreNotThereAreReported() throws {
    func with(_ change: (inout ActualState) -> Void, _ ruleSet: RuleSet = Branch.ruleSet()) throws -> [String] {
      try found {
        $0.ruleSet = .success(ruleSet)
        guard var kernel = try? $0.kernel.get() else { return }
        change(&kernel)
        $0.kernel = .success(kernel)
      }
    }
    #expect(try with { $0.links["wan1"]?.hasCarrier = false } == ["warning uplinks"])
    #expect(try with { $0.mainDefaults = [] } == ["error uplinks", "error uplinks"])
    #expect(try with { $0.links["lan0"] = nil } == ["error lans", "warning lans"])
    #expect(
      try with {
        $0.links["lan0"]?.stack = LinkStack(master: "br0")
        $0.links["br0"] = Link(index: InterfaceIndex(9), isUp: true, hasCarrier: true, mtu: 1500)
      } == ["error lans", "error lans"])
    #expect(
      try with {
        $0.links["vrrp0"] = Link(
          index: InterfaceIndex(9), isUp: true, hasCarrier: true, mtu: 1500, stack: LinkStack(lower: "lan0"))
        $0.addresses["vrrp0"] = ["192.168.10.254/32"]
      } == ["error lans"])
  }

  @Test func noStepSaysToStartARunningAgent() throws {
    func fix(_ agent: Result<AgentSigns, Examination.Unseen>) throws -> String? {
      var examination = try healthy()
      examination.agent = agent
      guard var kernel = try? examination.kernel.get() else { return nil }
      kernel.settings[InterfaceSetting("wan1", .reversePathFilter)] = 1
      examination.kernel = .success(kernel)
      return Doctor.findings(examination).first { $0.subject == .reversePath }?.fix
    }
    #expect(try fix(.success(AgentSigns()))?.contains("start the agent") == false)
    #expect(try fix(.failure(.init("none answers")))?.contains("start the agent") == true)
  }

  @Test func packetsThatAreLostForTheirSizeAreReported() throws {
    func with(_ largest: Int?, tunnel: Name? = "fra-a") throws -> [String] {
      try found {
        $0.sizes = .success([PathSize(path: "p", tunnel: tunnel, device: "d", mtu: 1472, largest: largest)])
      }
    }
    #expect(try with(1400) == ["error mtu"])
    #expect(try with(1400, tunnel: nil) == ["warning mtu"])
    #expect(try with(nil) == [], "a path that is down says nothing of sizes")
  }

  @Test func settingsThatStopTrafficAreFound() throws {
    func with(_ device: InterfaceName, _ key: InterfaceSetting.Key, _ value: Int) throws -> [String] {
      try found {
        guard var kernel = try? $0.kernel.get() else { return }
        kernel.settings[InterfaceSetting(device, key)] = value
        $0.kernel = .success(kernel)
      }
    }
    #expect(try with("wan1", .reversePathFilter, 1) == ["error rp_filter"])
    #expect(try with("wan1", .reversePathFilter, 2) == [])
    #expect(try with("lan0", .reversePathFilter, 1) == [], "on a LAN it is right")
    #expect(
      try with("all", .reversePathFilter, 1) == ["error rp_filter", "error rp_filter"], "wan1 and fra-b have none")
    #expect(try with("lan0", .forwarding, 0) == ["error forwarding"])
  }

  @Test func otherSoftwareInOurWayIsReported() throws {
    func rule(_ priority: UInt32, mask: UInt32 = 0, table: UInt32? = 52) -> ForeignRule {
      ForeignRule(
        priority: RulePriority(priority), mask: mask, mark: mask & 0x0101_0101, table: table.map { TableID($0) })
    }
    func with(_ foreign: ForeignObjects) throws -> [String] { try found { $0.foreign = .success(foreign) } }
    #expect(try with(ForeignObjects(rules: [rule(100, mask: 0xff00_0000), rule(5270)])) == ["warning marks"])
    #expect(try with(ForeignObjects(rules: [rule(5210, mask: 0xff)])) == [])
    #expect(try with(ForeignObjects(rules: [rule(9250)])) == ["warning priorities"])
    #expect(try with(ForeignObjects(rules: [rule(1, table: 7950)])) == ["warning tables"])
    let route = ForeignRoute(table: TableID(7950), destination: .all, origin: RouteProtocol(4))
    #expect(try with(ForeignObjects(routes: [route, route])) == ["warning tables"])
    func mark(_ bits: UInt32, isLegacy: Bool = false) -> ForeignMark {
      ForeignMark(table: "inet fw4", chain: "pre", bits: bits, isConnections: false, isLegacy: isLegacy)
    }
    #expect(try with(ForeignObjects(marks: [mark(0xff), mark(.max)])) == ["warning marks"])
    #expect(try with(ForeignObjects(marks: [mark(.max, isLegacy: true)])) == ["warning marks"])
    #expect(try with(ForeignObjects(legacyTrouble: "busy")) == ["warning marks"])
    func flows(_ devices: [InterfaceName]) -> Flowtable {
      Flowtable(table: "inet fw4", name: "ft", devices: devices, isHardware: true)
    }
    #expect(try with(ForeignObjects(flowtables: [flows(["eth7"]), flows(["lan0", "eth7"])])) == ["warning offload"])
  }

  @Test func certificatesAreReportedInTime() throws {
    #expect(try found { $0.certificates = [file(-10, 31)] } == [])
    #expect(try found { $0.certificates = [file(-10, 29)] } == ["warning certificates"])
    #expect(try found { $0.certificates = [file(-10, -1)] } == ["error certificates"])
    #expect(try found { $0.certificates = [file(1, 300)] } == ["error certificates"])
    let unread = CertificateFile(path: "/c.pem", purpose: "p", validities: .failure(.init("no such file")))
    #expect(try found { $0.certificates = [unread] } == ["error certificates"])
    let bundle = CertificateFile(
      path: "/ca.pem", purpose: "p",
      validities: .success([file(-10, -1), file(-10, 300)].flatMap { (try? $0.validities.get()) ?? [] }))
    #expect(try found { $0.certificates = [bundle] } == [], "one that holds is enough")
  }

  @Test(
    arguments: [
      (-1, 0, "has expired"), (-1, -0.001, "has expired"), (0, 31, nil), (0.001, 31, "is not valid yet"),
      (-1, 30, nil), (-1, 29.999, "expires in 29 days"), (-1, 1.5, "expires in 1 day"),
      (-1, 0.001, "expires in 0 days"),
      // Never, as RFC 5280 writes it; and one that was valid before 1970.
      (-1, 2_900_000, nil), (-30_000, -25_000, "has expired"),
    ] as [(Double, Double, String?)])
  func aCertificateIsJudgedToTheSecond(_ from: Double, _ to: Double, _ text: String?) throws {
    var examination = try healthy()
    examination.certificates = [file(from, to)]
    #expect(Doctor.findings(examination).map(\.text) == text.map { ["the certificate of profile hub \($0)"] } ?? [])
    examination.certificates[0].validities = .success([])
    #expect(Doctor.findings(examination).isEmpty)
  }

  @Test func aDiskThatTakesNothingIsReported() throws {
    func with(_ obstacle: String?, _ free: UInt64, _ files: UInt64?) throws -> [String] {
      try found {
        $0.state = .success(StateDirectory(path: "/s", obstacle: obstacle, freeBytes: free, freeFiles: files))
      }
    }
    #expect(try with(nil, 1 << 20, 9) == ["error state"])
    #expect(try with(nil, 1 << 30, 0) == ["error state"])
    #expect(try with(nil, 1 << 30, nil) == [])
    #expect(try with("Read-only file system", 1 << 30, 9) == ["error state"])
    #expect(try found { $0.journalTrouble = "read journal: Is a directory" } == ["warning journal"])
  }

  @Test func whatWasDamagedIsReported() throws {
    #expect(
      try found {
        $0.state = .success(
          StateDirectory(
            path: "/s", obstacle: nil, freeBytes: 1 << 30, freeFiles: 9, damaged: ["sysctls.json.damaged"]))
      } == ["warning state"])
    #expect(try found { $0.damagedCopies = ["read rule-set.json: its checksum is wrong"] } == ["warning rule_set"])
    #expect(
      try found { $0.agent = .success(AgentSigns(notKept: ["the rule set: No space left"], holdCause: "it is lost")) }
        == ["error agent", "error state"])
  }

  @Test func charonsSettingsKeepTheirSeverity() throws {
    let words = [
      CharonWord(.daemon, isError: false, text: "a"), CharonWord(.settings, isError: true, text: "b"),
      CharonWord(.secrets, isError: true, text: "c"), CharonWord(.proposals, isError: true, text: "d"),
    ]
    #expect(try found { $0.charon = words } == ["error charon", "error charon", "error charon", "warning charon"])
  }

  @Test func whatTheKernelLacksIsReportedWhereItIsKnown() throws {
    let text = "# CONFIG_NET_IPGRE is not set\nCONFIG_NET_IPIP=m\nCONFIG_NF_CONNTRACK_MARK=y\n"
    let configuration = KernelEvidence.configuration(text)
    #expect(configuration == ["NET_IPIP": "m", "NF_CONNTRACK_MARK": "y"])
    let modules = KernelEvidence.modules("kernel/net/ipv4/ipip.ko.xz: kernel/net/a.ko\nkernel/net/xfrm/xfrm-user.ko\n")
    #expect(modules == ["ipip", "xfrm_user"])
    let evidence = KernelEvidence(release: "6.12", configuration: configuration, modules: modules)
    #expect(evidence.lack(of: KernelFeature.gre) == "CONFIG_NET_IPGRE is not set in the configuration of 6.12")
    #expect(evidence.lack(of: KernelFeature.ipip) == nil)
    let pruned = KernelEvidence(release: "6.12", configuration: configuration, modules: [])
    #expect(pruned.lack(of: KernelFeature.ipip) == "/lib/modules/6.12 has no ipip, and it is not loaded")
    #expect(KernelEvidence(release: "6.12", modules: [], loaded: ["ipip"]).lack(of: KernelFeature.ipip) == nil)
    #expect(try found { $0.features = evidence }.contains("error kernel"))
    #expect(KernelFeature.needed(by: Branch.ruleSet()).contains(KernelFeature.gre))
    #expect(!KernelFeature.needed(by: nil).contains(KernelFeature.gre))
  }

  @Test func aFlowtableIsMissedOnlyWhereItIsAskedFor() throws {
    let without = KernelEvidence(release: "6.12", configuration: [:])
    #expect(!(try found { $0.features = without }).contains("warning offload"))
    func asked(_ evidence: KernelEvidence) throws -> [String] {
      try found {
        $0.configuration.kernel.usesFlowtable = true
        $0.features = evidence
      }
    }
    #expect(try asked(without).contains("warning offload"))
    #expect(try asked(KernelEvidence(release: "6.12")) == [], "nobody knows what it has")
    #expect(try asked(KernelEvidence(release: "5.10.0-32-amd64")) == ["warning offload"])
    #expect(try asked(KernelEvidence(release: "6.0.3")) == ["warning offload"])
    #expect(try asked(KernelEvidence(release: "6.1.0-18-arm64")) == [])
  }
}

@Suite struct ResolverQuestionTests {
  @Test func aQuestionIsWrittenAsTheStandardSays() {
    let question = ResolverQuestion(number: 0x1234, name: "a.example")
    #expect(
      question.bytes == [
        0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 7, 101, 120, 97, 109, 112, 108, 101, 0, 0, 1, 0, 1,
      ])
    #expect(ResolverQuestion(number: 1, name: "").bytes?.suffix(5) == [0, 0, 2, 0, 1])
    #expect(ResolverQuestion(number: 1, name: String(repeating: "x", count: 64)).bytes == nil)
  }

  @Test func onlyItsOwnAnswerIsTaken() {
    let question = ResolverQuestion(number: 0x1234, name: "")
    func answer(_ head: [UInt8]) -> Nameserver.Answer? {
      question.answer(head + [UInt8](repeating: 0, count: max(0, 12 - head.count)))
    }
    #expect(answer([0x12, 0x34, 0x81, 0x80]) == .answered)
    #expect(answer([0x12, 0x34, 0x81, 0x83]) == .failed(code: 3))
    #expect(answer([0x12, 0x35, 0x81, 0x80]) == nil)
    #expect(answer([0x12, 0x34, 0x01, 0x00]) == nil)
    #expect(question.answer([0x12, 0x34, 0x81]) == nil)
  }

  @Test func nameserversAreTheFirstThree() {
    let text =
      "# nameserver 9.9.9.9\nsearch x\nnameserver 192.0.2.1\nnameserver\t2001:db8::1\nnameserver 3\nnameserver 4\n"
    #expect(ResolverQuestion.nameservers(text) == ["192.0.2.1", "2001:db8::1", "3"])
  }

  @Test(arguments: [
    ("https://orchestrator.example/r", "orchestrator.example"), ("http://a.example:8080/", "a.example"),
    ("https://192.0.2.1/r", nil), ("https://[2001:db8::1]/r", nil),
  ])
  func theSourcesNameIsFound(_ url: String, _ name: String?) {
    #expect(RuleSetSourceConfiguration.Location.web(url: url).hostName == name)
    #expect(RuleSetSourceConfiguration.Location.file(path: "/r.json").hostName == nil)
  }
}
