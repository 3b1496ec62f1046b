internal import RuleSets
import Testing

@testable import Core

/// Which address an uplink uses, and what follows from it.
@Suite struct UplinkAddressTests {
  private func kernel(_ change: (inout ActualState) -> Void) -> ActualState {
    var state = Branch.kernel()
    state.links["lo"] = Link(index: InterfaceIndex(1), isUp: true, hasCarrier: true, mtu: 65_536)
    state.addresses["lo"] = ["127.0.0.1/8"]
    change(&state)
    return state
  }

  private func uplink(
    _ configuration: UplinkConfiguration = .init(interface: "wan0"), _ change: (inout ActualState) -> Void
  ) -> UplinkState {
    UplinkState(configuration, in: kernel(change))
  }

  /// The provider routes 198.51.100.2 to the router over a transfer network.
  private func transfer(_ state: inout ActualState) {
    state.addresses["wan0"] = ["10.99.0.2/24", "198.51.100.2/32"]
    state.mainDefaults[0] = MainDefault(
      device: "wan0", gateway: "10.99.0.1", metric: RouteMetric(100), source: "198.51.100.2")
  }

  @Test func theSourceOfMainsDefaultIsTheUplinks() {
    let state = uplink(.init(interface: "wan0"), transfer)
    #expect(state.address == "198.51.100.2")
    #expect(state.way == .out(device: "wan0", gateway: "10.99.0.1", terms: RouteTerms(source: "198.51.100.2")))
    #expect(state.usable)
  }

  @Test func itMayBeOnAnyDevice() {
    let state = uplink {
      transfer(&$0)
      $0.addresses["wan0"] = ["10.99.0.2/24"]
      $0.addresses["lo"]?.append("198.51.100.2/32")
    }
    #expect(state.address == "198.51.100.2")
  }

  @Test func withoutOneTheKernelTakesTheAddressNextToTheGateway() {
    let state = uplink { $0.addresses["wan0"] = ["10.0.0.5/24", "192.0.2.2/24"] }
    #expect(state.address == "192.0.2.2", "an alias that comes first is not the leased address")
    #expect(state.way == .out(device: "wan0", gateway: "192.0.2.1"), "the kernel comes to it by itself")
  }

  @Test func aSecondaryAddressIsNeverChosen() {
    let state = uplink {
      $0.addresses["wan0"] = ["192.0.2.2/24", "192.0.2.3/24"]
      $0.standings["wan0"] = ["192.0.2.2/24": AddressStanding(isSecondary: true)]
    }
    #expect(state.address == "192.0.2.3")
  }

  @Test func aPeersSubnetIsThePeers() {
    let state = uplink {
      $0.addresses["wan0"] = ["10.0.0.5/24", "203.0.113.9/32"]
      $0.standings["wan0"] = ["203.0.113.9/32": AddressStanding(peer: "192.0.2.1")]
    }
    #expect(state.address == "203.0.113.9")
  }

  @Test func theConfigurationNamesItWhereMainCannot() {
    let named = UplinkConfiguration(interface: "wan0", source: "198.51.100.77")
    let absent = uplink(named) { _ in }
    #expect(absent.address == nil)
    #expect(absent.obstacle == "its source, 198.51.100.77, is not an address of this router")
    let there = uplink(named) { $0.addresses["lo"]?.append("198.51.100.77/32") }
    #expect(there.address == "198.51.100.77")
    #expect(there.way == .out(device: "wan0", gateway: "192.0.2.1", terms: RouteTerms(source: "198.51.100.77")))
  }

  @Test func anUplinkWithoutAnAddressOfItsOwnBorrowsLoopbacksAlone() {
    let borrowed = uplink {
      $0.addresses["wan0"] = []
      $0.addresses["lo"]?.append("203.0.113.77/32")
    }
    #expect(borrowed.address == "203.0.113.77")
    let nothing = uplink { $0.addresses["wan0"] = [] }
    #expect(nothing.obstacle == "no IPv4 address", "a LAN's address means nothing to a provider")
  }

