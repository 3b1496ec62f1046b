internal import RuleSets

@testable import Core

/// The router's own packets, and what it says about those of others.
extension EdgePromises {
  /// The router's own traffic uses no tunnel, but for the probes of its paths.
  func own(_ walk: PacketWalk, _ state: ActualState) -> String? {
    for source: IPv4Address in ["192.168.10.1", "192.0.2.2"] {
      for mark in [0, Self.foreign] {
        let fate = walk.fate(of: Packet(incoming: nil, source: source, destination: Self.internet, mark: mark))
        if fate.devices != ["wan0"] { return "the router's own is \(fate.end)" }
      }
    }
    let settled = EdgeCompiler(layout, state)
    for path in layout.ruleSet.paths {
      guard let binding = settled.binding(of: path), let source = binding.source, state.links[binding.device] != nil
      else { continue }
      let probe = walk.fate(
        of: Packet(
          incoming: nil, source: source, destination: Self.internet, mark: binding.mark.value,
          boundDevice: binding.device))
      if probe.devices.first != binding.device { return "a probe of \(path.name) is \(probe.end)" }
    }
    return nil
  }

  func error(to destination: IPv4Address, _ type: UInt8, _ tracking: Packet.Tracking) -> Packet {
    var packet = Packet(
      incoming: nil, source: "192.168.10.1", destination: destination, protocolNumber: IPProtocol.icmp,
      tracking: tracking)
    packet.icmpType = type
    return packet
  }

  /// What the router says about a flow goes the way of the flow.
  func errors(_ walk: PacketWalk) -> String? {
    let host = Self.clients[0].hosts[0]
    for type: UInt8 in [3, 5, 11, 12] {
      for way in layout.tunnelWays where isThere(way) {
        for direction: Packet.Tracking.Direction in [.original, .reply] {
          let fate = walk.fate(of: error(to: Self.internet, type, .related(direction, mark: way.mark.value)))
          if fate.devices.first != way.device { return "an error about a flow of \(way.title) is \(fate.end)" }
        }
        var reset = Packet(
          incoming: nil, source: host, destination: Self.internet, protocolNumber: IPProtocol.tcp,
          tracking: .related(.reply, mark: way.mark.value))
        reset.isTCPReset = true
        let fate = walk.fate(of: reset)
        if fate.devices.first != way.device { return "a reset about a flow of \(way.title) is \(fate.end)" }
      }
      for way in layout.uplinkWays {
        let about = Packet.Tracking.related(.reply, mark: way.mark.value)
        let fate = walk.fate(of: error(to: Self.internet, type, about))
        if !fate.devices.isEmpty { return "an error about what did not come in by \(way.title) is \(fate.end)" }
        let away = walk.fate(of: error(to: Self.internet, type, .related(.original, mark: way.mark.value)))
        if away.devices.contains(where: { $0 != way.device }) {
          return "an error about a flow of \(way.title) is \(away.end)"
        }
      }
      for tracking: Packet.Tracking in [.invalid, .untracked] {
        let fate = walk.fate(of: error(to: Self.internet, type, tracking))
        if !fate.devices.isEmpty { return "an error about no known flow is \(fate.end)" }
        let home = walk.fate(of: error(to: host, type, tracking))
        if home.end != .left("lan0", gateway: nil) { return "an error to a host is \(home.end)" }
      }
    }
    return nil
  }
}
