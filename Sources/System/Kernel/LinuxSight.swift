package import Agent
package import Core
internal import Glibc
internal import Netlink
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

  package func network() throws(KernelFailure) -> SeenNetwork {
    try sockets.withLock { (sockets) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        let translation = RouteTranslation(ranges: ranges)
        let addresses = try sockets.routing.addresses()
        let names = Dictionary(
          Set(addresses.map(\.index)).compactMap { index in RouteTranslation.name(of: index).map { (index, $0) } },
          uniquingKeysWith: { first, _ in first })
        return SeenNetwork(
          addresses: KernelState.addresses(addresses, names),
          // The three that the kernel comes with are after ours or answer for the router alone (0).
          rules: try sockets.routing.rules().filter { !translation.isOurs($0) && $0.priority > 0 }.map(ForeignRule.init)
        )
      }
    }
  }

  package func answer(to question: LookupQuestion) throws(KernelFailure) -> LookupAnswer {
    try lookup.lookup(question)
  }

  package func grounds(for question: LookupQuestion) throws(KernelFailure) -> SeenGrounds {
    SeenGrounds(
      entry: try lookup.entry(for: question),
      isForwarded: question.incoming.map(Self.forwards) ?? true)
  }

  /// True too where that cannot be read.
  private static func forwards(_ device: InterfaceName) -> Bool {
    let value = (try? SettingFiles.read(InterfaceSetting(device, .forwarding))) ?? nil
    return value != 0
  }

  package func counted(in chains: [String]) throws(KernelFailure) -> SeenCounts {
    try sockets.withLock { (sockets) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        var seen = SeenCounts(generation: try sockets.netfilter.generation())
        for chain in chains {
          do throws(NetlinkFailure) {
            seen.packets[chain] = try sockets.netfilter.packets(in: chain, table: ranges.nftTable)
          } catch {
            // Another has taken our table away, and it is not back yet.
            guard error.isMissing else { throw error }
          }
        }
        return seen
      }
    }
  }

  package func filters() throws(KernelFailure) -> SeenFilters {
    var seen = try sockets.withLock { (sockets) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        try ForeignChains(&sockets.netfilter, own: ranges.nftTable).seen
      }
    }
    // Without iptables-legacy's the rest is still told.
    if let legacy = try? LegacyFilters.read() { seen.filters += legacy }
    return seen
  }
}
