internal import Core
internal import Glibc
internal import Netlink
internal import RuleSets

extension KernelState {
  mutating func deleteConnections(
    marked mark: Mark, mask: MarkMask, from sources: [ClosedRange<UInt32>]?
  ) throws(NetlinkFailure) {
    guard let sources else {
      return try netfilter.deleteConnections(mark: mark.value, mask: mask.bits)
    }
    let found = try connections(mark, mask) { sources.holds($0.source) }
    _ = try netfilter.delete(found)
  }

  mutating func moveConnections(
    marked mark: Mark, mask: MarkMask, from sources: [ClosedRange<UInt32>], to heirs: [Mark]
  ) throws(NetlinkFailure) {
    let translated = try connections(mark, mask) { $0.replyDestination != $0.source && sources.holds($0.source) }
    _ = try netfilter.delete(translated)
    let found = try connections(mark, mask) { sources.holds($0.source) }
    let shares = heirs.enumerated().map { turn, heir in
      (heir, found.indices.filter { $0 % heirs.count == turn }.map { found[$0] })
    }
    for (heir, connections) in shares { try netfilter.mark(connections, heir.value, mask: mask.bits) }
  }

  mutating func deleteStaleConnections(
    marked mark: Mark, mask: MarkMask, sentFrom address: IPv4Address
  ) throws(NetlinkFailure) -> Int {
    let own = Set(try routing.addresses().map(\.local))
    let found = try connections(mark, mask) { connection in
      connection.replyDestination != connection.source && connection.replyDestination != address.value
        && (!own.contains(connection.replyDestination) || !connection.isAnswered)
    }
    return try netfilter.delete(found)
  }

  /// One walk through the whole table: connections may be of any of the old marks.
  mutating func move(_ migration: MarkMigration) throws(NetlinkFailure) {
    let heirs = Dictionary(migration.moves.map { ($0.from.value, $0.to) }) { first, _ in first }
    let mask = migration.mask.bits
    var found: [Mark: [ConnectionHandle]] = [:]
    try netfilter.eachConnection(mark: 0, mask: 0, restart: { found = [:] }) { connection in
      if let heir = heirs[connection.mark & mask] { found[heir, default: []].append(connection.handle) }
    }
    for (heir, connections) in found { try netfilter.mark(connections, heir.value, mask: mask) }
  }

  mutating func deleteEarlyConnections(
    from sources: [ClosedRange<UInt32>], mask: MarkMask
  ) throws(NetlinkFailure) -> Int {
    let found = try connections(Mark(value: 0), mask) {
      $0.replyDestination != $0.source && sources.holds($0.source)
    }
    return try netfilter.delete(found)
  }

  /// A dump walks the table piece by piece while it changes, so one that comes or goes meanwhile may be missed or be
  /// there twice; a deletion that finds nothing is no error.
  private mutating func connections(
    _ mark: Mark, _ mask: MarkMask, _ isWanted: (ConnectionMessage) -> Bool
  ) throws(NetlinkFailure) -> [ConnectionHandle] {
    var found: [ConnectionHandle] = []
    try netfilter.eachConnection(mark: mark.value, mask: mask.bits, restart: { found = [] }) { connection in
      if isWanted(connection) { found.append(connection.handle) }
    }
    return found
  }
}

extension [ClosedRange<UInt32>] {
  /// Ascending and not overlapping: a binary search.
  fileprivate func holds(_ address: UInt32) -> Bool {
    var low = startIndex
    var high = endIndex
    while low < high {
      let middle = low + (high - low) / 2
      if self[middle].upperBound < address { low = middle + 1 } else { high = middle }
    }
    return low < endIndex && self[low].contains(address)
  }
}
