internal import Core
internal import Glibc
internal import Netlink

/// Our nftables table in the kernel. Knows by its fingerprint what it held at which generation of nftables, so that it is
/// read again only when the kernel says that something changed: of a thousand tunnels it is megabytes. Its sets change
/// alone, and may have 100,000 elements: they are kept.
///
/// A transaction never names the generation that it expects: where others change nftables all the time, it would always be
/// refused. One that changes the whole table depends on nothing that was there before, one that changes a part of
/// it is refused where that part is not as we believe, and whatever another did to our table meanwhile is an event, which
/// brings the next look.
struct NftStore: ~Copyable, Sendable {
  private let name: String
  private let news: TableNews
  private var known: Known?
  /// Sets whose name in the kernel differs from Core's, as far as we know.
  private var names = SetNames()

  private struct Known {
    var generation: UInt32
    /// Nil: there is none.
    var table: KnownTable?
  }

  /// Each is a fresh look.
  private static let attempts = 16
  private static let renewals = 3
  /// The size in bytes of a transaction for which we stop listening: smaller ones cause few events.
  private static let smallTransaction = 4 << 10

  init(name: String, news: TableNews) {
    self.name = name
    self.news = news
  }

  // MARK: Reading

  /// In Core's terms; nil if there is no such table.
  mutating func nftTable(
    expecting expected: NftTable?, _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) -> NftTable? {
    var last: NftTable?
    for _ in 1...Self.attempts {
      let generation = try socket.generation()
      // What sets hold is known also where rules are to be others: it is by far the most.
      var ranges: [String: [ClosedRange<UInt32>]] = [:]
      if let known, known.generation == generation {
        guard let table = known.table else { return nil }
        if let nftTable = table.nftTable(if: expected) { return nftTable }
        for set in table.sets where !set.isFed { ranges[names[set.name]] = set.ranges }
      }
      known = nil
      let found: RawTable?
      do throws(NetlinkFailure) { found = try RawTable.read(name, known: ranges, &socket) } catch {
        // A set went while it was read, or the kernel cut the dump short.
        guard error.isMissing || error.isInterrupted else { throw error }
        continue
      }
      // Where there is none, that is one answer to one question: nobody's transactions can come between.
      guard let raw = found else { return nil }
      let nftTable = raw.nftTable(expecting: expected?.chains ?? [])
      if try socket.generation() == generation {
        known = Known(generation: generation, table: KnownTable(nftTable))
      } else if last != nftTable {
        // Other programs' transactions come faster than our table is read. What was read twice is there.
        last = nftTable
        continue
      }
      names = raw.names
      return nftTable
    }
    throw NetlinkFailure(
      operation: "nft list table inet \(name)", errno: EAGAIN, kernelText: "the table keeps changing")
  }

  // MARK: The whole table

  /// Whatever was there before.
  mutating func replace(_ table: NftTable, _ socket: inout NetfilterSocket) throws(NetlinkFailure) {
    let isLarge = table.sets.reduce(0, { $0 + $1.ranges.count }) > SetSweep.rangesPerTransaction
    // Deleting the table would take what others have put into its sets along.
    guard isLarge || table.sets.contains(where: \.isFed) else {
      return try replaceAtOnce(table, &socket)
    }
    for attempt in 1...Self.attempts {
      do throws(NetlinkFailure) {
        return try rebuild(table, &socket)
      } catch {
        // Another program has changed our table since it was read.
        guard error.isMissing || error.isAlreadyPresent || error.isInterrupted || error.errno == EBUSY,
          attempt < Self.attempts
        else { throw error }
      }
    }
  }

  /// In one transaction.
  private mutating func replaceAtOnce(
    _ table: NftTable, _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) {
    names = SetNames()
    let known = KnownTable(table)
    try commit(&socket, { _ in known }) { transaction throws(NetlinkFailure) in
      // A deletion needs something to delete.
      try transaction.addTable(table.name)
      try transaction.deleteTable(table.name)
      try transaction.addTable(table.name)
      for set in table.sets { try transaction.add(set, table: table.name) }
      try transaction.addFrame(of: table, names: SetNames())
    }
  }

