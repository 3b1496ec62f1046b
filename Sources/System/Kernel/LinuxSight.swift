package import Agent
package import Core
internal import Glibc
internal import Netlink
internal import RuleSets
internal import Synchronization

/// Looks at clients' packets, over sockets of its own: a firewall of thousands of rules holds up no repair.
package final class LinuxSight: SightPort {
  private struct Sockets: ~Copyable {
    var routing: RoutingSocket
    var netfilter: NetfilterSocket
  }

  private let ranges: KernelRanges
  private let lookup: LinuxLookup
  private let sockets: Mutex<Sockets>

  package init(_ ranges: KernelRanges) throws(KernelFailure) {
    self.ranges = ranges
    lookup = try LinuxLookup()
    sockets = Mutex(
      try asking(nil) { () throws(NetlinkFailure) in
        let routing = try RoutingSocket.open()
        return Sockets(routing: routing, netfilter: try NetfilterSocket.open())
      })
  }

  /// How many routes of one table are kept: more would say nothing new.
  private static let mostRoutes = 256

  /// At most 256 foreign routes of each table.
  package func network(tables: Set<TableID>) throws(KernelFailure) -> SeenNetwork {
    try sockets.withLock { (sockets) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        let translation = RouteTranslation(ranges: ranges)
        let addresses = try sockets.routing.addresses()
        let names = Dictionary(
          Set(addresses.map(\.index)).compactMap { index in RouteTranslation.name(of: index).map { (index, $0) } },
          uniquingKeysWith: { first, _ in first })
        return SeenNetwork(
          addresses: KernelState.addresses(addresses, names),
          // Of the kernel's own three rules, rule 0 concerns only the router itself and the others come after ours.
          rules: try sockets.routing.rules().filter { !translation.isOurs($0) && $0.priority > 0 }.map(
            ForeignRule.init),
          routes: try routes(&sockets.routing, of: tables))
      }
    }
  }

  private func routes(
    _ routing: inout RoutingSocket, of tables: Set<TableID>
  ) throws(NetlinkFailure) -> [ForeignRoute] {
    var found: [ForeignRoute] = []
    for table in tables.sorted() {
      var ofTable: [ForeignRoute] = []
      try routing.eachRoute(table: table.value, restart: { ofTable = [] }) { message in
        guard message.origin != ranges.routeProtocol.value, ofTable.count < Self.mostRoutes,
          let prefix = IPv4Prefix(IPv4Address(value: message.destination), length: message.length)
        else { return }
        ofTable.append(ForeignRoute(table: table, destination: prefix, origin: RouteProtocol(message.origin)))
      }
      found += ofTable
    }
    return found
  }

  /// Asks over this object's own socket, as `LinuxLookup` does.
  package func answer(to question: LookupQuestion) throws(KernelFailure) -> LookupAnswer {
    try lookup.lookup(question)
  }

  /// Nil if the first default route leads somewhere, or there is none.
  package func deadEnd() throws(KernelFailure) -> DeadEnd? {
    try sockets.withLock { (sockets) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        var first: RouteMessage?
        try sockets.routing.eachRoute(table: TableID.main.value, restart: { first = nil }) { message in
          if message.length == 0, message.metric < first?.metric ?? .max { first = message }
        }
        guard let first, first.kind != .unicast else { return nil }
        return DeadEnd(.type(first.kind.words), metric: RouteMetric(first.metric))
      }
    }
  }

  /// The three sources are read one after the other, so they may be a moment apart.
  package func ipv6() throws(KernelFailure) -> SeenIPv6 {
    try sockets.withLock { (sockets) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        try SeenIPv6(&sockets.routing, RouteTranslation(ranges: ranges))
      }
    }
  }

  /// `ip -6 route get`. Throws if the device is missing, or the error does not represent an answer.
  package func answer(to question: IPv6Question) throws(KernelFailure) -> IPv6Question.Answer {
    let index = if_nametoindex(question.incoming.text)
    let operation = "ip -6 route get \(question.destination) from \(question.source)"
    guard index != 0 else {
      throw KernelFailure(operation: operation, errno: ENODEV, cause: "there is no device \(question.incoming)")
    }
    do throws(KernelFailure) {
      return try sockets.withLock { (sockets) throws(KernelFailure) in
        try asking(operation) { () throws(NetlinkFailure) in
          IPv6Question.Answer(try sockets.routing.route(for: WideLookup(question, incoming: index)))
        }
      }
    } catch {
      guard let answer = IPv6Question.Answer(errno: error.errno) else { throw error }
      return answer
    }
  }

  /// A second lookup with RTM_F_FIB_MATCH, and the device's `forwarding` sysctl.
  package func grounds(for question: LookupQuestion) throws(KernelFailure) -> SeenGrounds {
    SeenGrounds(
      entry: try lookup.entry(for: question),
      isForwarded: question.incoming.map(Self.forwards) ?? true)
  }

  /// Whether the device takes part in forwarding; true too where that cannot be read.
  private static func forwards(_ device: InterfaceName) -> Bool {
    let value = (try? SettingFiles.read(InterfaceSetting(device, .forwarding))) ?? nil
    return value != 0
  }

  /// The generation is read first, so a change made meanwhile shows as a newer one at the next look.
  package func counted(in chains: [String]) throws(KernelFailure) -> SeenCounts {
    try sockets.withLock { (sockets) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        var seen = SeenCounts(generation: try sockets.netfilter.generation())
        for chain in chains {
          do throws(NetlinkFailure) {
            let count = try sockets.netfilter.counted(in: chain, table: ranges.nftTable)
            (seen.packets[chain], seen.bytes[chain]) = (count?.packets, count?.bytes)
          } catch {
            // Other software has removed our table, and it is not back yet.
            guard error.isMissing else { throw error }
          }
        }
        return seen
      }
    }
  }

  package func offloadedMarks(_ mask: MarkMask) throws(KernelFailure) -> Set<Mark> {
    try sockets.withLock { (sockets) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        var marks: Set<Mark> = []
        try sockets.netfilter.eachConnection(mark: 0, mask: 0, restart: { marks = [] }) { connection in
          if connection.isOffloaded { marks.insert(Mark(value: connection.mark & mask.bits)) }
        }
        return marks
      }
    }
  }

  /// nftables first, then iptables-legacy, which is left out where it cannot be read.
  package func filters() throws(KernelFailure) -> SeenFilters {
    var seen = try sockets.withLock { (sockets) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        try ForeignChains(&sockets.netfilter, own: ranges.nftTable).seen
      }
    }
    // Where iptables-legacy cannot be read, the rest is still reported.
    if let legacy = try? LegacyFilters.read() { seen.filters += legacy }
    return seen
  }
}
