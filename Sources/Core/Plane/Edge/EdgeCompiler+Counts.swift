package import RuleSets

/// How far the packets of each egress get, counted on their way. A packet that a rule has marked leaves the router or
/// ends in it. If it does neither, other software drops it.
///
///     prerouting   classify ─▶ taken_EGRESS    marked by a rule
///     input        arrive   ─▶ kept_EGRESS     for the router itself
///     forward      pass     ─▶ passed_EGRESS   let through by our own chains
///     postrouting  count    ─▶ left_EGRESS     about to leave
///
/// A packet with a rule's mark costs one map lookup at each place. A packet without one is counted only at the last
/// place, by where it comes from and where it leaves:
///
///     got_TUNNEL    it came by a tunnel: an answer that is about to get to its client
///     off_tunnels   it came from a LAN, and leaves by a tunnel: an ip rule sent it there (see `Belts`), or it is live there
///     off_UPLINK    it came from a LAN, and leaves by an uplink: no rule's, or its mark is lost
///     left_direct   it goes by the main table on purpose, wherever that leads
package enum CountedPlace: String, CaseIterable, Sendable {
  case taken, kept, passed, left

  /// The name of the chain that counts an egress's packets at this place.
  package func chain(of egress: Name) -> String { "\(rawValue)_\(egress)" }
  var map: String { "\(rawValue)_by" }
}

extension EdgeCompiler {
  /// Multicast and broadcast (224.0.0.0/3) are not forwarded by a router like ours, and end here without anyone
  /// dropping them.
  static var groupSet: String { "groups" }
  var groups: NftSet { NftSet(name: Self.groupSet, ranges: [0xe000_0000...UInt32.max]) }

  /// Stands last in the chain of its place: what the chain drops is not counted.
  func countRule(_ place: CountedPlace) -> NftRule {
    let hosts: [NftRule.Match] = place == .taken ? [.ipv4, .destinationNotIn(set: Self.groupSet)] : []
    return NftRule(
      hosts, [.choose(by: .mark(layout.mask), map: place.map)], comment: "\(place.rawValue), by rule")
  }

  func countMaps() -> [NftMap] {
    let places = CountedPlace.allCases.map { place in
      NftMap.marks(
        place.map,
        layout.activeEgresses.map { active in
          let chain = place.chain(of: active.egress.name)
          // In the last place only packets that no rule has marked are checked further.
          return .init(.mark(active.mark), place == .left ? .goto(chain: chain) : .jump(chain: chain))
        } + (place == .left && sendsDirect ? [.init(.mark(layout.bypass), .goto(chain: Self.leftDirect))] : []))
    }
    return places + [
      NftMap(
        name: Self.exitMap, kind: .device,
        elements: layout.ways.map { .init(.device($0.device), .goto(chain: exitChain(of: $0))) }),
      NftMap(
        name: Self.originMap, kind: .device,
        elements: layout.tunnelWays.map { .init(.device($0.device), .goto(chain: arrivedChain(of: $0))) }),
    ]
  }

  private static var leftDirect: String { "left_direct" }
  static var originMap: String { "ends_from" }
  static var exitMap: String { "ends_by" }

  /// Counts what came by a tunnel and is about to leave the router: answers on their last step.
  package func arrivedChain(of way: Layout.Way) -> String { chain("got", way) }

  /// Counts what a LAN sent and no rule has marked any more, as it leaves. Tunnels share one.
  package func exitChain(of way: Layout.Way) -> String { way.isTunnel ? "off_tunnels" : chain("off", way) }

  func countChains() -> [NftChain] {
    let counted = layout.activeEgresses.flatMap { active in
      CountedPlace.allCases.map { place in
        NftChain(
          name: place.chain(of: active.egress.name),
          rules: [NftRule([], [.count], comment: "egress \(active.egress.name)")])
      }
    }
    // After everyone else's chains, source NAT (100), helpers (300) and late filters among them.
    let last = NftChain(
      name: "count", hook: .init(kind: .filter, point: .postrouting, priority: .max),
      rules: [
        // What is dropped here has not left.
        errorRule(),
        countRule(.left),
        // Before the next one: a tunnel's own packets come from its device, to this hook (ip_output, net/ipv4/ip_output.c).
        NftRule([.ipv4], [.choose(by: .outgoing, map: Self.exitMap)], comment: "of no rule, by a way out"),
        NftRule([.ipv4], [.choose(by: .incoming, map: Self.originMap)], comment: "came by a tunnel"),
      ])
    let lans = Set(layout.configuration.lans + layout.activeRules.flatMap { layout.interfaces(of: $0.rule) })
      .subtracting(layout.ways.map(\.device)).sorted()
    func exits(_ name: String) -> NftChain {
      NftChain(
        name: name, rules: lans.map { NftRule([.incoming($0)], [.count], comment: "from LAN \($0)") })
    }
    let tunnels = layout.tunnelWays
    let ends =
      tunnels.map { way in
        NftChain(
          name: arrivedChain(of: way), rules: [NftRule([], [.count], comment: "came by \(way.title)")])
      } + layout.uplinkWays.map { exits(exitChain(of: $0)) } + (tunnels.isEmpty ? [] : [exits("off_tunnels")])
    let direct =
      sendsDirect ? [NftChain(name: Self.leftDirect, rules: [NftRule([], [.count], comment: "direct")])] : []
    return [last] + counted + direct + ends
  }
}
