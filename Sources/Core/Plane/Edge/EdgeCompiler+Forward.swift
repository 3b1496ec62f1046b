internal import RuleSets

extension EdgeCompiler {
  /// Everything that the router forwards, IPv6 too.
  func passChain() -> NftChain {
    NftChain(
      name: "pass", hook: .init(kind: .filter, point: .forward, priority: -150),
      rules: [
        NftRule([.ipv4], [.choose(by: .mark(layout.mask), map: Self.onward)], comment: "what may have settled"),
        NftRule([], [.goto(chain: Self.through)], comment: "all else"),
      ])
  }

  func throughChain() -> NftChain {
    var rules = clearPassed()
    for lan in layout.configuration.lans {
      rules += Self.by(lan).map { NftRule([$0, .ipv4], [.goto(chain: Self.sent)], comment: "LAN \(lan)") }
    }
    rules.append(NftRule([], [.choose(by: .incoming, map: Self.departures)], comment: "what came by a tunnel"))
    for way in layout.uplinkWays {
      rules.append(
        NftRule(
          [.incoming(way.device), marked], [.count, clearMark], comment: "was for the lookup alone"))
    }
    rules += strayOutwardRules()
    rules += ipv6Rules()
    // The kernel only ever lowers a segment size. Both directions: each end's SYN says what it can take.
    for subject in [NftRule.Subject.outgoing, .incoming] {
      rules.append(NftRule([.ipv4, .tcpSYN], [.choose(by: subject, map: Self.sizes)], comment: "MTU of a tunnel"))
    }
    return NftChain(name: Self.through, rules: rules)
  }

  private static var sent: String { "sent" }

  /// IPv4 that a LAN sends.
  func sentChain() -> NftChain {
    NftChain(
      name: Self.sent,
      rules: [
        NftRule([], [.jump(chain: "outward")], comment: "what may leave, and what it is bound to"),
        NftRule([.ipv4, .tcpSYN], [.choose(by: .outgoing, map: Self.sizes)], comment: "MTU of a tunnel"),
        countRule(.passed),
      ])
  }

  /// What a device's packets are known by on their way through: one in a VRF goes by that one's name from routing on.
  static func by(_ device: InterfaceName) -> [NftRule.Match] { [.incoming(device), .slave(device)] }

  /// IPv6 is never backhauled.
  private func ipv6Rules() -> [NftRule] {
    var rules = [NftRule([.ipv6], [.choose(by: .outgoing, map: Self.strangers)], comment: "IPv6 to a tunnel")]
    for (interface, rule) in ipv6Blocks {
      for match in Self.by(interface) {
        for uplink in layout.uplinkWays {
          rules.append(
            NftRule(
              [.ipv6, match, .outgoing(uplink.device)], [.count, .reject], comment: "rule \(rule.name): no IPv6"))
        }
        for exit in ipv6OtherExits {
          rules.append(
            NftRule(
              [.ipv6, match, .outgoing(exit)], [.jump(chain: Self.ipv6Exit)], comment: "rule \(rule.name): no IPv6"))
        }
      }
    }
    return rules
  }

  /// IPv4 to be forwarded from a LAN, or from a device that is none of our ways.
  func outwardChain(guarded: Bool) -> NftChain {
    var rules = [NftRule([], [.choose(by: .outgoing, map: Self.entrances)], comment: "by a tunnel")]
    let uplinks = layout.uplinkWays
    if guarded {
      for uplink in uplinks {
        rules.append(
          NftRule(
            [.outgoing(uplink.device)], [.jump(chain: "guard")], comment: "about to leave by \(uplink.title)")
        )
      }
      rules += otherExitRules()
    }
    // Without a connection there is no NAT: it would leave with the LAN's address.
    for uplink in uplinks {
      for match in [NftRule.Match.invalid, .untracked] {
        rules.append(
          NftRule(
            [.outgoing(uplink.device), marked, match], [.count, .drop], comment: "cannot be translated"))
      }
    }
    // A connection made on another way keeps that way's translation, so it is deleted and set up again, never sent as
    // it is.
    for way in uplinks {
      rules.append(
        NftRule(
          [
            .outgoing(way.device), .original, bound, isNotBound(to: way.mark), isNotBound(to: layout.bypass),
          ], [.count, .drop], comment: "made on another way than \(way.title)"))
    }
    for way in uplinks {
      rules.append(
        NftRule(
          [.outgoing(way.device), unbound, marked, .markNot(layout.bypass, layout.mask)], [bind(to: way.mark)],
          comment: "leaves by \(way.title)"))
    }
    if sendsDirect {
      for uplink in uplinks {
        rules.append(
          NftRule(
            [.outgoing(uplink.device), unbound, isMarked(layout.bypass)], [bind(to: layout.bypass)],
            comment: "leaves for a direct destination"))
      }
    }
    return NftChain(name: "outward", rules: rules)
  }

  /// IPv4 from a LAN, or by a device that is none of our ways, that is about to leave by an uplink. Only looks at
  /// interfaces, addresses and the mark, so it also holds for packets without a known connection. A mark of a strict
  /// rule's says whose a packet is, whatever its device is called by now; else the first rule that takes the source
  /// decides, as in `steer`.
  func guardChains() -> [NftChain] {
    var rules: [NftRule] = []
    if hasDirectDestinations {
      rules.append(
        NftRule([.ipv4, .destinationIn(set: Self.directSet)], [.return], comment: "direct destination"))
    }
    for active in layout.activeEgresses where active.egress.isStrict { rules += holdingMarked(active) }
    guard isSteering else { return [NftChain(name: "guard", rules: rules + guardedSources())] }
    rules += guardSteered() + [NftRule([], [.goto(chain: Self.guardedSourcesChain)], comment: "by its source")]
    return [NftChain(name: "guard", rules: rules), NftChain(name: Self.guardedSourcesChain, rules: guardedSources())]
      + guardedLostChains()
  }

  /// Whose source it is decides, whatever mark a packet has.
  private func guardedSources() -> [NftRule] {
    var rules: [NftRule] = []
    // A prefix is held wherever it comes from, after what rules say of its interfaces.
    let anywhere = prefixedStrictRules.map(\.rule).filter { !$0.sources.interfaces.isEmpty }
    let active = layout.activeRules.map(\.rule)
    let last = anywhere.isEmpty ? active.lastIndex(where: \.isStrict).map { $0 + 1 } ?? 0 : active.count
    for rule in active.prefix(last) {
      for matches in sourceMatches(rule, by: Self.by) {
        if rule.isStrict {
          rules += bypassing(rule, matches) + holding("rule \(rule.name)", rule.egress, matches)
        } else {
          rules.append(NftRule(matches, [.return], comment: "rule \(rule.name): may leave"))
        }
      }
    }
    for rule in anywhere {
      let matches: [NftRule.Match] = [.ipv4, .sourceIn(set: Self.sourceSet(rule.name))]
      rules += bypassing(rule, matches) + holding("rule \(rule.name)", rule.egress, matches)
    }
    return rules
  }

  private func holding(_ whose: String, _ egress: Egress, _ matches: [NftRule.Match]) -> [NftRule] {
    // An uplink that the egress itself lists is a way of its own; what the main table sends there is not.
    let own = (layout.ownUplinks(of: egress) + layout.underlays(of: egress)).map { uplink in
      NftRule(matches + [.outgoing(uplink), marked], [.return], comment: "\(whose): its own path \(uplink)")
    }
    return own + [NftRule(matches, [.count, .drop], comment: "\(whose): \(egress.fallback.rawValue)")]
  }
}
