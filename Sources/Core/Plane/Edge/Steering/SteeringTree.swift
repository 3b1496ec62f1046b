internal import RuleSets

/// How a packet finds the rule that takes it, of thousands: by a map of few boxes, and above that by maps that say which map to
/// ask.
///
/// Linux goes through all boxes of a map at once, as many bits as there are boxes (nft_pipapo_lookup,
/// net/netfilter/nft_set_pipapo.c): ten thousand cost as much as all else that happens to a packet, and a box that changes
/// costs a new map of all. So where boxes are many the numbers of one field are halved until few boxes are left in each part,
/// and where a part still has many, those of another field. Where that does not help, because most boxes are in most parts,
/// maps are asked one behind the other.
struct SteeringTree: Equatable, Sendable {
  /// A rule, and what it takes in each field that is compared.
  struct Entry {
    var rule: SteeringRule
    var taken: TurnBook.Taken
  }

  /// One chain of the tree.
  struct Node: Equatable, Sendable {
    /// Behind the name of the tree, `.d1k.p6`: the part of each field, by its first number. Empty: the root.
    var suffix: String
    /// Asked in this order, until one of them leads away.
    var maps: [NftMap]
  }

  /// The root is the last one. None where there are no rules.
  private(set) var nodes: [Node] = []

  private let place: SteeringPlace
  private var boxes = 0
  private let mostBoxes: Int

  /// So many more are never too many.
  private static let fewBoxes = 1_024
  /// Values of a field that are told apart, at least.
  private static let fewestValues = 8

  /// - Parameter entries: in the order of the rules: the first one that takes a packet decides.
  init(_ entries: [Entry], at place: SteeringPlace) {
    self.place = place
    mostBoxes = 2 * entries.reduce(0) { $0 + $1.boxes } + Self.fewBoxes
    guard !entries.isEmpty else { return }
    grow(entries, "", [.macs, .sources, .destinations, .protocols, .ports])
    // A box that is in many parts is in many maps.
    if boxes > mostBoxes { nodes = [Node(suffix: "", maps: maps(entries, ""))] }
  }

  static func == (left: Self, right: Self) -> Bool { left.nodes == right.nodes }

  private mutating func grow(_ entries: [Entry], _ suffix: String, _ open: [SteeringField]) {
    guard boxes <= mostBoxes else { return }
    let own = entries.reduce(0) { $0 + $1.boxes }
    if !Self.areFew(entries), let field = Self.field(telling: entries, of: open) {
      // What comes to more than that helps little, and looking for it in each part would take its time.
      let parts = Self.parts(of: entries, by: field, upTo: min(mostBoxes - boxes, 2 * own + Self.fewBoxes))
      if parts.count > 1 { return branch(parts, by: field, suffix, open.filter { $0 != field }) }
    }
    boxes += own
    nodes.append(Node(suffix: suffix, maps: maps(entries, suffix)))
  }

  private mutating func branch(_ parts: [Part], by field: SteeringField, _ suffix: String, _ open: [SteeringField]) {
    var elements: [NftMap.Element] = []
    // Parts in which nothing of the field is left to tell are all alike.
    var alike: [[Name]: String] = [:]
    for part in parts {
      let isPlain = part.entries.allSatisfy { $0.taken[field] == nil }
      let names = isPlain ? part.entries.map(\.rule.name) : []
      var next = "\(suffix).\(field.letter)\(String(part.first, radix: 36))"
      if isPlain, let other = alike[names] {
        next = other
      } else {
        grow(part.entries, next, open)
        if isPlain { alike[names] = next }
      }
      elements.append(
        .init(.box(PacketBox([.turn(0), .numbers(part.first, part.last)])), .goto(chain: place.chain(next))))
    }
    guard let compared = field.compared else { return }
    nodes.append(Node(suffix: suffix, maps: [.boxes(place.map(suffix), [.turn, compared], elements)]))
  }

  // MARK: - Parts

  /// Numbers of a field, and what may take a packet that has one of them.
  private struct Part {
    var first: UInt64
    var last: UInt64
    var entries: [Entry]
  }

  /// The field by which most of them differ.
  private static func field(telling entries: [Entry], of open: [SteeringField]) -> SteeringField? {
    let values = open.map { field in
      let bound = entries.compactMap { $0.taken[field] }
      let isWorth = 2 * bound.count >= entries.count
      return (field, isWorth ? Set(bound.joined().map(\.lowerBound)).count : 0)
    }
    return values.filter { $0.1 >= fewestValues }.max { $0.1 < $1.1 }?.0
  }

