package import Agent
package import Core
internal import Glibc
internal import Netlink
internal import RuleSets
internal import Synchronization

/// Finds others' ip rules, routes, nftables and iptables, over sockets of its own.
package final class LinuxForeign: ForeignPort {
  private struct Sockets: ~Copyable {
    var routing: RoutingSocket
    var netfilter: NetfilterSocket
  }

  private let ranges: KernelRanges
  private let sockets: Mutex<Sockets>

  /// At most this many of one kind are reported: a person reads them.
  private static let most = 100

  package init(_ ranges: KernelRanges) throws(KernelFailure) {
    self.ranges = ranges
    sockets = Mutex(
      try asking(nil) { () throws(NetlinkFailure) in
        let routing = try RoutingSocket.open()
        return Sockets(routing: routing, netfilter: try NetfilterSocket.open())
      })
  }

  /// At most 100 objects of each kind: rules, routes, flowtables, and marks of nftables and of iptables-legacy each.
  /// Where iptables-legacy's tables cannot be read, `legacyTrouble` says so and the rest is still told.
  package func foreign() throws(KernelFailure) -> ForeignObjects {
    try sockets.withLock { (sockets) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        var found = ForeignObjects(
          rules: try rules(&sockets.routing), routes: try routes(&sockets.routing),
          marks: try marks(&sockets.netfilter), flowtables: try flowtables(&sockets.netfilter))
        do throws(NetlinkFailure) { found.marks += try legacyMarks() } catch { found.legacyTrouble = "\(error)" }
        return found
      }
    }
  }

  /// RTPROT_KERNEL.
  private static let kernelOrigin: UInt8 = 2

  private func rules(_ routing: inout RoutingSocket) throws(NetlinkFailure) -> [ForeignRule] {
    let translation = RouteTranslation(ranges: ranges)
    return try routing.rules().filter { !translation.isOurs($0) && $0.origin != Self.kernelOrigin }.prefix(Self.most)
      .map { rule in
        ForeignRule(rule)
      }
  }

  private func routes(_ routing: inout RoutingSocket) throws(NetlinkFailure) -> [ForeignRoute] {
    var found: [ForeignRoute] = []
    let ranges = ranges
    try routing.eachRoute(restart: { found = [] }) { message in
      guard found.count < Self.most, message.origin != ranges.routeProtocol.value,
        ranges.tables.contains(message.table),
        let prefix = IPv4Prefix(IPv4Address(value: message.destination), length: message.length)
      else { return }
      found.append(
        ForeignRoute(table: TableID(message.table), destination: prefix, origin: RouteProtocol(message.origin)))
    }
    return found
  }

  private func marks(_ netfilter: inout NetfilterSocket) throws(NetlinkFailure) -> [ForeignMark] {
    var found: [ForeignMark] = []
    let own = ranges.nftTable
    try netfilter.eachRule(restart: { found = [] }) { family, table, rule in
      guard !(family == "inet" && table == own) else { return }
      Self.add(rule.expressions, table: "\(family) \(table)", chain: rule.chain, isLegacy: false, to: &found)
    }
    return found
  }

  /// IPv6 has such tables too, but is never steered.
  private func legacyMarks() throws(NetlinkFailure) -> [ForeignMark] {
    var found: [ForeignMark] = []
    for table in try LegacyTables.names() {
      var ofTable: [ForeignMark] = []
      try LegacyTable.eachTarget(of: table) { chain, target in
        Self.add([target], table: table, chain: chain, isLegacy: true, to: &ofTable)
      }
      found += ofTable
    }
    return found
  }

  private static func add(
    _ expressions: [NFTExpression], table: String, chain: String, isLegacy: Bool, to found: inout [ForeignMark]
  ) {
    guard found.count < most else { return }
    for written in WrittenMark.all(in: expressions) {
      let mark = ForeignMark(
        table: table, chain: chain, bits: written.bits, isConnections: written.isConnections, isLegacy: isLegacy)
      if !found.contains(mark) { found.append(mark) }
    }
  }

  private func flowtables(_ netfilter: inout NetfilterSocket) throws(NetlinkFailure) -> [Flowtable] {
    let own = ranges.fastTable
    return try netfilter.flowtables().filter { $0.users > 0 && !($0.family == "inet" && $0.table == own) }.prefix(
      Self.most
    ).map { table in
      Flowtable(
        table: "\(table.family) \(table.table)", name: table.name,
        devices: table.devices.compactMap { InterfaceName($0) }, isHardware: table.isHardware)
    }
  }
}

/// The tables that iptables-legacy has made.
enum LegacyTables {
  /// Each network namespace has its own, and a test's thread may be in another one than its process.
  private static let list = "/proc/thread-self/net/ip_tables_names"

  static func names() throws(NetlinkFailure) -> [String] {
    do throws(SystemCallFailure) {
      let names = String(decoding: try BoundedFile.read(list, atMost: 4 << 10), as: UTF8.self)
      return names.split(whereSeparator: \.isNewline).map(String.init)
    } catch {
      // This kernel does not have them.
      guard error.errno == ENOENT else {
        throw NetlinkFailure(operation: error.operation, errno: error.errno, kernelText: error.cause)
      }
      return []
    }
  }
}

extension ForeignRule {
  init(_ rule: RuleMessage) {
    self.init(
      priority: RulePriority(rule.priority), mask: rule.mask, mark: rule.mark,
      table: rule.action == .lookup ? TableID(rule.table) : nil,
      source: IPv4Prefix(IPv4Address(value: rule.source), length: rule.sourceLength) ?? .all,
      destination: IPv4Prefix(IPv4Address(value: rule.destination), length: rule.destinationLength) ?? .all,
      incoming: rule.incoming.flatMap { InterfaceName($0) }, isInverted: rule.isInverted,
      isRefusal: rule.action.isRefusal, selector: PacketSelector(rule.selectors))
  }
}

extension PacketSelector {
  init(_ selectors: RuleMessage.Selectors) {
    self.init(
      protocolNumber: selectors.protocolNumber, sourcePorts: selectors.sourcePorts,
      destinationPorts: selectors.destinationPorts, typeOfService: selectors.typeOfService,
      hasMore: selectors.hasMore)
  }
}

extension RuleMessage.Action {
  /// FR_ACT_UNREACHABLE, and FR_ACT_BLACKHOLE (6) and FR_ACT_PROHIBIT (8) of linux/fib_rules.h.
  fileprivate var isRefusal: Bool { self == .unreachable || self == .other(6) || self == .prohibit }
}
