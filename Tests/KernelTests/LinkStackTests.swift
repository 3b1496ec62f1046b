import Agent
import Core
import KernelGrounds
internal import RuleSets
import Testing

@Suite struct LinkStackTests {
  private func device(_ name: String) throws -> InterfaceName { try #require(InterfaceName(name)) }

  private func stack(of name: String, in ground: RealGround) throws -> LinkStack? {
    try #require(try ground.kernel.read(expecting: nil).links[device(name)]).stack
  }

  /// A device type needs a module, which not every kernel has.
  private static func hasDevices(of type: String) -> Bool {
    var isThere = false
    try? RealGround.with { ground in
      try ground.shell(
        "ip link add below type veth peer name below-peer; ip link add link below name above type \(type) 2>&1")
      isThere = true
    }
    return isThere
  }

  /// It decides under which name packets come in.
  @Test func portsAndDevicesOnTopAreReported() throws {
    try RealGround.with { ground in
      try ground.shell(
        """
        ip link add lan0 type veth peer name lan0-peer
        ip link add lan2 type veth peer name lan2-peer
        ip link add br0 type bridge
        ip link set lan0 master br0
        ip link add link lan2 name vrrp0 type macvlan mode private
        """)
      #expect(try stack(of: "lan0", in: ground) == LinkStack(master: device("br0")))
      #expect(try stack(of: "vrrp0", in: ground) == LinkStack(lower: device("lan2"), sharesWire: true))
      #expect(try stack(of: "lan2", in: ground) == nil, "a veth stands on nothing")
      #expect(try stack(of: "br0", in: ground) == nil)
    }
  }

  @Test(.enabled(if: hasDevices(of: "vlan id 10"))) func aVLANStandsOnItsDevice() throws {
    try RealGround.with { ground in
      try ground.shell(
        "ip link add lan2 type veth peer name lan2-peer; ip link add link lan2 name lan2.10 type vlan id 10")
      #expect(try stack(of: "lan2.10", in: ground) == LinkStack(lower: device("lan2")))
    }
  }

  @Test(.enabled(if: hasDevices(of: "vrf table 77"))) func aVRFLeavesADeviceItsName() throws {
    try RealGround.with { ground in
      try ground.shell(
        """
        ip link add lan1 type veth peer name lan1-peer
        ip link add vrf0 type vrf table 77
        ip link set lan1 master vrf0
        """)
      #expect(try stack(of: "lan1", in: ground) == nil)
    }
  }
}
