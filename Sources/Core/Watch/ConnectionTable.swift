package import RuleSets

/// The kernel's connection tracking table (conntrack) as it fills. When something fills it, for example a client with
/// many flows, nobody can open new connections, not even HTTP probes, whose silence then says nothing about a hub.
///
///     has room ──at its limit, or connections find no place──▶ full ──five seconds without either──▶ has room
package struct ConnectionTable: Equatable, Sendable {
  /// What one look at the table found: nf_conntrack_count, nf_conntrack_max, and the counters of `conntrack -S`.
  package struct Reading: Equatable, Sendable {
    package var used: Int
    /// 0 where the kernel has no limit.
    package var limit: Int
    /// Connections that found no place, since the kernel counts; their packets were dropped.
    package var refused: Int
    /// Connections that were evicted to make room for others before anything had answered them.
    package var evicted: Int

    package init(used: Int, limit: Int, refused: Int = 0, evicted: Int = 0) {
      self.used = used
      self.limit = limit
      self.refused = refused
      self.evicted = evicted
    }

    var isAtLimit: Bool { limit > 0 && used >= limit }
  }

  /// The table has just become full, or has had room again after this long.
  package enum Change: Equatable, Sendable {
    case filled
    case relieved(after: Duration)
  }

  /// How long nothing must suggest a full table before it counts as having room again.
  static let calm: Duration = .seconds(5)

  package private(set) var reading: Reading?
  package private(set) var fullSince: Instant?
  private var lastSign: Instant?

  package init() {}

  package var isFull: Bool { fullSince != nil }

  /// Takes a new reading. Returns what has changed; nil if nothing has.
  package mutating func read(_ new: Reading, at now: Instant) -> Change? {
    // The counters are 32 bits wide and wrap around.
    let isLosing = reading.map { new.refused > $0.refused || new.evicted > $0.evicted } ?? false
    reading = new
    if new.isAtLimit || isLosing {
      lastSign = now
      guard fullSince == nil else { return nil }
      fullSince = now
      return .filled
    }
    guard let since = fullSince, let lastSign, now - lastSign >= Self.calm else { return nil }
    fullSince = nil
    return .relieved(after: now - since)
  }
}

/// A connection of the router's own that must not be thrown out of the table: of a probe, or of a tunnel's outer packets.
package struct TrackedFlow: Hashable, Sendable {
  /// What distinguishes the connection from others between the same two addresses.
  package enum Kind: Hashable, Sendable {
    /// An echo with this identifier.
    case icmp(identifier: UInt16)
    case gre
    case ipip
    case esp
    /// The same port at both ends.
    case udp(port: UInt16)
  }

  /// Our address.
  package var source: IPv4Address
  package var destination: IPv4Address
  package var kind: Kind

  package init(_ kind: Kind, from source: IPv4Address, to destination: IPv4Address) {
    self.kind = kind
    self.source = source
    self.destination = destination
  }
}
