internal import Core
internal import Glibc
internal import Netlink

/// Our nftables table in the kernel. Knows by its fingerprint what it held at which generation of nftables, so that it is
/// read again only when the kernel says that something changed: of a thousand tunnels it is megabytes. Its sets change
/// alone, and may have 50,000 elements: they are kept.
struct SteeringStore: ~Copyable, Sendable {
  private let name: String
  private var known: Known?

  private struct Known {
    var generation: UInt32
    /// Nil: there is none.
    var table: KnownTable?
  }

  /// Someone else's transactions can come between ours and its generation; each try is a fresh look.
  private static let attempts = 16

  init(name: String) { self.name = name }

  /// In Core's words; nil where there is no such table.
  mutating func steering(
    expecting expected: SteeringTable?, _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) -> SteeringTable? {
    for _ in 1...Self.attempts {
      let generation = try socket.generation()
      if let known, known.generation == generation {
        guard let table = known.table else { return nil }
        if let steering = table.steering(if: expected) { return steering }
      }
      let steering: SteeringTable?
      do throws(NetlinkFailure) {
        steering = try Self.readAll(name, &socket)?.steering(expecting: expected?.chains ?? [])
      } catch {
        // A set went while it was read, or the kernel cut the dump short.
        guard error.isMissing || error.isInterrupted else { throw error }
        continue
      }
      if try socket.generation() == generation {
        known = Known(generation: generation, table: steering.map(KnownTable.init))
        return steering
      }
    }
    throw NetlinkFailure(
      operation: "nft list table inet \(name)", errno: EAGAIN, kernelText: "nftables changes without end")
  }

  private static func readAll(_ name: String, _ socket: inout NetfilterSocket) throws(NetlinkFailure) -> RawTable? {
    guard let flags = try socket.flags(ofTable: name) else { return nil }
    let sets = try socket.sets(table: name)
    var ranges: [String: [ClosedRange<UInt32>]] = [:]
    var verdicts: [String: [(key: [UInt8], verdict: NFTExpression.Verdict?)]] = [:]
    for set in sets {
      switch set.kind {
      case .addressRanges: ranges[set.name] = try socket.ranges(of: set.name, table: name)
      case .verdicts: verdicts[set.name] = try socket.verdicts(of: set.name, table: name)
      case .other: break
      }
    }
    return RawTable(
      name: name, flags: flags, chains: try socket.chains(table: name), sets: sets, ranges: ranges, verdicts: verdicts,
      rules: try socket.rules(table: name))
  }

  /// The whole table, whatever was there before, in one transaction.
  mutating func replace(_ table: SteeringTable, _ socket: inout NetfilterSocket) throws(NetlinkFailure) {
    try commit(&socket, { _ in Known(generation: 0, table: KnownTable(table)) }) {
      transaction throws(NetlinkFailure) in
      // A deletion needs something to delete.
      try transaction.addTable(table.name)
      try transaction.deleteTable(table.name)
      try transaction.addTable(table.name)
      for set in table.sets {
        try transaction.addSet(set.name, table: table.name)
        try transaction.addRanges(set.ranges, to: set.name, table: table.name)
      }
      for map in table.maps { try transaction.addMap(map.name, from: NFTSet.Key(map.kind), table: table.name) }
      for chain in table.chains { try transaction.addChain(NFTChain(chain), table: table.name) }
      for map in table.maps {
        try transaction.addElements(map.elements.map(NFTMapElement.init), to: map.name, table: table.name)
      }
      for chain in table.chains {
        for rule in chain.rules { try transaction.addRule(NFTRule(rule, of: chain), table: table.name) }
      }
    }
  }

