extension DesiredStateCompiler {
  /// The router's own packets carry no mark of ours. They were routed before this hook; what is cleared here is what an
  /// outer packet has inherited from the inner one, and what a probe's socket was given for its lookup.
  func ownChain() -> SteeringChain {
    SteeringChain(
      name: "own", hook: .init(kind: .filter, point: .output, priority: -160),
      rules: [SteeringRule([marked], [clearMark], comment: "the router's own packets and outer packets")])
  }

  /// The router's answers to what came by a tunnel go back by it: a chain of type `route` looks up again where the mark
  /// has changed. Outer packets never match: no connection of theirs came by a tunnel.
  func replyChain() -> SteeringChain {
    SteeringChain(
      name: "answer", hook: .init(kind: .route, point: .output, priority: -150),
      rules: layout.tunnelWays.map { way in
        SteeringRule(
          [.ipv4, .reply, isBound(to: way.mark)], [setMark(way.mark)],
          comment: "the router's answer to what came by \(way.title)")
      })
  }

  /// Binds a connection to the router to the tunnel that it came by.
  func arriveChain() -> SteeringChain {
    SteeringChain(
      name: "arrive", hook: .init(kind: .filter, point: .input, priority: -150),
      rules: layout.tunnelWays.map { way in
        SteeringRule(
          [.incoming(way.device), .ipv4, .original, unbound], [bind(to: way.mark)],
          comment: "to the router by \(way.title)")
      })
  }

  /// Steered traffic that leaves by an uplink takes the uplink's address. Only the first packet of a connection comes
  /// here; the router's own packets have no mark.
  func leaveChain() -> SteeringChain {
    SteeringChain(
      name: "leave", hook: .init(kind: .nat, point: .postrouting, priority: 100),
      rules: layout.uplinkWays.map { way in
        SteeringRule([.ipv4, .outgoing(way.device), marked], [.masquerade], comment: "by \(way.title)")
      })
  }
}
