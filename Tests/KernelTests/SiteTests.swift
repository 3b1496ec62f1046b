import Agent
import Core
import Fakes
import KernelGrounds
internal import RuleSets
import Testing

@Suite("The main table's more specific routes and ways out")
struct SiteTests {
  private func state(_ setUp: String) throws -> ActualState {
    var state = ActualState()
    try RealGround.with { ground in
      try ground.addDevice(try #require(InterfaceName("wan0")), address: InterfaceAddress("192.0.2.2/24"))
      try ground.addDevice(try #require(InterfaceName("wan1")), address: InterfaceAddress("198.51.100.2/24"))
      try ground.shell(
        """
        ip -6 addr add 2001:db8:1::2/64 dev wan0 nodad; ip -6 addr add 2001:db8:2::2/64 dev wan1 nodad
        \(setUp)
        """)
      state = try ground.kernel.read(expecting: nil)
    }
    return state
  }

  private func words<Prefix>(_ sites: MainSites<Prefix>) -> [String] {
    sites.all.map { site in
      "\(site.prefix) \(site.devices.map(\.text).joined(separator: "+"))\(site.isConnected ? "" : " far")"
    }
  }

  @Test("are read in every form")
  func ipv4() throws {
    let state = try state(
      """
      ip route add 10.1.0.0/16 via 192.0.2.1
      ip route add 10.2.0.0/16 nexthop via 192.0.2.1 nexthop via 198.51.100.1
      ip route add blackhole 10.3.0.0/16
      ip nexthop add id 7 via 192.0.2.1 dev wan0
      ip route add 10.4.0.0/16 nhid 7
      ip route add default via 198.51.100.1 table 52
      ip route add default nhid 7
      """)
    #expect(
      words(state.sites) == [
        "10.1.0.0/16 wan0 far", "10.2.0.0/16 wan0+wan1 far", "10.3.0.0/16  far", "10.4.0.0/16 wan0 far",
        "192.0.2.0/24 wan0", "198.51.100.0/24 wan1",
      ])
    #expect(Set(state.exits.map(\.text)) == ["wan0", "wan1"])
  }

  @Test("are read for IPv6 too")
  func ipv6() throws {
    let state = try state(
      """
      ip -6 route add 2001:db8:11::/48 via 2001:db8:1::1
      ip -6 route add 2001:db8:12::/48 nexthop via 2001:db8:1::1 nexthop via 2001:db8:2::1
      ip -6 route add blackhole 2001:db8:13::/48
      ip -6 nexthop add id 7 via 2001:db8:1::1 dev wan0
      ip -6 route add 2001:db8:14::/48 nhid 7
      ip -6 route add 2000::/3 via 2001:db8:2::1 dev wan1 table 52
      """)
    #expect(
      words(state.ipv6Sites) == [
        "2001:db8:1::/64 wan0", "2001:db8:2::/64 wan1", "2001:db8:11::/48 wan0 far",
        "2001:db8:12::/48 wan0+wan1 far", "2001:db8:13::/48 lo far", "2001:db8:14::/48 wan0 far",
      ])
    #expect(state.ipv6Exits.map(\.text) == ["wan1"])
    #expect(state.exits.isEmpty)
  }

  @Test("keep only its own subnets on a router that has learnt the internet's routes")
  func many() throws {
    let state = try state(
      "for a in $(seq 0 65); do for b in $(seq 0 250); do echo route add 10.$a.$b.0/24 via 192.0.2.1; done; done | ip -batch -"
    )
    #expect(state.sites.areMore)
    #expect(words(state.sites) == ["192.0.2.0/24 wan0", "198.51.100.0/24 wan1"])
  }
}
