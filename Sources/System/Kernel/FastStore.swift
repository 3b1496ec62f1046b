internal import Core
internal import Glibc
internal import Netlink
internal import RuleSets

/// The table of our flowtable in the kernel. It is small, and read again whenever nftables have changed.
struct FastStore: ~Copyable, Sendable {
  private let name: String
  private let mask: MarkMask
  private var known: (generation: UInt32, table: NftTable?)?

  /// Each is a fresh look.
  private static let attempts = 8

  init(_ ranges: KernelRanges) {
    name = ranges.fastTable
    mask = ranges.markMask
  }

  /// In Core's terms; nil if there is no such table.
  mutating func table(_ socket: inout NetfilterSocket) throws(NetlinkFailure) -> NftTable? {
    for _ in 1...Self.attempts {
      let generation = try socket.generation()
      if let known, known.generation == generation { return known.table }
      known = nil
      let found: NftTable?
      do throws(NetlinkFailure) { found = try read(&socket) } catch {
        guard error.isMissing || error.isInterrupted else { throw error }
        continue
      }
      guard try socket.generation() == generation else { continue }
      known = (generation, found)
      return found
    }
    throw NetlinkFailure(
      operation: "nft list table inet \(name)", errno: EAGAIN, kernelText: "the table keeps changing")
  }

  private func read(_ socket: inout NetfilterSocket) throws(NetlinkFailure) -> NftTable? {
    guard let raw = try RawTable.read(name, &socket) else { return nil }
    var table = raw.nftTable(expecting: raw.offloadingChains(mask))
    table.flowtables = try socket.flowtables().filter { $0.family == "inet" && $0.table == name }.map { found in
      let isPlain = found.hook == 0 && !found.isHardware
      return NftFlowtable(
        name: isPlain ? found.name : "\(found.name) (of another kind)", priority: found.priority ?? 0,
        devices: found.devices.compactMap { InterfaceName($0) })
    }
    return table
  }

  /// Whatever was there before, in one transaction.
  ///
  /// - Returns: nftables' generation before and after, if nobody else's transaction came between.
  mutating func put(
    _ table: NftTable, _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) -> (before: UInt32, after: UInt32)? {
    try Self.refuseOldKernel(table)
    return try commit(&socket) { transaction throws(NetlinkFailure) in
      try transaction.addTable(table.name)
      try transaction.deleteTable(table.name)
      try transaction.addTable(table.name)
      for flowtable in table.flowtables {
        try transaction.addFlowtable(
          flowtable.name, priority: flowtable.priority, devices: flowtable.devices.map(\.text), table: table.name)
      }
      try transaction.addFrame(of: table, names: SetNames())
    }
  }

  /// Gone already is as good.
  mutating func delete(
    _ table: String, _ socket: inout NetfilterSocket
  ) throws(NetlinkFailure) -> (before: UInt32, after: UInt32)? {
    do throws(NetlinkFailure) {
      return try commit(&socket) { transaction throws(NetlinkFailure) in try transaction.deleteTable(table) }
    } catch {
      guard error.isMissing else { throw error }
      return nil
    }
  }

  /// Each flow in it goes through the chains again with its next packet.
  mutating func renew(_ socket: inout NetfilterSocket) throws(NetlinkFailure) -> (before: UInt32, after: UInt32)? {
    guard let table = try table(&socket) else { return nil }
    if table.chains.allSatisfy({ $0.rules.allSatisfy { $0.unrecognised == nil } }) {
      do throws(NetlinkFailure) { return try put(table, &socket) } catch {
        // Deleted below.
      }
    }
    return try delete(table.name, &socket)
  }

  private mutating func commit(
    _ socket: inout NetfilterSocket, _ fill: (inout NFTTransaction) throws(NetlinkFailure) -> Void
  ) throws(NetlinkFailure) -> (before: UInt32, after: UInt32)? {
    known = nil
    var transaction = NFTTransaction()
    try fill(&transaction)
    let before = try socket.generation()
    try socket.commit(transaction)
    let after = try socket.generation()
    // The kernel steps over 0 (nf_tables_commit, net/netfilter/nf_tables_api.c).
    return after == (before == .max ? 1 : before + 1) ? (before, after) : nil
  }

  private static func refuseOldKernel(_ table: NftTable) throws(NetlinkFailure) {
    var system = utsname()
    guard uname(&system) == 0 else { return }
    let release = withUnsafeBytes(of: system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    guard FastPath.isTooOld(release) else { return }
    throw NetlinkFailure(
      operation: "nft add table inet \(table.name)", errno: EOPNOTSUPP,
      kernelText: "a flowtable needs Linux 6.1 or later, and this is \(release)")
  }
}

extension RawTable {
  /// The rules that we would write where these are, so that ours are recognised whatever is wanted now.
  fileprivate func offloadingChains(_ mask: MarkMask) -> [NftChain] {
    chains.map { chain in
      let candidates = rules.filter { $0.rule.chain == chain.name }.compactMap { $0.rule.offloading(mask) }
      return NftChain(name: chain.name, rules: [FastPath.entry(mask)] + candidates)
    }
  }
}

extension NFTRule {
  /// The rule of a flowtable that has this one's mark and device.
  fileprivate func offloading(_ mask: MarkMask) -> NftRule? {
    let compared = expressions.compactMap { expression -> [UInt8]? in
      if case .compare(isEqual: true, let bytes) = expression { bytes } else { nil }
    }
    guard compared.count == 2, compared[0].count == 4,
      let device = InterfaceName(String(decoding: compared[1].prefix { $0 != 0 }, as: UTF8.self))
    else { return nil }
    let mark = Mark(value: compared[0].withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
    return FastPath.offloading(mark, mask, by: device)
  }
}
