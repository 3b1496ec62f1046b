internal import RuleSets
import Testing

@testable import Core

/// What charon is given, and what the kernel gets for tunnels whose keys charon negotiates.
@Suite struct DesiredIPsecTests {
  private func lines(_ compiler: EdgeCompiler = Branch.secureCompiler()) -> [String] {
    PlanText().lines(Planner.plan(desired: compiler.compile(), actual: compiler.actual))
  }

  private func chain(_ name: String, _ compiler: EdgeCompiler = Branch.secureCompiler()) -> [String] {
    compiler.compile().nftTable?.chains.first { $0.name == name }?.rules.map(\.text) ?? []
  }

  // MARK: What charon is given

  /// As `swanctl --list-conns` would, on one line.
  private func text(_ connection: IKEConnection) -> String {
    let mode: String =
      switch connection.mode {
      case .tunnel(let number): "tunnel if_id 0x\(String(number, radix: 16))"
      case .transport(let number): "transport of protocol \(number)"
      }
    let ends = "\(connection.local)[\(connection.localID)]...\(connection.remote)[\(connection.remoteID)]"
    return "\(connection.name): \(mode), \(ends)\(connection.sharesIDs ? ", shares its ids" : "")"
  }

  private func connections(_ compiler: EdgeCompiler = Branch.secureCompiler()) -> [String] {
    compiler.ikeConnections().wanted.map(text)
  }

