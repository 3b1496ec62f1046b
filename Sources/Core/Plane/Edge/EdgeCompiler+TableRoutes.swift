internal import RuleSets

extension EdgeCompiler {
  /// A floor under every table, and the default route of each tunnel's and uplink's own.
  func tableRoutes(made: [TunnelDevice]) -> [TableRoute] {
    let made = Set(made.map(\.name))
    var routes: [TableRoute] = []
    for way in layout.ways {
      routes.append(.floor(way.table))
      if let out = out(by: way, made: made) {
        routes.append(TableRoute(table: way.table, metric: .active, way: out))
      }
    }
    return routes + layout.activeEgresses.map { .floor($0.table) }
  }

  private func out(by way: Layout.Way, made: Set<InterfaceName>) -> TableRoute.Way? {
    // The plan makes the device and puts it up before it adds the route.
    if made.contains(way.device) { return .out(device: way.device, gateway: nil) }
    return self.way(by: way.owner)
  }

  /// How packets leave by a tunnel or uplink in the kernel's present state; nil if they cannot. The kernel takes no
  /// route by a device that is down.
  package func way(by owner: SlotBook.Owner) -> TableRoute.Way? {
    switch owner {
    case .egress: return nil
    case .uplink(let interface):
      guard let uplink = uplink(interface), uplink.isUp else { return nil }
      return uplink.way
    case .tunnel(let name):
      guard let tunnel = layout.tunnel(named: name), let device = layout.device(of: tunnel),
        let link = actual.links[device], link.isUp
      else { return nil }
      if case .external = tunnel.kind {
        // On a device that resolves neighbours (a tap, say) a default route needs the hub as its gateway.
        return .out(device: device, gateway: link.isPointToPoint ? nil : tunnel.innerRemote.map { .ipv4($0) })
      }
      return link.isOurs ? .out(device: device, gateway: nil) : nil
    }
  }
}