  /// Ascending; a part that nothing takes is left out. None where there would be more boxes than `most` in them.
  private static func parts(of entries: [Entry], by field: SteeringField, upTo most: Int) -> [Part] {
    var parts: [Part] = []
    var boxes = 0
    /// - Parameter many: so many boxes were too many.
    func halve(_ first: UInt64, _ bits: Int, _ entries: [Entry], _ many: Int) {
      guard !entries.isEmpty, boxes <= most else { return }
      let own = entries.reduce(0) { $0 + $1.boxes }
      let last = first + (1 << UInt64(bits)) - 1
      let isWhole = entries.allSatisfy { $0.covers(first...last, in: field) }
      // That takes its time, and where hardly fewer are left the answer is as it was.
      let isAsked = 4 * own <= 3 * many
      if isWhole || bits == 0 || (isAsked && areFew(entries)) {
        parts.append(Part(first: first, last: last, entries: entries))
        boxes += own
        return
      }
      let middle = first + (1 << UInt64(bits - 1))
      let next = isAsked ? own : many
      halve(first, bits - 1, entries.compactMap { $0.within(first...middle - 1, in: field) }, next)
      halve(middle, bits - 1, entries.compactMap { $0.within(middle...last, in: field) }, next)
    }
    halve(0, field.compared?.bits ?? 0, entries, .max / 4)
    return boxes > most ? [] : parts
  }

  /// They have room in one map, whatever they have in common (`FieldRules`).
  private static func areFew(_ entries: [Entry]) -> Bool {
    guard entries.reduce(0, { $0 + $1.boxes }) <= FieldRules.most else { return false }
    let turns = TurnBook(entries.map(\.taken)).turns
    return zip(entries, turns).reduce(FieldRules()) { $0.adding([$1.0], turn: $1.1) }.areFew
  }

  // MARK: - Maps

  /// Rules of one turn have nothing in common, and stand in one map, however many they are. Those of the next turns join them
  /// as long as all together are few.
  private func maps(_ entries: [Entry], _ suffix: String) -> [NftMap] {
    let turns = TurnBook(entries.map(\.taken)).turns
    var layers = [[Entry]](repeating: [], count: (turns.max() ?? 0) + 1)
    for (entry, turn) in zip(entries, turns) { layers[turn].append(entry) }
    var maps: [[(entry: Entry, turn: Int)]] = []
    var size = FieldRules()
    for layer in layers where !layer.isEmpty {
      let next = (maps.last?.last?.turn ?? -1) + 1
      let joined = size.adding(layer, turn: next)
      if maps.isEmpty || !joined.areFew {
        maps.append(layer.map { ($0, 0) })
        size = FieldRules().adding(layer, turn: 0)
      } else {
        maps[maps.count - 1] += layer.map { ($0, next) }
        size = joined
      }
    }
    return maps.map { map in
      let fields = Self.fields(map.map(\.entry))
      let elements = map.flatMap { entry, turn in
        entry.boxes(turn, fields).map {
          NftMap.Element(.box($0), .goto(chain: EdgeCompiler.hitChain(of: entry.rule.name)))
        }
      }
      return .boxes(place.map(suffix), fields, elements)
    }
  }

  private static func fields(_ entries: [Entry]) -> [PacketField] {
    let compared = Set(entries.flatMap(\.taken.keys).compactMap(\.compared)).sorted()
    // One field alone is no concatenation (NFT_PIPAPO_MIN_FIELDS, net/netfilter/nft_set_pipapo.h).
    return [.turn] + (compared.isEmpty ? [.protocol] : compared)
  }
}

extension SteeringTree.Entry {
  /// How many boxes it is.
  var boxes: Int { taken.values.reduce(1) { $0 * $1.count } }

  func boxes(_ turn: Int, _ fields: [PacketField]) -> [PacketBox] {
    let sides = fields.map { compared -> [PacketBox.Side] in
      if compared == .turn { return [.turn(turn)] }
      let ranges = taken.first { $0.key.compared == compared }?.value
      return ranges?.map { .numbers($0.lowerBound, $0.upperBound) } ?? [.any(compared)]
    }
    return sides.reduce([[]]) { boxes, sides in boxes.flatMap { box in sides.map { box + [$0] } } }.map {
      PacketBox($0)
    }
  }

  /// Any of these numbers is one that it takes.
  fileprivate func covers(_ part: ClosedRange<UInt64>, in field: SteeringField) -> Bool {
    taken[field].map { $0.contains { $0.lowerBound <= part.lowerBound && $0.upperBound >= part.upperBound } } ?? true
  }

  /// What of it is in a part of a field's numbers; nil: nothing. Where all of the part is, the field is no longer asked.
  fileprivate func within(_ part: ClosedRange<UInt64>, in field: SteeringField) -> Self? {
    guard let ranges = taken[field] else { return self }
    var entry = self
    if covers(part, in: field) {
      entry.taken[field] = nil
      return entry
    }
    let common = ranges.filter { $0.overlaps(part) }.map { $0.clamped(to: part) }
    guard !common.isEmpty else { return nil }
    entry.taken[field] = common
    return entry
  }
}

extension SteeringField {
  /// The field of a packet that is compared for it; nil: none is, in maps.
  var compared: PacketField? {
    switch self {
    case .macs: .sender
    case .sources: .source
    case .destinations: .destination
    case .protocols: .protocol
    case .ports: .port
    case .lans, .dscp, .domains, .schedule: nil
    }
  }

  fileprivate var letter: String { String(rawValue.prefix(1)) }
}
