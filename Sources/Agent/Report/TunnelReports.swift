internal import Core

/// The tunnels of a rule set, with what the kernel says of their devices.
struct TunnelReports {
  private let layout: Layout
  private let actual: ActualState
  private let links: [InterfaceName: Link]

  init(_ layout: Layout, _ actual: ActualState, _ links: [InterfaceName: Link]) {
    self.layout = layout
    self.actual = actual
    self.links = links
  }

  var all: [TunnelReport] {
    layout.ruleSet.tunnels.compactMap { tunnel in layout.device(of: tunnel).map { report(tunnel, $0) } }
  }

  private func report(_ tunnel: Tunnel, _ device: InterfaceName) -> TunnelReport {
    let (kind, key): (String, UInt32?) =
      switch tunnel.kind {
      case .gre(let key): ("gre", key)
      case .ipip: ("ipip", nil)
      case .external: ("external", nil)
      }
    let link = links[device]
    let inner = tunnel.innerLocal ?? actual.addresses[device]?.first
    return TunnelReport(
      name: tunnel.name.text, kind: kind, device: device.text, hub: tunnel.hub.text, uplink: tunnel.uplink?.text,
      local: link?.tunnel?.local.description,
      remote: layout.ruleSet.hubs.first { $0.name == tunnel.hub }?.address.description ?? "", key: key,
      innerLocal: inner?.description, innerRemote: tunnel.innerRemote?.description,
      link: link.map { $0.isUp && $0.hasCarrier ? "up" : "down" } ?? "absent", mtu: link?.mtu,
      mss: link.map { $0.mtu - TunnelSizes.segmentOverhead })
  }
}