  @Test func everyTunnelWithAProfileIsAConnection() {
    #expect(
      connections() == [
        "backhaul-fra-s: tunnel if_id 0x200000, 192.0.2.2[branch-017]...203.0.113.2[hub.example], shares its ids",
        "backhaul-fra-g: transport of protocol 47, 10.99.0.2[branch-017]...203.0.113.2[hub.example], shares its ids",
      ])
    #expect(Branch.secureCompiler().ikeConnections().held == [])
    #expect(Branch.compiler().ikeConnections().wanted == [], "and no other")
  }

  @Test func onlyTwoOfTheSameIDsAtBothEndsShareThem() {
    let alone = connections(Branch.secureCompiler(Branch.secureRuleSet(tunnels: [Branch.ipsec])))
    #expect(alone.allSatisfy { !$0.hasSuffix("shares its ids") })
    var other = Branch.profile
    other.name = "other"
    other.localID = Branch.identity("branch-017.other")
    var ruleSet = Branch.secureRuleSet()
    ruleSet.profiles.append(other)
    ruleSet.tunnels[1].protection = "other"
    #expect(connections(Branch.secureCompiler(ruleSet)).allSatisfy { !$0.hasSuffix("shares its ids") })
  }

  @Test func whatTheProfileSaysIsWhatCharonIsGiven() throws {
    var profile = Branch.profile
    profile.localID = Branch.identity("CN=branch-017")
    profile.authentication = .certificate(
      CertificateFiles(certificate: SecretFileName("us.pem"), key: SecretFileName("us.key"), authority: nil))
    profile.ikeProposals = Branch.proposals("aes256gcm16-prfsha384-ecp384", "aes256-sha256-modp2048", for: .ike)
    (profile.ikeRekey, profile.childRekey, profile.reauthentication) = (.seconds(300), .seconds(60), .seconds(900))
    (profile.deadPeerDetection, profile.udpEncapsulation) = (.seconds(3), .always)
    var ruleSet = Branch.secureRuleSet(tunnels: [Branch.ipsec])
    ruleSet.profiles = [profile]
    var configuration = Branch.secureConfiguration()
    configuration.ipsec.authorityFile = "/etc/ssl/hub-ca.pem"
    let compiler = EdgeCompiler(
      ruleSet, configuration, try #require(Layout.slots(ruleSet, configuration, after: SlotBook())),
      Branch.secureKernel())
    #expect(
      compiler.ikeConnections().wanted == [
        IKEConnection(
          tunnel: "fra-s", mode: .tunnel(interfaceID: 0x20_0000), local: "192.0.2.2", remote: "203.0.113.2",
          localID: Branch.identity("CN=branch-017"), remoteID: Branch.identity("hub.example"),
          credentials: .certificate(
            file: "/etc/backhaul/secrets/us.pem", key: "/etc/backhaul/secrets/us.key",
            authority: "/etc/ssl/hub-ca.pem"),
          ikeProposals: profile.ikeProposals, espProposals: profile.espProposals, ikeRekey: .seconds(300),
          childRekey: .seconds(60), reauthentication: .seconds(900), deadPeerDetection: .seconds(3),
          isAlwaysInUDP: true, sharesIDs: false)
      ])
  }

  @Test func aTunnelWhoseUplinkHasNoAddressIsHeld() {
    var kernel = Branch.secureKernel()
    kernel.addresses["wan0"] = []
    let (wanted, held) = Branch.secureCompiler(Branch.secureRuleSet(), kernel).ikeConnections()
    #expect(wanted.map(\.tunnel) == ["fra-g"])
    #expect(held == ["fra-s"], "whatever charon has of it stays")
    kernel.addresses["wan0"] = ["198.51.100.9/24"]
    #expect(
      Branch.secureCompiler(Branch.secureRuleSet(), kernel).ikeConnections().wanted.first?.local == "198.51.100.9")
  }

  // MARK: Devices

  @Test func devicesReadLikeTheOperatorsOwn() {
    #expect(
      lines().filter { $0.hasPrefix("ip link") } == [
        "ip link add bh-fra-s mtu 1438 type xfrm dev wan0 if_id 0x200000",
        "ip link set bh-fra-s alias 'backhaul tunnel fra-s'",
        "ip link add bh-fra-g mtu 1434 type gre local 10.99.0.2 remote 203.0.113.2 ttl 64 pmtudisc dev mpls0 "
          + "fwmark 0x5000000",
        "ip link set bh-fra-g alias 'backhaul tunnel fra-g'",
        "ip link set bh-fra-s up", "ip link set bh-fra-g up",
      ])
  }

  @Test func interfacesOfIPsecMustNotBeToldToLeaveItOut() {
    #expect(
      lines().filter { $0.contains("xfrm=") || $0.contains("policy=") } == [
        "sysctl -w net.ipv4.conf.bh-fra-s.disable_policy=0", "sysctl -w net.ipv4.conf.bh-fra-s.disable_xfrm=0",
        "sysctl -w net.ipv4.conf.mpls0.disable_xfrm=0",
      ], "nor the uplink below a protected tunnel")
    let plain = Branch.secureCompiler(Branch.secureRuleSet(tunnels: [Branch.ipsec]))
    #expect(!lines(plain).contains("sysctl -w net.ipv4.conf.mpls0.disable_xfrm=0"))
  }

  // MARK: Rules

  @Test func outerPacketsAreKnownByTheirAddressesAlone() {
    #expect(
      lines().filter { $0.contains("priority 920") } == [
        "ip rule add priority 9206 fwmark 0x7f000000/0x7f000000 goto 9299 protocol 201",
        "ip rule add priority 9200 fwmark 0x1000000/0x7f000000 lookup main protocol 201",
        "ip rule add priority 9204 from 192.0.2.2/32 to 203.0.113.2/32 lookup main suppress_prefixlength 0 protocol 201",
        "ip rule add priority 9204 from 10.99.0.2/32 to 203.0.113.2/32 lookup main suppress_prefixlength 0 protocol 201",
        "ip rule add priority 9205 from 192.0.2.2/32 to 203.0.113.2/32 lookup 7904 protocol 201",
        "ip rule add priority 9205 from 10.99.0.2/32 to 203.0.113.2/32 lookup 7905 protocol 201",
      ])
  }

  @Test func twoTunnelsBetweenTheSameEndsAskOnce() {
    var twin = Branch.ipsec
    twin.name = "fra-t"
    let all = lines(Branch.secureCompiler(Branch.secureRuleSet(tunnels: [Branch.ipsec, twin])))
    #expect(all.filter { $0.contains("priority 9205") }.count == 1, "the kernel refuses the same rule twice")
  }

  @Test func plainTunnelsNeedNoSuchRule() {
    #expect(!lines(Branch.compiler()).contains { $0.contains("priority 9204") || $0.contains("priority 9205") })
  }

  @Test func theRulesFollowTheUplinksAddress() {
    var kernel = Branch.secureKernel()
    kernel.addresses["wan0"] = []
    #expect(
      lines(Branch.secureCompiler(Branch.secureRuleSet(), kernel)).filter { $0.contains("priority 9205") } == [
        "ip rule add priority 9205 from 10.99.0.2/32 to 203.0.113.2/32 lookup 7905 protocol 201"
      ])
  }

  @Test func aProtectedTunnelIsNeverInTheClear() {
    #expect(
      chain("own") == [
        "ip daddr 203.0.113.2 ip protocol gre rt ipsec missing counter drop "
          + "comment \"tunnel fra-g: never in the clear\"",
        "meta mark & 0x7f000000 != 0x00000000 meta mark set meta mark & 0x80ffffff "
          + "comment \"the router's own packets and outer packets\"",
      ])
    #expect(
      chain("arrive").first
        == "ip saddr 203.0.113.2 ip protocol gre meta ipsec missing counter drop "
        + "comment \"tunnel fra-g: came in the clear\"")
    var ipip = Branch.protected
    ipip.kind = .ipip
    let other = Branch.secureCompiler(Branch.secureRuleSet(tunnels: [ipip]))
    #expect(chain("own", other).first?.contains("ip protocol ipencap") == true)
    for tunnels in [[Branch.ipsec], []] {
      let compiler = Branch.secureCompiler(Branch.secureRuleSet(tunnels: tunnels))
      #expect(!chain("own", compiler).contains { $0.contains("drop") }, "an XFRM interface drops by itself")
      #expect(!chain("arrive", compiler).contains { $0.contains("drop") })
    }
  }

  // MARK: A private line

  @Test func nothingIsMasqueradedOnAPrivateLine() {
    #expect(
      chain("leave") == [
        "meta nfproto ipv4 oifname \"wan0\" meta mark & 0x7f000000 != 0x00000000 masquerade comment \"by uplink wan0\""
      ])
  }

  @Test func aRuleThatMayUseTheLineIsStrictOtherwise() {
    #expect(
      chain("guard") == [
        "meta mark & 0x7f000000 == 0x06000000 oifname \"mpls0\" return "
          + "comment \"rule office: its own path mpls0\"",
        "meta mark & 0x7f000000 == 0x06000000 counter drop comment \"rule office: underlay\"",
        "iifname \"lan0\" ip saddr @source_office oifname \"mpls0\" meta mark & 0x7f000000 != 0x00000000 return "
          + "comment \"rule office: its own path mpls0\"",
        "iifname \"lan0\" ip saddr @source_office counter drop comment \"rule office: underlay\"",
        "meta sdifname \"lan0\" ip saddr @source_office oifname \"mpls0\" meta mark & 0x7f000000 != 0x00000000 return "
          + "comment \"rule office: its own path mpls0\"",
        "meta sdifname \"lan0\" ip saddr @source_office counter drop comment \"rule office: underlay\"",
        "ip saddr @source_office oifname \"mpls0\" meta mark & 0x7f000000 != 0x00000000 return "
          + "comment \"rule office: its own path mpls0\"",
        "ip saddr @source_office counter drop comment \"rule office: underlay\"",
      ])
    #expect(
      lines().filter { $0.contains("priority 928") || $0.contains("priority 929") } == [
        "ip rule add priority 9299 nop protocol 201",
        "ip rule add priority 9280 from 192.168.10.0/24 lookup main suppress_prefixlength 0 protocol 201",
        "ip rule add priority 9290 from 192.168.10.0/24 lookup 7906 protocol 201",
      ])
    let block = Branch.secureCompiler(Branch.secureRuleSet(fallback: .block))
    #expect(!chain("guard", block).contains { $0.contains("mpls0") }, "and of no use to a rule that blocks")
  }

  @Test func theLinesOfARuleAreThoseBelowItsTunnels() {
    func lines(_ ruleSet: RuleSet) -> [InterfaceName] {
      WatchPlan(Branch.secureCompiler(ruleSet)).rules.flatMap(\.underlays)
    }
    #expect(lines(Branch.secureRuleSet()) == ["mpls0"], "and not wan0, which is no private line")
    #expect(lines(Branch.secureRuleSet(fallback: .block)) == [])
    #expect(lines(Branch.secureRuleSet(tunnels: [Branch.ipsec])) == [])
    var second = Branch.ipsec
    (second.name, second.uplink) = ("fra-t", "mpls0")
    #expect(lines(Branch.secureRuleSet(tunnels: [second, Branch.protected])) == ["mpls0"], "once")
  }

  @Test func aLocalWANNeverGoesByAPrivateLine() {
    let uplinks = Branch.secureCompiler().uplinks
    #expect(uplinks.map(\.isPrivate) == [false, true])
    #expect(UplinkState.localWAN(uplinks) == "wan0", "though its tier is the worse one")
    var kernel = Branch.secureKernel()
    kernel.links["wan0"]?.hasCarrier = false
    #expect(UplinkState.localWAN(Branch.secureCompiler(Branch.secureRuleSet(), kernel).uplinks) == nil)
  }

  @Test func aPrivateLineNeedsNoDefaultRouteOfMain() {
    let state = UplinkState(
      .init(interface: "mpls0", isPrivate: true, gateway: "10.99.0.1"), in: Branch.secureKernel())
    #expect(state.usable)
    #expect(state.way == .out(device: "mpls0", gateway: "10.99.0.1"))
    let without = UplinkState(.init(interface: "mpls0", isPrivate: true), in: Branch.secureKernel())
    #expect(without.obstacle == "no gateway is configured")
  }
}

