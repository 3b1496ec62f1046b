package import RuleSets

/// The destinations to which the main table has a better route than its default: LANs, sites, an uplink's own subnet.
package struct MainSites<Prefix: AddressPrefix>: Equatable, Sendable {
  /// One such route: a prefix, and the devices that it leads to.
  package struct Site: Hashable, Sendable {
    package var prefix: Prefix
    /// Those that it leads by; several where it balances. None where it leads nowhere (`blackhole`, …).
    package var devices: [InterfaceName]
    package var metric: RouteMetric
    /// It is a device's own subnet: no gateway stands between.
    package var isConnected: Bool

    package init(
      _ prefix: Prefix, devices: [InterfaceName], metric: RouteMetric = RouteMetric(0), isConnected: Bool = false
    ) {
      self.prefix = prefix
      self.devices = devices
      self.metric = metric
      self.isConnected = isConnected
    }
  }

  /// A router may learn a million routes: more are not kept.
  package static var maximum: Int { 16_384 }

  /// Ascending, without those that a better one to the same prefix hides.
  package private(set) var all: [Site] = []
  /// There are more than `maximum`, and `all` says nothing but of devices' own subnets.
  package private(set) var areMore = false

  package init() {}

  package init(_ sites: some Sequence<Site>) {
    var best: [Prefix: Site] = [:]
    for site in sites where best[site.prefix].map({ site.metric < $0.metric }) ?? true { best[site.prefix] = site }
    all = best.values.sorted { $0.prefix < $1.prefix }
    guard all.count > Self.maximum else { return }
    areMore = true
    all = Array(all.filter(\.isConnected).prefix(Self.maximum))
  }
}
