package import Core
package import RuleSets

/// What the kernel itself says about clients' packets, with everyone's rules, routes and chains. Called from any
/// thread; changes nothing, and does not hold up those that do.
package protocol SightPort: Sendable {
  /// Addresses of all devices, all ip rules except ours in the kernel's order, and other programs' routes in these
  /// tables.
  func network(tables: Set<TableID>) throws(KernelFailure) -> SeenNetwork
  /// As `LookupPort.lookup`.
  func answer(to question: LookupQuestion) throws(KernelFailure) -> LookupAnswer
  /// What the answer rests on. Asked only where the answer is not the one we want.
  func grounds(for question: LookupQuestion) throws(KernelFailure) -> SeenGrounds
  /// The main table's first default route, where that leads nowhere (`blackhole`, `unreachable`, …). The table may be
  /// large, so this is only called if there is no route.
  func deadEnd() throws(KernelFailure) -> DeadEnd?
  /// IPv6 addresses of all devices, and all IPv6 ip rules except ours in the kernel's order.
  func ipv6() throws(KernelFailure) -> SeenIPv6
  func answer(to question: IPv6Question) throws(KernelFailure) -> IPv6Question.Answer
  /// What these chains of our table have counted; a chain that is not there is left out.
  func counted(in chains: [String]) throws(KernelFailure) -> SeenCounts
  /// The marks, under this mask, of connections that a flowtable forwards now. The kernel walks its whole table of
  /// connections, so this is only called if something is suspected.
  func offloadedMarks(_ mask: MarkMask) throws(KernelFailure) -> Set<Mark>
  /// Other programs' base chains that packets pass, and rules that write marks. A firewall may be large, so this is
  /// only called if something is suspected.
  func filters() throws(KernelFailure) -> SeenFilters
}

/// The IPv4 addresses, rules and routes around ours: devices' addresses, and the ip rules and routes that others made.
package struct SeenNetwork: Equatable, Sendable {
  package var addresses: [InterfaceName: [InterfaceAddress]]
  package var rules: [ForeignRule]
  package var routes: [ForeignRoute]

  package init(
    addresses: [InterfaceName: [InterfaceAddress]] = [:], rules: [ForeignRule] = [], routes: [ForeignRoute] = []
  ) {
    self.addresses = addresses
    self.rules = rules
    self.routes = routes
  }
}

/// The router's IPv6 addresses, and the IPv6 ip rules that others made.
package struct SeenIPv6: Equatable, Sendable {
  /// Each address with its network.
  package var addresses: [InterfaceName: [IPv6InterfaceAddress]]
  package var rules: [ForeignIPv6Rule]
  /// Whether the router forwards IPv6 at all.
  package var isForwarded: Bool

  package init(
    addresses: [InterfaceName: [IPv6InterfaceAddress]] = [:], rules: [ForeignIPv6Rule] = [], isForwarded: Bool = false
  ) {
    self.addresses = addresses
    self.rules = rules
    self.isForwarded = isForwarded
  }
}

/// Why the kernel answers a lookup as it does.
package struct SeenGrounds: Equatable, Sendable {
  /// The prefix of the route that decides; nil if none does.
  package var entry: IPv4Prefix?
  /// The device that the packet comes in by takes part in forwarding; true where it comes in by none.
  package var isForwarded: Bool

  package init(entry: IPv4Prefix? = nil, isForwarded: Bool = true) {
    self.entry = entry
    self.isForwarded = isForwarded
  }
}

/// What the counters of our chains stand at, and under which nftables generation they were read.
package struct SeenCounts: Equatable, Sendable {
  package var packets: [String: UInt64]
  /// The same chains' bytes.
  package var bytes: [String: UInt64] = [:]
  /// The generation of everyone's nftables; it rises with each change.
  package var generation: UInt32

  package init(packets: [String: UInt64] = [:], generation: UInt32 = 0) {
    self.packets = packets
    self.generation = generation
  }
}

/// What other software's nftables and iptables may do to clients' packets: drop them, or change their marks.
package struct SeenFilters: Equatable, Sendable {
  package var filters: [PacketFilter]
  package var marks: [ForeignMark]

  package init(filters: [PacketFilter] = [], marks: [ForeignMark] = []) {
    self.filters = filters
    self.marks = marks
  }
}
