/// An IPv4 address (RFC 791). Ordered as a number, so that ranges and prefixes compare as an operator expects.
package struct IPv4Address: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The address in host byte order: 10.0.0.1 is 0x0a000001.
  package let value: UInt32

  package init(value: UInt32) { self.value = value }

  /// No host's: what a draft has until the document's address is read.
  static let blank = IPv4Address(value: 0)

  /// Dotted quad only: four decimal numbers without leading zeros, nothing before or after.
  package init?(_ text: some StringProtocol) { self.init(bytes: text.utf8) }

  /// The same from the text's bytes.
  init?(bytes: some Sequence<UInt8>) {
    var value: UInt32 = 0
    var octet: UInt32 = 0
    var digits = 0
    var dots = 0
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        // "010" is octal to inet_aton and decimal to others: refused, as inet_pton does.
        if digits > 0 && octet == 0 { return nil }
        octet = octet * 10 + UInt32(byte - UInt8(ascii: "0"))
        digits += 1
        if octet > 255 { return nil }
      case UInt8(ascii: "."):
        if digits == 0 || dots == 3 { return nil }
        value = value << 8 | octet
        octet = 0
        digits = 0
        dots += 1
      default: return nil
      }
    }
    guard dots == 3, digits > 0 else { return nil }
    self.value = value << 8 | octet
  }

  package var description: String {
    "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
  }

  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }

  /// 127.0.0.0/8 (RFC 1122 section 3.2.1.3).
  package var isLoopback: Bool { value >> 24 == 127 }
  /// An address that one host can have: not 0.0.0.0/8, loopback, multicast, reserved (240/4) or broadcast.
  package var isHost: Bool { value >> 24 != 0 && !isLoopback && value >> 28 < 0xe }
}
