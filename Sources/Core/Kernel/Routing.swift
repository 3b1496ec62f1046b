/// The number of a routing table (RTA_TABLE, linux/rtnetlink.h).
package struct TableID: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt32
  package init(_ value: UInt32) { self.value = value }
  /// RT_TABLE_MAIN.
  package static let main = TableID(254)
  package var description: String { self == .main ? "main" : "\(value)" }
  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// The priority of an `ip rule`: lower comes first (FRA_PRIORITY, linux/fib_rules.h).
package struct RulePriority: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt32
  package init(_ value: UInt32) { self.value = value }
  package var description: String { "\(value)" }
  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// Who made a route or rule (rtm_protocol, FRA_PROTOCOL). Ours is one number of our own: that is how we know what is ours.
package struct RouteProtocol: Hashable, Sendable, CustomStringConvertible {
  package let value: UInt8
  package init(_ value: UInt8) { self.value = value }
  package var description: String { "\(value)" }
}

/// The metric of an IPv4 route (RTA_PRIORITY): lower is preferred.
package struct RouteMetric: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt32
  package init(_ value: UInt32) { self.value = value }
  /// The active default route of a table.
  package static let active = RouteMetric(10)
  /// The `unreachable default` under every table: any other route is preferred to it.
  package static let floor = RouteMetric(UInt32.max)
  package var description: String { "\(value)" }
  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}
