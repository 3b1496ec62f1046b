package import RuleSets

/// The fast path: a flowtable that forwards settled connections from LAN to tunnel and back, past every chain.
///
///     LAN ──▶ flowtable ────────────────────────────────────▶ tunnel     a flow that is in it
///     LAN ──▶ prerouting ▸ ip rules ▸ forward ▸ settled ────▶ tunnel     a packet that puts its flow there
///
/// It has a table of its own, so that a kernel without flowtables, or a device that refuses one, costs nothing but the
/// speed. Its rules add nothing that the other table has not decided: the packet's mark and its connection's are the same
/// egress's, and it leaves by a tunnel of that one.
///
/// Only what a client sends puts a flow there: the kernel looks up the way back with that packet's mark (nft_flow_route,
/// net/netfilter/nft_flow_offload.c); of an answer, which has none, it would look up the client's way by the main table.
/// No uplink is a device of the flowtable: neither what comes by one nor the tunnels' outer packets are ever forwarded by it.
package enum FastPath {
  static let flowtable = "fast"
  static let map = "fast_by"
  static let base = "settled"

  /// What a packet must be to put its flow there.
  ///
  /// - Parameter mask: of our marks.
  package static func entry(_ mask: MarkMask) -> NftRule {
    NftRule(
      [.ipv4, .original, .established], [.choose(by: .mark(mask), map: map)], comment: "what may have settled")
  }

  /// A connection that has settled on the egress with this mark, and leaves by this tunnel of it.
  package static func offloading(_ mark: Mark, _ mask: MarkMask, by device: InterfaceName) -> NftRule {
    NftRule(
      [.connectionMark(mark, mask), .outgoing(device)], [.offload(flowtable: flowtable)], comment: "settled")
  }

  static func chain(of egress: Name) -> String { "fast_\(egress)" }
}

extension EdgeCompiler {
  /// Nil where it is not asked for, or no connection could be in it.
  ///
  /// - Parameter made: tunnels that are there by the time that it is put up, if they are not yet.
  func fastTable(made: [TunnelDevice]) -> NftTable? {
    let kernel = layout.configuration.kernel
    guard kernel.usesFlowtable else { return nil }
    let there = Set(made.map(\.name)).union(actual.links.keys.filter { actual.links[$0]?.isEnslaved == false })
    // What a bridge or a VRF has taken in comes by that one's name, or leads through another flowtable entry.
    let tunnels = Dictionary(
      layout.tunnelWays.filter { there.contains($0.device) }.map { ($0.owner, $0.device) }) { first, _ in first }
    let lans = Set(layout.configuration.lans + layout.activeRules.flatMap { layout.interfaces(of: $0.rule) })
      .subtracting(layout.ways.map(\.device)).intersection(there)
    let egresses = steadyEgresses(guarding: false).compactMap { active in
      let owners = Set(active.egress.paths.compactMap { layout.path(named: $0).map(layout.owner(of:)) })
      let devices = owners.compactMap { tunnels[$0] }.sorted()
      return devices.isEmpty ? nil : (active, devices)
    }
    guard !lans.isEmpty, !egresses.isEmpty else { return nil }
    let mask = layout.mask
    // After everyone else's chains: what one of them drops is never offloaded.
    let base = NftChain(
      name: FastPath.base, hook: .init(kind: .filter, point: .forward, priority: .max),
      rules: [FastPath.entry(mask)])
    return NftTable(
      name: kernel.fastTable,
      flowtables: [NftFlowtable(name: FastPath.flowtable, devices: lans.union(egresses.flatMap(\.1)))], sets: [],
      maps: [
        NftMap(
          name: FastPath.map, kind: .mark,
          elements: egresses.map { .init(.mark($0.0.mark), .goto(chain: FastPath.chain(of: $0.0.egress.name))) })
      ],
      chains: [base]
        + egresses.map { active, devices in
          NftChain(
            name: FastPath.chain(of: active.egress.name),
            rules: devices.map { FastPath.offloading(active.mark, mask, by: $0) })
        })
  }
}
