internal import RuleSets
import Testing

@testable import Core

@Suite struct DesiredUplinkTests {
  private func uplink(_ name: InterfaceName = "wan0", _ change: (inout ModelKernel) -> Void) -> UplinkState {
    var kernel = ModelKernel(Branch.kernel())
    change(&kernel)
    return UplinkState(UplinkConfiguration(interface: name), in: kernel.state)
  }

  @Test func followsTheBestDefaultRouteOfMain() {
    let state = uplink {
      $0.state.mainDefaults.insert(.init(device: "wan0", gateway: "192.0.2.9", metric: RouteMetric(500)), at: 0)
    }
    #expect(state.usable)
    #expect(state.gateway == "192.0.2.1")
    #expect(state.address == "192.0.2.2")
  }

  @Test func saysWhyItCannotBeUsed() {
    #expect(uplink { $0.delete("wan0") }.obstacle == "no such interface")
    #expect(uplink { $0.setDown("wan0") }.obstacle == "the interface is down")
    #expect(uplink { $0.state.links["wan0"]?.hasCarrier = false }.obstacle == "no carrier")
    #expect(uplink { $0.state.addresses["wan0"] = [] }.obstacle == "no IPv4 address")
    #expect(uplink { $0.state.mainDefaults = [] }.obstacle == "the main table has no default route by it")
  }

  @Test func aPointToPointLinkNeedsNoGateway() {
    let state = uplink("ppp0") {
      $0.state.links["ppp0"] = Link(
        index: InterfaceIndex(7), isUp: true, hasCarrier: true, mtu: 1492, isPointToPoint: true)
      $0.state.addresses["ppp0"] = ["198.51.100.77/32"]
    }
    #expect(state.usable)
    #expect(state.way == .out(device: "ppp0", gateway: nil))
  }

  @Test func theLocalWANIsTheUsableUplinkOfTheLowestTier() {
    var kernel = ModelKernel(Branch.kernel())
    #expect(Branch.compiler().localWAN == "wan0")
    kernel.setDown("wan0")
    #expect(Branch.compiler(Branch.ruleSet(), Branch.configuration(), kernel.state).localWAN == "wan1")
    kernel.setDown("wan1")
    #expect(Branch.compiler(Branch.ruleSet(), Branch.configuration(), kernel.state).localWAN == nil)
    let equal = Branch.configuration(uplinks: [.init(interface: "wan1"), .init(interface: "wan0")])
    #expect(Branch.compiler(Branch.ruleSet(), equal).localWAN == "wan1", "within a tier the first one configured")
  }
}

@Suite struct DesiredTunnelTests {
  private func compile(_ tunnels: [Tunnel], _ change: (inout ModelKernel) -> Void = { _ in }) -> DesiredState {
    var kernel = ModelKernel(Branch.kernel())
    change(&kernel)
    return Branch.compiler(Branch.ruleSet(tunnels: tunnels), Branch.configuration(), kernel.state).compile()
  }

  @Test func aNumberedGRETunnelWithAKey() throws {
    let device = try #require(compile([Branch.gre]).tunnels.first)
    #expect(device.name == "bh-fra-a")
    #expect(device.encapsulation == .gre(key: 7))
    #expect((device.local, device.remote) == ("192.0.2.2", "203.0.113.2"))
    #expect(device.lookupMark == Mark(value: 0x300_0000), "the mark of wan0, never a rule's")
    #expect(device.mtu == 1472)
    #expect(device.address == "10.1.1.1/30")
    #expect(device.peer == nil, "the /30 holds the hub's address")
    #expect(device.alias == "backhaul tunnel fra-a")
  }

  @Test func aPeerWhereTheSubnetDoesNotHoldTheHub() {
    var tunnel = Branch.gre
    tunnel.innerLocal = "10.1.1.1/32"
    #expect(compile([tunnel]).tunnels.first?.peer == "10.1.1.2")
  }

  @Test func followsTheUplinksAddressAndMTU() {
    let state = compile([Branch.ipip]) {
      $0.state.addresses["wan1"] = ["198.51.100.99/24"]
      $0.state.links["wan1"]?.mtu = 1492
    }
    #expect(state.tunnels.first?.local == "198.51.100.99")
    #expect(state.tunnels.first?.mtu == 1472)
  }

