package import Agent
package import Core
internal import Glibc
internal import Netlink
internal import RuleSets
internal import Synchronization

/// The flip, over a socket of its own: one message to the kernel and its answer, a few microseconds.
package final class LinuxFlip: FlipPort {
  private let ranges: KernelRanges
  private let translation: RouteTranslation
  private let routing: Mutex<RoutingSocket>
  /// The socket's port, so that `LinuxKernelEvents` can tell our own changes.
  package let ports: OwnPorts

  package init(_ ranges: KernelRanges) throws(KernelFailure) {
    let socket = try asking(nil) { () throws(NetlinkFailure) in try RoutingSocket.open() }
    self.ranges = ranges
    translation = RouteTranslation(ranges: ranges)
    ports = OwnPorts(routing: [socket.port])
    routing = Mutex(socket)
  }

  /// RTM_NEWROUTE with NLM_F_REPLACE: no packet ever finds the table without a default route.
  package func activate(_ route: TableRoute) throws(KernelFailure) {
    try routing.withLock { (routing) throws(KernelFailure) in
      try asking(PlanText(ranges).lines(.putRoute(route)).first) { () throws(NetlinkFailure) in
        try KernelState.put(try translation.message(route), followingOthersOver: &routing)
      }
    }
  }

  /// Deletes by table, metric and protocol, whichever way the route leads.
  package func deactivate(_ table: TableID) throws(KernelFailure) {
    let message = RouteMessage(
      table: table.value, metric: RouteMetric.active.value, origin: ranges.routeProtocol.value)
    try routing.withLock { (routing) throws(KernelFailure) in
      try asking("ip route del default table \(table) metric \(RouteMetric.active)") { () throws(NetlinkFailure) in
        do throws(NetlinkFailure) { try routing.delete(message, anyWay: true) } catch {
          if !error.isMissing { throw error }
        }
      }
    }
  }

  /// Asks for all routes of our protocol in one dump and picks from them.
  package func activeRoutes(of tables: Set<TableID>) throws(KernelFailure) -> [TableID: TableRoute.Way] {
    try routing.withLock { (routing) throws(KernelFailure) in
      try asking("ip route show") { () throws(NetlinkFailure) in
        var found: [RouteMessage] = []
        try routing.eachRoute(origin: ranges.routeProtocol.value, restart: { found = [] }) { message in
          guard message.length == 0, message.metric == RouteMetric.active.value, message.tos == 0,
            tables.contains(TableID(message.table))
          else { return }
          found.append(message)
        }
        // There is one for each rule. Asking for those devices' names takes less time than listing all devices, and
        // probes and flips wait meanwhile.
        var names: [UInt32: InterfaceName] = [:]
        for index in Set(found.flatMap(\.hops).map(\.index)) { names[index] = RouteTranslation.name(of: index) }
        var active: [TableID: TableRoute.Way] = [:]
        for message in found {
          if let route = translation.route(message, names) { active[route.table] = route.way }
        }
        return active
      }
    }
  }
}
