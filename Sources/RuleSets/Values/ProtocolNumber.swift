/// The number in an IPv4 header that says what follows it (IANA, Assigned Internet Protocol Numbers). The common ones have
/// words.
package struct ProtocolNumber: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt8

  package init(_ value: UInt8) { self.value = value }

  package static let icmp = ProtocolNumber(IPProtocol.icmp)
  package static let tcp = ProtocolNumber(IPProtocol.tcp)
  package static let udp = ProtocolNumber(IPProtocol.udp)

  /// Those that a rule may name instead of their number.
  package static let words: [(word: String, number: ProtocolNumber)] = [
    ("tcp", .tcp), ("udp", .udp), ("icmp", .icmp), ("gre", ProtocolNumber(IPProtocol.gre)),
    ("esp", ProtocolNumber(IPProtocol.esp)),
  ]

  package init?(word: some StringProtocol) {
    guard let known = Self.words.first(where: { $0.word == word }) else { return nil }
    self = known.number
  }

  /// Its packets have ports that a rule can name.
  package var hasPorts: Bool { self == .tcp || self == .udp }

  /// Its word, or the number where it has none.
  package var description: String { Self.words.first { $0.number == self }?.word ?? "\(value)" }

  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}
