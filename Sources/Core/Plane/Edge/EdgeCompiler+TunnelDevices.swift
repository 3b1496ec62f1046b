package import RuleSets

extension EdgeCompiler {
  /// Devices to make or keep, and devices of ours to leave exactly as they are because their desired state is unknown
  /// now.
  func tunnelDevices() -> (wanted: [TunnelDevice], held: Set<InterfaceName>) {
    var wanted: [TunnelDevice] = []
    var held: Set<InterfaceName> = []
    for tunnel in layout.ruleSet.tunnels {
      if let device = tunnelDevice(for: tunnel) {
        wanted.append(device)
      } else if case .external = tunnel.kind {
        continue
      } else if let name = layout.device(of: tunnel), actual.links[name]?.isOurs == true {
        held.insert(name)
      }
    }
    return (wanted, held)
  }

  /// Nil for an external tunnel, and where `obstacle(to:)` says why.
  private func tunnelDevice(for tunnel: Tunnel) -> TunnelDevice? {
    let encapsulation: TunnelDevice.Encapsulation
    switch tunnel.kind {
    case .gre(let key): encapsulation = .gre(key: key)
    case .ipip: encapsulation = .ipip
    case .ipsec:
      guard let interfaceID = layout.interfaceID(of: tunnel) else { return nil }
      encapsulation = .xfrm(interfaceID: interfaceID)
    case .external: return nil
    }
    guard obstacle(to: tunnel) == nil, let name = layout.device(of: tunnel),
      let uplinkName = tunnel.uplink, let uplink = uplink(uplinkName), let local = uplink.address,
      let hub = layout.hub(of: tunnel),
      let lookupMark = layout.mark(.uplink(uplinkName))
    else { return nil }
    // The peer belongs to the address only where the subnet does not hold it: a /30 has its route already.
    let peer = tunnel.innerLocal.flatMap { inner in
      tunnel.innerRemote.flatMap { inner.subnet.contains($0) ? nil : $0 }
    }
    return TunnelDevice(
      name: name, encapsulation: encapsulation, local: local, remote: hub.address, underlay: uplinkName,
      lookupMark: lookupMark, mtu: sizes(of: tunnel)?.mtu ?? TunnelSizes.minimumMTU, address: tunnel.innerLocal,
      peer: peer, alias: TunnelDevice.aliasPrefix + tunnel.name.text)
  }

  /// Why a tunnel's device cannot be made or used now, in an operator's words; nil if it can.
  package func obstacle(to tunnel: Tunnel) -> String? {
    guard let name = layout.device(of: tunnel) else { return "its device's name would be too long" }
    if case .external = tunnel.kind {
      guard let link = actual.links[name] else { return "no such interface: \(name)" }
      return link.isUp ? nil : "interface \(name) is down"
    }
    if let link = actual.links[name], !link.isOurs { return "an interface that is not ours has the name \(name)" }
    guard let uplinkName = tunnel.uplink, let uplink = uplink(uplinkName) else { return "it has no configured uplink" }
    guard uplink.exists else { return "uplink \(uplinkName): no such interface" }
    return uplink.addressObstacle.map { "uplink \(uplinkName): \($0)" }
  }

  /// What fits through a tunnel. Nil for an external one that is not there and whose MTU nobody told.
  package func sizes(of tunnel: Tunnel) -> TunnelSizes? {
    let device = layout.device(of: tunnel).flatMap { actual.links[$0] }
    if case .external = tunnel.kind {
      // The device keeps its maker's MTU; a lower one from the operator applies to the clamp.
      guard let mtu = [tunnel.mtu, device?.mtu].compactMap({ $0 }).min() else { return nil }
      return TunnelSizes(underlayMTU: mtu, layers: [])
    }
    let ours = device?.isOurs == true ? device : nil
    let underlay = underlayMTU(of: tunnel)
    // The uplink is away, or charon has not said yet what its SAs cost: what the device had stays, so that nothing
    // changes until that is known.
    if let ours, underlay == nil || (tunnel.profile != nil && negotiated[tunnel.name] == nil) {
      return TunnelSizes(underlayMTU: ours.mtu, layers: [], operatorMTU: tunnel.mtu)
    }
    let below = underlay ?? TunnelSizes.assumedUnderlayMTU
    return TunnelSizes(underlayMTU: below, layers: layers(of: tunnel, in: below), operatorMTU: tunnel.mtu)
  }

  /// The most bytes that a tunnel adds to each packet; 0 for one that another program makes.
  package func headers(of tunnel: Tunnel) -> Int {
    let whole = TunnelSizes.assumedUnderlayMTU
    return whole - TunnelSizes(underlayMTU: whole, layers: layers(of: tunnel, in: whole)).mtu
  }

  /// The uplink's and its default route's, or what the path to the hub is known to take where that is less.
  private func underlayMTU(of tunnel: Tunnel) -> Int? {
    guard let uplink = tunnel.uplink, let mtu = self.uplink(uplink)?.mtu ?? actual.links[uplink]?.mtu
    else { return nil }
    let learnt = layout.hub(of: tunnel).flatMap { actual.pathMTUs[PathMTUKey($0.address, by: uplink)] }
    return min(mtu, learnt ?? mtu)
  }

  private func layers(of tunnel: Tunnel, in underlay: Int) -> [TunnelSizes.Layer] {
    let esp = tunnel.profile == nil ? nil : negotiated[tunnel.name] ?? costliest(of: tunnel, in: underlay)
    let protection = tunnel.protection.flatMap { _ in esp }.map { [TunnelSizes.Layer.espTransport($0)] } ?? []
    return switch tunnel.kind {
    case .gre(let key): protection + [.gre(hasKey: key != nil)]
    case .ipip: protection + [.ipip]
    case .ipsec: esp.map { [.espTunnel($0)] } ?? []
    case .external: []
    }
  }

  /// The most that what is offered can cost: what to count on while nobody knows what the hub will take.
  private func costliest(of tunnel: Tunnel, in underlay: Int) -> ESPEncapsulation? {
    let chosen = tunnel.profile.flatMap { layout.profile(named: $0) }?.espProposals ?? []
    let offered = chosen.isEmpty ? Proposal.defaults(for: .esp, offeredBy: nil) : chosen
    return ESPTransform.worst(of: offered, underlayMTU: underlay, isUDPEncapsulated: true).map {
      ESPEncapsulation($0, isInUDP: true)
    }
  }
}
