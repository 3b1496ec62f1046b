internal import RuleSets

@testable import Core

/// What comes by a device that is neither a LAN nor a way out, or by a LAN that is in a VRF.
extension EdgePromises {
  func strays(_ state: ActualState) -> String? {
    let walk = PacketWalk(Self.bridged(state))
    for source in Self.clients.flatMap(\.hosts) + ["172.17.0.5"] {
      if let found = isGuarded(source) ? held(source, walk) : free(source, walk) { return found }
    }
    return inVRF(PacketWalk(state))
  }

  /// As where LANs have become a bridge's ports, and their addresses the bridge's.
  static func bridged(_ state: ActualState) -> ActualState {
    var bridged = state
    let lans = clients.map(\.device)
    bridged.addresses["docker0"] = lans.flatMap { state.addresses[$0] ?? [] } + ["172.17.0.1/16"]
    bridged.links["docker0"] = state.links["lan0"]
    for lan in lans { bridged.addresses[lan] = [] }
    return bridged
  }

  func stray(
    _ source: IPv4Address, to destination: IPv4Address = internet,
    _ tracking: Packet.Tracking = .connection(.original, mark: 0, isNew: true)
  ) -> Packet {
    Packet(incoming: "docker0", source: source, destination: destination, tracking: tracking)
  }

  /// Of a strict rule's prefix: it goes where the rule's traffic goes.
  private func held(_ source: IPv4Address, _ walk: PacketWalk) -> String? {
    let fate = walk.fate(of: stray(source))
    if !rules.contains(where: listsUplink), leavesInTheClear(fate) {
      return "\(source) by a strange device is \(fate.end)"
    }
    for destination in Self.directCandidates where isDirect(destination) {
      let end = walk.fate(of: stray(source, to: destination)).end
      if end != .left("wan0", gateway: Self.gateways["wan0"]) {
        return "\(source) by a strange device to a direct destination is \(end)"
      }
    }
    for way in layout.tunnelWays where isThere(way) {
      let answer = walk.fate(of: stray(source, .connection(.reply, mark: way.mark.value, isNew: false)))
      if answer.devices.first != way.device {
        return "the answer of \(source) by a strange device to a question by \(way.title) is \(answer.end)"
      }
    }
    // Where more than one rule might be meant, none is held to it.
    let owners = rules.filter { $0.sources.prefixes.isEmpty || $0.sources.prefixes.contains { $0.contains(source) } }
    guard owners.count == 1, let owner = owners.first, owner.fallback == .block else { return nil }
    if let way = way(of: owner.egress.name) {
      if fate.devices.first != way.device { return "\(source) by a strange device should leave by \(way.device)" }
      if let mark = fate.packet.connectionMark, mark & layout.mask.bits == 0 {
        return "the connection of \(source) by a strange device is bound to no way"
      }
    }
    guard owner.egress.failback == .drain else { return nil }
    for way in layout.ways where isThere(way) && devices(of: owner).contains(way.device) {
      let live = walk.fate(of: stray(source, .connection(.original, mark: way.mark.value, isNew: false)))
      if live.devices.first != way.device {
        return "\(source) by a strange device: a live flow of \(way.title) is \(live.end)"
      }
    }
    return nil
  }

  /// Nobody's, or of a rule that may fall back: that one takes what comes by its LANs alone.
  private func free(_ source: IPv4Address, _ walk: PacketWalk) -> String? {
    let fate = walk.fate(of: stray(source))
    if fate.end != .left("wan0", gateway: Self.gateways["wan0"]) || fate.isMasqueraded || fate.packet.mark != 0 {
      return "nobody's \(source) by a strange device is \(fate.end)"
    }
    let answer = walk.fate(of: stray(source, .connection(.reply, mark: 0, isNew: false)))
    return answer.end == fate.end ? nil : "the answer of \(source), which is nobody's, is \(answer.end)"
  }

  func inVRF(_ walk: PacketWalk) -> String? {
    forEachClient { device, source in
      guard let rule = rule(of: source, by: device) else { return nil }
      var packet = Packet(incoming: "vrf-lan", source: source, destination: Self.internet)
      packet.slave = device
      let fate = walk.fate(of: packet)
      if rule.fallback == .block, !listsUplink(rule), leavesInTheClear(fate) {
        return "\(source) by \(device), which is in a VRF, is \(fate.end)"
      }
      packet.isIPv6 = true
      for out in layout.ways where out.isTunnel || isIPv6Blocked(by: device) {
        packet.boundDevice = out.device
        let ipv6 = walk.fate(of: packet)
        if !ipv6.devices.isEmpty { return "IPv6 by \(device), which is in a VRF, is \(ipv6.end)" }
      }
      return nil
    }
  }

  func isIPv6Blocked(by device: InterfaceName) -> Bool {
    rules.contains { $0.ipv6 == .block && $0.sources.interfaces.contains(device) }
  }
}