  /// First fills, beside those that rules ask, the sets that are too large for one transaction: no packet meets them. Then
  /// one transaction changes everything that steers, which asks the new sets from then on, and takes away the old ones.
  /// Killed before that, what is left steers as it did, and the next look goes on where this one stopped.
  private mutating func rebuild(_ table: NftTable, _ socket: inout NetfilterSocket) throws(NetlinkFailure) {
    known = nil
    let present = try RawTable.read(name, &socket)
    let placement = SetPlacement(table.sets, in: present)
    // Alone: base chains come and go in no transaction that wakes a table (nf_tables_addchain).
    try commit(&socket, { _ in nil }) { transaction throws(NetlinkFailure) in try transaction.wakeTable(table.name) }
    if !placement.fills.isEmpty {
      try commit(&socket, { _ in nil }) { transaction throws(NetlinkFailure) in
        for set in placement.inTheWay { try transaction.deleteSet(set, table: table.name) }
        for fill in placement.fills where fill.present == nil {
          try transaction.addSet(fill.wanted.name, table: table.name)
        }
      }
    }
    for fill in placement.fills {
      let before = NftSet(name: fill.wanted.name, ranges: fill.present ?? [])
      for piece in SetSweep.pieces(from: [before], to: [fill.wanted]) {
        try commit(&socket, { _ in nil }) { transaction throws(NetlinkFailure) in
          try transaction.apply(piece, table: table.name)
        }
      }
    }
    names = placement.names
    let after = KnownTable(table)
    try commit(&socket, { _ in after }) { transaction throws(NetlinkFailure) in
      if let present {
        try transaction.deleteRules(table: table.name)
        for set in placement.dropped { try transaction.deleteSet(set, table: table.name) }
        for chain in present.chains { try transaction.deleteChain(chain.name, table: table.name) }
        for counter in present.counters where !table.counters.contains(counter) {
          try transaction.deleteCounter(counter, table: table.name)
        }
      }
      try transaction.apply(placement.changes, table: table.name)
      for set in placement.made { try transaction.add(set, table: table.name) }
      try transaction.addFrame(of: table, names: placement.names)
    }
  }

  // MARK: A part of it

  /// What is too large for one transaction is filled before; then one makes the change. Where the table is not as it was
  /// seen it is refused.
  mutating func change(_ change: NftChange, _ socket: inout NetfilterSocket) throws(NetlinkFailure) {
    do throws(NetlinkFailure) { try send(change, &socket) } catch {
      known = nil
      throw error
    }
  }

  private mutating func send(_ change: NftChange, _ socket: inout NetfilterSocket) throws(NetlinkFailure) {
    let table = change.wanted.name
    let former = names
    let placement = EditPlacement(change, former)
    try fill(placement.fills, table: table, inPlaceOf: placement.inTheWay, &socket)
    let after = KnownTable(change.wanted)
    func commit(_ edits: [NftEdit], isLast: Bool) throws(NetlinkFailure) {
      // What it does not name is as it was seen, where that is what is known.
      try self.commit(&socket, { $0 == nil || !isLast ? nil : after }) { transaction throws(NetlinkFailure) in
        for edit in edits { try transaction.apply(edit, table: table, before: former, after: placement.names) }
      }
    }
    // What a transaction puts into a new map is not found before all of it is taken over, and its rules hold before that.
    let filled = change.filledMaps
    if !filled.isEmpty { try commit(placement.edits.filter { $0.fills(oneOf: filled) }, isLast: false) }
    let edits = placement.edits.filter { !$0.makes(oneOf: filled) }
    do throws(NetlinkFailure) { try commit(edits, isLast: true) } catch {
      // An older kernel clears a map away after the transaction, and the chains that it leads to are in use until then.
      guard error.errno == EBUSY, change.deletesMaps else { throw error }
      try commit(edits.filter { !$0.deletesChain }, isLast: false)
      try commit(edits.filter(\.deletesChain), isLast: true)
    }
    names = placement.names
  }

  /// Makes sets that no rule asks, and fills them piece by piece.
  ///
  /// - Parameters:
  ///   - sets: by the kernel's names.
  ///   - inTheWay: what has such a name and goes before.
  private mutating func fill(
    _ sets: [NftSet], table: String, inPlaceOf inTheWay: [String], _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) {
    guard !sets.isEmpty else { return }
    try commit(&socket, { $0 }) { transaction throws(NetlinkFailure) in
      for set in inTheWay { try transaction.deleteSet(set, table: table) }
      for set in sets { try transaction.addSet(set.name, table: table) }
    }
    for piece in SetSweep.pieces(from: [], to: sets) {
      try commit(&socket, { $0 }) { transaction throws(NetlinkFailure) in try transaction.apply(piece, table: table) }
    }
  }

  /// Fills a set beside each one, then lets the rules ask the new ones instead, whichever rules those are by now: each
  /// stays in its place and goes on counting.
  mutating func renew(
    table name: String, _ renewal: SetRenewal, _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) {
    for attempt in 1...Self.renewals {
      do throws(NetlinkFailure) { return try send(name, renewal, &socket) } catch {
        known = nil
        // Another program has changed the rules or the sets meanwhile.
        guard error.isMissing || error.isAlreadyPresent || error.errno == EBUSY, attempt < Self.renewals else {
          throw error
        }
      }
    }
  }

  private mutating func send(
    _ table: String, _ renewal: SetRenewal, _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) {
    let former = SetNames(asked: Set(try socket.rules(table: table).flatMap(\.rule.sets)))
    var after = former
    let fresh = renewal.sets.map { NftSet(name: after.turn($0.name), ranges: $0.ranges) }
    let there = Set(try socket.sets(table: table).map(\.name))
    for set in renewal.sets where !there.contains(former[set.name]) {
      throw NetlinkFailure(operation: "nft list set inet \(table) \(former[set.name])", errno: ENOENT)
    }
    // Of a life before, which was killed.
    let inTheWay = there.intersection(fresh.map(\.name))
    try fill(fresh, table: table, inPlaceOf: inTheWay.sorted(), &socket)
    // Read last, for what they have counted until then.
    let asking = try socket.rules(table: table, asking: Set(renewal.sets.map { former[$0.name] }))
    try commit(&socket, { $0.map { $0.renewed(renewal) } }) { transaction throws(NetlinkFailure) in
      for listed in asking {
        let rule = listed.rule.renamingSets { after[former.core($0)] }
        try transaction.replaceRule(handle: listed.handle, by: rule, counting: listed.counts, table: table)
      }
      for set in renewal.sets { try transaction.deleteSet(former[set.name], table: table) }
      let changes = renewal.changes.map { SetChange(set: former[$0.set], remove: $0.remove, add: $0.add) }
      try transaction.apply(changes, table: table)
    }
    names = after
  }

