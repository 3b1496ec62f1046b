extension DraftRule: Described {
  static let blank = DraftRule()

  init(_ rule: BackhaulRule, isNamed: Bool) {
    name = rule.name
    enabled = rule.enabled
    sources.interfaces = rule.sources.interfaces
    sources.prefixes = rule.sources.prefixes.enumerated().map { Item(index: $0, value: $1) }
    named = isNamed ? rule.egress.name : nil
    own = DraftEgress(rule.egress)
    ipv6 = rule.ipv6
    allowBypass = rule.allowBypass
  }

  /// The rule, with the egress that it names or its own.
  func rule(among egresses: [Name: Egress]) -> BackhaulRule {
    var egress = own.value
    egress.name = name
    if let named, let other = egresses[named] { egress = other }
    return BackhaulRule(
      name: name, enabled: enabled,
      sources: Sources(interfaces: sources.interfaces, prefixes: sources.prefixes.map(\.value)), egress: egress,
      ipv6: ipv6, allowBypass: allowBypass)
  }

  mutating func fields(_ fields: Fields) {
    /// What reports and events call it.
    fields.name(&name, of: .rules)
    /// A disabled rule is checked like the others, except for overlaps.
    fields.standard("enabled", .boolean, &enabled)
    /// See below.
    fields.object("sources", &sources, expected: "an object with interfaces, prefixes or both")
    /// Where the traffic goes.
    /// - Value: name of an egress
    /// - Default:
    fields.optional("egress", .name, &named)
    if fields.isReading, fields.has("egress"), named == nil { fields.isWhole = false }
    /// Instead of `egress`: an egress that this rule has for itself.
    fields.insteadOf("egress", named == nil, "a rule that names an egress leaves this to it") {
      own.wayFields(fields, else: ", or egress with the name of one")
    }
    /// IPv6 never enters a tunnel. `local`: it leaves by the local WAN as the router would send it anyway. `block`: it is
    /// refused wherever a default route would take it, by an uplink or by a WAN that is not configured as one. `block`
    /// needs `sources.interfaces`, because an IPv4 prefix does not tell whose IPv6 it is, and it applies to all IPv6 of
    /// those interfaces, whatever `sources.prefixes` says. A more specific route that leads out by no uplink is kept; one
    /// to an eighth of all addresses or more, such as `2000::/3`, counts as a default route.
    fields.standard("ipv6", .choice(), &ipv6)
    if fields.isReading, ipv6 == .block, sources.isKnown, sources.interfaces.isEmpty, !sources.prefixes.isEmpty {
      fields.complain("ipv6", "\"block\" needs sources.interfaces: an IPv4 prefix does not tell whose IPv6 it is")
    }
    /// Whether steering rules may send this rule's traffic out by an uplink that its `fallback` of `block` or `underlay`
    /// forbids: with `action: direct`, or by another egress. Without it, what a steering rule sends that way is dropped.
    fields.standard("allow_bypass", .boolean, &allowBypass)
  }
}

extension DraftSources: Described {
  static let blank = DraftSources()

  mutating func fields(_ fields: Fields) {
    /// Each is in `lans` of the local configuration.
    /// - Value: list of 1 to 64 LAN interfaces
    /// - Default: any LAN
    fields.list("interfaces", 1...64, of: .interface, &interfaces)
    /// Matches the packets' source addresses.
    /// - Default: any address
    fields.list("prefixes", 1...RuleSetBounds.prefixes, of: .prefix, &prefixes)
    fields.atLeastOne("interfaces", "prefixes")
    guard fields.isReading else { return }
    isKnown =
      interfaces.isEmpty != fields.has("interfaces") && prefixes.isEmpty != fields.has("prefixes")
    prefixes = PrefixOverlap.merged(prefixes, in: fields.path("prefixes"), book: fields.names.book)
  }
}
