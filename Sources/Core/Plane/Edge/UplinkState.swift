package import RuleSets

/// The kernel's data about one configured uplink, and whether traffic can leave by it.
package struct UplinkState: Equatable, Sendable {
  package var interface: InterfaceName
  package var tier: Int
  package var isPrivate: Bool
  package var exists: Bool
  package var isUp: Bool
  package var hasCarrier: Bool
  /// What tunnels start at, probes are sent from and masqueraded traffic leaves with: what the configuration names, else
  /// the source of its default route, else the kernel's own choice for that route.
  package var address: IPv4Address?
  /// Why it has no address, in an operator's words.
  package var addressObstacle: String?
  /// Nil also where the link needs none: see `way`.
  package var gateway: Gateway?
  /// How packets leave by it; nil if there is no default route by it and it is not a point-to-point link.
  package var way: TableRoute.Way?
  /// What the device takes, or its default route where that is less. Nil if it does not exist.
  package var mtu: Int?
  /// Why traffic cannot leave by it, in an operator's words; nil if it can.
  package var obstacle: String?

  package var usable: Bool { obstacle == nil }

  package init(_ uplink: UplinkConfiguration, in actual: ActualState) {
    interface = uplink.interface
    tier = uplink.tier
    isPrivate = uplink.isPrivate
    let link = actual.links[uplink.interface]
    exists = link != nil
    isUp = link?.isUp ?? false
    hasCarrier = link?.hasCarrier ?? false
    // Main's default is its DHCP client's: followed, never changed.
    let route = UplinkRoute(uplink, in: actual)
    let choice = UplinkAddress(uplink, route.best, in: actual)
    address = choice.address
    addressObstacle = choice.obstacle
    gateway = route.gateway
    mtu = link.map { link in min(link.mtu, route.best?.mtu ?? link.mtu) }
    if route.leadsOut {
      way = .out(
        device: uplink.interface, gateway: route.gateway,
        terms: RouteTerms(source: choice.routeSource, mtu: route.best?.mtu))
    }
    obstacle =
      if link == nil {
        "no such interface"
      } else if !isUp {
        "the interface is down"
      } else if !hasCarrier {
        "no carrier"
      } else if link?.isInVRF == true {
        "it is in a VRF, whose routes this version does not use"
      } else {
        choice.obstacle ?? route.obstacle
      }
  }

  /// Its default route is gone since, and nothing else: device, carrier and address are there. So it is for a moment where
  /// the route is being replaced.
  package func missesRouteAlone(since before: UplinkState, in actual: ActualState) -> Bool {
    guard before.interface == interface, before.usable, before.way != nil, way == nil, isUp, hasCarrier,
      addressObstacle == nil, let address = before.address
    else { return false }
    return SourceAddress(actual).place(of: address) != nil
  }

  /// Every configured uplink, in the order of the configuration.
  package static func all(_ configuration: AgentConfiguration, in actual: ActualState) -> [UplinkState] {
    configuration.uplinks.map { UplinkState($0, in: actual) }
  }

  /// Where `fallback: local_wan` goes: the usable uplink of the lowest tier; within a tier the first one configured.
  package static func localWAN(_ uplinks: [UplinkState]) -> InterfaceName? {
    // `min` keeps the first of equals.
    uplinks.filter { $0.usable && !$0.isPrivate }.min { $0.tier < $1.tier }?.interface
  }
}

/// How one leaves by an uplink: what its default routes say.
struct UplinkRoute {
  /// The default route by it that is followed.
  private(set) var best: MainDefault?
  private(set) var gateway: Gateway?
  /// Packets can be sent by it.
  private(set) var leadsOut = false
  /// Why not; nil if they can.
  private(set) var obstacle: String?

  init(_ uplink: UplinkConfiguration, in actual: ActualState) {
    let link = actual.links[uplink.interface]
    let own = actual.mainDefaults.filter { $0.device == uplink.interface }.sorted { Self.comes($0, before: $1) }
    best = own.first { Self.flaw(of: $0, by: link) == nil } ?? own.first
    gateway = uplink.gateway.map { .ipv4($0) } ?? best?.gateway
    let flaw = uplink.gateway == nil ? best.flatMap { Self.flaw(of: $0, by: link) } : nil
    let wall = Self.wall(before: best, in: actual)
    leadsOut = (best != nil || uplink.gateway != nil || link?.isPointToPoint == true) && flaw == nil
    if uplink.gateway != nil { return }
    if let best {
      if let flaw {
        obstacle = flaw
      } else if let wall {
        obstacle =
          "the main table's default route of metric \(wall.metric) is \(wall.words), and comes before the one by it "
          + "(metric \(best.metric))"
      }
    } else if !leadsOut {
      obstacle = Self.absence(uplink, wall, in: actual)
    }
  }

