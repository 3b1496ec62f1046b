package import Core
package import RuleSets

/// One walk through the table of tracked connections for many sweeps: what each says of a connection, as if they were made
/// one after the other. Pure.
package struct SweepWalk: Sendable {
  /// What a sweep has to know of one tracked connection.
  package struct Connection: Sendable {
    package var mark: Mark
    package var source: IPv4Address
    package var destination: IPv4Address
    /// Where its answers are sent to.
    package var repliesTo: IPv4Address
    package var isAnswered: Bool

    package init(
      mark: Mark, source: IPv4Address, destination: IPv4Address, repliesTo: IPv4Address, isAnswered: Bool
    ) {
      self.mark = mark
      self.source = source
      self.destination = destination
      self.repliesTo = repliesTo
      self.isAnswered = isAnswered
    }

    package var isTranslated: Bool { repliesTo != source }
  }

  /// What becomes of a connection when the sweeps are through.
  package enum Fate: Equatable, Sendable {
    case stays
    case goes
    /// It gets this mark.
    case moves(Mark)
  }

  private let sweeps: [ConnectionSweep]
  private let mask: MarkMask
  /// The router's own addresses.
  private let own: Set<IPv4Address>
  /// Which of `sweeps` are of a mark, in their order.
  private let places: [Mark: [Int]]
  /// How many connections each has moved: its heirs take turns.
  private var turns: [Int]
  /// How many connections each has met.
  package private(set) var counts: [Int]

  package init(_ sweeps: [ConnectionSweep], mask: MarkMask, own: Set<IPv4Address> = []) {
    self.sweeps = sweeps
    self.mask = mask
    self.own = own
    places = Dictionary(grouping: sweeps.indices) { sweeps[$0].mark }
    turns = [Int](repeating: 0, count: sweeps.count)
    counts = turns
  }

  /// Judges one connection by all the sweeps, and counts it for each that meets it. A moved connection has a new mark,
  /// so later sweeps of that mark meet it as well.
  package mutating func fate(of connection: Connection) -> Fate {
    var mark = Mark(value: connection.mark.value & mask.bits)
    var isMoved = false
    var next = 0
    while let place = places[mark]?.first(where: { $0 >= next && takes(sweeps[$0], connection) }) {
      counts[place] += 1
      let heirs = sweeps[place].heirs
      // What it was translated to is of the way that it was made on.
      guard !heirs.isEmpty, !connection.isTranslated else { return .goes }
      mark = heirs[turns[place] % heirs.count]
      turns[place] += 1
      isMoved = true
      next = place + 1
    }
    return isMoved ? .moves(mark) : .stays
  }

  private func takes(_ sweep: ConnectionSweep, _ connection: Connection) -> Bool {
    if let sources = sweep.sources, !AddressRanges.contain(connection.source, sources) { return false }
    if let destinations = sweep.destinations, !AddressRanges.contain(connection.destination, destinations) {
      return false
    }
    // Set up before it was steered: it left by an uplink.
    if sweep.isOfTheUnmarked { return connection.isTranslated }
    guard let address = sweep.address else { return true }
    return connection.isTranslated && connection.repliesTo != address
      && (!own.contains(connection.repliesTo) || !connection.isAnswered)
  }
}
