internal import RuleSets

/// A prefix of a strict rule is held wherever it comes from: also by a device that is neither a LAN of the
/// configuration nor a way out. A LAN that is renamed, or put into a bridge, becomes such a device.
///
///     map         from      to
///     known_by    device    known    tunnels and uplinks: what comes by them is no source
///     freed_by    device    freed    uplinks, external tunnels and the router itself
extension EdgeCompiler {
  static var knownMap: String { "known_by" }
  static var freedMap: String { "freed_by" }
  static var beltSet: String { "belts" }

  /// What is unmarked yet, IPv4 of all devices: the sources of strict rules get their rule's mark.
  private func strayChain() -> NftChain {
    var rules = [
      NftRule([], [.choose(by: .incoming, map: Self.freedMap)], comment: "what came by a way out"),
      NftRule([.reply], [chooseByMark(Self.owners)], comment: "answer to what came by a tunnel"),
    ]
    if hasDirectDestinations {
      rules.append(
        NftRule(
          [.ipv4, .original, .destinationIn(set: Self.directSet)], [setMark(layout.bypass), .return],
          comment: "direct destination"))
    }
    for active in prefixedStrictRules {
      let matches: [NftRule.Match] = [.ipv4, .sourceIn(set: Self.sourceSet(active.rule.name))]
      rules.append(NftRule([.reply] + matches, [.return], comment: "rule \(active.rule.name): held"))
      rules += steerRules(of: active, matches)
    }
    // By a LAN, belts of its own hold what is still unmarked.
    for rule in layout.activeRules.map(\.rule) where rule.isStrict && rule.sources.prefixes.isEmpty {
      rules += layout.interfaces(of: rule).map {
        NftRule([.incoming($0)], [.return], comment: "rule \(rule.name): held")
      }
    }
    rules.append(NftRule([], [.jump(chain: "freed")], comment: "no rule takes it"))
    return NftChain(name: "stray", rules: rules)
  }

  /// Belts know neither marks of connections nor ways out, and a long list of prefixes has belts that are wider than it.
  /// What they would hold although no rule takes it passes by them. Whatever they would not hold keeps its mark as it is,
  /// since other software's ip rules may ask for all of its bits.
  private func freedChain() -> NftChain {
    let passed = [setMark(layout.passed)] + [.return]
    var rules = [
      NftRule([.ipv4, .sourceIn(set: Self.beltSet)], passed, comment: "no rule takes it")
    ]
    if layout.belts.areWider {
      // For the reverse-path check, which asks the belts about the way back.
      rules += prefixedStrictRules.map { active in
        NftRule(
          [.ipv4, .destinationIn(set: Self.sourceSet(active.rule.name))], [.return],
          comment: "rule \(active.rule.name): held")
      }
      rules.append(
        NftRule([.ipv4, .destinationIn(set: Self.beltSet)], passed, comment: "to what no rule takes"))
    }
    return NftChain(name: "freed", rules: rules)
  }

  /// The end of the chain that classifies.
  func strayRules() -> [NftRule] {
    guard hasPrefixBelts else { return [] }
    return [NftRule([.ipv4, unmarked], [.jump(chain: "stray")], comment: "by whatever device")]
  }

  /// Before there is an agent a rule that may fall back is not steered, and no belt of another rule's holds it.
  func unsteeredRules(_ rule: BackhaulRule, _ matches: [NftRule.Match]) -> [NftRule] {
    let comment = "rule \(rule.name): not steered yet"
    let freed =
      hasPrefixBelts
      ? [
        NftRule(
          matches + [.sourceIn(set: Self.beltSet)], [setMark(layout.passed), .return], comment: comment)
      ] : []
    return freed + [NftRule(matches, [.return], comment: comment)]
  }

  /// The mark was only for the lookup: anything that looks at marks from here on sees none.
  func clearPassed() -> [NftRule] {
    guard hasPrefixBelts || isSteering else { return [] }
    return [NftRule([isMarked(layout.passed)], [clearMark], comment: "was for the lookup alone")]
  }

  /// Something strict is in force, and what is not its own must be told apart from what is.
  private var isGuarded: Bool { layout.isStrict }

  /// What holds for IPv4 from a LAN also holds for it from any device that is none of our ways: a strict rule's prefix,
  /// and anything that a rule has marked, may come from there.
  func strayOutwardRules() -> [NftRule] {
    guard isGuarded else { return [] }
    return [NftRule([.ipv4], [.jump(chain: "stray_outward")], comment: "by whatever device")]
  }

  func strayOutwardChains() -> [NftChain] {
    guard isGuarded else { return [] }
    let rules = [
      NftRule([], [.choose(by: .incoming, map: Self.knownMap)], comment: "what came by a way out"),
      NftRule([], [.jump(chain: "outward")], comment: "neither a LAN nor a way out"),
    ]
    return [NftChain(name: "stray_outward", rules: rules), NftChain(name: "known", rules: [])]
  }

  func strayChains() -> [NftChain] { hasPrefixBelts ? [strayChain(), freedChain()] : [] }

  func strayMaps() -> [NftMap] {
    guard isGuarded else { return [] }
    // What came by our own tunnel has a mark already.
    let freed = layout.ways.filter { $0.kind != .ownTunnel }.map(\.device) + [.loopback]
    func map(_ name: String, _ devices: [InterfaceName], _ chain: String) -> NftMap {
      NftMap(name: name, kind: .device, elements: devices.map { .init(.device($0), .goto(chain: chain)) })
    }
    let known = map(Self.knownMap, layout.ways.map(\.device), "known")
    return hasPrefixBelts ? [known, map(Self.freedMap, freed, "freed")] : [known]
  }

  func straySets() -> [NftSet] {
    hasPrefixBelts ? [NftSet(name: Self.beltSet, ranges: layout.belts.ranges)] : []
  }
}
