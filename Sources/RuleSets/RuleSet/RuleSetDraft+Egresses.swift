/// Egresses: where traffic goes. Each is an item of `egresses`, or stands in the one rule that uses it.
extension RuleSetDraft {
  /// The keys that say where traffic goes.
  static let egressKeys = [
    "paths", "fallback", "failback", "drain_limit_seconds", "hold_down_ms", "flap_half_life_seconds",
  ]

  mutating func readEgresses(_ top: FieldReader) {
    egresses = top.objects("egresses", 0...RuleSetBounds.egresses) { index, value, path in
      guard let fields = FieldReader(value, at: path, keys: ["name"] + Self.egressKeys, book: book) else { return nil }
      let name = readName(.egresses, index: index, fields)
      return readEgress(fields, named: name, else: "")
    }
  }

  /// What an object says of an egress. Nil, with a complaint, where a field is missing or refused, or there is no name.
  ///
  /// - Parameter other: follows what to complain of where there is no path: what could be there instead.
  func readEgress(_ fields: FieldReader, named name: Name?, else other: String) -> DraftEgress? {
    if fields["paths"] == nil {
      fields.complain("paths", "missing; expected a list of paths, the preferred one first\(other)")
    }
    let (tiers, paths) = readTiers(fields)
    let fallback = fields.required("fallback", .choice() as Form<Egress.Fallback>)
    let failback = fields.value("failback", .choice(), default: Egress.Failback.move)
    let drainLimit = fields.value("drain_limit_seconds", .seconds(RuleSetBounds.drainLimit), default: .zero)
    let holdDown = fields.value("hold_down_ms", .milliseconds(RuleSetBounds.holdDown), default: .seconds(30))
    let halfLife = fields.value(
      "flap_half_life_seconds", .seconds(RuleSetBounds.flapHalfLife), default: FlapDamping.standard.halfLife)
    guard let name, let fallback, let failback, let drainLimit, let holdDown, let halfLife else { return nil }
    let egress = Egress(
      name: name, tiers: tiers, fallback: fallback, failback: failback, drainLimit: drainLimit, holdDown: holdDown,
      damping: FlapDamping(halfLife: halfLife))
    return DraftEgress(egress: egress, paths: paths)
  }

  /// Each item is a path, or paths that share flows: `{"balance": [{"path": "fra-a", "weight": 3}, {"path": "fra-b"}]}`.
  private func readTiers(_ fields: FieldReader) -> (tiers: [[PathShare]], paths: [DraftPath]) {
    var tiers: [[PathShare]] = []
    var paths: [DraftPath] = []
    let items = fields.objects("paths", 1...RuleSetBounds.pathsOfEgress) { index, value, field in (index, value, field)
    }
    for (index, value, field) in items.map(\.value) {
      if case .object = value {
        guard let tier = FieldReader(value, at: field, keys: ["balance"], book: book) else { continue }
        if tier["balance"] == nil { tier.complain("balance", "missing; expected a list of the paths that share flows") }
        let shares = tier.objects("balance", 2...RuleSetBounds.pathsOfEgress) { place, value, field -> DraftShare? in
          guard let item = FieldReader(value, at: field, keys: ["path", "weight"], book: book) else { return nil }
          let path = item.required("path", .name)
          let weight = item.value("weight", .integer(RuleSetBounds.weight), default: 1)
          guard let path, let weight else { return nil }
          return DraftShare(
            share: PathShare(path, weight: Int(weight)), place: "paths[\(index)].balance[\(place)].path")
        }.map(\.value)
        tiers.append(shares.map(\.share))
        paths += shares.map { DraftPath(place: $0.place, name: $0.share.path) }
      } else if let name = fields.read(value, .name, at: { field }) {
        tiers.append([PathShare(name)])
        paths.append(DraftPath(place: "paths[\(index)]", name: name))
      }
    }
    for (count, path) in paths.enumerated() {
      guard let first = paths.prefix(count).first(where: { $0.name == path.name }) else { continue }
      // `[0]` beside its neighbour in the same list, the whole place elsewhere.
      let said =
        first.place.hasPrefix("paths[") && !first.place.contains(".") ? String(first.place.dropFirst(5)) : first.place
      book.complain(fields.field(path.place), "\(quoted(path.name.text)) is there twice, first at \(said)")
    }
    if paths.count > RuleSetBounds.pathsOfEgress {
      fields.complain("paths", "expected at most \(RuleSetBounds.pathsOfEgress) paths, found \(paths.count)")
    }
    return (tiers.filter { !$0.isEmpty }, paths)
  }

  private struct DraftShare {
    var share: PathShare
    var place: String
  }
}
