/// What the parts of a rule set say together: references, one hop, no two of what must be one.
extension RuleSetDraft {
  func validate() {
    validateHubs()
    validateTunnels()
    validateProfiles()
    validateInnerAddresses()
    validatePaths()
    for probe in probes {
      names.checkReference(probe.value.path, to: .paths, at: "probes[\(probe.index)].path")
    }
    validateQuorums()
    validateEgresses()
    validateSteering()
    validateSourcesAreApart()
    validatePrefixCount()
  }

  private static let oneHop = "hub to hub, and an edge through two hubs, are refused: one hop"

  private func validateHubs() {
    var seen: [IPv4Address: Int] = [:]
    for hub in hubs {
      let field = "hubs[\(hub.index)].address"
      if let first = seen.updateValue(hub.index, forKey: hub.value.address) {
        book.complain(field, "\(hub.value.address) is already the address of hubs[\(first)]")
      }
      let tunnel = tunnels.first { tunnel in
        tunnel.value.innerRemote == hub.value.address
          || tunnel.value.innerLocal?.subnet.contains(hub.value.address) == true
      }
      if let tunnel {
        book.complain(
          field,
          "expected an address outside of every tunnel, found \(hub.value.address), which lies in"
            + " tunnels[\(tunnel.index)].inner (\(Self.oneHop))")
      }
    }
  }

  private func validateTunnels() {
    var seen: [String: Int] = [:]
    for tunnel in tunnels {
      let field = "tunnels[\(tunnel.index)]"
      names.checkReference(tunnel.value.hub, to: .hubs, at: "\(field).hub")
      if let uplink = tunnel.value.uplink { checkUplink(uplink, at: "\(field).uplink") }
      let (identity, words) = identity(of: tunnel.value)
      if let first = seen[identity] {
        let why = tunnel.value.isIPsec ? "a second one is redundant" : "the kernel can't tell them apart"
        book.complain(field, "\(words) as tunnels[\(first)]: \(why)")
      } else {
        seen[identity] = tunnel.index
      }
    }
  }

  /// What the kernel knows a tunnel by, and words that end in "same …".
  private func identity(of tunnel: Tunnel) -> (String, String) {
    let between = "\(tunnel.hub) \(tunnel.uplink?.text ?? "")"
    return switch tunnel.kind {
    case .gre(nil): ("gre \(between)", "the same kind, hub, uplink and key")
    case .gre(let key?): ("gre \(between) \(key)", "the same kind, hub, uplink and key")
    case .ipip: ("ipip \(between)", "the same kind, hub and uplink")
    case .ipsec: ("ipsec \(between)", "the same kind, hub and uplink")
    case .external(let device): ("external \(device)", "the same device")
    }
  }

  /// Whether the router has the interface is asked later, by `RuleSetCheck`; here it must not be another part of the document.
  private func checkUplink(_ uplink: InterfaceName, at field: String) {
    guard let name = Name(uplink.text) else { return }
    for part in [Part.hubs, .tunnels] where names.names[part]?[name] != nil {
      book.complain(
        field, "expected an interface of this router, found the \(part.noun) \(quoted(name.text)) (\(Self.oneHop))")
      return
    }
  }

  private func validateInnerAddresses() {
    var claims: [PrefixOverlap.Claim] = []
    for (owner, tunnel) in tunnels.enumerated() {
      guard let local = tunnel.value.innerLocal else { continue }
      // With a /32 the route to the far end is what the kernel would have twice.
      let prefix = local.length < 32 ? local.subnet : tunnel.value.innerRemote.map { .host($0) }
      if let prefix { claims.append(PrefixOverlap.Claim(prefix: prefix, owner: owner, index: 0)) }
    }
    PrefixOverlap.pairs(among: claims, owners: tunnels.count, mayMeet: { _, _ in true }) { inner, outer in
      book.complain(
        "tunnels[\(tunnels[inner.owner].index)].inner",
        "\(inner.prefix) lies in \(outer.prefix) of tunnels[\(tunnels[outer.owner].index)].inner")
    }
  }