  @Test func whatIsGoodForOneLinkAloneIsNoWayOut() {
    func only(_ address: InterfaceAddress, _ standing: AddressStanding = .plain) -> String? {
      uplink {
        $0.addresses["wan0"] = [address]
        $0.standings["wan0"] = [address: standing]
        $0.mainDefaults[0] = MainDefault(device: "wan0", gateway: nil, metric: RouteMetric(1003), scope: .link)
      }.obstacle
    }
    #expect(only("169.254.84.69/16") == "its only address, 169.254.84.69, is link-local: no DHCP lease")
    #expect(
      only("10.0.0.5/24", AddressStanding(scope: .link))
        == "its only address, 10.0.0.5, has link scope: it is valid on its own link only")
    #expect(
      only("10.0.0.5/24", AddressStanding(flaw: .tentative))
        == "its only address, 10.0.0.5, is tentative: another host may have it too")
    #expect(
      only("10.0.0.5/24", AddressStanding(flaw: .duplicate))
        == "its only address, 10.0.0.5, is a duplicate: another host has it too")
    #expect(
      only("10.0.0.5/24", AddressStanding(flaw: .deprecated))
        == "its only address, 10.0.0.5, is deprecated: its preferred lifetime is over")
    #expect(
      only("10.0.0.5/24")
        == "its default route names no gateway (scope link), as if all the internet were on its own link")
  }

  @Test func severalFlawsAreReportedOneByOne() {
    let state = uplink {
      $0.addresses["wan0"] = ["169.254.84.69/16", "10.0.0.5/24"]
      $0.standings["wan0"] = ["10.0.0.5/24": AddressStanding(flaw: .deprecated)]
    }
    #expect(
      state.obstacle
        == "none of its addresses will do: 169.254.84.69 is link-local: no DHCP lease; "
        + "10.0.0.5 is deprecated: its preferred lifetime is over")
  }

  @Test func aLinkLocalAddressBesideALeaseIsPassedOver() {
    let state = uplink {
      $0.addresses["wan0"] = ["169.254.84.69/16", "192.0.2.2/24"]
      $0.mainDefaults.insert(
        MainDefault(device: "wan0", gateway: nil, metric: RouteMetric(3), source: "169.254.84.69"), at: 0)
    }
    #expect(state.address == "192.0.2.2")
    #expect(state.gateway == "192.0.2.1", "and so is its default route")
    #expect(state.usable)
  }

  @Test func aPointToPointLinkOfLinkScopeIsAWayOut() {
    let state = uplink(.init(interface: "ppp0")) {
      $0.links["ppp0"] = Link(
        index: InterfaceIndex(7), isUp: true, hasCarrier: true, mtu: 1492, isPointToPoint: true)
      $0.addresses["ppp0"] = ["198.51.100.77/32"]
      $0.mainDefaults = [MainDefault(device: "ppp0", gateway: nil, metric: RouteMetric(0), scope: .link)]
    }
    #expect(state.usable)
    #expect(state.way == .out(device: "ppp0", gateway: nil))
  }

  @Test func tunnelsProbesAndRulesUseIt() throws {
    var ruleSet = Branch.ruleSet()
    ruleSet.tunnels[0].kind = .gre(key: nil)
    let compiler = Branch.compiler(ruleSet, Branch.configuration(), kernel(transfer))
    #expect(compiler.compile().tunnels.first?.local == "198.51.100.2")
    let path = try #require(compiler.layout.path(named: "dsl"))
    #expect(compiler.binding(of: path)?.source == "198.51.100.2")
    let route = try #require(compiler.activeRoute(of: "office", for: .localWAN("wan0")))
    #expect(
      PlanText().lines(.putRoute(route)) == [
        "ip route replace default via 10.99.0.1 dev wan0 table 7906 metric 10 proto 201 src 198.51.100.2"
      ])
  }

  @Test func whatMasqueradingWouldGetWrongIsNamed() {
    let plain = Branch.compiler().compile().nftTable?.text ?? ""
    #expect(plain.contains("masquerade comment \"by uplink wan0\"") && !plain.contains("snat ip to"))
    let text =
      Branch.compiler(Branch.ruleSet(), Branch.configuration(), kernel(transfer)).compile().nftTable?.text ?? ""
    #expect(text.contains("snat ip to 198.51.100.2 comment \"by uplink wan0\""))
    #expect(text.contains("masquerade comment \"by uplink wan1\""))
  }

  @Test func aRoutesMTUIsTheTunnelsUnderlay() {
    let state = kernel { $0.mainDefaults[0].mtu = 1400 }
    let compiled = Branch.compiler(Branch.ruleSet(), Branch.configuration(), state).compile()
    #expect(compiled.tunnels.first?.mtu == 1372)
  }
}

/// Every form of a default route is followed, or named.
@Suite struct DefaultFormTests {
  private func uplink(_ name: InterfaceName = "wan0", _ change: (inout ActualState) -> Void) -> UplinkState {
    var state = Branch.kernel()
    change(&state)
    return UplinkState(.init(interface: name), in: state)
  }

