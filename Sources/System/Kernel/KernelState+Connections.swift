internal import Agent
internal import Core
internal import Glibc
internal import Netlink
internal import RuleSets

extension KernelState {
  /// So many sweeps by marks alone are cheaper one by one, as the kernel finds what it deletes by itself (25 ms of 100,000
  /// connections each): a walk tells of each connection (250 ms).
  private static let mostFlushes = 6

  mutating func sweep(_ sweeps: [ConnectionSweep], mask: MarkMask) throws(NetlinkFailure) -> [Int?] {
    let alone = sweeps.prefix { $0.isOfTheMarkAlone }
    let flushed = alone.count <= Self.mostFlushes ? alone.count : 0
    for sweep in sweeps.prefix(flushed) {
      try netfilter.deleteConnections(mark: sweep.mark.value, mask: mask.bits)
    }
    let rest = Array(sweeps.dropFirst(flushed))
    let unknown = [Int?](repeating: nil, count: flushed)
    return rest.isEmpty ? unknown : unknown + (try walk(rest, mask))
  }

  /// A dump walks the table piece by piece while it changes, so one that comes or goes meanwhile may be missed or be there
  /// twice; a deletion that finds nothing is no error.
  private mutating func walk(_ sweeps: [ConnectionSweep], _ mask: MarkMask) throws(NetlinkFailure) -> [Int] {
    let own = sweeps.contains { $0.address != nil } ? try routing.addresses().map { IPv4Address(value: $0.local) } : []
    let fresh = SweepWalk(sweeps, mask: mask, own: Set(own))
    var walk = fresh
    var gone: [ConnectionHandle] = []
    var moved: [Mark: [ConnectionHandle]] = [:]
    // Of one mark the kernel tells those alone.
    let only = sweeps.allSatisfy { $0.mark == sweeps.first?.mark } ? sweeps.first?.mark : nil
    try netfilter.eachConnection(mark: only?.value ?? 0, mask: only == nil ? 0 : mask.bits) {
      (walk, gone, moved) = (fresh, [], [:])
    } _: { connection in
      switch walk.fate(of: SweepWalk.Connection(connection)) {
      case .stays: break
      case .goes: gone.append(connection.handle)
      case .moves(let mark): moved[mark, default: []].append(connection.handle)
      }
    }
    _ = try netfilter.delete(gone)
    for (mark, connections) in moved { try netfilter.mark(connections, mark.value, mask: mask.bits) }
    // Nothing that is offloaded asks for its mark. What is deleted the flowtable lets go by itself (flow_offload_lookup,
    // net/netfilter/nf_flow_table_core.c: nf_ct_is_dying).
    if !moved.isEmpty { nftTable.skip(try fastTable.renew(&netfilter)) }
    return walk.counts
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
}

extension SweepWalk.Connection {
  fileprivate init(_ message: ConnectionMessage) {
    self.init(
      mark: Mark(value: message.mark), source: IPv4Address(value: message.source),
      destination: IPv4Address(value: message.destination), repliesTo: IPv4Address(value: message.replyDestination),
      isAnswered: message.isAnswered, protocol: ProtocolNumber(message.protocol), port: message.port)
  }
}