  /// One transaction. Removes before it adds: a range may grow.
  mutating func change(
    table name: String, _ changes: [SetChange], _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) {
    do throws(NetlinkFailure) {
      try send(name, changes, &socket)
    } catch {
      // Some of it is done already (a range that is gone, or there), or sets have other names: look, and send what is left
      // of it.
      guard error.isMissing || error.isAlreadyPresent else { throw error }
      known = nil
      guard let present = try nftTable(expecting: nil, &socket) else { throw error }
      let ranges = Dictionary(present.sets.map { ($0.name, $0.ranges) }) { first, _ in first }
      try send(name, changes.map { $0.left(of: ranges[$0.set] ?? []) }, &socket)
    }
  }

  private mutating func send(
    _ name: String, _ changes: [SetChange], _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) {
    guard changes.contains(where: { !$0.isEmpty }) else { return }
    let named = changes.map { SetChange(set: names[$0.set], remove: $0.remove, add: $0.add) }
    try commit(
      &socket,
      { before in
        var after = before
        after?.apply(changes)
        return after
      }
    ) { transaction throws(NetlinkFailure) in
      try transaction.apply(named, table: name)
    }
  }

  /// Gone already is as good.
  mutating func delete(_ name: String, _ socket: inout NetfilterSocket) throws(NetlinkFailure) {
    do throws(NetlinkFailure) {
      try commit(&socket, { _ in nil }) { transaction throws(NetlinkFailure) in try transaction.deleteTable(name) }
    } catch {
      guard error.isMissing else { throw error }
    }
    known = nil
  }

  /// A transaction of ours that concerned another table took nftables from one generation to the next.
  mutating func skip(_ span: (before: UInt32, after: UInt32)?) {
    if let span, known?.generation == span.before { known?.generation = span.after }
  }

  // MARK: Sending

  /// - Parameter after: what the table is then, of what it was known to be before; nil: not known. It is believed where no
  ///   other transaction came between.
  private mutating func commit(
    _ socket: inout NetfilterSocket, _ after: (KnownTable?) -> KnownTable?,
    _ fill: (inout NFTTransaction) throws(NetlinkFailure) -> Void
  ) throws(NetlinkFailure) {
    var transaction = NFTTransaction()
    try fill(&transaction)
    let isLarge = transaction.size > Self.smallTransaction
    let generation = try socket.generation()
    let before = known?.generation == generation ? known?.table : nil
    // The kernel steps over 0 (nf_tables_commit, net/netfilter/nf_tables_api.c).
    let next = generation == .max ? 1 : generation + 1
    known = nil
    if isLarge { news.stop() }
    let result: Result<UInt32, NetlinkFailure>
    do throws(NetlinkFailure) {
      try socket.commit(transaction)
      result = .success(next)
    } catch {
      result = .failure(error)
    }
    if isLarge { news.resume() }
    let now = try socket.generation()
    let isAlone = now == (result.isSuccess ? next : generation)
    // What another did meanwhile may have been heard by nobody.
    if isLarge && !isAlone { news.missed() }
    _ = try result.get()
    if isAlone, let table = after(before) { known = Known(generation: now, table: table) }
  }
}

extension Result {
  fileprivate var isSuccess: Bool { if case .success = self { true } else { false } }
}

extension NftChange {
  fileprivate var deletesMaps: Bool { edits.contains { if case .deleteMap = $0 { true } else { false } } }
}

extension NftChange {
  /// Maps of boxes that come with it, and are not there under the same name: no rule asks them yet.
  fileprivate var filledMaps: Set<String> {
    let there = edits.compactMap { edit in if case .deleteMap(let name) = edit { name } else { nil } }
    let made = edits.compactMap { edit in
      if case .addMap(let name, .boxes) = edit { name } else { nil }
    }
    return Set(made).subtracting(there)
  }
}

extension NftEdit {
  /// It makes one of these maps, or what a map may lead to.
  fileprivate func fills(oneOf maps: Set<String>) -> Bool {
    if case .putChain(_, nil) = self { true } else { makes(oneOf: maps) }
  }

  fileprivate func makes(oneOf maps: Set<String>) -> Bool {
    switch self {
    case .addMap(let name, _): maps.contains(name)
    case .addElements(let map): maps.contains(map.name)
    default: false
    }
  }

  fileprivate var deletesChain: Bool { if case .deleteChain = self { true } else { false } }
}
