import Agent
import Core
import Fakes
import KernelGrounds
internal import RuleSets
import Testing

@Suite("Default routes of other programs")
struct DefaultRouteTests {
  private func defaults(_ setUp: String) throws -> ActualState {
    var state = ActualState()
    try RealGround.with { ground in
      try ground.addDevice(try #require(InterfaceName("wan0")), address: InterfaceAddress("192.0.2.2/24"))
      try ground.addDevice(try #require(InterfaceName("wan1")), address: InterfaceAddress("198.51.100.2/24"))
      try ground.shell(setUp)
      state = try ground.kernel.read(expecting: nil)
    }
    return state
  }

  /// `wan0 192.0.2.1` for each, with further details.
  private func words(_ state: ActualState) -> [String] {
    state.mainDefaults.map { route in
      "\(route.device) \(route.gateway.map(\.description) ?? "-")"
        + (route.table == .main ? "" : " table \(route.table)")
        + (route.metric.value == 0 ? "" : " metric \(route.metric)")
        + (route.source.map { " src \($0)" } ?? "") + (route.mtu.map { " mtu \($0)" } ?? "")
        + (route.isInHalves ? " in halves" : "") + (route.isDead ? " dead" : "")
    }
  }

  @Test(
    "are read in every form",
    arguments: [
      ("via 192.0.2.1 dev wan0 metric 7 src 192.0.2.2 mtu 1400", ["wan0 192.0.2.1 metric 7 src 192.0.2.2 mtu 1400"]),
      ("via inet6 fe80::1 dev wan0", ["wan0 inet6 fe80::1"]),
      ("via 203.0.113.1 dev wan0 onlink", ["wan0 203.0.113.1"]),
      ("dev wan0 scope link", ["wan0 -"]),
      (
        "nexthop via 192.0.2.1 dev wan0 nexthop via inet6 fe80::1 dev wan1 weight 2",
        ["wan0 192.0.2.1", "wan1 inet6 fe80::1"]
      ),
      ("via 192.0.2.1 dev wan0 tos 0x10", []),
    ])
  func forms(_ route: String, _ expected: [String]) throws {
    // -4: otherwise ip(8) takes the family from the gateway.
    #expect(words(try defaults("ip -4 route add default \(route)")) == expected)
  }

  @Test("are read where nexthop objects say where they lead", arguments: [0, 1])
  func objects(_ compatibility: Int) throws {
    let common =
      "echo \(compatibility) >/proc/sys/net/ipv4/nexthop_compat_mode; ip nexthop add id 1 via 192.0.2.1 dev wan0;"
    #expect(words(try defaults("\(common) ip route add default nhid 1")) == ["wan0 192.0.2.1"])
    let group =
      "\(common) ip nexthop add id 2 via fe80::1 dev wan1; ip nexthop add id 9 group 1/2,3; ip route add default nhid 9"
    #expect(words(try defaults(group)) == ["wan0 192.0.2.1", "wan1 inet6 fe80::1"])
    let blackhole = try defaults("\(common) ip nexthop add id 3 blackhole; ip route add default nhid 3")
    #expect(blackhole.deadEnds == [DeadEnd(.type("blackhole"), metric: RouteMetric(0))])
  }

  @Test("in halves count where there are both, and come first")
  func halves() throws {
    let both =
      "ip route add default via 192.0.2.9 dev wan0; ip route add 0.0.0.0/1 via 192.0.2.1 dev wan0; "
      + "ip route add 128.0.0.0/1 via 192.0.2.1 dev wan0"
    #expect(words(try defaults(both)) == ["wan0 192.0.2.1 in halves", "wan0 192.0.2.9"])
    #expect(words(try defaults("ip route add 0.0.0.0/1 via 192.0.2.1 dev wan0")) == [])
  }

  @Test("of tables that ip rules lead to come after main's, in the order of the rules")
  func tables() throws {
    let state = try defaults(
      """
      ip route add default via 192.0.2.1 dev wan0 metric 900
      ip route add default via 192.0.2.7 dev wan0 table 100
      ip route add default via 192.0.2.8 dev wan0 table 101
      ip route add default via 192.0.2.9 dev wan0 table 102
      ip rule add priority 40 from 192.0.2.2 lookup 101
      ip rule add priority 50 lookup 100
      """)
    #expect(words(state) == ["wan0 192.0.2.1 metric 900", "wan0 192.0.2.8 table 101", "wan0 192.0.2.7 table 100"])
  }

  @Test("that lead nowhere, or nobody knows where, are reported as such")
  func deadEnds() throws {
    for type in ["blackhole", "unreachable", "prohibit", "throw"] {
      #expect(
        try defaults("ip route add \(type) default metric 5").deadEnds == [
          DeadEnd(.type(type), metric: RouteMetric(5))
        ])
    }
    let wan = try #require(InterfaceName("wan0"))
    let wrapped = try defaults("ip route add default encap ip id 7 dst 203.0.113.9 via 192.0.2.1 dev wan0")
    #expect(wrapped.mainDefaults.isEmpty)
    #expect(wrapped.deadEnds == [DeadEnd(.form("encap ip"), metric: RouteMetric(0), device: wan)])
  }

  /// The link has no carrier; its gateway is still the one to ping.
  @Test("without a carrier are reported as such")
  func withoutCarrier() throws {
    let state = try defaults("ip route add default via 192.0.2.1 dev wan0; ip link set wan0-peer down")
    #expect(words(state) == ["wan0 192.0.2.1"])
    #expect(state.links[try #require(InterfaceName("wan0"))]?.hasCarrier == false)
  }

  @Test("an address is reported with its scope, flags and peer")
  func standings() throws {
    let state = try defaults(
      """
      ip address add 192.0.2.3/24 dev wan0
      ip address add 10.0.0.5/24 dev wan0 scope link
      ip address add 10.0.1.5/24 dev wan0 preferred_lft 0
      ip address add 10.0.2.5 peer 10.0.3.5/32 dev wan0
      """)
    let wan = try #require(InterfaceName("wan0"))
    let told = (state.standings[wan] ?? [:]).map { "\($0.key.address) \($0.value)" }.sorted()
    func line(_ address: String, _ standing: AddressStanding) -> String { "\(address) \(standing)" }
    #expect(
      told == [
        line("10.0.0.5", AddressStanding(scope: .link)), line("10.0.1.5", AddressStanding(flaw: .deprecated)),
        line("10.0.2.5", AddressStanding(peer: IPv4Address("10.0.3.5"))),
        line("192.0.2.3", AddressStanding(isSecondary: true)),
      ])
  }

