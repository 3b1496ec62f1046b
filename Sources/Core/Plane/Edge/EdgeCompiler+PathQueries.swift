package import RuleSets

/// How a probe or a packet of our own is tied to a path.
package struct PathBinding: Equatable, Sendable {
  package var device: InterfaceName
  /// The path's own mark: lookups use the path's table whatever the rules choose.
  package var mark: Mark
  /// Nil if the router has no address to send from by this path now.
  package var source: IPv4Address?

  package init(device: InterfaceName, mark: Mark, source: IPv4Address?) {
    self.device = device
    self.mark = mark
    self.source = source
  }
}

/// What the rest of the agent asks about paths, as the kernel stands.
extension EdgeCompiler {
  /// The device that a path leaves by, whether it exists or not; nil if the rule set has no such tunnel.
  package func device(of path: Path) -> InterfaceName? {
    switch path.way {
    case .uplink(let interface): interface
    case .tunnel(let name): layout.tunnel(named: name).flatMap { layout.device(of: $0) }
    }
  }

  /// How packets leave by a path; nil if they cannot.
  package func way(by path: Path) -> TableRoute.Way? { way(by: layout.owner(of: path)) }

  /// The active default route of an egress's table for a choice; nil: the table has none, and its floor holds.
  package func activeRoute(of egress: Name, for choice: RuleSelection.Choice) -> TableRoute? {
    guard let egress = layout.activeEgresses.first(where: { $0.egress.name == egress })?.egress,
      let table = layout.table(.egress(egress.name))
    else { return nil }
    let way: TableRoute.Way?
    switch choice {
    case .path(let name): way = layout.path(named: name).flatMap { self.way(by: $0) }
    case .paths(let names):
      way = .sharing(
        names.map { name in (layout.path(named: name).flatMap { self.way(by: $0) }, egress.weight(of: name)) })
    case .localWAN(let interface), .underlay(let interface): way = self.way(by: .uplink(interface))
    case .blocked: way = nil
    }
    return way.map { TableRoute(table: table, metric: .active, way: $0) }
  }

  /// Device, mark and source for probes of a path. The source is what the far end can answer to: our address inside the
  /// tunnel; for an unnumbered one that of the first LAN, which the hub has a route to; for an uplink its own.
  package func binding(of path: Path) -> PathBinding? {
    guard let device = device(of: path), let mark = layout.mark(layout.owner(of: path)) else { return nil }
    return PathBinding(device: device, mark: mark, source: ownSource(of: path, device))
  }

  private func ownSource(of path: Path, _ device: InterfaceName) -> IPv4Address? {
    switch path.way {
    case .uplink(let interface): return uplink(interface)?.address
    case .tunnel(let name):
      let tunnel = layout.tunnel(named: name)
      if let inner = tunnel?.innerLocal { return inner.address }
      return ownAddress(by: device, to: tunnel?.innerRemote)
        ?? layout.configuration.lans.lazy.compactMap { ownAddress(by: $0, to: nil) }.first
    }
  }

  /// The one of the device's own addresses that the kernel would choose.
  private func ownAddress(by device: InterfaceName, to far: IPv4Address?) -> IPv4Address? {
    SourceAddress(actual).choice(by: device, to: far, scope: .link) { $0.device == device }
  }

  /// Every configured uplink as it stands.
  package var uplinks: [UplinkState] { UplinkState.all(layout.configuration, in: actual) }

  /// Where `fallback: local_wan` goes now.
  package var localWAN: InterfaceName? { UplinkState.localWAN(uplinks) }
}
