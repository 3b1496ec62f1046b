/// Backhaul rules and direct destinations: whose traffic goes where.
extension RuleSetDraft {
  private static let ruleKeys = ["name", "enabled", "sources", "egress"] + egressKeys + ["ipv6"]

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
    let isOwn = fields["egress"] == nil
    let own = isOwn ? readEgress(fields, named: name, else: ", or egress with the name of one") : nil
    let egress = isOwn ? own?.egress : namedEgress(fields)
    let ipv6 = fields.value("ipv6", .choice(), default: BackhaulRule.IPv6.local)
    if let sources, ipv6 == .block, sources.interfaces.isEmpty {
      fields.complain("ipv6", "\"block\" needs sources.interfaces: an IPv4 prefix does not tell whose IPv6 it is")
    }
    guard let name, let enabled, let sources, let egress, let ipv6 else { return nil }
    let rule = BackhaulRule(
      name: name, enabled: enabled,
      sources: Sources(interfaces: sources.interfaces.map(\.value), prefixes: sources.prefixes.map(\.value)),
      egress: egress, ipv6: ipv6)
    return DraftRule(rule: rule, sources: sources, own: own)
  }

  /// The egress that a rule names. Where there is none of that name, one by which nothing goes: `validate` complains, and
  /// the rest of the rule can still be judged.
  private func namedEgress(_ rule: FieldReader) -> Egress? {
    for key in Self.egressKeys where rule[key] != nil {
      rule.complain(key, "a rule that names an egress leaves this to it")
    }
    guard let name = rule.optional("egress", .name) else { return nil }
    return egresses.first { $0.value.egress.name == name }?.value.egress
      ?? Egress(name: name, tiers: [], fallback: .block)
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
    let prefixes = PrefixOverlap.merged(
      fields.list("prefixes", 1...RuleSetBounds.prefixes, of: .prefix), in: fields.field("prefixes"), book)
    let isKnown =
      (interfaces.isEmpty == (fields["interfaces"] == nil)) && (prefixes.isEmpty == (fields["prefixes"] == nil))
    return DraftSources(interfaces: interfaces, prefixes: prefixes, isKnown: isKnown)
  }

  mutating func readDirectDestinations(_ top: FieldReader) {
    let listed = top.list("direct_destinations", 0...RuleSetBounds.prefixes, of: .prefix)
    for item in listed where item.value == .all {
      book.complain("direct_destinations[\(item.index)]", "0.0.0.0/0 would leave nothing to backhaul")
    }
    directDestinations = PrefixOverlap.merged(listed, in: "direct_destinations", book)
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
