internal import RuleSets

extension EdgeCompiler {
  /// Before routing. Conntrack (−200) has looked the packet up; destination NAT (−100) has not run yet.
  ///
  /// A packet that came by one of our ways is marked with that way just for the lookup: with `src_valid_mark` the
  /// kernel's reverse-path check then asks the way's own table, so that what comes by an unnumbered tunnel, or by the
  /// second uplink, is not considered spoofed. `pass` clears that mark again.
  ///
  /// A connection that began beyond one of our ways is bound to it here, before the kernel looks at what it may answer
  /// with an ICMP error: that error has the mark of the packet's connection (nf_ct_attach in icmp_glue_bits,
  /// net/ipv4/icmp.c), which nobody else sees before the packet has left.
  func markChain() -> NftChain {
    // IPv6 has no mark of ours anywhere: it is never steered.
    var rules = layout.configuration.lans.map { lan in
      NftRule([.incoming(lan), .ipv4], [.goto(chain: "lan")], comment: "LAN \(lan)")
    }
    rules.append(
      NftRule([.ipv4], [.choose(by: .incoming, map: Self.arrivals)], comment: "what came by a tunnel"))
    rules.append(
      NftRule(
        [.ipv4, .original, unbound], [.choose(by: .incoming, map: Self.binders)], comment: "began beyond a tunnel"))
    rules += inboundRules(isPrivate: false)
    // What else comes by an uplink is not ours to route: only answers to what we sent by it.
    for way in layout.uplinkWays {
      rules.append(
        NftRule(
          [.incoming(way.device), .ipv4, .reply, isBound(to: way.mark)], [setMark(way.mark)],
          comment: "answer by \(way.title)"))
      if sendsDirect {
        rules.append(
          NftRule(
            [.incoming(way.device), .ipv4, .reply, isBound(to: layout.bypass)], [setMark(layout.bypass)],
            comment: "answer from a direct destination"))
      }
    }
    // Just after mangle: if another program's chain there sets the whole mark (wg-quick's restores it from the
    // connection of every UDP packet), ours has the last word, whichever was loaded first.
    return NftChain(
      name: "classify", hook: .init(kind: .filter, point: .prerouting, priority: -149), rules: rules + strayRules())
  }

  /// IPv4 from a LAN. The order is the meaning: an answer goes back by the way its question came, a direct destination
  /// goes by the main table, then steering rules are asked, and then the first rule that takes the source decides.
  ///
  /// - Parameter guarding: there is no agent yet, and only strict rules are held to theirs: what another rule takes goes
  ///   by the main table, as if there were none.
  func steerChain(guarding: Bool = false) -> NftChain {
    var rules = [
      NftRule([.ipv4, .reply], [.goto(chain: Self.answers)], comment: "answer by the way its question came by")
    ]
    if hasDirectDestinations {
      rules.append(
        NftRule(
          [.ipv4, .destinationIn(set: Self.directSet)], [setMark(layout.bypass), .return],
          comment: "direct destination"))
    }
    rules += steeringRules()
    if !guarding, let map = sourceMap {
      rules.append(NftRule([.ipv4], [.choose(by: .fields(Self.sourceFields), map: map.name)], comment: "by its source"))
      return NftChain(name: "steer", rules: rules)
    }
    for active in layout.activeRules {
      for matches in sourceMatches(active.rule) {
        if guarding && !active.rule.isStrict {
          rules += unsteeredRules(active.rule, matches)
        } else {
          rules += steerRules(of: active, matches)
        }
      }
    }
    return NftChain(name: "steer", rules: rules)
  }

  private static var answers: String { "answers" }

  /// To what came by no way of ours main knows the way.
  func answersChain() -> NftChain {
    NftChain(
      name: Self.answers, rules: [NftRule([], [chooseByMark(Self.owners)], comment: "by the way its question came by")])
  }

  /// Marks what a rule takes.
  func steerRules(of active: Layout.ActiveRule, _ matches: [NftRule.Match]) -> [NftRule] {
    marking(active.rule.egress, active.mark, "rule \(active.rule.name)", matches)
  }

  /// Marks what goes to an egress, except what is live on a way that it keeps to.
  func marking(_ egress: Egress, _ mark: Mark, _ title: String, _ matches: [NftRule.Match]) -> [NftRule] {
    let keeping = keepingWays(of: egress)
    var rules: [NftRule] = []
    if keeping.contains(where: \.isTunnel) {
      rules.append(
        NftRule(matches, [chooseByMark(Self.liveMap(egress.name))], comment: "\(title): live on a tunnel"))
    }
    for way in keeping where !way.isTunnel {
      rules.append(
        NftRule(
          matches + [isBound(to: way.mark)], [setMark(way.mark), .return], comment: "\(title): live on \(way.title)"))
    }
    return rules + [NftRule(matches, [setMark(mark), .return], comment: title)]
  }

  /// The ways that keep a live connection of an egress. Under `drain`, where it finishes although the egress has moved on:
  /// those that it may use at all. Else those that share flows with another, lest a connection goes by another
  /// when one of them comes or goes. Connections of a way that died are deleted at the flip, so nothing is kept on a
  /// dead one.
  func keepingWays(of egress: Egress) -> [Layout.Way] {
    let keeping = egress.failback == .drain ? egress.paths : egress.balancedPaths
    let owners = Set(keeping.compactMap { layout.path(named: $0).map(layout.owner(of:)) })
    guard egress.failback == .drain else { return layout.ways.filter { owners.contains($0.owner) } }
    return layout.ways.filter { way in
      owners.contains(way.owner) || (way.kind == .uplink && !way.isPrivate && egress.fallback == .localWAN)
        || (way.kind == .uplink && layout.underlays(of: egress).contains(way.device))
    }
  }
}