  @Test func anUplinkWithoutAddressHoldsTheDeviceThatIsThere() throws {
    let there = try #require(compile([Branch.gre]).tunnels.first)
    let held = compile([Branch.gre]) {
      try? $0.apply([.createTunnel(there), .setUp(there.name)])
      $0.state.addresses["wan0"] = []
    }
    #expect(held.tunnels.isEmpty)
    #expect(held.held == ["bh-fra-a"])
    #expect(held.routes.contains { $0.way == .out(device: "bh-fra-a", gateway: nil) }, "its route stays")

    let absent = compile([Branch.gre]) { $0.state.addresses["wan0"] = [] }
    #expect(absent.held.isEmpty)
    #expect(absent.routes.filter { $0.way != .unreachable }.allSatisfy { $0.table != TableID(7902) })
    #expect(absent.nftTable?.text.contains("bh-fra-a") == true, "nftables goes by name, before the device is there")
  }

  @Test func aForeignDeviceOfTheNameIsLeftAlone() {
    let state = compile([Branch.gre]) {
      $0.state.links["bh-fra-a"] = Link(index: InterfaceIndex(8), isUp: true, hasCarrier: true, mtu: 1500)
    }
    #expect(state.tunnels.isEmpty && state.held.isEmpty)
    #expect(!state.routes.contains { $0.way == .out(device: "bh-fra-a", gateway: nil) })
    #expect(!state.settings.keys.contains { $0.interface == "bh-fra-a" })
  }

  @Test func anExternalDeviceThatIsAwayHasAFloorAndNoRoute() {
    let away = compile([Branch.external])
    #expect(away.routes.filter { $0.table == TableID(7902) } == [.floor(TableID(7902))])
    #expect(!away.settings.keys.contains { $0.interface == "wg0" })
    let here = compile([Branch.external]) { $0.state = Branch.withWireGuard($0.state) }
    #expect(
      here.routes.contains(TableRoute(table: TableID(7902), metric: .active, way: .out(device: "wg0", gateway: nil))))
    #expect(here.nftTable?.text.contains("maxseg size set 1380") == true)
    #expect(here.tunnels.isEmpty, "never made, changed or deleted")
  }

  @Test func settings() {
    let state = compile([Branch.gre, Branch.ipip, Branch.external]) {
      $0.state = Branch.withWireGuard($0.state)
      $0.state.settings[InterfaceSetting("wg0", .reversePathFilter)] = 2
    }
    let lines = PlanText().lines(.changeSettings(state.settings))
    #expect(
      lines == [
        "sysctl -w net.ipv4.icmp_errors_use_inbound_ifaddr=1",
        "sysctl -w net.ipv4.conf.bh-fra-a.forwarding=1",
        "sysctl -w net.ipv4.conf.bh-fra-a.rp_filter=2",
        "sysctl -w net.ipv4.conf.bh-fra-a.src_valid_mark=1",
        "sysctl -w net.ipv6.conf.bh-fra-a.disable_ipv6=1",
        "sysctl -w net.ipv4.conf.bh-fra-b.forwarding=1",
        "sysctl -w net.ipv4.conf.bh-fra-b.rp_filter=0",
        "sysctl -w net.ipv4.conf.bh-fra-b.src_valid_mark=1",
        "sysctl -w net.ipv6.conf.bh-fra-b.disable_ipv6=1",
        "sysctl -w net.ipv4.conf.lan0.src_valid_mark=1",
        "sysctl -w net.ipv4.conf.wan0.rp_filter=2",
        "sysctl -w net.ipv4.conf.wan0.src_valid_mark=1",
        "sysctl -w net.ipv4.conf.wan1.src_valid_mark=1",
        "sysctl -w net.ipv4.conf.wg0.rp_filter=2",
        "sysctl -w net.ipv4.conf.wg0.src_valid_mark=1",
      ])
  }

  @Test func aKernelWithoutIPv6HasNoSuchSetting() {
    let state = compile([Branch.gre]) { $0.state.settings = $0.state.settings.filter { $0.key.key != .disableIPv6 } }
    #expect(!state.settings.keys.contains { $0.key == .disableIPv6 })
  }
}
