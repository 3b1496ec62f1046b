import Agent
import Core
import Fakes
import Glibc
import KernelGrounds
internal import RuleSets
import Synchronization
import System
import Testing

@Suite("Events of the kernel")
struct KernelEventTests {
  /// What was told so far.
  private final class Told: Sendable {
    private let events = Mutex<[KernelEvent]>([])

    func note(_ event: KernelEvent) { events.withLock { $0.append(event) } }
    func clear() { events.withLock { $0 = [] } }
    var all: [KernelEvent] { events.withLock { $0 } }

    /// Waits ten seconds at most: events come within a millisecond or never, unless a thread is held up.
    func waits(for isIt: (KernelEvent) -> Bool) -> Bool {
      for _ in 0..<1_000 {
        if events.withLock({ $0.contains(where: isIt) }) { return true }
        usleep(10_000)
      }
      return false
    }
  }

  /// A gate that one thread waits for and another opens.
  private final class Gate: Sendable {
    private let isOpen = Mutex(false)
    func open() { isOpen.withLock { $0 = true } }
    func wait() { while !isOpen.withLock({ $0 }) { usleep(1_000) } }
  }

  private func listening(_ body: (RealGround, Told) throws -> Void) throws {
    try listening { ground, told, _ in try body(ground, told) }
  }

  private func listening(
    usesFlowtable: Bool = false, _ body: (RealGround, Told, Reactor) throws -> Void
  ) throws {
    try RealGround.with { ground in
      let reactor = try Reactor(name: "events")
      defer { reactor.stop() }
      let told = Told()
      var ranges = ground.ranges
      ranges.usesFlowtable = usesFlowtable
      try LinuxKernelEvents(ranges, own: ground.ports, news: ground.news).start(on: reactor) { told.note($0) }
      // The subscription is made on the loop: the first event shows that it is there.
      try ground.shell("ip rule add priority 9298 lookup main")
      try #require(told.waits { $0 == .ours("ip rule 9298") })
      told.clear()
      try body(ground, told, reactor)
    }
  }

  @Test("report devices, addresses and main default routes that come and go")
  func others() throws {
    try listening { ground, told in
      let wan = try #require(InterfaceName("wan0"))
      try ground.addDevice(wan, address: InterfaceAddress("192.0.2.2/24"))
      #expect(told.waits { if case .link(wan, let link?) = $0 { link.isUp && link.hasCarrier } else { false } })
      #expect(told.waits { $0 == .address(wan) })
      try ground.shell("ip route add default via 192.0.2.1")
      #expect(told.waits { $0 == .mainRoute })
      told.clear()
      try ground.shell("ip link set wan0-peer down")
      #expect(told.waits { if case .link(wan, let link?) = $0 { !link.hasCarrier } else { false } })
      try ground.removeDevice(wan)
      #expect(told.waits { $0 == .link(wan, nil) })
    }
  }

