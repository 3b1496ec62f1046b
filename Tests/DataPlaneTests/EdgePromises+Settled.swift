internal import RuleSets

@testable import Core

/// Connections that have settled on an egress, and those that may.
extension EdgePromises {
  func settled(_ walk: PacketWalk) -> String? {
    forEachClient { device, source in
      guard let rule = rule(of: source, by: device) else { return nil }
      for active in layout.activeEgresses {
        if let found = settled(walk, on: active, source, device) {
          return "\(source): settled on \(active.title), \(found)"
        }
      }
      guard let active = layout.activeEgresses.first(where: { $0.egress.name == rule.egress.name }) else { return nil }
      return settling(walk, active, source, device)
    }
  }

  private func live(_ mark: Mark, _ source: IPv4Address, _ device: InterfaceName) -> Packet {
    Packet(
      incoming: device, source: source, destination: Self.internet,
      tracking: .connection(.original, mark: mark.value | Self.foreign, isNew: false), mark: Self.foreign)
  }

  /// Whoever's the source is by now: the connection's mark says which egress's it is.
  private func settled(
    _ walk: PacketWalk, on active: Layout.ActiveEgress, _ source: IPv4Address, _ device: InterfaceName
  ) -> String? {
    let name = active.egress.name
    let now = way(of: name)
    let isSteady = active.egress.letsFlowsSettle
    guard isSteady || rule(of: source, by: device)?.egress.name == name else { return nil }
    var packet = live(active.mark, source, device)
    let fate = walk.fate(of: packet)
    guard let now, let tunnel = layout.tunnelWays.first(where: { $0.device == now.device }) else {
      if !fate.devices.isEmpty { return "it leaves: \(fate.end)" }
      return about(active, walk, by: nil)
    }
    if fate.devices.first != now.device || fate.isMasqueraded { return "it is \(fate.end)" }
    if !foreignBitsAreKept(fate, fate.packet.connectionMark ?? 0) { return "bits of others are changed" }
    let mark = (fate.packet.connectionMark ?? 0) & layout.mask.bits
    if mark != (isSteady ? active.mark : tunnel.mark).value { return "it is bound to \(hexadecimal(mark))" }
    for point in ["taken", "passed", "left"]
    where fate.trace.count(where: { $0.hasPrefix("\(point)_\(name): counter") }) != 1 {
      return "not counted once as \(point)"
    }
    if isSteady, let slow = fate.trace.first(where: { $0.hasPrefix("steer: ") || $0.hasPrefix("through: ") }) {
      return "it is asked more than it must: \(slow)"
    }
    packet.isTCPSYN = true
    if let found = size(of: walk.fate(of: packet), by: now.device) { return found }
    packet.isIPv6 = true
    packet.boundDevice = now.device
    let ipv6 = walk.fate(of: packet)
    if !ipv6.devices.isEmpty { return "IPv6 is \(ipv6.end)" }
    return about(active, walk, by: now.device)
  }

  /// What the router says about it goes its way, or nowhere.
  private func about(_ active: Layout.ActiveEgress, _ walk: PacketWalk, by tunnel: InterfaceName?) -> String? {
    for direction: Packet.Tracking.Direction in [.original, .reply] {
      let fate = walk.fate(of: error(to: Self.internet, 3, .related(direction, mark: active.mark.value)))
      if fate.devices.first != tunnel { return "an error about it is \(fate.end)" }
    }
    return nil
  }

  /// Bound to the tunnel that it leaves by, with its second packet.
  private func settling(
    _ walk: PacketWalk, _ active: Layout.ActiveEgress, _ source: IPv4Address, _ device: InterfaceName
  ) -> String? {
    guard let now = way(of: active.egress.name),
      let tunnel = layout.tunnelWays.first(where: { $0.device == now.device })
    else { return nil }
    for isTranslated in [false, true] {
      var packet = live(tunnel.mark, source, device)
      packet.isSourceTranslated = isTranslated
      let mark = (walk.fate(of: packet).packet.connectionMark ?? 0) & layout.mask.bits
      let wanted = active.egress.letsFlowsSettle && !isTranslated ? active.mark : tunnel.mark
      if mark != wanted.value {
        return
          "\(source): its second packet by \(tunnel.title) binds it to \(hexadecimal(mark)), translated: \(isTranslated)"
      }
    }
    return nil
  }
}
