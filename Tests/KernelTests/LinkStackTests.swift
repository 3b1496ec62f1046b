import Agent
import Core
import KernelGrounds
import Testing

@Suite struct LinkStackTests {
  /// By whose name packets come in follows from it.
  @Test func portsAndDevicesOnTopAreTold() throws {
    try RealGround.with { ground in
      try ground.shell(
        """
        ip link add lan0 type dummy
        ip link add lan1 type dummy
        ip link add lan2 type dummy
        ip link add br0 type bridge
        ip link set lan0 master br0
        ip link add vrf0 type vrf table 77
        ip link set lan1 master vrf0
        ip link add link lan2 name vrrp0 type macvlan mode private
        ip link add link lan2 name lan2.10 type vlan id 10
        ip link add v0 type veth peer name v1
        """)
      let links = try ground.kernel.read(expecting: nil).links
      func stack(_ name: String) throws -> LinkStack? {
        let name = try #require(InterfaceName(name))
        return try #require(links[name]).stack
      }
      let br0 = try #require(InterfaceName("br0"))
      let lan2 = try #require(InterfaceName("lan2"))
      #expect(try stack("lan0") == LinkStack(master: br0))
      #expect(try stack("lan1") == nil, "a VRF leaves a device its name")
      #expect(try stack("vrrp0") == LinkStack(lower: lan2))
      #expect(try stack("lan2.10") == LinkStack(lower: lan2))
      #expect(try stack("v0") == nil, "a veth stands on nothing")
      #expect(try stack("br0") == nil)
    }
  }
}
