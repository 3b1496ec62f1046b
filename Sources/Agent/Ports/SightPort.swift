package import Core

/// What the kernel itself says of clients' packets, everyone's rules, routes and chains included. Called from any thread;
/// changes nothing, and holds up nobody who does.
package protocol SightPort: Sendable {
  /// Addresses of all devices, and all ip rules but ours in the order in which they are asked.
  func network() throws(KernelFailure) -> SeenNetwork
  /// As `LookupPort.lookup`.
  func answer(to question: LookupQuestion) throws(KernelFailure) -> LookupAnswer
  /// What the answer comes from. Asked where it is another than is wanted.
  func grounds(for question: LookupQuestion) throws(KernelFailure) -> SeenGrounds
  /// What these chains of our table have counted; one that is not there is left out.
  func counted(in chains: [String]) throws(KernelFailure) -> SeenCounts
  /// Base chains of others where packets come through, and who of them writes marks. A firewall may be large: asked where
  /// something is suspected.
  func filters() throws(KernelFailure) -> SeenFilters
}

package struct SeenNetwork: Equatable, Sendable {
  package var addresses: [InterfaceName: [InterfaceAddress]]
  package var rules: [ForeignRule]

  package init(addresses: [InterfaceName: [InterfaceAddress]] = [:], rules: [ForeignRule] = []) {
    self.addresses = addresses
    self.rules = rules
  }
}

package struct SeenGrounds: Equatable, Sendable {
  /// The prefix of the route that decides; nil where none does.
  package var entry: IPv4Prefix?
  /// The device that the packet comes in by takes part in forwarding; true where it comes in by none.
  package var isForwarded: Bool

  package init(entry: IPv4Prefix? = nil, isForwarded: Bool = true) {
    self.entry = entry
    self.isForwarded = isForwarded
  }
}

package struct SeenCounts: Equatable, Sendable {
  package var packets: [String: UInt64]
  /// Of everybody's nftables: it rises with each change.
  package var generation: UInt32

  package init(packets: [String: UInt64] = [:], generation: UInt32 = 0) {
    self.packets = packets
    self.generation = generation
  }
}

package struct SeenFilters: Equatable, Sendable {
  package var filters: [PacketFilter]
  package var marks: [ForeignMark]

  package init(filters: [PacketFilter] = [], marks: [ForeignMark] = []) {
    self.filters = filters
    self.marks = marks
  }
}
