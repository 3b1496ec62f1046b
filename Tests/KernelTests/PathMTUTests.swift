import Agent
import Core
import Fakes
import KernelGrounds
internal import RuleSets
import Testing

@Suite("Path MTUs of the kernel")
struct PathMTUTests {
  @Test("are, for each device, the smallest of all tables")
  func smallest() throws {
    try RealGround.with { ground in
      let wan = try #require(InterfaceName("wan0"))
      let router = try #require(IPv4Address("192.0.2.1"))
      try ground.addDevice(wan, address: InterfaceAddress("192.0.2.2/24"))
      try ground.shell(
        "ip route add default via 192.0.2.1; ip route add default via 192.0.2.1 table 7904; ip rule add fwmark 1 lookup 7904"
      )
      try ground.withRouter(router, at: wan, narrow: 1400) { there in
        let ping = "ping -q -M do -s 1450 -c 2 -i 0.2 -W 1"
        try ground.shell("\(ping) 203.0.113.2 > /dev/null || :; \(ping) 203.0.113.3 > /dev/null || :")
        try ground.shell("\(there)ip link set far mtu 1300; \(ping) -m 1 203.0.113.2 > /dev/null || :")
      }
      let hub = try #require(IPv4Address("203.0.113.2"))
      let other = try #require(IPv4Address("203.0.113.3"))
      #expect(try ground.lines("ip route show cache table all | grep -c '^203'") == ["3"])
      #expect(
        try ground.kernel.read(expecting: nil).pathMTUs == [
          PathMTUKey(hub, by: wan): 1300, PathMTUKey(other, by: wan): 1400,
        ])
      try ground.shell("ip route flush cache")
      #expect(try ground.kernel.read(expecting: nil).pathMTUs.isEmpty)
    }
  }
}
