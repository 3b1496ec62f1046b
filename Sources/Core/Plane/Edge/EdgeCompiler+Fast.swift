package import RuleSets

/// The fast path: a flowtable that forwards connections from LAN to tunnel and back, past every chain.
///
///     LAN ──▶ flowtable ────────────────────────────────────▶ tunnel     a flow that is in it
///     LAN ──▶ prerouting ▸ ip rules ▸ forward ▸ settled ────▶ tunnel     a packet that puts its flow there
///
/// It has a table of its own, so that a kernel without flowtables, or a device that refuses one, costs nothing but the
/// speed. Its rules add nothing that the other table has not decided: the packet's mark is an egress's, which the rules
/// have just given it, it leaves by a tunnel of that one, and its connection has settled there or is bound to that tunnel.
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
      [.ipv4, .original, .established], [.choose(by: .mark(mask), map: map)], comment: "what has an egress")
  }

  /// A connection that has settled on the egress, or is bound to the tunnel that it leaves by.
  ///
  /// - Parameter mark: the egress's, or the tunnel's.
  package static func offloading(_ mark: Mark, _ mask: MarkMask, by device: InterfaceName) -> NftRule {
    NftRule(
      [.connectionMark(mark, mask), .outgoing(device)], [.offload(flowtable: flowtable)], comment: "has its way")
  }

  static func chain(of egress: Name) -> String { "fast_\(egress)" }

  /// An egress whose connections follow it, and the tunnels of it that are there, with their marks.
  package struct Way: Sendable {
    package var egress: Name
    package var mark: Mark
    package var tunnels: [InterfaceName: Mark]

    package init(egress: Name, mark: Mark, tunnels: [InterfaceName: Mark]) {
      self.egress = egress
      self.mark = mark
      self.tunnels = tunnels
    }
  }

  /// The whole table. Its chain stands after everyone else's: what one of them drops is never offloaded.
  package static func table(_ name: String, _ mask: MarkMask, lans: Set<InterfaceName>, _ ways: [Way]) -> NftTable {
    let base = NftChain(
      name: base, hook: .init(kind: .filter, point: .forward, priority: .max), rules: [entry(mask)])
    return NftTable(
      name: name, flowtables: [NftFlowtable(name: flowtable, devices: lans.union(ways.flatMap(\.tunnels.keys)))],
      sets: [],
      maps: [
        NftMap(
          name: map, kind: .mark,
          elements: ways.map { .init(.mark($0.mark), .goto(chain: chain(of: $0.egress))) })
      ],
      chains: [base]
        + ways.map { way in
          NftChain(
            name: chain(of: way.egress),
            rules: way.tunnels.sorted { $0.key < $1.key }.flatMap { device, mark in
              [offloading(way.mark, mask, by: device), offloading(mark, mask, by: device)]
            })
        })
  }

  /// Linux before 5.18 looked only once a second whether the route of an offloaded flow was still good; 6.1 is the oldest that
  /// this was tried on.
  ///
  /// - Parameter release: as `uname -r` says it; one that cannot be read is not held against the kernel.
  package static func isTooOld(_ release: String) -> Bool {
    let numbers = release.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
    return numbers.count == 2 && (numbers[0], numbers[1]) < (6, 1)
  }
}

extension EdgeCompiler {
  /// Nil where it is not asked for, or no connection could be in it.
  ///
  /// - Parameters:
  ///   - made: tunnels that are there by the time that it is put up, if they are not yet.
  ///   - held: tunnels that stay as they are, unless one that is made takes their place.
  func fastTable(made: [TunnelDevice], held: Set<InterfaceName>) -> NftTable? {
    let kernel = layout.configuration.kernel
    guard kernel.usesFlowtable else { return nil }
    // What a bridge or a VRF has taken in comes by that one's name. And no bridge's port may be a device of the flowtable:
    // the kernel would then send by it past the bridge, and not look whether the route is still good.
    let there = Set(made.map(\.name)).union(actual.links.keys.filter { actual.links[$0]?.isEnslaved == false })
      .subtracting(DevicePlan(DesiredState(tunnels: made, held: held), actual).taken)
    let tunnels = Dictionary(
      layout.tunnelWays.filter { there.contains($0.device) }.map { ($0.owner, $0) }
    ) { first, _ in first }
    let lans = Set(layout.configuration.lans + layout.activeRules.flatMap { layout.interfaces(of: $0.rule) })
      .subtracting(layout.ways.map(\.device)).intersection(there)
    let ways = layout.activeEgresses.filter(\.egress.letsFlowsSettle).map { active in
      let own = active.egress.paths.compactMap { layout.path(named: $0).flatMap { tunnels[layout.owner(of: $0)] } }
      return FastPath.Way(
        egress: active.egress.name, mark: active.mark,
        tunnels: Dictionary(own.map { ($0.device, $0.mark) }) { first, _ in first })
    }.filter { !$0.tunnels.isEmpty }
    guard !lans.isEmpty, !ways.isEmpty else { return nil }
    return FastPath.table(kernel.fastTable, layout.mask, lans: lans, ways)
  }
}
