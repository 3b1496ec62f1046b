internal import RuleSets

/// Steering rules as the kernel looks through them: pieces that are asked one after the other, each with one look into a
/// map however many rules are in it.
///
/// A rule is some boxes: one range for each field. Of the boxes that hold a packet the one of the lowest turn decides
/// (`PacketBox`), or the one that is asked first, where they are in two pieces. A rule whose addresses are too many for boxes
/// is a piece of its own, and so is one with domains: these ask sets.
struct SteeringProgram: Equatable, Sendable {
  /// Boxes of a rule; one that has more asks sets for its addresses.
  static let mostBoxesOfRule = 256
  /// That one map compares, besides the turn: nft(8) lists no more than five in a concatenation so that it can load them
  /// again.
  static let mostFields = 4
  /// In all pieces together.
  static let mostBoxes = 65_536

  /// Rules in one look.
  struct Piece: Equatable, Sendable {
    var rules: [SteeringRule]
    /// By rule.
    var turns: [Int]
    /// Which of its addresses the only rule of the piece asks sets for.
    var asked: Set<SteeringField> = []
    /// By the way to look.
    var maps: [SteeringLook: NftMap] = [:]
  }

  var pieces: [Piece] = []

  init(_ rules: [SteeringRule]) {
    var run: [SteeringRule] = []
    var fields: Set<SteeringField> = []
    for rule in rules {
      let asked = Self.asked(by: rule.match)
      if asked.isEmpty {
        let together = fields.union(Self.taken(by: rule.match).keys)
        if together.count > Self.mostFields { close(&run) }
        fields = run.isEmpty ? Set(Self.taken(by: rule.match).keys) : together
        run.append(rule)
      } else {
        close(&run)
        pieces.append(Piece(rules: [rule], turns: [0], asked: asked))
      }
    }
    close(&run)
  }

  /// Rules of one turn have nothing in common, and stand in one map, however many they are. Those of the next turns join them
  /// as long as all together are few (`FieldRules`).
  private mutating func close(_ run: inout [SteeringRule]) {
    guard !run.isEmpty else { return }
    let turns = TurnBook(run.map { Self.taken(by: $0.match) }).turns
    var layers = [[SteeringRule]](repeating: [], count: (turns.max() ?? 0) + 1)
    for (rule, turn) in zip(run, turns) { layers[turn].append(rule) }
    var piece = Piece(rules: [], turns: [])
    var size = FieldRules()
    for layer in layers where !layer.isEmpty {
      let next = (piece.turns.last ?? -1) + 1
      let joined = size.adding(layer, turn: next)
      if piece.rules.isEmpty || joined.areFew {
        size = joined
        piece.rules += layer
        piece.turns += layer.map { _ in next }
      } else {
        pieces.append(piece)
        piece = Piece(rules: layer, turns: layer.map { _ in 0 })
        size = FieldRules().adding(layer, turn: 0)
      }
    }
    pieces.append(piece)
    run = []
  }

  /// What asks sets: domains always, and addresses where there are too many of them.
  private static func asked(by match: SteeringMatch) -> Set<SteeringField> {
    var asked: Set<SteeringField> = match.domains.isEmpty ? [] : [.domains]
    let taken = taken(by: match)
    func count(_ field: SteeringField) -> Int { asked.contains(field) ? 1 : taken[field]?.count ?? 1 }
    for field in [SteeringField.destinations, .sources].sorted(by: { count($0) > count($1) }) {
      let boxes = SteeringField.allCases.reduce(1) { multiplied($0, count($1)) }
      let isTooWide = asked.intersection(taken.keys).isEmpty && taken.count > mostFields
      if isTooWide || (boxes > mostBoxesOfRule && count(field) > 1), taken[field] != nil { asked.insert(field) }
    }
    return asked
  }

  private static func multiplied(_ one: Int, _ other: Int) -> Int {
    let (product, isTooMuch) = one.multipliedReportingOverflow(by: other)
    return isTooMuch ? .max : product
  }

  /// The boxes of a rule, in one piece.
  static func boxes(of match: SteeringMatch) -> Int {
    let (asked, taken) = (asked(by: match), taken(by: match))
    return taken.reduce(1) { multiplied($0, asked.contains($1.key) ? 1 : $1.value.count) }
  }

