internal import RuleSets

extension EdgeCompiler {
  /// The connections that a tunnel's outer packets make in the kernel's table: each is a list of which one is enough. None
  /// for a tunnel that another makes, and while the uplink has no address.
  func outerFlows(of tunnel: Tunnel) -> [[TrackedFlow]] {
    guard let uplink = tunnel.uplink, let source = self.uplink(uplink)?.address, let hub = layout.hub(of: tunnel) else {
      return []
    }
    func flow(_ kind: TrackedFlow.Kind) -> TrackedFlow { TrackedFlow(kind, from: source, to: hub.address) }
    // Whether ESP goes in UDP is for charon and the hub to find out (RFC 3948).
    let secured = [flow(.esp), flow(.udp(port: 4_500))]
    let protection = tunnel.protection == nil ? [] : [secured]
    return switch tunnel.kind {
    case .gre: [[flow(.gre)]] + protection
    case .ipip: [[flow(.ipip)]] + protection
    case .ipsec: [secured]
    case .external: []
    }
  }
}