  /// Main's come before other tables', halves before whole ones.
  private static func comes(_ one: MainDefault, before other: MainDefault) -> Bool {
    let (first, second) = (one.table == .main, other.table == .main)
    if first != second { return first }
    // Of two other tables, the one whose ip rule comes first is first.
    guard one.table == other.table else { return false }
    if one.isInHalves != other.isInHalves { return one.isInHalves }
    return one.metric < other.metric
  }

  private static func flaw(of route: MainDefault, by link: Link?) -> String? {
    if route.isDead { return "the kernel considers its default route dead" }
    guard route.gateway == nil, route.scope >= .link, link?.asksNeighbours == true else { return nil }
    return "its default route names no gateway (scope link), as if all the internet were on its own link"
  }

  /// The route of main that leads nowhere and comes before `route`; with nil, any such route.
  private static func wall(before route: MainDefault?, in actual: ActualState) -> (metric: RouteMetric, words: String)?
  {
    let first =
      route.map { $0.table == .main ? $0.metric : nil } ?? actual.mainDefaults.first { $0.table == .main }?.metric
    if route?.isInHalves == true { return nil }
    for end in actual.deadEnds {
      guard case .type(let type) = end.kind, first.map({ end.metric < $0 }) ?? true else { continue }
      return (end.metric, type == "unreachable" ? "unreachable" : "a \(type)")
    }
    return nil
  }

  private static func absence(
    _ uplink: UplinkConfiguration, _ wall: (metric: RouteMetric, words: String)?, in actual: ActualState
  ) -> String {
    for end in actual.deadEnds where end.device == uplink.interface {
      guard case .form(let words) = end.kind else { continue }
      return "the main table has a default route by it in a form that this version cannot use: \(words)"
    }
    if uplink.isPrivate { return "no gateway is configured" }
    for end in actual.deadEnds where end.device == nil {
      guard case .form(let words) = end.kind else { continue }
      return "the main table has a default route in a form that this version cannot use: \(words)"
    }
    return wall.map { "the main table's default route is \($0.words)" } ?? "the main table has no default route by it"
  }
}

/// Which address is an uplink's.
struct UplinkAddress {
  private(set) var address: IPv4Address?
  private(set) var obstacle: String?
  /// The source that our own routes by it must name; nil if the kernel chooses it by itself and main's route names none
  /// either.
  private(set) var routeSource: IPv4Address?

  init(_ uplink: UplinkConfiguration, _ route: MainDefault?, in actual: ActualState) {
    let sources = SourceAddress(actual)
    let device = uplink.interface
    let gateway = uplink.gateway.map { .ipv4($0) } ?? route?.gateway
    if let named = uplink.source {
      // What an operator names he has thought of.
      guard sources.place(of: named) != nil else {
        obstacle = "its source, \(named), is not an address of this router"
        return
      }
      address = named
    } else if let said = route?.source, let place = sources.place(of: said) {
      if let flaw = sources.flaw(of: place) {
        obstacle = "the source of its default route, \(said), \(flaw)"
        if sources.obstacle(of: device) != nil { obstacle = sources.obstacle(of: device) }
        return
      }
      address = said
    } else {
      let scope = gateway == nil ? route?.scope ?? .link : .universe
      address = sources.choice(by: device, to: gateway?.ipv4, scope: scope) { place in
        guard sources.flaw(of: place) == nil else { return false }
        // What is on loopback is meant for the whole router, as where an uplink has no subnet of its own. Another
        // device's address, say a LAN's, means nothing out there; to use it, set `source`.
        return place.device == device || (route != nil && place.device.text == "lo")
      }
      guard address != nil else {
        obstacle = sources.obstacle(of: device) ?? "no IPv4 address that is valid beyond its own link"
        return
      }
    }
    let natural = sources.choice(by: device, to: gateway?.ipv4, scope: gateway == nil ? .link : .universe)
    if uplink.source != nil || route?.source != nil || natural != address { routeSource = address }
  }
}
