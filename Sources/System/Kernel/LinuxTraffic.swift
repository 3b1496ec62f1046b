package import Agent
package import Core
internal import Netlink
package import RuleSets
internal import Synchronization

/// The devices' counters, over a socket of its own: asking for them holds up neither a reconcile nor a flip.
package final class LinuxTraffic: TrafficPort {
  private let routing: Mutex<RoutingSocket>

  package init() throws(KernelFailure) {
    routing = Mutex(try asking(nil) { () throws(NetlinkFailure) in try RoutingSocket.open() })
  }

  /// One dump of all devices with their 64-bit counters (IFLA_STATS64).
  package func traffic() throws(KernelFailure) -> [InterfaceName: Traffic] {
    try routing.withLock { (routing) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        var traffic: [InterfaceName: Traffic] = [:]
        for message in try routing.traffic() {
          guard let name = InterfaceName(message.name) else { continue }
          traffic[name] = Traffic(
            bytesIn: message.bytesIn, bytesOut: message.bytesOut, packetsIn: message.packetsIn,
            packetsOut: message.packetsOut)
        }
        return traffic
      }
    }
  }
}
