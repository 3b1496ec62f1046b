/// The hardware address of one Ethernet device (IEEE 802, EUI-48). Written in small letters with `:`, as `ip link` does.
package struct MACAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The first byte on the wire is the highest of six.
  package let value: UInt64

  /// Nil where it is no address of one device: 00:00:00:00:00:00, a group's (the first byte's lowest bit is set), or more
  /// than 48 bits.
  package init?(value: UInt64) {
    guard value != 0, value >> 48 == 0, value >> 40 & 1 == 0 else { return nil }
    self.value = value
  }

  /// Six bytes of two hexadecimal digits each, capital or small, with `:` between them.
  package init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    guard bytes.count == 17 else { return nil }
    var value: UInt64 = 0
    for (place, byte) in bytes.enumerated() {
      if place % 3 == 2 {
        guard byte == UInt8(ascii: ":") else { return nil }
      } else {
        guard let digit = Self.digit(byte) else { return nil }
        value = value << 4 | UInt64(digit)
      }
    }
    self.init(value: value)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// As on the wire.
  package var bytes: [UInt8] { stride(from: 40, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) } }

  package var description: String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
  }

  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}
