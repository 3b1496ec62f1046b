/// Backhaul rules and direct destinations: whose traffic goes where.
extension RuleSetDraft {
  private static let ruleKeys = [
    "name", "enabled", "sources", "paths", "fallback", "failback", "drain_limit_seconds", "hold_down_ms",
    "flap_half_life_seconds", "ipv6",
  ]

  mutating func readRules(_ top: FieldReader) {
    if top["backhaul_rules"] == nil {
      top.complain("backhaul_rules", "missing; expected a list (an empty one steers nothing)")
    }
    rules = top.objects("backhaul_rules", 0...RuleSetBounds.rules) { readRule($0, $1, at: $2) }
  }

  private mutating func readRule(_ index: Int, _ value: DocumentValue, at path: String) -> DraftRule? {
    guard let fields = FieldReader(value, at: path, keys: Self.ruleKeys, book: book) else { return nil }
    let name = readName(.rules, index: index, fields)
    let enabled = fields.value("enabled", .boolean, default: true)
    let sources = readSources(fields)
    if fields["paths"] == nil { fields.complain("paths", "missing; expected a list of paths, the preferred one first") }
    let paths = fields.list("paths", 1...RuleSetBounds.pathsOfRule, of: .name)
    complainOfRepetition(paths) { "\(fields.field("paths"))[\($0)]" }
    let fallback = fields.required("fallback", .choice() as Form<BackhaulRule.Fallback>)
    let failback = fields.value("failback", .choice(), default: BackhaulRule.Failback.move)
    let drainLimit = fields.value("drain_limit_seconds", .seconds(RuleSetBounds.drainLimit), default: .zero)
    let holdDown = fields.value("hold_down_ms", .milliseconds(RuleSetBounds.holdDown), default: .seconds(30))
    let halfLife = fields.value(
      "flap_half_life_seconds", .seconds(RuleSetBounds.flapHalfLife), default: FlapDamping.standard.halfLife)
    let ipv6 = fields.value("ipv6", .choice(), default: BackhaulRule.IPv6.local)
    if let sources, ipv6 == .block, sources.interfaces.isEmpty {
      fields.complain("ipv6", "\"block\" needs sources.interfaces: an IPv4 prefix does not tell whose IPv6 it is")
    }
    guard let name, let enabled, let sources, let fallback, let failback, let drainLimit, let holdDown, let halfLife,
      let ipv6
    else { return nil }
    let rule = BackhaulRule(
      name: name, enabled: enabled,
      sources: Sources(interfaces: sources.interfaces.map(\.value), prefixes: sources.prefixes.map(\.value)),
      paths: paths.map(\.value), fallback: fallback, failback: failback, drainLimit: drainLimit, holdDown: holdDown,
      damping: FlapDamping(halfLife: halfLife), ipv6: ipv6)
    return DraftRule(rule: rule, sources: sources, paths: paths)
  }

  private func readSources(_ rule: FieldReader) -> DraftSources? {
    if rule["sources"] == nil {
      rule.complain("sources", "missing; expected an object with interfaces, prefixes or both")
    }
    guard let fields = rule.object("sources", keys: ["interfaces", "prefixes"]) else { return nil }
    if fields["interfaces"] == nil && fields["prefixes"] == nil {
      book.complain(fields.path, "expected interfaces, prefixes or both, found neither")
      return nil
    }
    let interfaces = fields.list("interfaces", 1...RuleSetBounds.interfacesOfRule, of: .interface)
    complainOfRepetition(interfaces) { "\(fields.field("interfaces"))[\($0)]" }
    let prefixes = fields.list("prefixes", 1...RuleSetBounds.prefixes, of: .prefix)
    PrefixOverlap.complain(of: prefixes, in: fields.field("prefixes"), book)
    let isKnown =
      (interfaces.isEmpty == (fields["interfaces"] == nil)) && (prefixes.isEmpty == (fields["prefixes"] == nil))
    return DraftSources(interfaces: interfaces, prefixes: prefixes, isKnown: isKnown)
  }

  mutating func readDirectDestinations(_ top: FieldReader) {
    directDestinations = top.list("direct_destinations", 0...RuleSetBounds.prefixes, of: .prefix)
    PrefixOverlap.complain(of: directDestinations, in: "direct_destinations", book)
    for item in directDestinations where item.value == .all {
      book.complain("direct_destinations[\(item.index)]", "0.0.0.0/0 would leave nothing to backhaul")
    }
  }

  func complainOfRepetition(
    _ items: [Item<some Hashable & CustomStringConvertible>], at field: (Int) -> String
  ) {
    for (place, item) in items.enumerated() {
      guard let first = items.prefix(place).first(where: { $0.value == item.value }) else { continue }
      book.complain(field(item.index), "\(quoted(item.value.description)) is there twice, first at [\(first.index)]")
    }
  }
}
