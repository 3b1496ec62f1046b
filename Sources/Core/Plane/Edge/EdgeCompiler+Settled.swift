internal import RuleSets

/// Connections that have settled. The first packet of a connection binds it to the tunnel that it leaves by. With the
/// next one it settles if nothing translates its source: from then on it is bound to its egress, and goes wherever that
/// leads as long as it is a tunnel. So a flip between tunnels has nothing to do for it, and its packets are asked nothing
/// that the first ones have answered: a look or two in each hook decide them, however many rules and tunnels there are. By
/// an uplink it never leaves, whatever the rules have become.
///
///     map           from      to
///     settled       ct mark   go_EGRESS      prerouting: from a LAN
///     onward        mark      on_EGRESS      forward: into one of the egress's tunnels
///     settling      mark      settle_EGRESS  a connection that its tunnel has had before
///     unsettling    ct mark   unsettle       what is settled and leaves otherwise is bound anew
///
/// Where an egress leaves live flows on their paths (`drain`, shared paths), its connections stay bound to these; where some
/// rule holds for some LANs alone (`SoleClaim`), all do.
extension EdgeCompiler {
  static var settled: String { "settled" }
  static var onward: String { "onward" }
  static var settling: String { "settling" }
  static var unsettling: String { "unsettling" }
  /// What a forwarded packet goes through that no settled connection has decided.
  static var through: String { "through" }
  private static var unsettle: String { "unsettle" }
  /// What a LAN's packet goes through that is of no settled connection.
  private static var sorting: String { "sort" }

  /// The egresses whose connections settle.
  private func steadyEgresses(guarding: Bool) -> [Layout.ActiveEgress] {
    layout.activeEgresses.filter { active in
      active.egress.letsFlowsSettle && (!guarding || active.egress.isStrict)
        && layout.claims[active.egress.name] != nil
    }
  }

  private static func claimSet(_ egress: Name) -> String { "sole_\(egress)" }

  /// A mark may be from before a change of the rules, and another egress's since: it counts only where the rules give the
  /// source to that egress now.
  private func isStillOf(_ egress: Name) -> [NftRule.Match] {
    switch layout.claims[egress] {
    case .rule(let name)?: [.ipv4, onlyPrefix(of: egress) ?? .sourceIn(set: Self.sourceSet(name))]
    case .ranges?: [.ipv4, onlyPrefix(of: egress) ?? .sourceIn(set: Self.claimSet(egress))]
    case .everything?, nil: []
    }
  }

  /// Found faster than in a set, for each packet.
  private func onlyPrefix(of egress: Name) -> NftRule.Match? {
    layout.onlyPrefixes[egress].map { .sourceWithin($0) }
  }

  func claimSets(guarding: Bool) -> [NftSet] {
    steadyEgresses(guarding: guarding).compactMap { active in
      guard case .ranges(let ranges)? = layout.claims[active.egress.name], onlyPrefix(of: active.egress.name) == nil
      else { return nil }
      return NftSet(name: Self.claimSet(active.egress.name), ranges: ranges)
    }
  }

  private func chain(_ prefix: String, of egress: Name) -> String { "\(prefix)_\(egress)" }

  /// What comes in by a LAN.
  func lanChain() -> NftChain {
    NftChain(
      name: "lan",
      rules: [
        NftRule([], [chooseByMark(Self.settled)], comment: "of a settled connection"),
        NftRule([], [.goto(chain: Self.sorting)], comment: "of any other"),
      ])
  }

  func sortingChain() -> NftChain {
    NftChain(
      name: Self.sorting,
      rules: [NftRule([], [.jump(chain: "steer")], comment: "by the rules"), countRule(.taken)] + strayRules())
  }

  /// - Parameter guarding: there is no agent yet.
  func settledMaps(guarding: Bool) -> [NftMap] {
    let steady = steadyEgresses(guarding: guarding)
    func map(_ name: String, _ prefix: String) -> NftMap {
      NftMap.marks(name, steady.map { .init(.mark($0.mark), .goto(chain: chain(prefix, of: $0.egress.name))) })
    }
    return [
      map(Self.settled, "go"), map(Self.onward, "on"), map(Self.settling, "settle"),
      NftMap.marks(
        Self.unsettling, layout.activeEgresses.map { .init(.mark($0.mark), .jump(chain: Self.unsettle)) }),
    ]
  }

  /// Errors about a settled connection go by its egress's way.
  func settledOwners() -> [NftMap.Element] {
    layout.activeEgresses.map { .init(.mark($0.mark), .goto(chain: chain("by", of: $0.egress.name))) }
  }

  func settledChains(guarding: Bool) -> [NftChain] {
    let steady = steadyEgresses(guarding: guarding)
    let owners = layout.activeEgresses.map { active in
      NftChain(
        name: chain("by", of: active.egress.name),
        rules: [NftRule([], [setMark(active.mark)], comment: "egress \(active.egress.name)")])
    }
    let tunnels = Dictionary(layout.tunnelWays.map { ($0.owner, $0) }) { first, _ in first }
    return owners + steady.flatMap { chains(of: $0, by: tunnels) } + [
      NftChain(name: Self.unsettle, rules: [NftRule([], [bind(to: layout.none)], comment: "is bound anew")])
    ]
  }

  private func chains(of active: Layout.ActiveEgress, by tunnels: [SlotBook.Owner: Layout.Way]) -> [NftChain] {
    let egress = active.egress
    let title = "egress \(egress.name)"
    var seen: Set<SlotBook.Owner> = []
    // The one that is preferred is asked about first.
    let owners = egress.paths.compactMap { layout.path(named: $0).map(layout.owner(of:)) }
    let onward = owners.filter { seen.insert($0).inserted }.compactMap { tunnels[$0] }.map { way in
      NftRule(
        [.outgoing(way.device), isBound(to: active.mark)],
        [.goto(chain: CountedPlace.passed.chain(of: egress.name))], comment: "settled, by \(way.title)")
    }
    return [
      NftChain(
        name: chain("go", of: egress.name),
        rules: [
          NftRule(
            isStillOf(egress.name), [setMark(active.mark), .goto(chain: CountedPlace.taken.chain(of: egress.name))],
            comment: title)
        ]
          + (isStillOf(egress.name).isEmpty
            ? [] : [NftRule([], [.goto(chain: Self.sorting)], comment: "the source is another's by now")])),
      NftChain(
        name: chain("on", of: egress.name),
        rules: [NftRule([.tcpSYN], [.goto(chain: Self.through)], comment: "says what segments it takes")] + onward
          + [NftRule([], [.goto(chain: Self.through)], comment: "not settled, or by another way")]),
      NftChain(
        name: chain("settle", of: egress.name), rules: [NftRule([], [bind(to: active.mark)], comment: title)]),
    ]
  }

  /// Part of the chains that a tunnel's own connections go through, around the rule that refuses those of another way.
  func unsettlingRule() -> NftRule {
    NftRule([], [chooseByMark(Self.unsettling)], comment: "settled, and decided anew")
  }

  func settlingRule() -> NftRule {
    NftRule([.keepsSource], [.choose(by: .mark(layout.mask), map: Self.settling)], comment: "settles")
  }
}
