package import Agent
package import Core
internal import Glibc
internal import Netlink
internal import RuleSets
internal import Synchronization

/// The connection tracking table of this process's network namespace, read from ctnetlink and from /proc.
package final class LinuxConnectionTable: ConnectionTablePort {
  private static let directory = "/proc/sys/net/netfilter"
  /// Longer than any probe's pause on a tightly metered line, with one missed look on top.
  private static let holdSeconds: UInt32 = 600

  private let netfilter: Mutex<NetfilterSocket>

  package init() throws(KernelFailure) {
    netfilter = Mutex(try asking(nil) { () throws(NetlinkFailure) in try NetfilterSocket.open() })
  }

  /// Count and limit from /proc/sys/net/netfilter, what was lost from ctnetlink's statistics.
  package func reading() throws(KernelFailure) -> ConnectionTable.Reading? {
    guard let used = Self.number("nf_conntrack_count"), let limit = Self.number("nf_conntrack_max") else { return nil }
    let statistics = try netfilter.withLock { (socket) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in try socket.connectionStatistics() }
    }
    return ConnectionTable.Reading(
      used: used, limit: limit, refused: statistics.dropped, evicted: statistics.evicted)
  }

  /// Asks about each flow, and writes to the kernel only where its hold has run down.
  package func hold(_ flows: Set<TrackedFlow>) throws(KernelFailure) -> Set<TrackedFlow> {
    try netfilter.withLock { (socket) throws(KernelFailure) in
      try asking(nil) { () throws(NetlinkFailure) in
        var missing: Set<TrackedFlow> = []
        for flow in flows {
          if try !socket.hold(flow.tuple, seconds: Self.holdSeconds) { missing.insert(flow) }
        }
        return missing
      }
    }
  }

  /// Nil if there is no such file: the kernel has no connection tracking, or its module is not loaded.
  private static func number(_ name: String) -> Int? {
    guard let bytes = try? BoundedFile.read("\(directory)/\(name)", atMost: 64) else { return nil }
    return Int(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
  }
}

extension TrackedFlow {
  fileprivate var tuple: ConnectionTuple {
    func tuple(_ number: Int32, _ detail: ConnectionTuple.Detail) -> ConnectionTuple {
      ConnectionTuple(
        source: source.value, destination: destination.value, protocol: UInt8(truncatingIfNeeded: number), detail)
    }
    return switch kind {
    case .icmp(let identifier): tuple(Int32(IPPROTO_ICMP), .echo(identifier: identifier))
    // Without PPTP's call IDs GRE has zeros where other protocols have ports (gre_pkt_to_tuple,
    // nf_conntrack_proto_gre.c).
    case .gre: tuple(Int32(IPPROTO_GRE), .ports(source: 0, destination: 0))
    case .ipip: tuple(Int32(IPPROTO_IPIP), .none)
    case .esp: tuple(Int32(IPPROTO_ESP), .none)
    case .udp(let port): tuple(Int32(IPPROTO_UDP), .ports(source: port, destination: port))
    }
  }
}
