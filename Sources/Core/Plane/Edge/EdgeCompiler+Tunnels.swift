internal import RuleSets

/// What is looked up by the tunnel: maps, and the chains that they lead to.
///
///     map             from      to
///     came_by         device    mark_…   the mark of arrival, for the lookup of what an own tunnel brought
///                               from_…   the same for answers by an external device alone
///     goes_from       device    back_…   never back by the same tunnel; the mark of arrival is done
///                               unmark
///     way_of          ct mark   mark_…   answers go back by the way that their question came by, and errors by the way of
///                                        the flow that they are about: uplinks too
///     live_RULE       ct mark   mark_…   what the rule leaves on its tunnel
///     bind_to         device    bind_…   a new connection is the tunnel's
///     leaves_by       device    into_…   one that is another way's is dropped, and a new one is bound
///     no_ipv6_by      device    no_ipv6, no_lan_ipv6
///     size_by         device    mss_…
///     taken_by …      mark      taken_…  counts: see `CountedPlace`
///     ends_by         device    off_…    counts of what has no rule's mark
///     ends_from       device    got_…
extension EdgeCompiler {
  static var arrivals: String { "came_by" }
  static var departures: String { "goes_from" }
  static var owners: String { "way_of" }
  static var binders: String { "bind_to" }
  static var entrances: String { "leaves_by" }
  static var strangers: String { "no_ipv6_by" }
  static var sizes: String { "size_by" }
  static func liveMap(_ egress: Name) -> String { "live_\(egress)" }

  func chooseByMark(_ map: String) -> NftRule.Action { .choose(by: .connectionMark(layout.mask), map: map) }

  func nftMaps() -> [NftMap] {
    let tunnels = layout.tunnelWays
    func byDevice(_ name: String, _ chain: (Layout.Way) -> String) -> NftMap {
      NftMap(
        name: name, kind: .device, elements: tunnels.map { .init(.device($0.device), .jump(chain: chain($0))) })
    }
    // `goto`: a packet that has its way is not examined further.
    func byMark(_ name: String, _ ways: [Layout.Way], more: [NftMap.Element] = []) -> NftMap {
      NftMap.marks(name, ways.map { .init(.mark($0.mark), .goto(chain: chain("mark", $0))) } + more)
    }
    let live = layout.activeEgresses.compactMap { active -> NftMap? in
      let keeping = keepingWays(of: active.egress).filter(\.isTunnel)
      return keeping.isEmpty ? nil : byMark(Self.liveMap(active.egress.name), keeping)
    }
    return [
      byDevice(Self.arrivals) { chain($0.kind == .ownTunnel ? "mark" : "from", $0) },
      byDevice(Self.departures) { $0.kind == .ownTunnel ? chain("back", $0) : "unmark" },
      byMark(Self.owners, tunnels, more: uplinkMarks() + settledOwners()),
      byDevice(Self.binders) { chain("bind", $0) },
      NftMap(
        name: Self.entrances, kind: .device,
        elements: tunnels.map { .init(.device($0.device), .goto(chain: chain("into", $0))) }),
      byDevice(Self.strangers) { $0.kind == .ownTunnel ? "no_ipv6" : "no_lan_ipv6" },
      NftMap(
        name: Self.sizes, kind: .device,
        elements: tunnelSizes().map { .init(.device($0.device), .jump(chain: "mss_\($0.sizes.mss)")) }),
    ] + live + strayMaps() + countMaps()
  }

  /// Those that a rule sent by an uplink, and those that came in by it.
  private func uplinkMarks() -> [NftMap.Element] {
    layout.uplinkWays.flatMap { way in
      ([way.mark] + (way.inbound.map { [$0] } ?? [])).map { .init(.mark($0), .goto(chain: chain("mark", way))) }
    }
  }

  /// A way's device names its chains; with a character that nft takes in no name, its mark does.
  func chain(_ prefix: String, _ way: Layout.Way) -> String {
    let text = way.device.text
    let isWord = text.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-_.".utf8.contains(byte)
    }
    // No device has a slash in its name.
    return "\(prefix)_\(isWord ? text : "/\(way.mark)")"
  }

  private func tunnelSizes() -> [(device: InterfaceName, sizes: TunnelSizes)] {
    layout.ruleSet.tunnels.compactMap { tunnel in
      guard let device = layout.device(of: tunnel), let sizes = sizes(of: tunnel) else { return nil }
      return (device, sizes)
    }
  }

  func tunnelChains() -> [NftChain] {
    let tunnels = layout.tunnelWays
    var chains = tunnels.flatMap(chains)
    chains += layout.uplinkWays.map { way in
      NftChain(name: chain("mark", way), rules: [NftRule([], [setMark(way.mark)], comment: way.title)])
    }
    if tunnels.contains(where: { $0.kind == .externalTunnel }) {
      chains.append(
        NftChain(
          name: "unmark", rules: [NftRule([marked], [.count, clearMark], comment: "was for the lookup alone")]))
      // It may carry its maker's own IPv6: only what comes from a LAN is refused there.
      chains.append(
        NftChain(
          name: "no_lan_ipv6",
          rules: layout.configuration.lans.flatMap(Self.by).map {
            NftRule([$0], [.count, .reject], comment: "no IPv6 by a tunnel")
          }))
    }
    if tunnels.contains(where: { $0.kind == .ownTunnel }) {
      chains.append(
        NftChain(
          name: "no_ipv6", rules: [NftRule([], [.count, .reject], comment: "no IPv6 by a tunnel")]))
    }
    var seen: Set<UInt16> = []
    for (_, sizes) in tunnelSizes() where seen.insert(sizes.mss).inserted {
      chains.append(
        NftChain(
          name: "mss_\(sizes.mss)", rules: [NftRule([], [.clampMSS(sizes.mss)], comment: "MTU \(sizes.mtu)")]))
    }
    return chains
  }

  private func chains(of way: Layout.Way) -> [NftChain] {
    var chains = [
      NftChain(name: chain("mark", way), rules: [NftRule([], [setMark(way.mark)], comment: way.title)]),
      NftChain(
        name: chain("bind", way), rules: [NftRule([], [bind(to: way.mark)], comment: way.title)]),
      NftChain(
        name: chain("into", way),
        rules: [
          NftRule([.original, bound], [.jump(chain: chain("only", way))], comment: "of a connection that has its way"),
          NftRule(
            [unbound, marked, .markNot(layout.bypass, layout.mask)], [bind(to: way.mark)],
            comment: "leaves by \(way.title)"),
        ]),
      NftChain(
        name: chain("only", way),
        rules: [
          unsettlingRule(),
          NftRule(
            [bound, isNotBound(to: way.mark)], [.count, .drop], comment: "made on another way than \(way.title)"),
          settlingRule(),
        ]),
    ]
    if way.kind == .ownTunnel {
      chains.append(
        NftChain(
          name: chain("back", way),
          rules: [
            // The mark of arrival would send what no specific route takes back where it came from, around and around.
            NftRule([.outgoing(way.device)], [.count, .drop], comment: "never back by \(way.title)"),
            NftRule([marked], [.count, clearMark], comment: "was for the lookup alone"),
          ]))
    } else {
      // Only answers to what we sent by it are ours to route.
      chains.append(
        NftChain(
          name: chain("from", way),
          rules: [
            NftRule([.reply, isBound(to: way.mark)], [setMark(way.mark)], comment: "answer by \(way.title)")
          ]))
    }
    return chains
  }
}
