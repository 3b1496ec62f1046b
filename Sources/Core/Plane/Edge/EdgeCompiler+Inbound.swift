internal import RuleSets

/// What came in by an uplink is answered by that uplink, from the address that was asked: another program's port
/// forward, a ping of the second WAN, a login on the router. Each uplink has a mark of its own for such connections, so
/// that no flip of a rule, which sweeps the connections that the rule sent by the uplink, ever takes them.
extension EdgeCompiler {
  private static var visitors: String { "visit" }

  /// Those of private lines stand where what is for the router itself comes by, the others where all does: by a private
  /// line nothing of a host's is answered in the clear but what a rule sends there.
  func inboundRules(isPrivate: Bool) -> [NftRule] {
    layout.uplinkWays.filter { $0.isPrivate == isPrivate }.map { way in
      NftRule(
        [.incoming(way.device), .ipv4, .original, unbound], [.jump(chain: Self.visitors)],
        comment: "began beyond \(way.title)")
    }
  }

  /// A tunnel's outer packets already have their way, whichever end sent the first one.
  func inboundChains() -> [NftChain] {
    let outer = [IPProtocol.gre, IPProtocol.ipip, IPProtocol.esp].map { number in
      NftRule([.ipv4, .protocolIs(number)], [.return], comment: "a tunnel's outer packet")
    }
    let bound = layout.uplinkWays.compactMap { way in
      way.inbound.map { NftRule([.incoming(way.device)], [bind(to: $0)], comment: "came in by \(way.title)") }
    }
    return [NftChain(name: Self.visitors, rules: outer + bound)]
  }
}
