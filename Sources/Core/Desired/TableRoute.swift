/// An IPv4 route in one of our tables. Its protocol is always ours.
package struct TableRoute: Hashable, Sendable {
  package enum Way: Hashable, Sendable {
    /// Out of a device; a gateway only where the device is no point-to-point link.
    case out(device: InterfaceName, gateway: IPv4Address?)
    /// The sender gets ICMP "host unreachable", and no later table is asked.
    case unreachable
  }

  package var table: TableID
  package var destination: IPv4Prefix
  package var metric: RouteMetric
  package var way: Way

  package init(table: TableID, destination: IPv4Prefix = .all, metric: RouteMetric, way: Way) {
    self.table = table
    self.destination = destination
    self.metric = metric
    self.way = way
  }

  /// The `unreachable default` under a table.
  package static func floor(_ table: TableID) -> TableRoute {
    TableRoute(table: table, metric: .floor, way: .unreachable)
  }
}
