internal import RuleSets

/// Steering rules as the kernel looks through them: pieces that are asked one after the other, each with a look or two into
/// maps however many rules are in it (`SteeringTree`).
///
/// A rule is some boxes: one range for each field. Of the boxes that hold a packet the one of the lowest turn decides
/// (`PacketBox`), or the one that is asked first, where they are in two maps. A rule whose addresses are too many for boxes
/// is a piece of its own, and so is one with domains: these ask sets.
struct SteeringProgram: Equatable, Sendable {
  /// Boxes of a rule; one that has more asks sets for its addresses.
  static let mostBoxesOfRule = 256
  /// That the rules of a piece compare, besides the turn: nft(8) lists no more than five in a concatenation so that it can
  /// load them again.
  static let mostFields = 4
  /// In all pieces together.
  static let mostBoxes = 65_536

  /// Rules in one look.
  struct Piece: Equatable, Sendable {
    var rules: [SteeringRule]
    /// Which of its addresses the only rule of the piece asks sets for.
    var asked: Set<SteeringField> = []
    /// By the way to look.
    var trees: [SteeringLook: SteeringTree] = [:]
  }

  var pieces: [Piece] = []

  init(_ rules: [SteeringRule]) {
    var run: [SteeringRule] = []
    var fields: Set<SteeringField> = []
    func close() {
      if !run.isEmpty { pieces.append(Piece(rules: run)) }
      (run, fields) = ([], [])
    }
    for rule in rules {
      let asked = Self.asked(by: rule.match)
      if asked.isEmpty {
        if fields.union(Self.taken(by: rule.match).keys).count > Self.mostFields { close() }
        fields.formUnion(Self.taken(by: rule.match).keys)
        run.append(rule)
      } else {
        close()
        pieces.append(Piece(rules: [rule], asked: asked))
      }
    }
    close()
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

  /// Rules that may take such packets, with what they compare. A rule that needs what those packets do not have is not among
  /// them.
  func entries(_ look: SteeringLook) -> [SteeringTree.Entry] {
    rules.filter { (look.hasSender || $0.match.macs.isEmpty) && (look.hasPort || $0.match.ports.isEmpty) }.map { rule in
      SteeringTree.Entry(
        rule: rule, taken: SteeringProgram.taken(by: rule.match).filter { !asked.contains($0.key) })
    }
  }
}
