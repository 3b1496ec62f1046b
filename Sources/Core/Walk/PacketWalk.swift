package import RuleSets

/// Says where a packet would go: through our nftables table, the ip rules, the routes, the reverse-path check and, for
/// our tunnels, once more for the outer packet. Pure: it asks a value what the kernel has, and sends nothing.
///
///     from a LAN or tunnel:  prerouting ▸ lookup ▸ reverse path ▸ forward (or input) ▸ postrouting
///     from the router:       lookup ▸ output (▸ lookup again) ▸ postrouting
package struct PacketWalk {
  private let state: ActualState
  private let encrypted: Set<InterfaceName>
  private let routes: RouteWalk
  private let table: NftWalk.Table

  /// - Parameters:
  ///   - mainRoutes: routes of the main table besides its defaults and the subnets of the router's addresses.
  ///   - encrypted: GRE and IPIP tunnels of whose outer packets an IPsec policy makes ESP.
  package init(_ state: ActualState, mainRoutes: [TableRoute] = [], encrypted: Set<InterfaceName> = []) {
    self.state = state
    self.encrypted = encrypted
    routes = RouteWalk(state, mainRoutes: mainRoutes)
    table = NftWalk.Table(state.nftTable)
  }

  /// What happens to a packet, and to the outer packet if it leaves by a GRE or IPIP tunnel.
  package func fate(of packet: Packet) -> PacketFate { fate(of: packet, depth: 0) }

  private func fate(of packet: Packet, depth: Int) -> PacketFate {
    var walk = Walk(table: NftWalk(table, packet), routes: routes)
    walk.go()
    let end = walk.end ?? .unreachable
    var outer: [PacketFate] = []
    // No stack of ours is nested deeper; a loop would be seen as one.
    if case .left(let device, _) = end, depth < 4, let packet = outerPacket(of: walk.table.packet, by: device) {
      outer = [fate(of: packet, depth: depth + 1)]
    }
    return PacketFate(
      end: end, packet: walk.table.packet, isMasqueraded: walk.table.isMasqueraded,
      segmentSize: walk.table.segmentSize, stages: walk.table.stages, outer: outer)
  }

  /// The router sends it, bound to the tunnel's underlay. It keeps the inner packet's mark, but is looked up with the
  /// tunnel's own (ip_md_tunnel_xmit and ip_tunnel_xmit, net/ipv4/ip_tunnel.c). Nil for an XFRM interface too: security
  /// associations, which the state does not hold, decide where its packets go.
  private func outerPacket(of inner: Packet, by device: InterfaceName) -> Packet? {
    guard let tunnel = state.links[device]?.tunnel else { return nil }
    let number: UInt8
    switch tunnel.encapsulation {
    case .gre: number = IPProtocol.gre
    case .ipip: number = IPProtocol.ipip
    case .xfrm: return nil
    }
    return Packet(
      incoming: nil, source: tunnel.local, destination: tunnel.remote, protocolNumber: number,
      willBeEncrypted: encrypted.contains(device), tracking: .connection(.original, mark: 0, isNew: false),
      mark: inner.mark, boundDevice: tunnel.underlay, lookupMark: tunnel.lookupMark.value)
  }
}

/// One walk, stage by stage; `end` is set by the stage that decides.
private struct Walk {
  var table: NftWalk
  let routes: RouteWalk
  var end: PacketFate.End?

  init(table: NftWalk, routes: RouteWalk) {
    self.table = table
    self.routes = routes
  }

  mutating func go() {
    if table.packet.incoming == nil { goOut() } else { goThrough() }
  }

  private mutating func goThrough() {
    guard passes(.prerouting), let incoming = table.packet.incoming else { return }
    if table.packet.isIPv6 {
      // IPv6 routes are not ours and are not read: the caller says where they lead.
      guard let device = table.packet.boundDevice ?? routes.state.mainDefaults.first?.device else { return }
      if let rule = routes.refusalOfIPv6(table.packet, from: incoming) {
        table.stages.append(.lookup(rule, nil))
        end = .prohibited
        return
      }
      forward(to: device, gateway: nil)
      return
    }
    switch lookUp() {
    case .local:
      guard accepts(incoming, leavingBy: nil), passes(.input) else { return }
      end = .delivered
    case .out(let device, let gateway):
      guard accepts(incoming, leavingBy: device) else { return }
      forward(to: device, gateway: gateway)
    case .unreachable, .noRoute: end = .unreachable
    }
  }

  private mutating func accepts(_ incoming: InterfaceName, leavingBy outgoing: InterfaceName?) -> Bool {
    if routes.accepts(table.packet, from: incoming, leavingBy: outgoing) { return true }
    end = .spoofed
    return false
  }

  private mutating func forward(to device: InterfaceName, gateway: Gateway?) {
    table.outgoing = device
    guard passes(.forward), passes(.postrouting) else { return }
    end = .left(device, gateway: gateway)
  }

  private mutating func goOut() {
    guard case .out(var device, var gateway) = lookUp() else {
      end = .unreachable
      return
    }
    table.outgoing = device
    let (verdict, rerouted) = table.run(.output)
    guard settle(verdict) else { return }
    if rerouted {
      // ip_route_me_harder: by the mark it has now.
      table.packet.lookupMark = nil
      guard case .out(let newDevice, let newGateway) = lookUp() else {
        end = .unreachable
        return
      }
      (device, gateway) = (newDevice, newGateway)
      table.outgoing = device
    }
    guard passes(.postrouting) else { return }
    end = .left(device, gateway: gateway)
  }

  private mutating func lookUp() -> RouteWalk.Answer {
    let packet = table.packet
    let (answer, stage) = routes.answer(
      .init(
        destination: packet.destination, source: packet.source, incoming: packet.incoming,
        outgoing: packet.boundDevice, mark: packet.lookupMark ?? packet.mark))
    table.stages.append(stage)
    return answer
  }

  private mutating func passes(_ point: NftChain.Hook.Point) -> Bool { settle(table.run(point).verdict) }

  private mutating func settle(_ verdict: NftWalk.Verdict) -> Bool {
    switch verdict {
    case .pass: return true
    case .drop(let why): end = .dropped(why)
    case .reject(let why): end = .rejected(why)
    }
    return false
  }
}
