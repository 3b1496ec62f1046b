internal import RuleSets

extension EdgeCompiler {
  /// The router's own packets carry no mark of ours. They were routed before this hook; what is cleared here is what an
  /// outer packet has inherited from the inner one, and what a probe's socket was given for its lookup.
  func ownChain() -> NftChain {
    NftChain(
      name: "own", hook: .init(kind: .filter, point: .output, priority: -160),
      rules: protectedTunnels.map { tunnel in
        NftRule(
          [
            .ipv4, .destinationIs(tunnel.hub), .protocolIs(tunnel.outerProtocol), .willBeEncrypted(false),
          ], [.count, .drop], comment: "tunnel \(tunnel.name): never in the clear")
      } + [NftRule([marked], [clearMark], comment: "the router's own packets and outer packets")])
  }

  struct ProtectedTunnel {
    var name: Name
    var hub: IPv4Address
    var outerProtocol: UInt8
  }

  /// GRE and IPIP that go in a transport mode SA. charon takes its policies away with the SA, and the kernel would then
  /// send them as they are.
  var protectedTunnels: [ProtectedTunnel] {
    layout.ruleSet.tunnels.compactMap { tunnel in
      guard tunnel.protection != nil, let hub = layout.hub(of: tunnel), let number = tunnel.outerProtocol
      else { return nil }
      return ProtectedTunnel(name: tunnel.name, hub: hub.address, outerProtocol: number)
    }
  }

  /// The router's answers go back by the way that their question came by: a chain of type `route` looks up again where
  /// the mark has changed. Outer packets never match: no connection of theirs came by a tunnel, and those that came by an
  /// uplink are not bound. What the router itself asks, as its probes do, is passed over soon.
  func replyChain() -> NftChain {
    let questions = NftRule([.original], [.return], comment: "what the router asks, and no answer")
    return NftChain(
      name: "answer", hook: .init(kind: .route, point: .output, priority: -150),
      rules: errorsByTheirWay() + [
        questions,
        NftRule(
          [.ipv4, .reply], [chooseByMark(Self.owners)],
          comment: "the router's answer by the way its question came by"),
      ])
  }

  /// What comes in for the router itself. `classify` has bound it to its way, except what came by a private line.
  func arriveChain() -> NftChain {
    NftChain(
      name: "arrive", hook: .init(kind: .filter, point: .input, priority: -150),
      rules: protectedTunnels.map { tunnel in
        NftRule(
          [.ipv4, .sourceIs(tunnel.hub), .protocolIs(tunnel.outerProtocol), .wasEncrypted(false)], [.count, .drop],
          comment: "tunnel \(tunnel.name): came in the clear")
      }
        + inboundRules(isPrivate: true) + [countRule(.kept)] + clearPassed())
  }

  /// Steered traffic that leaves by an uplink takes the uplink's address. Only the first packet of a connection comes
  /// here; the router's own packets have no mark.
  func leaveChain() -> NftChain {
    NftChain(
      name: "leave", hook: .init(kind: .nat, point: .postrouting, priority: 100),
      // The far end of a private line knows the sources as they are.
      rules: layout.uplinkWays.filter { !$0.isPrivate }.map { way in
        NftRule([.ipv4, .outgoing(way.device), marked], [translation(by: way.device)], comment: "by \(way.title)")
      })
  }

  /// Masquerading asks the kernel again for each connection, and drops connections whose address goes. It does not know
  /// the source of a route, so where that is another one it has to be named.
  private func translation(by device: InterfaceName) -> NftRule.Action {
    guard let uplink = uplink(device), let address = uplink.address,
      SourceAddress(actual).masquerade(by: device, gateway: uplink.gateway) != address
    else { return .masquerade }
    return .translate(to: address)
  }
}
