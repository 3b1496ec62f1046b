package import Core
package import RuleSets

/// One walk through the connection tracking table for many sweeps, with the result that the sweeps would have one
/// after the other. Pure.
package struct SweepWalk: Sendable {
  /// What a sweep has to know of one tracked connection.
  package struct Connection: Sendable {
    package var mark: Mark
    package var source: IPv4Address
    package var destination: IPv4Address
    /// The address that replies are sent to; not `source` where the source is translated.
    package var repliesTo: IPv4Address
    package var isAnswered: Bool
    package var `protocol`: ProtocolNumber
    /// The destination's; nil where the protocol has none.
    package var port: UInt16?

    package init(
      mark: Mark, source: IPv4Address, destination: IPv4Address, repliesTo: IPv4Address, isAnswered: Bool,
      protocol: ProtocolNumber = .udp, port: UInt16? = nil
    ) {
      self.protocol = `protocol`
      self.port = port
      self.mark = mark
      self.source = source
      self.destination = destination
      self.repliesTo = repliesTo
      self.isAnswered = isAnswered
    }

    package var isTranslated: Bool { repliesTo != source }

    fileprivate var tuple: FlowTuple {
      FlowTuple(source: source, destination: destination, protocol: `protocol`, port: port)
    }
  }

  /// What happens to a connection once all sweeps are done.
  package enum Fate: Equatable, Sendable {
    case stays
    case goes
    /// The connection gets this mark.
    case moves(Mark)
  }

  private let sweeps: [ConnectionSweep]
  private let mask: MarkMask
  /// The router's own addresses.
  private let own: Set<IPv4Address>
  /// The indices of the sweeps of each mark, in order.
  private let places: [Mark: [Int]]
  /// How many connections each sweep has moved, so that its heirs take turns.
  private var turns: [Int]
  /// How many connections each sweep has met.
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
      // Its translated address belongs to the way that it was set up on.
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
    if let filter = sweep.filter, !filter.takes(connection.tuple) { return false }
    // A connection set up before it was steered left by an uplink.
    if sweep.isOfTheUnmarked { return connection.isTranslated }
    guard let address = sweep.address else { return true }
    return connection.isTranslated && connection.repliesTo != address
      && (!own.contains(connection.repliesTo) || !connection.isAnswered)
  }
}
