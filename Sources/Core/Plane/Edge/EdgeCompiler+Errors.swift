internal import RuleSets

/// The router's own messages about a flow (ICMP errors, and resets from another program's firewall) leave by the flow's
/// way, or not at all. They quote what they are about, up to 548 bytes of what has just come out of a tunnel, and
/// main's default would send them by the first uplink, bare.
///
/// The kernel gives an error the connection of the packet that it is about, however young that is (nf_ct_attach in
/// icmp_glue_bits, net/ipv4/icmp.c; in nf_send_reset for `reject with tcp reset`), as one that is related to it, and of the
/// other direction. A forwarded one has that of the packet that it quotes (nf_conntrack_inet_error).
extension EdgeCompiler {
  private static var strayErrors: String { "stray_error" }
  private static var uplinksShut: String { "no_uplink" }

  /// Destination unreachable (which is "fragmentation needed" too), redirect, time exceeded and parameter problem: what
  /// the kernel sends of RFC 792 that quotes a packet.
  private static var errorTypes: [UInt8] { [3, 5, 11, 12] }

  /// In the last chain of all, which knows the way that a packet leaves by.
  func errorRule() -> NftRule {
    NftRule(
      [.ipv4, .protocolIs(IPProtocol.icmp)], [.jump(chain: "error")], comment: "an error by the way that it leaves by")
  }

  /// In the chain that looks up again.
  func errorsByTheirWay() -> [NftRule] {
    [[NftRule.Match.ipv4, .protocolIs(IPProtocol.icmp)], [.ipv4, .tcpReset]].map { matches in
      NftRule(
        [.related] + matches, [chooseByMark(Self.owners)], comment: "what is said about a flow goes by the flow's way")
    }
  }

  /// What must not leave by an uplink: errors about a flow that has another way, and errors about no flow that is
  /// known. The main table may lead them there although they are marked, if it has a more specific route to the claimed
  /// sender of the packet that they are about.
  func errorChains() -> [NftChain] {
    let isError: [NftRule.Match] = [.ipv4, .protocolIs(IPProtocol.icmp)]
    func stray(_ match: NftRule.Match) -> [NftRule] {
      [NftRule.Match.invalid, .untracked].map {
        NftRule([$0, match] + isError, [.jump(chain: Self.strayErrors)], comment: "about no flow that is known")
      }
    }
    return [
      // Behind `answer`. `oifname` is what was looked up first: right for all that has got no mark since.
      NftChain(
        name: "own_errors", hook: .init(kind: .filter, point: .output, priority: -140),
        rules: errorsAboutProtectedTunnels() + stray(unmarked)),
      NftChain(name: "error", rules: layout.uplinkWays.flatMap(errorsOfOtherWays) + stray(marked)),
      NftChain(
        name: Self.strayErrors,
        rules: Self.errorTypes.map {
          NftRule([.ipv4, .icmpType($0)], [.jump(chain: Self.uplinksShut)], comment: "an error")
        }),
      NftChain(
        name: Self.uplinksShut,
        rules: layout.uplinkWays.map {
          NftRule(
            [.outgoing($0.device), bare], [.count, .drop], comment: "about no known flow, never by \($0.title)")
        }),
    ]
  }

  /// What an XFRM interface has taken comes by once more, with no connection and the uplink as its device, before it is
  /// encrypted (xfrmi_scrub_packet, net/xfrm/xfrm_interface_core.c; xfrm4_output).
  private var bare: NftRule.Match { .willBeEncrypted(false) }

  /// To the one who began a flow, by an uplink: only if the flow came in by it, otherwise its source was spoofed. To
  /// whom it was sent: by the uplink that it was sent by; flows of the router's own and of others have no mark.
  private func errorsOfOtherWays(_ way: Layout.Way) -> [NftRule] {
    guard let inbound = way.inbound else { return [] }
    let direct = sendsDirect ? [isNotBound(to: layout.bypass)] : []
    return [
      NftRule(
        // A connection that began beyond a private line is bound only if it is to the router.
        [.related, .reply, .outgoing(way.device)] + (way.isPrivate ? [bound] : []) + [isNotBound(to: inbound), bare],
        [.count, .drop], comment: "about what did not come in by \(way.title)"),
      NftRule(
        [.related, .original, .outgoing(way.device), bound, isNotBound(to: way.mark), bare] + direct, [.count, .drop],
        comment: "about a flow of another way than \(way.title)"),
    ]
  }

  /// What came out of an SA in transport mode while no tunnel takes it: the error would quote it to the hub in the clear.
  private func errorsAboutProtectedTunnels() -> [NftRule] {
    protectedTunnels.map { tunnel in
      NftRule(
        [.ipv4, .destinationIs(tunnel.hub), .icmpType(3), .quotes(protocol: tunnel.outerProtocol)], [.count, .drop],
        comment: "tunnel \(tunnel.name): never quoted in the clear")
    }
  }
}
