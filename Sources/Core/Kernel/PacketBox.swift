package import RuleSets

/// A range for each field of a packet: the packet is in the box where each of its values is in that field's range.
///
/// A box is an element of a map, and Linux gives a packet to that element which was put in first of those whose boxes it is
/// in. It refuses a box with its low or its high corner in one that is there already (nft_pipapo_insert,
/// net/netfilter/nft_set_pipapo.c). Hence the turns: of two boxes that overlap, that of the later turn is wider in the
/// field `.turn`, so that neither of its corners is in the other. Boxes of one turn must not overlap.
package struct PacketBox: Hashable, Sendable {
  /// What a box says of one field.
  package enum Side: Hashable, Comparable, Sendable {
    /// Any device; not a packet of the router's own. For the field `.incoming`, as `device`.
    case anyDevice
    case device(InterfaceName)
    /// The first number and the last one. For the other fields; addresses count with their first byte as the highest.
    case numbers(UInt64, UInt64)
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
  package static func any(_ field: PacketField) -> Self {
    field == .incoming ? .anyDevice : .numbers(0, field.largest)
  }

  /// Nil if it is no turn's range.
  fileprivate var turn: Int? {
    guard case .numbers(let first, let last) = self, first <= Self.middle, last >= Self.middle,
      Self.middle - first == last - Self.middle
    else { return nil }
    return Int(Self.middle - first)
  }

  /// Some value is in both.
  func overlaps(_ other: Self) -> Bool {
    switch (self, other) {
    case (.numbers(let first, let last), .numbers(let otherFirst, let otherLast)):
      first <= otherLast && otherFirst <= last
    case (.device(let name), .device(let otherName)): name == otherName
    case (.anyDevice, .device), (.device, .anyDevice), (.anyDevice, .anyDevice): true
    case (.numbers, _), (_, .numbers): false
    }
  }
}

extension PacketBox {
  /// Of its first side; the last one where that is of another field.
  package var turn: Int { sides.first?.turn ?? Side.mostTurns }

  /// Some packet is in both. Boxes of other fields overlap nowhere.
  package func overlaps(_ other: PacketBox) -> Bool {
    sides.count == other.sides.count && zip(sides, other.sides).allSatisfy { $0.overlaps($1) }
  }

  /// The sides say something of these fields, and the first number of each is not above its last.
  package func fits(_ fields: [PacketField]) -> Bool {
    sides.count == fields.count
      && zip(sides, fields).allSatisfy { side, field in
        switch side {
        case .anyDevice, .device: field == .incoming
        case .numbers(let first, let last): field != .incoming && first <= last && last <= field.largest
        }
      }
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
  fileprivate func text(_ side: PacketBox.Side) -> String {
    switch side {
    case .anyDevice: "\"!\"-\"\(String(repeating: "~", count: InterfaceName.maximumLength))\""
    case .device(let name): "\"\(name)\""
    case .numbers(let first, let last): text(first, last)
    }
  }

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
    case .turn, .trafficClass:
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