  @Test("report more specific routes of the main table, for IPv4 and IPv6, but not the ones every link has")
  func sites() throws {
    try listening { ground, told in
      try ground.addDevice(try #require(InterfaceName("wan0")), address: InterfaceAddress("192.0.2.2/24"))
      try ground.shell("ip -6 addr add 2001:db8:1::2/64 dev wan0 nodad; sleep 0.5")
      for route in [
        "route add 198.18.0.0/15 via 192.0.2.1", "-6 route add 2001:db8:9::/64 via 2001:db8:1::1",
        "-6 route add default via 2001:db8:1::1 table 52",
      ] {
        told.clear()
        try ground.shell("ip \(route)")
        #expect(told.waits { $0 == .mainRoute }, "\(route)")
      }
      told.clear()
      try ground.shell("ip -6 route add fe80:1::/64 dev wan0 table 52; ip rule add priority 9299 lookup main")
      #expect(told.waits { $0 == .ours("ip rule 9299") })
      #expect(!told.all.contains(.mainRoute))
    }
  }

  /// Enough to overflow several queues. Nothing reads while they come.
  private func flood(_ ground: RealGround, table: String, first: Int) throws {
    try ground.shell(
      """
      for high in $(seq \(first) \(first + 79)); do for low in $(seq 0 249); do
        echo "route add 20.$high.$low.0/24 dev lo table \(table)"
      done; done | ip -batch -
      """)
  }

  @Test("are not lost among another program's routes, however many")
  func floods() throws {
    try listening { ground, told, reactor in
      let wan = try #require(InterfaceName("wan0"))
      try ground.addDevice(wan, address: InterfaceAddress("192.0.2.2/24"))
      #expect(told.waits { $0 == .address(wan) })
      func deaf(_ body: () throws -> Void) throws {
        let (begun, over) = (Gate(), Gate())
        reactor.enqueue {
          begun.open()
          over.wait()
        }
        begun.wait()
        defer { over.open() }
        told.clear()
        try body()
      }
      try deaf {
        try flood(ground, table: "1000", first: 0)
        try ground.shell("ip address del 192.0.2.2/24 dev wan0")
      }
      #expect(told.waits { $0 == .address(wan) })
      #expect(!told.all.contains(.overrun), "another's table")
      try deaf { try flood(ground, table: "main", first: 0) }
      #expect(told.waits { $0 == .overrun }, "they might be few, and news")
      _ = try ground.kernel.read(expecting: nil)
      try deaf {
        try flood(ground, table: "main", first: 100)
        try ground.shell("ip address add 192.0.2.2/24 dev wan0; ip route add default via 192.0.2.1")
      }
      #expect(told.waits { $0 == .address(wan) })
      #expect(told.waits { $0 == .mainRoute })
      #expect(!told.all.contains(.overrun), "a large main")
      try ground.shell("ip route flush table main proto boot; ip route add default dev wan0")
      _ = try ground.kernel.read(expecting: nil)
      #expect(told.waits { $0 == .mainRoute })
      told.clear()
      try ground.shell("ip route add 198.18.0.0/15 dev wan0")
      #expect(told.waits { $0 == .mainRoute }, "a small one is heard again")
    }
  }

  @Test("report a neighbour that does not answer")
  func neighbour() throws {
    try listening { ground, told in
      let wan = try #require(InterfaceName("wan0"))
      try ground.addDevice(wan, address: InterfaceAddress("192.0.2.2/24"))
      // The kernel only reports a neighbour that existed, or that it has failed to resolve.
      try ground.shell("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev wan0 nud reachable")
      try ground.shell("ip neigh replace 192.0.2.1 dev wan0 nud failed")
      #expect(told.waits { $0 == .neighbourFailed(wan, IPv4Address(value: 0xc000_0201)) })
    }
  }

  @Test("report that a router has refused a packet for its size")
  func pathMTU() throws {
    try listening { ground, told in
      let wan = try #require(InterfaceName("wan0"))
      let router = try #require(IPv4Address("192.0.2.1"))
      try ground.addDevice(wan, address: InterfaceAddress("192.0.2.2/24"))
      try ground.shell("ip route add default via 192.0.2.1")
      try ground.withRouter(router, at: wan, narrow: 1400) { _ in
        let hub = try #require(IPv4Address("203.0.113.2"))
        try ground.shell("ping -q -M do -s 1372 -c 1 -W 1 203.0.113.2 > /dev/null || :")
        #expect(!told.all.contains(.pathMTU(hub)), "it fits")
        try ground.shell("ping -q -M do -s 1450 -c 1 -W 1 203.0.113.2 > /dev/null || :")
        #expect(told.waits { $0 == .pathMTU(hub) })
        #expect(try ground.kernel.read(expecting: nil).pathMTUs == [PathMTUKey(hub, by: wan): 1400])
      }
    }
  }

  @Test("report what another program does to our rules, routes and nftables table")
  func ours() throws {
    try listening { ground, told in
      try ground.shell("ip rule add priority 9210 fwmark 1 lookup 7905 protocol 77")
      #expect(told.waits { $0 == .ours("ip rule 9210") })
      try ground.shell("ip -6 rule add priority 9290 iif lan0 prohibit protocol 77")
      #expect(told.waits { $0 == .ours("ip -6 rule 9290") })
      try ground.shell("ip route add unreachable default table 7905 metric 7")
      #expect(told.waits { $0 == .ours("ip route table 7905") })
      try ground.shell("nft add table inet backhaul")
      #expect(told.waits { $0 == .ours("nft table inet backhaul") })
      told.clear()
      try ground.shell("nft add table inet other; nft flush ruleset; ip rule add priority 100 lookup main")
      #expect(told.waits { $0 == .ours("nft table inet backhaul") })
      // The rule belongs to another program but comes before ours, and may lead to an uplink's default route.
      #expect(told.waits { $0 == .foreign("ip rule 100") })
      #expect(told.waits { $0 == .mainRoute })
      #expect(told.all.count == 3, "\(told.all)")
    }
  }

  @Test("tell of other programs' nftables where connections are offloaded past them, and nowhere else")
  func firewall() throws {
    for usesFlowtable in [false, true] {
      try listening(usesFlowtable: usesFlowtable) { ground, told, _ in
        try ground.shell("nft add table inet other")
        // Told after it, in any case.
        try ground.shell("nft add table inet \(ground.ranges.nftTable)")
        #expect(told.waits { $0 == .ours("nft table inet \(ground.ranges.nftTable)") })
        #expect(told.all.contains(.firewall) == usesFlowtable)
        told.clear()
        try ground.shell("nft add table inet \(ground.ranges.fastTable)")
        #expect(told.waits { $0 == .ours("nft table inet \(ground.ranges.fastTable)") })
        #expect(!told.all.contains(.firewall))
      }
    }
  }

  @Test("say nothing of our own routes, rules and tables")
  func own() throws {
    try listening { ground, told in
      let table = TableID(7905)
      let nftTable = NftTable(name: "backhaul", sets: [], chains: [NftChain(name: "steer", rules: [])])
      let rule = RoutingRule(priority: RulePriority(9210), action: .unreachable)
      for step in [Step.putRoute(.floor(table)), .addRule(rule), .replaceNftTable(nftTable)] {
        try ground.kernel.apply(step)
      }
      try ground.flip.activate(TableRoute(table: table, metric: .active, way: .unreachable))
      // Another program's later change shows that everything before it was heard.
      try ground.shell("ip rule add priority 9299 lookup main")
      #expect(told.waits { $0 == .ours("ip rule 9299") })
      #expect(told.all == [.ours("ip rule 9299")])
    }
  }
}
