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

  /// Where the device that a packet comes by decides as well, no mark is trusted.
  private func isSteady(_ egress: Egress) -> Bool {
    egress.letsFlowsSettle
      && rules.allSatisfy { rule in
        Self.clients.allSatisfy { rule.sources.interfaces.isEmpty || rule.sources.interfaces.contains($0.device) }
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
    let isSteady = isSteady(active.egress)
    guard let own = rule(of: source, by: device) else { return nil }
    guard own.egress.name == name else { return ofAnother(walk, active.mark, own, source, device) }
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

  /// A mark from before a change of the rules leads into no tunnel but the rule's own.
  private func ofAnother(
    _ walk: PacketWalk, _ mark: Mark, _ own: BackhaulRule, _ source: IPv4Address, _ device: InterfaceName
  ) -> String? {
    let fate = walk.fate(of: live(mark, source, device))
    let allowed = way(of: own.egress.name)?.device
    return fate.devices.first.map { $0 != allowed } == true ? "it is \(fate.end), and not \(own.name)'s" : nil
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
      let wanted = isSteady(active.egress) && !isTranslated ? active.mark : tunnel.mark
      if mark != wanted.value {
        return
          "\(source): its second packet by \(tunnel.title) binds it to \(hexadecimal(mark)), translated: \(isTranslated)"
      }
    }
    return nil
  }
}
