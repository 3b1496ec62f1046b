internal import Core
internal import Glibc
internal import Netlink

/// Our nftables table in the kernel. Remembers what it held at which generation of nftables, so that 50,000 elements are
/// read again only when the kernel says that something changed.
struct SteeringStore: ~Copyable, Sendable {
  private let name: String
  private var known: (generation: UInt32, table: RawTable?)?
  /// The same in Core's words, as it was last told.
  private var told: (generation: UInt32, expecting: SteeringTable?, steering: SteeringTable?)?

  /// Someone else's transactions can come between ours and its generation; each try is a fresh look.
  private static let attempts = 16

  init(name: String) { self.name = name }

  /// In Core's words; nil where there is no such table.
  mutating func steering(
    expecting: SteeringTable?, _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) -> SteeringTable? {
    let table = try read(&socket)
    // With hundreds of rules the translation is most of the work of a look that finds nothing new.
    if let told, told.generation == known?.generation, told.expecting == expecting { return told.steering }
    let steering = table?.steering(expecting: expecting)
    told = known.map { ($0.generation, expecting, steering) }
    return steering
  }

  /// Nil where there is no such table.
  mutating func read(_ socket: inout NetfilterSocket) throws(NetlinkFailure) -> RawTable? {
    for _ in 1...Self.attempts {
      let generation = try socket.generation()
      if let known, known.generation == generation { return known.table }
      let table: RawTable?
      do throws(NetlinkFailure) { table = try Self.readAll(name, &socket) } catch {
        // A set went while it was read, or the kernel cut the dump short.
        guard error.isMissing || error.isInterrupted else { throw error }
        continue
      }
      if try socket.generation() == generation {
        known = (generation, table)
        return table
      }
    }
    throw NetlinkFailure(
      operation: "nft list table inet \(name)", errno: EAGAIN, kernelText: "nftables changes without end")
  }

  private static func readAll(_ name: String, _ socket: inout NetfilterSocket) throws(NetlinkFailure) -> RawTable? {
    guard try socket.hasTable(name) else { return nil }
    let sets = try socket.sets(table: name)
    var ranges: [String: [ClosedRange<UInt32>]] = [:]
    for set in sets where set.isAddressRanges { ranges[set.name] = try socket.ranges(of: set.name, table: name) }
    return RawTable(
      name: name, chains: try socket.chains(table: name), sets: sets, ranges: ranges,
      rules: try socket.rules(table: name))
  }

  /// The whole table, whatever was there before, in one transaction.
  mutating func replace(_ table: RawTable, _ socket: inout NetfilterSocket) throws(NetlinkFailure) {
    try commit(&socket, { _ in table }) { transaction throws(NetlinkFailure) in
      // A deletion needs something to delete.
      try transaction.addTable(table.name)
      try transaction.deleteTable(table.name)
      try transaction.addTable(table.name)
      for set in table.sets {
        try transaction.addSet(set.name, table: table.name)
        try transaction.addRanges(table.ranges[set.name] ?? [], to: set.name, table: table.name)
      }
      for chain in table.chains { try transaction.addChain(chain, table: table.name) }
      for rule in table.rules { try transaction.addRule(rule, table: table.name) }
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
      guard let present = try read(&socket) else { throw error }
      try send(name, changes.map { $0.left(of: present.ranges[$0.set] ?? []) }, &socket)
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
        after?.apply(changes)
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
      try commit(&socket, { _ in nil }) { transaction throws(NetlinkFailure) in
        try transaction.deleteTable(name)
      }
    } catch {
      guard error.isMissing else { throw error }
      known = nil
    }
  }

  /// The transaction names the generation that it follows, so on success the next number is ours and `after` holds.
  private mutating func commit(
    _ socket: inout NetfilterSocket, _ after: (RawTable?) -> RawTable?,
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
      let wasKnown = known?.generation == generation
      let before = wasKnown ? known?.table : nil
      let now = after(before)
      known = wasKnown || now != nil ? (next, now) : nil
      return
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