  /// What a match takes, as numbers, by each field that is compared in maps. The context (`SteeringContext`) knows the LAN
  /// and the code point; schedules hold by now, and domains are sets.
  static func taken(by match: SteeringMatch) -> TurnBook.Taken {
    var taken: TurnBook.Taken = [:]
    func add(_ field: SteeringField, _ ranges: [ClosedRange<UInt64>]) { if !ranges.isEmpty { taken[field] = ranges } }
    add(.macs, Set(match.macs).map(\.value).sorted().map { $0...$0 })
    add(.sources, AddressRanges.merged(match.sources).map(Self.wide))
    add(.destinations, AddressRanges.merged(match.destinations).map(Self.wide))
    add(.protocols, Set(match.protocols).map { UInt64($0.value) }.sorted().map { $0...$0 })
    add(.ports, PortRange.merged(match.ports).map { UInt64($0.first)...UInt64($0.last) })
    return taken
  }

  private static func wide(_ range: ClosedRange<UInt32>) -> ClosedRange<UInt64> {
    UInt64(range.lowerBound)...UInt64(range.upperBound)
  }
}

/// A way to look: which packets, and at which of their fields. Not every packet has a port or an Ethernet address, and the
/// kernel does not look into a map for a field that cannot be read.
struct SteeringLook: Hashable, Sendable {
  /// The packet came in by an Ethernet device.
  var hasSender: Bool
  /// It is TCP or UDP.
  var hasPort: Bool
}

extension SteeringProgram.Piece {
  private var looksAtSender: Bool { rules.contains { !$0.match.macs.isEmpty } }
  private var looksAtPort: Bool { rules.contains { !$0.match.ports.isEmpty } }

  /// The ways to look that the piece needs: for packets with senders and ports, with one of them, and with neither.
  var looks: [SteeringLook] {
    (looksAtSender ? [true, false] : [false]).flatMap { sender in
      (looksAtPort ? [true, false] : [false]).map { SteeringLook(hasSender: sender, hasPort: $0) }
    }
  }

  /// The fields that such a look compares.
  func fields(_ look: SteeringLook) -> [PacketField] {
    let matches = rules.map(\.match)
    var fields: [PacketField] = [.turn]
    if look.hasSender { fields.append(.sender) }
    if !asked.contains(.sources), matches.contains(where: { !$0.sources.isEmpty }) { fields.append(.source) }
    if !asked.contains(.destinations), matches.contains(where: { !$0.destinations.isEmpty }) {
      fields.append(.destination)
    }
    if matches.contains(where: { !$0.protocols.isEmpty }) { fields.append(.protocol) }
    if look.hasPort { fields.append(.port) }
    // One field alone is no concatenation (NFT_PIPAPO_MIN_FIELDS, net/netfilter/nft_set_pipapo.h).
    return fields.count == 1 ? fields + [.protocol] : fields
  }

  /// What decides in such a look. A rule that needs what those packets do not have is not among it.
  func elements(_ look: SteeringLook, to chain: (SteeringRule) -> String) -> [NftMap.Element] {
    let fields = fields(look)
    return zip(rules, turns).flatMap { rule, turn -> [NftMap.Element] in
      guard look.hasSender || rule.match.macs.isEmpty, look.hasPort || rule.match.ports.isEmpty else { return [] }
      return boxes(of: rule.match, turn, fields).map { .init(.box($0), .goto(chain: chain(rule))) }
    }
  }

  private func boxes(of match: SteeringMatch, _ turn: Int, _ fields: [PacketField]) -> [PacketBox] {
    let taken = SteeringProgram.taken(by: match)
    return fields.reduce([[]]) { boxes, field in
      let sides = sides(taken, turn, field)
      return boxes.flatMap { box in sides.map { box + [$0] } }
    }.map { PacketBox($0) }
  }

  private func sides(_ taken: TurnBook.Taken, _ turn: Int, _ field: PacketField) -> [PacketBox.Side] {
    let sides: [PacketBox.Side] =
      switch field {
      case .turn: [.turn(turn)]
      case .sender: numbers(taken[.macs])
      case .source: asked.contains(.sources) ? [] : numbers(taken[.sources])
      case .destination: asked.contains(.destinations) ? [] : numbers(taken[.destinations])
      case .protocol: numbers(taken[.protocols])
      case .port: numbers(taken[.ports])
      }
    return sides.isEmpty ? [.any(field)] : sides
  }

  private func numbers(_ ranges: [ClosedRange<UInt64>]?) -> [PacketBox.Side] {
    (ranges ?? []).map { .numbers($0.lowerBound, $0.upperBound) }
  }
}