  @Test func anIPv6Gateway() throws {
    let gateway = Gateway.ipv6(try #require(IPv6Address("fe80::1")))
    let state = uplink { $0.mainDefaults[0].gateway = gateway }
    #expect(state.usable && state.address == "192.0.2.2")
    #expect(state.gateway?.description == "inet6 fe80::1")
    let route = TableRoute(table: TableID(7903), metric: .active, way: try #require(state.way))
    #expect(route.words == "default via inet6 fe80::1 dev wan0")
  }

  @Test func aDeadOneIsPassedOver() {
    #expect(
      uplink { $0.mainDefaults[0].isDead = true }.obstacle == "the kernel considers its default route dead")
    let other = uplink {
      $0.mainDefaults[0].isDead = true
      $0.mainDefaults.append(MainDefault(device: "wan0", gateway: "192.0.2.9", metric: RouteMetric(300)))
    }
    #expect(other.usable && other.gateway == "192.0.2.9")
  }

  @Test func aBlackhole() {
    let alone = uplink {
      $0.mainDefaults = []
      $0.deadEnds = [DeadEnd(.type("blackhole"), metric: RouteMetric(0))]
    }
    #expect(alone.obstacle == "the main table's default route is a blackhole")
    let before = uplink { $0.deadEnds = [DeadEnd(.type("unreachable"), metric: RouteMetric(50))] }
    #expect(
      before.obstacle
        == "the main table's default route of metric 50 is unreachable, and comes before the one by it (metric 100)")
    let after = uplink { $0.deadEnds = [DeadEnd(.type("unreachable"), metric: RouteMetric(4_278_198_272))] }
    #expect(after.usable, "what is left when nothing else is")
  }

  @Test func aFormThatNobodyKnows() {
    let state = uplink {
      $0.mainDefaults.removeFirst()
      $0.deadEnds = [DeadEnd(.form("encap mpls"), metric: RouteMetric(100), device: "wan0")]
    }
    #expect(
      state.obstacle == "the main table has a default route by it in a form that this version cannot use: encap mpls")
    #expect(
      uplink("wan2") {
        $0.links["wan2"] = Link(index: InterfaceIndex(9), isUp: true, hasCarrier: true, mtu: 1500)
        $0.addresses["wan2"] = ["203.0.113.99/24"]
        $0.deadEnds = [DeadEnd(.form("encap mpls"), metric: RouteMetric(100), device: "wan0")]
      }.obstacle == "the main table has no default route by it")
  }

  @Test func anotherTablesStandsInWhereMainHasNone() {
    let elsewhere = MainDefault(device: "wan0", gateway: "192.0.2.9", metric: RouteMetric(1), table: TableID(100))
    #expect(uplink { $0.mainDefaults.append(elsewhere) }.gateway == "192.0.2.1")
    #expect(
      uplink {
        $0.mainDefaults.removeFirst()
        $0.mainDefaults.append(elsewhere)
      }.gateway == "192.0.2.9")
  }

  @Test func halvesComeFirstAndAreNoBetterThanADefault() throws {
    var state = Branch.kernel()
    var halves = MainDefault(device: "wan1", gateway: "198.51.100.9", metric: RouteMetric(900))
    halves.isInHalves = true
    state.mainDefaults.append(halves)
    let compiler = Branch.compiler(Branch.ruleSet(), Branch.configuration(), state)
    #expect(compiler.uplink("wan1")?.gateway == "198.51.100.9")
    let rules = compiler.compile().rules
    #expect(
      rules.contains { $0.priority == RulePriority(9210) && $0.action == .lookup(.main, suppressPrefixLength: 1) })
    // Steered traffic keeps going through the hub.
    var model = ModelKernel(state)
    try model.apply(Planner.plan(desired: compiler.compile(), actual: state).steps)
    let after = EdgeCompiler(compiler.layout, model.state)
    try model.apply(.putRoute(#require(after.activeRoute(of: "office", for: .path("fra-a")))))
    let fate = PacketWalk(model.state).fate(
      of: Packet(incoming: "lan0", source: "192.168.10.50", destination: "8.8.8.8"))
    #expect(fate.end == .left("bh-fra-a", gateway: nil))
    state.mainDefaults = state.mainDefaults.filter { !$0.isInHalves }
    #expect(
      Branch.compiler(Branch.ruleSet(), Branch.configuration(), state).compile().rules.contains {
        $0.priority == RulePriority(9210) && $0.action == .lookup(.main, suppressPrefixLength: 0)
      })
  }

  @Test func aVRFIsNamed() {
    #expect(
      uplink { $0.links["wan0"]?.isInVRF = true }.obstacle == "it is in a VRF, whose routes this version does not use")
  }
}

@Suite struct IPv6TextTests {
  @Test(
    "as RFC 5952 writes them",
    arguments: [
      ("fe80::1", "fe80::1"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
      ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
      ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("::ffff:192.0.2.1", "::ffff:c000:201"),
    ])
  func canonical(_ text: String, _ expected: String) { #expect(IPv6Address(text)?.description == expected) }
}