  private func validatePaths() {
    var seen: [String: Int] = [:]
    for path in paths {
      let field = "paths[\(path.index)]"
      let way: String
      switch path.value.way {
      case .tunnel(let name):
        names.checkReference(name, to: .tunnels, at: "\(field).tunnel")
        way = "tunnel \(quoted(name.text))"
      case .uplink(let interface):
        checkUplink(interface, at: "\(field).uplink")
        way = "uplink \(quoted(interface.text))"
      }
      if let first = seen[way] {
        book.complain(field, "\(way) is already the way of paths[\(first)]")
      } else {
        seen[way] = path.index
      }
    }
  }

  private func validateQuorums() {
    for path in paths {
      guard let quorum = path.value.quorum, !names.incomplete.contains(.probes) else { continue }
      let count = probes.count { $0.value.path == path.value.name }
      if quorum > count {
        book.complain(
          "paths[\(path.index)].quorum", "expected at most as many as probes watch the path, \(count), found \(quorum)")
      }
    }
  }

  private func validateEgresses() {
    let uplinks = Set(
      paths.compactMap { path in
        if case .uplink = path.value.way { path.value.name } else { nil }
      })
    let withoutUplink = Set(tunnels.filter { $0.value.uplink == nil }.map(\.value.name))
    let external = Set(
      paths.compactMap { path in
        if case .tunnel(let name) = path.value.way, withoutUplink.contains(name) { path.value.name } else { nil }
      })
    let own = rules.filter { $0.value.named == nil }.map { ("backhaul_rules[\($0.index)]", $0.value.own) }
    for (field, draft) in egresses.map({ ("egresses[\($0.index)]", $0.value) }) + own {
      // Whether the uplink below is a private line is asked later, by `RuleSetCheck`.
      let paths = draft.paths
      if draft.egress.fallback == .underlay, !paths.isEmpty,
        paths.allSatisfy({ uplinks.contains($0.name) || external.contains($0.name) })
      {
        book.complain(
          "\(field).fallback",
          "\"underlay\" sends by the uplink of a tunnel, and none of its paths is a tunnel with an uplink")
      }
      for path in paths {
        names.checkReference(path.name, to: .paths, at: "\(field).\(path.place)")
        if draft.egress.fallback == .block && uplinks.contains(path.name) {
          book.complain(
            "\(field).\(path.place)",
            "expected a path through a tunnel, as fallback is \"block\", found \(quoted(path.name.text)), an uplink")
        }
      }
      // Part of the traffic through a hub and part past it is what nobody means by sharing.
      for tier in draft.value.tiers where Set(tier.map { uplinks.contains($0.path) }).count > 1 {
        let names = tier.map { quoted($0.path.text) }.joined(separator: ", ")
        book.complain("\(field).paths", "expected tunnels alone or uplinks alone to share flows, found \(names)")
      }
    }
    for rule in rules {
      guard let name = rule.value.named else { continue }
      names.checkReference(name, to: .egresses, at: "backhaul_rules[\(rule.index)].egress")
    }
    let used = Set(rules.map(\.value.egressName) + steering.compactMap(\.value.egress))
    let areAllRead = names.incomplete.isDisjoint(with: [.rules, .steering])
    for egress in egresses where areAllRead && !used.contains(egress.value.egress.name) {
      book.remark("egresses[\(egress.index)]", "no rule names it")
    }
    validateEgressNames()
  }

  /// What a rule has of its own is known by the rule's name, so another may not have that name.
  private func validateEgressNames() {
    let own = Dictionary(
      rules.filter { $0.value.named == nil }.map { ($0.value.name, $0.index) },
      uniquingKeysWith: { first, _ in first })
    for egress in egresses {
      guard let rule = own[egress.value.egress.name] else { continue }
      book.complain(
        "egresses[\(egress.index)].name",
        "\(quoted(egress.value.egress.name.text)) is the name of backhaul_rules[\(rule)], whose own egress is known by it"
      )
    }
  }

  private func validatePrefixCount() {
    let backhauled = rules.reduce(directDestinations.count) { $0 + $1.value.sources.prefixes.count }
    let count = steering.reduce(backhauled) {
      $0 + $1.value.match.sources.count + $1.value.match.destinations.count
    }
    if count > RuleSetBounds.prefixes {
      book.complain("", "expected at most \(RuleSetBounds.prefixes) prefixes in all lists together, found \(count)")
    }
  }
}