/// What fits through tunnels with ESP in them.
@Suite struct DesiredIPsecSizesTests {
  private func sizes(
    _ tunnel: Tunnel, negotiated esp: ESPEncapsulation? = nil, _ change: (inout ActualState) -> Void = { _ in }
  ) -> [Int]? {
    var kernel = Branch.secureKernel()
    change(&kernel)
    let compiler = Branch.secureCompiler(
      Branch.secureRuleSet(tunnels: [tunnel]), kernel, negotiated: esp.map { [tunnel.name: $0] } ?? [:])
    return compiler.sizes(of: tunnel).map { [$0.mtu, Int($0.mss)] }
  }

  private let gcm = Branch.esp("AES_GCM_16", 256)
  private let gcmInUDP = Branch.esp("AES_GCM_16", 256, inUDP: true)

  /// The kernel has the device, with this MTU.
  private func has(_ tunnel: Tunnel, mtu: Int) -> (inout ActualState) -> Void {
    return { kernel in
      let name: InterfaceName = tunnel.name == "fra-s" ? "bh-fra-s" : "bh-fra-g"
      kernel.links[name] = Link(
        index: InterfaceIndex(20), isUp: true, hasCarrier: true, mtu: mtu, isPointToPoint: true,
        alias: "backhaul tunnel \(tunnel.name)", isOurs: true)
    }
  }

