package import RuleSets
package enum PacketField: Hashable, Comparable, CaseIterable, Sendable { case turn, incoming, sender, source, destination, `protocol`, port, trafficClass }
package struct PacketBox: Hashable, Comparable, Sendable {
  package enum Side: Hashable, Comparable, Sendable { case anyDevice, device(InterfaceName), numbers(UInt64, UInt64)
    package static func turn(_ n: Int) -> Side { .numbers(0x0800 - UInt64(n), 0x0800 + UInt64(n)) }
    package static func any(_ field: PacketField) -> Side {
      switch field { case .turn: .numbers(0, 0xffff)
      case .incoming: .anyDevice
      case .sender: .numbers(0, 0xffff_ffff_ffff)
      case .source, .destination: .numbers(0, 0xffff_ffff)
      case .protocol, .trafficClass: .numbers(0, 255)
      case .port: .numbers(0, 65535) } }
  }
  package static let mostTurns = 2047
  package var sides: [Side]
  package init(_ sides: [Side]) { self.sides = sides }
  package static func < (l: Self, r: Self) -> Bool { l.sides.lexicographicallyPrecedes(r.sides) }
}
