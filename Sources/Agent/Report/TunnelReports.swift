internal import Core
internal import RuleSets

/// The tunnels of a rule set, with the kernel's data about their devices.
struct TunnelReports {
  private let layout: Layout
  /// Of each device the first.
  private let addresses: [InterfaceName: InterfaceAddress]
  private let links: [InterfaceName: Link]
  private let uplinks: [WatchPlan.WatchedUplink]
  private let traffic: [InterfaceName: Traffic]
  private let machines: [Name: IKEMachine]
  private let now: Instant

  init(
    _ layout: Layout, _ addresses: [InterfaceName: InterfaceAddress], _ links: [InterfaceName: Link],
    uplinks: [WatchPlan.WatchedUplink], traffic: [InterfaceName: Traffic], machines: [Name: IKEMachine], at now: Instant
  ) {
    self.layout = layout
    self.addresses = addresses
    self.links = links
    self.uplinks = uplinks
    self.traffic = traffic
    self.machines = machines
    self.now = now
  }

  var all: [TunnelReport] {
    layout.ruleSet.tunnels.compactMap { tunnel in layout.device(of: tunnel).map { report(tunnel, $0) } }
  }

  private func report(_ tunnel: Tunnel, _ device: InterfaceName) -> TunnelReport {
    let key: UInt32? = if case .gre(let key) = tunnel.kind { key } else { nil }
    let link = links[device]
    let traffic = traffic[device]
    let inner = tunnel.innerLocal ?? addresses[device]
    return TunnelReport(
      name: tunnel.name.text, kind: tunnel.kind.word, device: device.text, hub: tunnel.hub.text,
      uplink: tunnel.uplink?.text,
      local: local(of: tunnel, link)?.description,
      remote: layout.ruleSet.hubs.first { $0.name == tunnel.hub }?.address.description ?? "", key: key,
      innerLocal: inner?.description, innerRemote: tunnel.innerRemote?.description,
      link: link.map { $0.isUp && $0.hasCarrier ? "up" : "down" } ?? "absent", mtu: link?.mtu,
      mss: link.map { $0.mtu - TunnelSizes.segmentOverhead }, profile: tunnel.profile?.text,
      bytesIn: traffic?.bytesIn, bytesOut: traffic?.bytesOut, ike: tunnel.profile == nil ? nil : ike(of: tunnel),
      child: tunnel.profile == nil ? nil : child(of: tunnel))
  }

  /// The kernel does not know where an XFRM interface begins; the uplink does.
  private func local(of tunnel: Tunnel, _ link: Link?) -> IPv4Address? {
    guard case .ipsec = tunnel.kind else { return link?.tunnel?.local }
    return uplinks.first { $0.interface == tunnel.uplink }?.source
  }

  private func ike(of tunnel: Tunnel) -> IKEReport {
    let machine = machines[tunnel.name]
    let ike = machine?.associations.ike
    let isAbsent = machine.map { $0.phase == .absent } ?? false
    return IKEReport(
      state: isAbsent ? "absent" : ike?.state.rawValue.lowercased() ?? "none",
      localID: ike?.localID ?? machine?.connection.localID.text,
      remoteID: ike?.remoteID ?? machine?.connection.remoteID.text, nat: ike?.hasNAT ?? false, cipher: ike?.cipher,
      establishedSeconds: ike?.established.map { (now - $0).inSeconds },
      rekeySeconds: ike?.nextRekey.map { ($0 - now).inSeconds },
      reauthSeconds: ike?.nextReauthentication.map { ($0 - now).inSeconds }, trouble: machine?.trouble)
  }

  private func child(of tunnel: Tunnel) -> ChildReport {
    let child = machines[tunnel.name]?.associations.child
    return ChildReport(
      state: child?.state.rawValue.lowercased() ?? "none", mode: child?.mode, cipher: child?.cipher,
      encapsulated: child?.isInUDP ?? false, installedSeconds: child?.installed.map { (now - $0).inSeconds },
      rekeySeconds: child?.nextRekey.map { ($0 - now).inSeconds }, bytesIn: child?.bytesIn ?? 0,
      bytesOut: child?.bytesOut ?? 0)
  }
}
