internal import RuleSets

extension EdgeCompiler {
  /// The whole nftables table.
  ///
  ///     prerouting   classify ─▶ lan ─▶ sort ─▶ steer, stray   which way a packet takes
  ///     output       own, answer            the router's own packets: unmarked, but for replies, which go back by the way
  ///                                         that the question came by, and ICMP errors, which go by the way of their flow
  ///                  own_errors             errors about no known flow leave by no uplink
  ///     input        arrive ─▶ visit        remembers the way that a connection to the router came by
  ///     forward      pass ─▶ through ─▶ sent ─▶ outward ─▶ guard   what may not leave, what a connection is bound to,
  ///                                         segment sizes; what is settled passes at once (`EdgeCompiler+Settled`)
  ///     postrouting  leave                  masquerade
  ///                  count ─▶ error         errors about a flow of another way leave by no uplink; what else has left
  ///
  /// What holds for one of many tunnels is looked up by its device or mark, and stands in chains that `nftMaps`
  /// lead to: a first packet is asked as much with one tunnel as with a thousand.
  ///
  /// No chain has a name that is a word of nft's language (`mark`, `reply`): nft lists such a table and cannot read it.
  func nftTable(guarding: Bool = false) -> NftTable {
    let needsGuard = layout.isStrict
    var chains = [
      markChain(), lanChain(), sortingChain(), steerChain(guarding: guarding), answersChain(), ownChain(), replyChain(),
      arriveChain(),
    ]
    chains += [passChain(), throughChain(), sentChain(), outwardChain(guarded: needsGuard)]
    if needsGuard { chains += guardChains() }
    chains += strayChains() + strayOutwardChains() + ipv6ExitChains()
    chains.append(leaveChain())
    chains +=
      sourceChains(guarding: guarding) + countChains() + inboundChains() + errorChains()
      + steeringChains(guarding: guarding)
    return NftTable(
      name: layout.configuration.kernel.nftTable, sets: addressSets() + claimSets(guarding: guarding),
      maps: nftMaps() + settledMaps(guarding: guarding) + steeringMaps()
        + (guarding ? [] : [sourceMap].compactMap(\.self)),
      chains: chains + tunnelChains() + settledChains(guarding: guarding))
  }

  static var directSet: String { "direct" }
  static func sourceSet(_ rule: Name) -> String { sourcePrefix + rule.text }
  /// It holds whose packets a rule takes.
  static func isSourceSet(_ name: String) -> Bool { name.hasPrefix(sourcePrefix) }
  private static var sourcePrefix: String { "source_" }

  var hasDirectDestinations: Bool { !layout.ruleSet.directDestinations.isEmpty }

  private func addressSets() -> [NftSet] {
    var sets: [NftSet] = [groups]
    if hasDirectDestinations {
      sets.append(
        NftSet(name: Self.directSet, ranges: AddressRanges.merged(layout.ruleSet.directDestinations)))
    }
    for active in layout.activeRules where !active.rule.sources.prefixes.isEmpty {
      sets.append(
        NftSet(
          name: Self.sourceSet(active.rule.name), ranges: AddressRanges.merged(active.rule.sources.prefixes)))
    }
    return sets + straySets() + exitSets() + steeringSets()
  }

  /// One list of matches for each way in which a packet can be of the rule's sources. These packets have already come
  /// in by a LAN interface, so prefixes need no further interface match.
  ///
  /// - Parameter names: the device names under which an interface's packets may appear.
  func sourceMatches(
    _ rule: BackhaulRule, by names: (InterfaceName) -> [NftRule.Match] = { [.incoming($0)] }
  ) -> [[NftRule.Match]] {
    let prefixes: [NftRule.Match] =
      rule.sources.prefixes.isEmpty ? [.ipv4] : [.ipv4, .sourceIn(set: Self.sourceSet(rule.name))]
    if rule.sources.interfaces.isEmpty { return [prefixes] }
    return rule.sources.interfaces.flatMap(names).map { [$0] + prefixes }
  }

  /// Our bits are zero, or not.
  var unmarked: NftRule.Match { .mark(layout.none, layout.mask) }
  var marked: NftRule.Match { .markNot(layout.none, layout.mask) }
  var unbound: NftRule.Match { .connectionMark(layout.none, layout.mask) }
  var bound: NftRule.Match { .connectionMarkNot(layout.none, layout.mask) }
  var clearMark: NftRule.Action { .setMark(layout.none, layout.mask) }

  func isMarked(_ mark: Mark) -> NftRule.Match { .mark(mark, layout.mask) }
  func isBound(to mark: Mark) -> NftRule.Match { .connectionMark(mark, layout.mask) }
  func isNotBound(to mark: Mark) -> NftRule.Match { .connectionMarkNot(mark, layout.mask) }
  func setMark(_ mark: Mark) -> NftRule.Action { .setMark(mark, layout.mask) }
  func bind(to mark: Mark) -> NftRule.Action { .setConnectionMark(mark, layout.mask) }
}
