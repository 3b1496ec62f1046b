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
    let (tiers, paths) = readTiers(fields)
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
      tiers: tiers, fallback: fallback, failback: failback, drainLimit: drainLimit, holdDown: holdDown,
      damping: FlapDamping(halfLife: halfLife), ipv6: ipv6)
    return DraftRule(rule: rule, sources: sources, paths: paths)
  }

  /// Each item is a path, or paths that share flows: `{"balance": [{"path": "fra-a", "weight": 3}, {"path": "fra-b"}]}`.
  private func readTiers(_ rule: FieldReader) -> (tiers: [[PathShare]], paths: [DraftRulePath]) {
    var tiers: [[PathShare]] = []
    var paths: [DraftRulePath] = []
    let items = rule.objects("paths", 1...RuleSetBounds.pathsOfRule) { index, value, field in (index, value, field) }
    for (index, value, field) in items.map(\.value) {
      if case .object = value {
        guard let tier = FieldReader(value, at: field, keys: ["balance"], book: book) else { continue }
        if tier["balance"] == nil { tier.complain("balance", "missing; expected a list of the paths that share flows") }
        let shares = tier.objects("balance", 2...RuleSetBounds.pathsOfRule) { place, value, field -> DraftShare? in
          guard let fields = FieldReader(value, at: field, keys: ["path", "weight"], book: book) else { return nil }
          let path = fields.required("path", .name)
          let weight = fields.value("weight", .integer(RuleSetBounds.weight), default: 1)
          guard let path, let weight else { return nil }
          return DraftShare(
            share: PathShare(path, weight: Int(weight)), place: "paths[\(index)].balance[\(place)].path")
        }.map(\.value)
        tiers.append(shares.map(\.share))
        paths += shares.map { DraftRulePath(place: $0.place, name: $0.share.path) }
      } else if let name = rule.read(value, .name, at: { field }) {
        tiers.append([PathShare(name)])
        paths.append(DraftRulePath(place: "paths[\(index)]", name: name))
      }
    }
    for (count, path) in paths.enumerated() {
      guard let first = paths.prefix(count).first(where: { $0.name == path.name }) else { continue }
      // `[0]` beside its neighbour in the same list, the whole place elsewhere.
      let said =
        first.place.hasPrefix("paths[") && !first.place.contains(".") ? String(first.place.dropFirst(5)) : first.place
      book.complain(rule.field(path.place), "\(quoted(path.name.text)) is there twice, first at \(said)")
    }
    if paths.count > RuleSetBounds.pathsOfRule {
      rule.complain("paths", "expected at most \(RuleSetBounds.pathsOfRule) paths, found \(paths.count)")
    }
    return (tiers.filter { !$0.isEmpty }, paths)
  }

  private struct DraftShare {
    var share: PathShare
    var place: String
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