  @Test(
    "the source address that we work out is the one that the kernel would choose",
    arguments: [
      "ip route add default via 192.0.2.1 dev wan0",
      "ip address flush dev wan0; ip address add 10.0.0.5/24 dev wan0; ip address add 192.0.2.2/24 dev wan0; ip route add default via 192.0.2.1 dev wan0",
      "ip address add 192.0.2.3/24 dev wan0; ip address del 192.0.2.2/24 dev wan0; ip address add 192.0.2.9/24 dev wan0; ip route add default via 192.0.2.1 dev wan0",
      "ip address flush dev wan0; ip address add 10.0.0.5/24 dev wan0 scope link; ip route add default via 203.0.113.1 dev wan0 onlink",
      "ip address flush dev wan0; ip address add 10.0.0.5/24 dev wan0 scope link; ip route add default dev wan0",
      "ip address flush dev wan0; ip address add 10.0.0.5/24 dev wan0; ip address add 10.1.0.5 peer 10.1.0.1/32 dev wan0; ip route add default via 10.1.0.1 dev wan0",
      "ip address flush dev wan0; ip link set lo up; ip address add 203.0.113.77/32 dev lo; ip route add default dev wan0",
      "ip address add 172.16.0.5/12 dev wan0; ip -4 route add default via inet6 fe80::1 dev wan0",
    ])
  func kernelsChoice(_ setUp: String) throws {
    try RealGround.with { ground in
      let wan = try #require(InterfaceName("wan0"))
      try ground.addDevice(wan, address: InterfaceAddress("192.0.2.2/24"))
      try ground.addDevice(try #require(InterfaceName("wan1")), address: InterfaceAddress("198.51.100.2/24"))
      try ground.shell(setUp)
      let state = try ground.kernel.read(expecting: nil)
      let route = try #require(state.mainDefaults.first)
      let ours = SourceAddress(state).choice(by: wan, to: route.gateway?.ipv4, scope: route.scope)
      let kernels = try ground.lines("ip route get 8.8.8.8 oif wan0 | sed -n 's/.* src \\([0-9.]*\\).*/\\1/p'")
      #expect(ours?.description == kernels.first)
    }
  }
}
