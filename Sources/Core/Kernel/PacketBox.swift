internal import RuleSets

/// A range for each field of a packet: the packet is in the box where each of its values is in that field's range.
///
/// A box is an element of a map, and Linux gives a packet to that element which was put in first of those whose boxes it is
/// in. It refuses a box with its low or its high corner in one that is there already (nft_pipapo_insert,
/// net/netfilter/nft_set_pipapo.c). Hence the turns: of two boxes that overlap, that of the later turn is wider in the
/// field `.turn`, so that neither of its corners is in the other. Boxes of one turn must not overlap.
package struct PacketBox: Hashable, Sendable {
  /// What a box says of one field: a range of numbers. Addresses count with their first byte as the highest.
  package struct Side: Hashable, Comparable, Sendable {
    package var first: UInt64
    package var last: UInt64

    package static func numbers(_ first: UInt64, _ last: UInt64) -> Side { Side(first: first, last: last) }

    package static func < (left: Self, right: Self) -> Bool {
      (left.first, left.last) < (right.first, right.last)
    }
  }

  /// In the order of the map's fields.
  package var sides: [Side]

  package init(_ sides: [Side]) { self.sides = sides }
}

extension PacketBox.Side {
  /// ETH_P_IP: what every IPv4 packet has in the field `.turn`.
  static let middle: UInt64 = 0x0800
  /// The last turn.
  package static let mostTurns = 2047

  /// Turns count from 0 to `mostTurns`, and a packet that is in several boxes goes to the one with the least.
  package static func turn(_ number: Int) -> Self {
    let width = UInt64(min(max(number, 0), mostTurns))
    return .numbers(middle - width, middle + width)
  }

  /// All that a packet can have in this field.
  package static func any(_ field: PacketField) -> Self { .numbers(0, field.largest) }

  /// Nil if it is no turn's range.
  fileprivate var turn: Int? {
    guard first <= Self.middle, last >= Self.middle, Self.middle - first == last - Self.middle else { return nil }
    return Int(Self.middle - first)
  }
}

extension PacketBox {
  /// Of its first side; the last one where that is of another field.
  package var turn: Int { sides.first?.turn ?? Side.mostTurns }

  /// The sides say something of these fields, and the first number of each is not above its last.
  package func fits(_ fields: [PacketField]) -> Bool {
    sides.count == fields.count
      && zip(sides, fields).allSatisfy { side, field in side.first <= side.last && side.last <= field.largest }
  }
}

/// By turn, as they are put into a map.
extension PacketBox: Comparable {
  package static func < (left: Self, right: Self) -> Bool {
    let turns = (left.turn, right.turn)
    if turns.0 != turns.1 { return turns.0 < turns.1 }
    return left.sides.lexicographicallyPrecedes(right.sides)
  }
}

extension PacketBox {
  /// As nft(8) writes an element's key.
  func text(_ fields: [PacketField]) -> String {
    zip(fields, sides).map { $0.text($1) }.joined(separator: " . ")
  }
}

extension PacketField {
  fileprivate func text(_ side: PacketBox.Side) -> String { text(side.first, side.last) }

  private func text(_ first: UInt64, _ last: UInt64) -> String {
    if self == .source || self == .destination {
      let (first, last) = (UInt32(truncatingIfNeeded: first), UInt32(truncatingIfNeeded: last))
      return first <= last ? AddressRanges.text([first...last]) : "\(first)-\(last)"
    }
    if first != last { return "\(text(first))-\(text(last))" }
    switch self {
    case .turn where first == PacketBox.Side.middle: return "ip"
    case .protocol: return NftRule.Match.name(ofProtocol: UInt8(truncatingIfNeeded: first))
    default: return text(first)
    }
  }

  private func text(_ number: UInt64) -> String {
    switch self {
    case .turn:
      let digits = String(number, radix: 16)
      return "0x" + String(repeating: "0", count: max(0, bits / 4 - digits.count)) + digits
    case .sender:
      return (0..<6).reversed().map { place in
        let byte = number >> (8 * UInt64(place)) & 0xff
        return (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }.joined(separator: ":")
    default: return "\(number)"
    }
  }
}
