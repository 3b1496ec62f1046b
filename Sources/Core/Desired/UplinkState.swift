/// What the kernel says of one configured uplink, and whether traffic can leave by it.
package struct UplinkState: Equatable, Sendable {
  package var interface: InterfaceName
  package var tier: Int
  package var isPrivate: Bool
  package var exists: Bool
  package var isUp: Bool
  package var hasCarrier: Bool
  /// The first address, which the kernel prefers as a source: tunnels start at it.
  package var address: IPv4Address?
  /// Nil also where the link needs none: see `way`.
  package var gateway: IPv4Address?
  /// How packets leave by it; nil where the main table has no default route by it and it is no point-to-point link.
  package var way: TableRoute.Way?
  /// Nil where it does not exist.
  package var mtu: Int?
  /// Why traffic cannot leave by it, in an operator's words; nil where it can.
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
    mtu = link?.mtu
    address = actual.addresses[uplink.interface]?.first?.address
    // Main's default is its DHCP client's: followed, never changed.
    let best = actual.mainDefaults.filter { $0.device == uplink.interface }.min { $0.metric < $1.metric }
    gateway = uplink.gateway ?? best?.gateway
    if best != nil || uplink.gateway != nil || link?.isPointToPoint == true {
      way = .out(device: uplink.interface, gateway: gateway)
    }
    obstacle =
      if link == nil {
        "no such interface"
      } else if !isUp {
        "the interface is down"
      } else if !hasCarrier {
        "no carrier"
      } else if address == nil {
        "no IPv4 address"
      } else if way == nil {
        isPrivate ? "no gateway is configured" : "the main table has no default route by it"
      } else {
        nil
      }
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
