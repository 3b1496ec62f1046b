extension DesiredStateCompiler {
  /// Everything that the router forwards, IPv6 too.
  func passChain() -> SteeringChain {
    var rules: [SteeringRule] = []
    // The mark of arrival would send what no specific route takes back where it came from, around and around.
    for way in layout.tunnelWays where way.kind == .ownTunnel {
      rules.append(
        SteeringRule(
          [.incoming(way.device), .outgoing(way.device)], [.count, .drop],
          comment: "never back by \(way.title)"))
    }
    for way in layout.ways {
      rules.append(
        SteeringRule(
          [.incoming(way.device), marked], [clearMark], comment: "was for the lookup alone"))
    }
    for lan in layout.configuration.lans {
      rules.append(SteeringRule([.incoming(lan), .ipv4], [.jump(chain: "outward")], comment: "LAN \(lan)"))
    }
    rules += ipv6Rules()
    // Not for uplinks: their mark stands for connections that a rule sent there, and those are deleted at a failback.
    for way in layout.tunnelWays {
      rules.append(
        SteeringRule(
          [.ipv4, .incoming(way.device), .original, unbound], [bind(to: way.mark)],
          comment: "came by \(way.title)"))
    }
    return SteeringChain(
      name: "pass", hook: .init(kind: .filter, point: .forward, priority: -150), rules: rules + segmentRules())
  }

  /// IPv6 is never backhauled. An IPv4 prefix says nothing of a host's IPv6 address, so a rule's choice holds for the
  /// whole of each LAN interface that its sources are on; `block` wins over another rule's `local` there.
  private func ipv6Rules() -> [SteeringRule] {
    var rules: [SteeringRule] = []
    for way in layout.tunnelWays {
      // An external device may carry its maker's own IPv6: only what comes from a LAN is refused there.
      let sources: [[SteeringRule.Match]] =
        way.kind == .ownTunnel ? [[]] : layout.configuration.lans.map { [.incoming($0)] }
      for source in sources {
        rules.append(
          SteeringRule(
            [.ipv6] + source + [.outgoing(way.device)], [.count, .reject], comment: "no IPv6 by \(way.title)"))
      }
    }
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

  /// The kernel only ever lowers a segment size. Both directions: each end's SYN says what it can take.
  private func segmentRules() -> [SteeringRule] {
    layout.ruleSet.tunnels.flatMap { tunnel -> [SteeringRule] in
      guard let device = layout.device(of: tunnel), let sizes = sizes(of: tunnel) else { return [] }
      return [.outgoing(device), .incoming(device)].map { match in
        SteeringRule(
          [.ipv4, match, .tcpSYN], [.clampMSS(sizes.mss)], comment: "MTU \(sizes.mtu) of tunnel \(tunnel.name)")
      }
    }
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
    for way in layout.ways {
      var matches: [SteeringRule.Match] = [.outgoing(way.device), .original, bound, isNotBound(to: way.mark)]
      if way.kind == .uplink { matches.append(isNotBound(to: layout.bypass)) }
      rules.append(SteeringRule(matches, [.count, .drop], comment: "made on another way than \(way.title)"))
    }
    for way in layout.ways {
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
