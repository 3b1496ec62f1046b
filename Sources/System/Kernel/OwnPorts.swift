/// The netlink addresses of our request sockets: events that they cause are our own doing.
package struct OwnPorts: Equatable, Sendable {
  var routing: Set<UInt32>
  var netfilter: Set<UInt32>

  init(routing: Set<UInt32> = [], netfilter: Set<UInt32> = []) {
    self.routing = routing
    self.netfilter = netfilter
  }

  /// Of both.
  package func union(_ other: OwnPorts) -> OwnPorts {
    OwnPorts(routing: routing.union(other.routing), netfilter: netfilter.union(other.netfilter))
  }
}
