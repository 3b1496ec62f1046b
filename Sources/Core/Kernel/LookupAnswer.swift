package import RuleSets

/// What the kernel is asked about a packet's way.
package struct LookupQuestion: Equatable, Sendable {
  package var source: IPv4Address
  package var destination: IPv4Address
  /// Nil: the router sends it.
  package var incoming: InterfaceName?
  /// All bits of the packet's mark.
  package var mark: UInt32
  package var service: PacketQuestion.Service?
  /// Of the destination.
  package var port: UInt16?
  package var sourcePort: UInt16?
  /// Type of service, as the IP header has it.
  package var typeOfService: UInt8 = 0

  package init(
    source: IPv4Address, destination: IPv4Address, incoming: InterfaceName?, mark: UInt32,
    service: PacketQuestion.Service? = nil, port: UInt16? = nil
  ) {
    self.source = source
    self.destination = destination
    self.incoming = incoming
    self.mark = mark
    self.service = service
    self.port = port
  }
}

/// What the kernel's routing says to it, other software's rules and routes included. nftables takes no part in it.
package enum LookupAnswer: Equatable, Sendable {
  /// It leaves by this device; the table that said so.
  case out(InterfaceName, gateway: Gateway?, table: TableID)
  /// The router takes it itself.
  case local
  /// There is no route, or an `unreachable` one.
  case unreachable
  /// A route discards it without a word (`blackhole`).
  case discarded
  /// The reverse-path check refuses its source.
  case spoofed
}

extension LookupAnswer: CustomStringConvertible {
  package var description: String {
    switch self {
    case .out(let device, nil, let table): "dev \(device) table \(table)"
    case .out(let device, let gateway?, let table): "via \(gateway) dev \(device) table \(table)"
    case .local: "the router itself"
    case .unreachable: "unreachable"
    case .discarded: "a route discards it"
    case .spoofed: "its source is refused (rp_filter)"
    }
  }
}
