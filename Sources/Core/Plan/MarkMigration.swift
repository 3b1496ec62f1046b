/// Moves from the marks of another mask to those of the wanted one, after an upgrade with another default or after an
/// operator has set another mask. Our own ip rules in the kernel tell which mask it was.
///
/// Each packet is steered at every moment, and live connections keep their way:
///
///     1  ip rules for the new marks stand beside the old ones
///     2  the nftables table sets new marks, in one transaction; a packet of a connection with an old mark gives the
///        connection its new one before anything asks for it
///     3  tunnels' outer packets take new marks
///     4  connections that are silent meanwhile get theirs by one walk through the connection table
///     5  the table that translates nothing any more, and then the old ip rules go
///
/// Killed at any point, it starts over: the ip rules that tell of the old mask are the last to go.
package struct MarkMigration: Equatable, Sendable {
  /// One mark of the old mask, and the one that replaces it.
  package struct Move: Equatable, Sendable {
    package var from: Mark
    /// 0 where the owner is gone, or the old mark could be a new one's: the connection is then bound again.
    package var to: Mark
  }

  package let old: MarkMask
  package let new: MarkMask
  /// Ordered by the old mark.
  package let moves: [Move]

  /// What both may have set.
  package var mask: MarkMask { old.joined(new) }

  /// One for each other mask that `present` has; none where nothing has marks, or is to have some.
  package static func all(from present: [RoutingRule], to wanted: [RoutingRule]) -> [MarkMigration] {
    guard let new = wanted.lazy.compactMap(\.mark?.mask).first else { return [] }
    let marks = Set(wanted.compactMap(\.mark).map(\.mark))
    // What leads to a table has a whole mask; a block of marks says nothing of the mask that it is of.
    let masks = Set(present.filter(\.leadsToTable).compactMap(\.mark?.mask)).subtracting([new])
    return masks.sorted { $0.bits < $1.bits }.map { old in
      let told = present.compactMap(\.mark).filter { $0.mask == old }.map(\.mark)
      // Some of its rules may be gone already.
      let former = marks.compactMap { new.slot($0).flatMap(old.mark) }
      let moves = Set(told + former).filter { $0.value != 0 }.sorted().map { mark -> Move in
        let heir = old.slot(mark).flatMap(new.mark)
        let isClear = heir.map(marks.contains) == true && !marks.contains(mark)
        return Move(from: mark, to: isClear ? heir ?? Mark(value: 0) : Mark(value: 0))
      }
      return MarkMigration(old: old, new: new, moves: moves)
    }
  }
}

/// When which ip rules come and go, around the moment at which nftables turns to the new marks.
struct MigrationOrder {
  /// Rules for the new marks.
  private(set) var before: [Step] = []
  /// The turn itself.
  private(set) var turn: [Step] = []
  /// What brings live connections along, once all else has turned.
  private(set) var renewal: [Step] = []
  /// The old rules.
  private(set) var after: [Step] = []

  init(_ migrations: [MarkMigration], _ rules: (creating: [Step], deleting: [Step]), _ nftTable: [Step]) {
    let olds = rules.deleting.compactMap(\.deletedRule)
    var late: [Step] = []
    // A number may be one owner's mark under one mask and another's under the other. A new rule must not take a packet
    // from an old one before the turn, nor an old one from a new one after it.
    for step in rules.creating {
      if let rule = step.addedRule, olds.contains(where: { rule.takesPackets(of: $0) && rule.priority < $0.priority }) {
        late.append(step)
      } else {
        before.append(step)
      }
    }
    let news = rules.creating.compactMap(\.addedRule)
    var early: [Step] = []
    for step in rules.deleting {
      if let rule = step.deletedRule,
        news.contains(where: { rule.takesPackets(of: $0) && rule.priority <= $0.priority })
      {
        early.append(step)
      } else {
        after.append(step)
      }
    }
    for step in nftTable {
      guard case .replaceNftTable(let table) = step else { continue }
      turn.append(.replaceNftTable(table.translating(migrations)))
    }
    turn += early + late
    renewal = migrations.map { .moveMarks($0) } + nftTable
  }
}

extension RoutingRule {
  /// A packet that carries the other rule's mark is taken by this one.
  fileprivate func takesPackets(of other: RoutingRule) -> Bool {
    guard let own = mark, let foreign = other.mark, own.mask != foreign.mask, !inverted, !other.inverted else {
      return false
    }
    return foreign.mark.value & own.mask.bits == own.mark.value
  }
}

extension Step {
  fileprivate var addedRule: RoutingRule? { if case .addRule(let rule) = self { rule } else { nil } }
  fileprivate var deletedRule: RoutingRule? { if case .deleteRule(let rule) = self { rule } else { nil } }

  /// Only for a device that stays.
  var changesTunnel: Bool {
    switch self {
    case .changeTunnel, .setMTU: true
    default: false
    }
  }

  var isFloor: Bool { if case .putRoute(let route) = self { route.metric == .floor } else { false } }
}

extension NftTable {
  private static var renewal: String { "renew" }

  /// The same table, which gives a connection of an old mark its new one with the first packet that comes of it: where
  /// packets come in and where the router's own begin, before anything else.
  func translating(_ migrations: [MarkMigration]) -> NftTable {
    var table = self
    let rules = migrations.flatMap { migration in
      migration.moves.map { move in
        NftRule(
          [.connectionMark(move.from, migration.mask)], [.setConnectionMark(move.to, migration.mask), .return],
          comment: "of the mask \(migration.old)")
      }
    }
    for point in [NftChain.Hook.Point.prerouting, .output] {
      let first = table.chains.indices.filter { table.chains[$0].hook?.point == point }
        .min { (table.chains[$0].hook?.priority ?? 0) < (table.chains[$1].hook?.priority ?? 0) }
      guard let first else { continue }
      table.chains[first].rules.insert(
        NftRule([], [.jump(chain: Self.renewal)], comment: "connections of older marks"), at: 0)
    }
    table.chains.append(NftChain(name: Self.renewal, rules: rules))
    return table
  }
}