  /// Removes before it adds: a range may grow.
  mutating func change(
    table name: String, _ changes: [SetChange], _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) {
    do throws(NetlinkFailure) {
      try send(name, changes, &socket)
    } catch {
      // Some of it is done already (a range that is gone, or there): look, and send what is left of it.
      guard error.isMissing || error.isAlreadyPresent else { throw error }
      known = nil
      guard let present = try steering(expecting: nil, &socket) else { throw error }
      let ranges = Dictionary(present.sets.map { ($0.name, $0.ranges) }) { first, _ in first }
      try send(name, changes.map { $0.left(of: ranges[$0.set] ?? []) }, &socket)
    }
  }

  private mutating func send(
    _ name: String, _ changes: [SetChange], _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) {
    guard changes.contains(where: { !$0.add.isEmpty || !$0.remove.isEmpty }) else { return }
    try commit(
      &socket,
      { before in
        var after = before
        after?.table?.apply(changes)
        return after
      }
    ) { transaction throws(NetlinkFailure) in
      for change in changes { try transaction.deleteRanges(change.remove, from: change.set, table: name) }
      for change in changes { try transaction.addRanges(change.add, to: change.set, table: name) }
    }
  }

  /// Gone already is as good.
  mutating func delete(_ name: String, _ socket: inout NetfilterSocket) throws(NetlinkFailure) {
    do throws(NetlinkFailure) {
      try commit(&socket, { _ in Known(generation: 0, table: nil) }) {
        transaction throws(NetlinkFailure) in
        try transaction.deleteTable(name)
      }
    } catch {
      guard error.isMissing else { throw error }
      known = nil
    }
  }

  /// The transaction names the generation that it follows, so on success the next number is ours and `after` holds: what
  /// is known then, of what was known before.
  private mutating func commit(
    _ socket: inout NetfilterSocket, _ after: (Known?) -> Known?,
    _ fill: (inout NFTTransaction) throws(NetlinkFailure) -> Void
  ) throws(NetlinkFailure) {
    for attempt in 1...Self.attempts {
      let generation = try socket.generation()
      var transaction = NFTTransaction(expecting: generation)
      try fill(&transaction)
      do throws(NetlinkFailure) { try socket.commit(transaction) } catch {
        guard error.errno == ERESTART, attempt < Self.attempts else { throw error }
        continue
      }
      // The kernel steps over 0 (nf_tables_commit, net/netfilter/nf_tables_api.c).
      let next = generation == .max ? 1 : generation + 1
      known = after(known?.generation == generation ? known : nil)
      known?.generation = next
      return
    }
  }
}

/// A table that the kernel has.
private struct KnownTable {
  /// Of all but the sets.
  private let frame: Fingerprint
  private var sets: [AddressSet]

  init(_ table: SteeringTable) {
    frame = Self.frame(table)
    sets = table.sets
  }

  /// The kernel lists chains and maps in an order of its own.
  private static func frame(_ table: SteeringTable) -> Fingerprint {
    var table = table
    table.sets = []
    table.chains.sort { $0.name < $1.name }
    table.maps.sort { $0.name < $1.name }
    return Fingerprint(table)
  }

  /// What is there, where that is what is expected but for its sets; else nil.
  func steering(if expected: SteeringTable?) -> SteeringTable? {
    guard var steering = expected, Self.frame(steering) == frame else { return nil }
    steering.sets = sets
    return steering
  }

  /// After a transaction that changed sets.
  mutating func apply(_ changes: [SetChange]) {
    for change in changes {
      guard let index = sets.firstIndex(where: { $0.name == change.set }) else { continue }
      let removed = Set(change.remove)
      var kept = sets[index].ranges.filter { !removed.contains($0) } + change.add
      kept.sort { $0.lowerBound < $1.lowerBound }
      sets[index].ranges = kept
    }
  }
}

extension SetChange {
  /// What of the change is still to be done where the set holds `present`.
  fileprivate func left(of present: [ClosedRange<UInt32>]) -> SetChange {
    let there = Set(present)
    let kept = there.subtracting(remove)
    return SetChange(set: set, remove: remove.filter(there.contains), add: add.filter { !kept.contains($0) })
  }
}
