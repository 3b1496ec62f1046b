extension DesiredStateCompiler {
  /// Everything that the router forwards, IPv6 too.
  func passChain() -> SteeringChain {
    var rules = [
      SteeringRule([], [.choose(by: .incoming, map: Self.departures)], comment: "what came by a tunnel")
    ]
    for way in layout.uplinkWays {
      rules.append(
        SteeringRule(
          [.incoming(way.device), marked], [clearMark], comment: "was for the lookup alone"))
    }
    for lan in layout.configuration.lans {
      rules.append(SteeringRule([.incoming(lan), .ipv4], [.jump(chain: "outward")], comment: "LAN \(lan)"))
    }
    rules += ipv6Rules()
    // The kernel only ever lowers a segment size. Both directions: each end's SYN says what it can take.
    for subject in [SteeringRule.Subject.outgoing, .incoming] {
      rules.append(SteeringRule([.ipv4, .tcpSYN], [.choose(by: subject, map: Self.sizes)], comment: "MTU of a tunnel"))
    }
    return SteeringChain(
      name: "pass", hook: .init(kind: .filter, point: .forward, priority: -150), rules: rules)
  }

  /// IPv6 is never backhauled. An IPv4 prefix says nothing of a host's IPv6 address, so a rule's choice holds for the
  /// whole of each LAN interface that its sources are on; `block` wins over another rule's `local` there.
  private func ipv6Rules() -> [SteeringRule] {
    var rules = [SteeringRule([.ipv6], [.choose(by: .outgoing, map: Self.strangers)], comment: "IPv6 to a tunnel")]
    var seen: Set<InterfaceName> = []
    for active in layout.activeRules where active.rule.ipv6 == .block {
      for interface in layout.interfaces(of: active.rule) where seen.insert(interface).inserted {
        for uplink in layout.uplinkWays {
          rules.append(
            SteeringRule(
              [.ipv6, .incoming(interface), .outgoing(uplink.device)], [.count, .reject],
              comment: "rule \(active.rule.name): no IPv6"))
        }
      }
    }
    return rules
  }

  /// IPv4 that a LAN sends on.
  func outwardChain(guarded: Bool) -> SteeringChain {
    var rules: [SteeringRule] = []
    let uplinks = layout.uplinkWays
    if guarded {
      for uplink in uplinks {
        rules.append(
          SteeringRule(
            [.outgoing(uplink.device)], [.jump(chain: "guard")], comment: "about to leave by \(uplink.title)")
        )
      }
    }
    // Without a connection there is no NAT: it would leave with the LAN's address.
    for uplink in uplinks {
      for match in [SteeringRule.Match.invalid, .untracked] {
        rules.append(
          SteeringRule(
            [.outgoing(uplink.device), marked, match], [.count, .drop], comment: "cannot be translated"))
      }
    }
    // A connection made on another way keeps that one's translation: it is deleted and made anew, never sent as it is.
    rules.append(
      SteeringRule(
        [.original, bound], [.choose(by: .outgoing, map: Self.keepers)],
        comment: "by a tunnel, of a connection that has its way"))
    for way in uplinks {
      rules.append(
        SteeringRule(
          [
            .outgoing(way.device), .original, bound, isNotBound(to: way.mark), isNotBound(to: layout.bypass),
          ], [.count, .drop], comment: "made on another way than \(way.title)"))
    }
    rules.append(
      SteeringRule(
        [unbound, marked, .markNot(layout.bypass, layout.mask)], [.choose(by: .outgoing, map: Self.binders)],
        comment: "leaves by a tunnel"))
    for way in uplinks {
      rules.append(
        SteeringRule(
          [.outgoing(way.device), unbound, marked, .markNot(layout.bypass, layout.mask)], [bind(to: way.mark)],
          comment: "leaves by \(way.title)"))
    }
    if hasDirectDestinations {
      for uplink in uplinks {
        rules.append(
          SteeringRule(
            [.outgoing(uplink.device), unbound, isMarked(layout.bypass)], [bind(to: layout.bypass)],
            comment: "leaves for a direct destination"))
      }
    }
    return SteeringChain(name: "outward", rules: rules)
  }

  /// IPv4 from a LAN that is about to leave by an uplink. Looks at nothing but interfaces, addresses and the mark, so it
  /// holds for packets that no connection is known of. The first rule that takes the source decides, as in `steer`.
  func guardChain() -> SteeringChain {
    var rules: [SteeringRule] = []
    if hasDirectDestinations {
      rules.append(
        SteeringRule([.ipv4, .destinationIn(set: Self.directSet)], [.return], comment: "direct destination"))
    }
    let active = layout.activeRules.map(\.rule)
    let lastStrict = active.lastIndex(where: \.isStrict) ?? 0
    for rule in active[...lastStrict] {
      for matches in sourceMatches(rule) {
        if !rule.isStrict {
          rules.append(SteeringRule(matches, [.return], comment: "rule \(rule.name): may leave"))
          continue
        }
        // An uplink that the rule itself lists is a way of its own; what the main table sends there is not.
        for uplink in layout.ownUplinks(of: rule) + layout.underlays(of: rule) {
          rules.append(
            SteeringRule(
              matches + [.outgoing(uplink), marked], [.return], comment: "rule \(rule.name): its own path \(uplink)"))
        }
        rules.append(SteeringRule(matches, [.count, .drop], comment: "rule \(rule.name): \(rule.fallback.rawValue)"))
      }
    }
    return SteeringChain(name: "guard", rules: rules)
  }
}
