package import RuleSets

/// A default route that other software made, mostly a DHCP client: read, followed, never changed. A multipath route is
/// one of these for each next hop.
package struct MainDefault: Equatable, Sendable {
  package var device: InterfaceName
  package var gateway: Gateway?
  package var metric: RouteMetric
  /// Usually the main table, otherwise one that a foreign ip rule leads to.
  package var table: TableID
  /// RTA_PREFSRC: the address that the router's own packets take by it.
  package var source: IPv4Address?
  /// RTAX_MTU: no larger packet gets through, whatever the device takes.
  package var mtu: Int?
  package var scope: Scope
  /// RTNH_F_DEAD: the kernel passes it over.
  package var isDead: Bool
  /// It is a pair of routes to 0.0.0.0/1 and 128.0.0.0/1, which come before any default.
  package var isInHalves: Bool

  /// - Parameter scope: nil: as ip(8) chooses it, a link away without a gateway.
  package init(
    device: InterfaceName, gateway: Gateway?, metric: RouteMetric, table: TableID = .main, source: IPv4Address? = nil,
    mtu: Int? = nil, scope: Scope? = nil, isDead: Bool = false, isInHalves: Bool = false
  ) {
    self.device = device
    self.gateway = gateway
    self.metric = metric
    self.table = table
    self.source = source
    self.mtu = mtu
    self.scope = scope ?? (gateway == nil ? .link : .universe)
    self.isDead = isDead
    self.isInHalves = isInHalves
  }
}

/// A default route of the main table that nothing can be sent by, or that we cannot.
package struct DeadEnd: Hashable, Sendable {
  /// Why nothing can be sent by the route.
  package enum Kind: Hashable, Sendable {
    /// A type of route that leads nowhere: `blackhole`, `unreachable`, `prohibit`, …
    case type(String)
    /// A form that this version does not know, in a few words.
    case form(String)
  }

  package var kind: Kind
  package var metric: RouteMetric
  /// Nil if the route names none.
  package var device: InterfaceName?

  package init(_ kind: Kind, metric: RouteMetric, device: InterfaceName? = nil) {
    self.kind = kind
    self.metric = metric
    self.device = device
  }
  /// The route in the notation of ip(8): `blackhole default metric 1`.
  package var words: String {
    let kind =
      switch kind {
      case .type(let type): type
      case .form(let form): form
      }
    return "\(kind) default" + (metric.value == 0 ? "" : " metric \(metric.value)")
  }
}
