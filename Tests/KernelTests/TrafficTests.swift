import Agent
import Core
import Fakes
import KernelGrounds
internal import RuleSets
import Testing

@Suite("Counters of devices")
struct TrafficTests {
  @Test("are what the device has carried, in and out")
  func carried() throws {
    try RealGround.with { ground in
      let wan = try #require(InterfaceName("wan0"))
      try ground.addDevice(wan, address: InterfaceAddress("192.0.2.2/24"))
      let router = try #require(IPv4Address("192.0.2.1"))
      try ground.withRouter(router, at: wan, narrow: 1400) { _ in
        let before = try #require(try ground.traffic.traffic()[wan])
        try ground.shell("ping -q -s 1000 -c 10 -i 0.01 192.0.2.1 > /dev/null")
        let after = try #require(try ground.traffic.traffic()[wan])
        // An Ethernet frame is 14 bytes longer than its packet; ARP comes on top.
        #expect((10..<20).contains(after.packetsIn - before.packetsIn))
        #expect((10..<20).contains(after.packetsOut - before.packetsOut))
        #expect((10_420..<11_500).contains(after.bytesIn - before.bytesIn))
        #expect((10_420..<11_500).contains(after.bytesOut - before.bytesOut))
        let other = try #require(InterfaceName("lo"))
        #expect(try ground.traffic.traffic()[other] == Traffic())
      }
    }
  }
}