  @Test func fromTheCipherAndTheNAT() {
    #expect(sizes(Branch.ipsec, negotiated: gcm) == [1446, 1406])
    #expect(sizes(Branch.ipsec, negotiated: gcmInUDP) == [1438, 1398])
    #expect(sizes(Branch.ipsec, negotiated: Branch.esp("AES_CBC", 256, "HMAC_SHA2_256_128")) == [1438, 1398])
    #expect(
      sizes(Branch.ipsec, negotiated: Branch.esp("AES_CBC", 256, "HMAC_SHA2_256_128", inUDP: true)) == [1422, 1382])
  }

  @Test func aProtectedTunnelAddsBoth() {
    #expect(sizes(Branch.protected, negotiated: gcm) == [1442, 1402], "1466 for the GRE packet, and 24 of its own")
    #expect(sizes(Branch.protected, negotiated: gcmInUDP) == [1434, 1394])
    var keyed = Branch.protected
    keyed.kind = .gre(key: 7)
    #expect(sizes(keyed, negotiated: gcm) == [1438, 1398])
    var ipip = Branch.protected
    ipip.kind = .ipip
    #expect(sizes(ipip, negotiated: gcm) == [1446, 1406], "as tunnel mode, which puts the same header outside")
  }

  @Test func nestedStacksAddUp() {
    let gre = TunnelSizes.Layer.gre(hasKey: false)
    #expect(TunnelSizes(underlayMTU: 1500, layers: [.espTunnel(gcm), gre]).mtu == 1446 - 24)
    #expect(TunnelSizes(underlayMTU: 1500, layers: [.espTransport(gcm), gre]).mtu == 1466 - 24)
    #expect(TunnelSizes(underlayMTU: 1500, layers: [.espTunnel(gcm), .espTunnel(gcm)]).mtu == 1390)
    #expect(TunnelSizes(underlayMTU: 1500, layers: [.ipip, .espTunnel(gcm)]).mtu == 1426)
    for (outer, esp) in [(1500, gcm), (1500, gcmInUDP), (1492, gcm), (9000, gcmInUDP)] {
      let mtu = TunnelSizes(underlayMTU: outer, layers: [.espTransport(esp), gre]).mtu
      #expect(mtu + 24 <= esp.largestInner(.transport, in: outer), "\(outer)")
    }
  }

  @Test func beforeAnythingIsNegotiatedANewTunnelCountsOnTheWorst() {
    #expect(sizes(Branch.ipsec) == [1438, 1398], "the one that is offered, in UDP")
    var profile = Branch.profile
    profile.espProposals = Branch.proposals("aes256gcm16-ecp384", "aes256-sha512-ecp384", for: .esp)
    var ruleSet = Branch.secureRuleSet(tunnels: [Branch.ipsec])
    ruleSet.profiles = [profile]
    #expect(Branch.secureCompiler(ruleSet).sizes(of: Branch.ipsec)?.mtu == 1406)
    profile.espProposals = []
    ruleSet.profiles = [profile]
    #expect(Branch.secureCompiler(ruleSet).sizes(of: Branch.ipsec)?.mtu == 1438, "what is offered where nobody chose")
  }

  @Test func whatATunnelHadIsKeptWhileNothingIsNegotiated() {
    for tunnel in [Branch.ipsec, Branch.protected] {
      #expect(sizes(tunnel, has(tunnel, mtu: 1399)) == [1399, 1359], "a restart of the agent changes no size")
    }
    #expect(
      sizes(Branch.ipsec, negotiated: gcm, has(Branch.ipsec, mtu: 1399)) == [1446, 1406], "until charon has said")
  }

  @Test func whatATunnelHadIsKeptWhileTheUplinkIsAway() {
    #expect(
      sizes(Branch.ipsec, negotiated: gcm) {
        has(Branch.ipsec, mtu: 1446)(&$0)
        $0.links["wan0"] = nil
      } == [1446, 1406])
  }

  @Test func theUplinksMTUAndALowerOneOfThePathToTheHub() {
    #expect(sizes(Branch.ipsec, negotiated: gcm) { $0.links["wan0"]?.mtu = 1492 } == [1438, 1398])
    func learnt(_ mtu: Int) -> (inout ActualState) -> Void {
      return { $0.pathMTUs[PathMTUKey("203.0.113.2", by: "wan0")] = mtu }
    }
    #expect(sizes(Branch.ipsec, negotiated: gcm, learnt(1400)) == [1346, 1306])
    #expect(sizes(Branch.ipsec, negotiated: gcm, learnt(9000)) == [1446, 1406], "never more than the uplink takes")
    #expect(sizes(Branch.protected, negotiated: gcm, learnt(1400)) == [1442, 1402], "by another uplink")
  }

  @Test func theOperatorsMTUWins() {
    var tunnel = Branch.ipsec
    tunnel.mtu = 1300
    #expect(sizes(tunnel, negotiated: gcm) == [1300, 1260])
    #expect(sizes(tunnel, has(tunnel, mtu: 1399)) == [1300, 1260])
  }
}
