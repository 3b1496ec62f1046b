internal import RuleSets

/// A property of a packet that can stand in a concatenated key of a map.
package enum PacketField: Hashable, Comparable, CaseIterable, Sendable {
  /// The first field of every map of boxes: a packet has the same value in all of them, 0x0800, and a box of a later turn
  /// has a wider range around it (`PacketBox.Side.turn`). `meta protocol`.
  case turn
  /// Its source address in the Ethernet header. Only what came in by an Ethernet device has one. `ether saddr`
  case sender
  /// `ip saddr` / `ip daddr`
  case source
  case destination
  /// `ip protocol`
  case `protocol`
  /// The two bytes where TCP and UDP have the destination port, whatever the protocol is; a fragment other than the first
  /// has none. `th dport`
  case port
}

extension PacketField {
  /// Its width in a packet.
  package var bits: Int {
    switch self {
    case .protocol: 8
    case .turn, .port: 16
    case .source, .destination: 32
    case .sender: 48
    }
  }

  /// The largest number that it can have.
  package var largest: UInt64 { ~0 >> (64 - bits) }

  /// As nft(8) loads it in a rule.
  var words: String {
    switch self {
    case .turn: "meta protocol"
    case .sender: "ether saddr"
    case .source: "ip saddr"
    case .destination: "ip daddr"
    case .protocol: "ip protocol"
    case .port: "th dport"
    }
  }

  /// As nft(8) names its type.
  var typeWord: String {
    switch self {
    case .turn: "ether_type"
    case .sender: "ether_addr"
    case .source, .destination: "ipv4_addr"
    case .protocol: "inet_proto"
    case .port: "inet_service"
    }
  }
}
