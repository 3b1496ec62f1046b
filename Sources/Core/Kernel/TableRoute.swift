package import RuleSets

/// An IPv4 route in one of our tables. Its protocol is always ours.
package struct TableRoute: Hashable, Sendable {
  /// Where the route leads.
  package enum Way: Hashable, Sendable {
    /// Out of a device; a gateway only where the device is no point-to-point link.
    case out(device: InterfaceName, gateway: Gateway?, terms: RouteTerms = .none)
    /// Out of several, each with its part of the flows; two at least.
    case shared([Share])
    /// The sender gets ICMP "host unreachable", and no later table is consulted.
    case unreachable
    /// A form that we never use, on a route that carries our protocol. It is only ever read from the kernel, to be
    /// replaced or deleted.
    case strange(Strange)
  }

  /// What distinguishes such a route from ours, besides its table, destination and metric.
  package struct Strange: Hashable, Sendable {
    /// RTN_…
    package var kind: UInt8
    /// Only packets of this type of service take it; a route of another one never replaces it.
    package var typeOfService: UInt8
    /// What the route does, for people: `blackhole`, `dev wan0 and more`.
    package var text: String

    package init(kind: UInt8, typeOfService: UInt8, text: String) {
      self.kind = kind
      self.typeOfService = typeOfService
      self.text = text
    }

    /// ip-route(8) puts a route's type before its destination, and leaves RTN_UNICAST out.
    func words(to destination: String) -> String { kind == 1 ? "\(destination) \(text)" : "\(text) \(destination)" }
  }

  /// One next hop of a multipath route (RTA_MULTIPATH).
  package struct Share: Hashable, Sendable {
    package var device: InterfaceName
    package var gateway: Gateway?
    /// 1 to 256, relative to the others'.
    package var weight: Int

    package init(device: InterfaceName, gateway: Gateway?, weight: Int) {
      self.device = device
      self.gateway = gateway
      self.weight = weight
    }
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

/// A route's further attributes, copied from the route of the main table that ours follows.
package struct RouteTerms: Hashable, Sendable {
  /// RTA_PREFSRC: the address that the router's own packets take; nil: the kernel's choice.
  package var source: IPv4Address?
  /// RTAX_MTU, in bytes; nil: the device's.
  package var mtu: Int?

  package init(source: IPv4Address? = nil, mtu: Int? = nil) {
    self.source = source
    self.mtu = mtu
  }

  package static let none = RouteTerms()

  /// The terms in the notation of ip(8), with a space before each.
  var words: String { (source.map { " src \($0)" } ?? "") + (mtu.map { " mtu \($0)" } ?? "") }
}

extension TableRoute.Way {
  /// Shares flows among the ways that lead out, by weight; nil if none does.
  package static func sharing(_ ways: [(way: Self?, weight: Int)]) -> Self? {
    let shares = ways.compactMap { way, weight -> TableRoute.Share? in
      guard case .out(let device, let gateway, _)? = way else { return nil }
      return TableRoute.Share(device: device, gateway: gateway, weight: weight)
    }
    if shares.count > 1 { return .shared(shares) }
    // A route has one source for all its ways, so a shared one has none.
    return ways.lazy.compactMap(\.way).first { !$0.devices.isEmpty }
  }

  /// Those that packets can leave by.
  package var devices: [InterfaceName] {
    switch self {
    case .out(let device, _, _): [device]
    case .shared(let shares): shares.map(\.device)
    case .unreachable, .strange: []
    }
  }

  package var strange: TableRoute.Strange? { if case .strange(let strange) = self { strange } else { nil } }
}

extension TableRoute {
  /// The route in the notation of ip(8), without table, metric and protocol.
  package var words: String {
    let destination = destination == .all ? "default" : destination.description
    func hop(_ device: InterfaceName, _ gateway: Gateway?) -> String {
      gateway.map { "via \($0) dev \(device)" } ?? "dev \(device)"
    }
    switch way {
    case .unreachable: return "unreachable \(destination)"
    case .strange(let strange): return strange.words(to: destination)
    case .out(let device, let gateway, let terms): return "\(destination) \(hop(device, gateway))\(terms.words)"
    case .shared(let shares):
      return destination + shares.map { " nexthop \(hop($0.device, $0.gateway)) weight \($0.weight)" }.joined()
    }
  }
}
