internal import CLinux
internal import Agent
internal import Core
internal import Glibc
internal import Netlink
internal import RuleSets

/// A network namespace of the calling thread's own, with a made-up router in it. What is done there is seen nowhere else,
/// and is gone with the process.
enum FreshNamespace {
  /// Stays in it: there is no way back.
  static func enter() throws(KernelFailure) {
    guard linux_network_namespace_new() == 0 else {
      throw KernelFailure(
        operation: "unshare the network namespace", errno: errno, cause: String(cString: linux_error_text(errno)))
    }
  }

  /// The uplink with its address and gateway, and the LANs.
  static func furnish() throws(KernelFailure) {
    try asking(nil) { () throws(NetlinkFailure) in
      var routing = try RoutingSocket.open()
      for name in ["lo", SelfTest.uplink] + SelfTest.lans {
        if name != "lo" { try routing.createBridge(name) }
        try routing.setUp(name)
      }
      let index = if_nametoindex(SelfTest.uplink)
      guard let address = InterfaceAddress(SelfTest.uplinkAddress), let gateway = IPv4Address(SelfTest.gateway) else {
        return
      }
      try routing.add(
        AddressMessage(
          index: index, local: address.address.value, peer: address.address.value, length: UInt8(address.length))
      )
      // RT_TABLE_MAIN and RTPROT_BOOT, as `ip route add` has them.
      try routing.put(
        RouteMessage(
          table: 254, metric: 0, origin: 3, hops: [.init(index: index, gateway: .ipv4(gateway.value), isOnLink: true)]))
    }
  }
}
