/// A prefix of a strict rule is held wherever it comes from: also by a device that is neither a LAN of the configuration
/// nor a way out. Such a device is what becomes of a LAN that is renamed, or put into a bridge.
///
///     map         from      to
///     known_by    device    known    tunnels and uplinks: what comes by them is no source
///     freed_by    device    freed    uplinks, external tunnels and the router itself
extension DesiredStateCompiler {
  static var knownMap: String { "known_by" }
  static var freedMap: String { "freed_by" }

  /// What is unmarked yet, IPv4 of all devices: the sources of strict rules get their rule's mark, and all the rest, which
  /// no rule takes, the mark `passed`, so that belts let it by.
  func strayChain() -> SteeringChain {
    var rules = [
      SteeringRule([], [.choose(by: .incoming, map: Self.freedMap)], comment: "what came by a way out"),
      SteeringRule([.reply], [chooseByMark(Self.owners)], comment: "answer to what came by a tunnel"),
    ]
    if hasDirectDestinations {
      rules.append(
        SteeringRule(
          [.ipv4, .original, .destinationIn(set: Self.directSet)], [setMark(layout.bypass), .return],
          comment: "direct destination"))
    }
    for active in layout.activeRules where active.rule.isStrict {
      let rule = active.rule
      if rule.sources.prefixes.isEmpty {
        for interface in layout.interfaces(of: rule) {
          rules.append(SteeringRule([.incoming(interface)], [.return], comment: "rule \(rule.name): held"))
        }
      } else {
        let matches: [SteeringRule.Match] = [.ipv4, .sourceIn(set: Self.sourceSet(rule.name))]
        rules.append(SteeringRule(matches + [.reply], [.return], comment: "rule \(rule.name): held"))
        rules += steering(of: active, matches)
      }
    }
    rules.append(SteeringRule([], [setMark(layout.passed)], comment: "no rule takes it"))
    return SteeringChain(name: "stray", rules: rules)
  }

  /// The end of the chain that classifies.
  func strayRules() -> [SteeringRule] {
    guard passesUnruled else { return [] }
    return [SteeringRule([.ipv4, unmarked], [.jump(chain: "stray")], comment: "by whatever device")]
  }

  /// The mark was for the lookup alone: whoever looks at marks from here on sees none.
  func clearPassed() -> [SteeringRule] {
    guard passesUnruled else { return [] }
    return [SteeringRule([isMarked(layout.passed)], [clearMark], comment: "was for the lookup alone")]
  }

  /// What holds for IPv4 from a LAN holds for it from any device that is no way of ours.
  func strayOutwardRules() -> [SteeringRule] {
    guard passesUnruled else { return [] }
    return [SteeringRule([.ipv4], [.jump(chain: "stray_outward")], comment: "by whatever device")]
  }

  func strayChains() -> [SteeringChain] {
    guard passesUnruled else { return [] }
    var rules = [SteeringRule([], [.choose(by: .incoming, map: Self.knownMap)], comment: "what came by a way out")]
    // They have been there.
    rules += layout.configuration.lans.map { SteeringRule([.incoming($0)], [.return], comment: "LAN \($0)") }
    rules.append(SteeringRule([], [.jump(chain: "outward")], comment: "neither a LAN nor a way out"))
    return [
      strayChain(),
      SteeringChain(
        name: "freed", rules: [SteeringRule([], [setMark(layout.passed)], comment: "no rule takes it")]),
      SteeringChain(name: "stray_outward", rules: rules),
      SteeringChain(name: "known", rules: []),
    ]
  }

  func strayMaps() -> [SteeringMap] {
    guard passesUnruled else { return [] }
    // What came by our own tunnel has a mark already.
    let freed = layout.ways.filter { $0.kind != .ownTunnel }.map(\.device) + [.loopback]
    func map(_ name: String, _ devices: [InterfaceName], _ chain: String) -> SteeringMap {
      SteeringMap(name: name, kind: .device, elements: devices.map { .init(.device($0), .goto(chain: chain)) })
    }
    return [map(Self.knownMap, layout.ways.map(\.device), "known"), map(Self.freedMap, freed, "freed")]
  }
}
