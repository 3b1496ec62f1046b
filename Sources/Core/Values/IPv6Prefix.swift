/// An IPv6 prefix, as ip rules and routes have it; bits below its length are ignored.
package struct IPv6Prefix: Hashable, Sendable, CustomStringConvertible {
  package let address: IPv6Address
  /// 0...128.
  package let length: UInt8

  package init(_ address: IPv6Address, length: UInt8) {
    self.address = address
    self.length = min(length, 128)
  }

  /// Every address.
  package static let all = IPv6Prefix(IPv6Address(high: 0, low: 0), length: 0)

  package func contains(_ other: IPv6Address) -> Bool {
    (address.high ^ other.high) & Self.mask(length, from: 0) == 0
      && (address.low ^ other.low) & Self.mask(length, from: 64) == 0
  }

  package func contains(_ other: IPv6Prefix) -> Bool { length <= other.length && contains(other.address) }

  /// Its first address, and one more: a host's mostly.
  package var host: IPv6Address {
    IPv6Address(
      high: address.high & Self.mask(length, from: 0),
      low: address.low & Self.mask(length, from: 64) | (length < 127 ? 1 : 0))
  }

  package var description: String { "\(address)/\(length)" }

  /// Of eight bytes that begin at a bit.
  private static func mask(_ length: UInt8, from start: UInt8) -> UInt64 {
    let bits = length > start ? min(length - start, 64) : 0
    return bits == 0 ? 0 : UInt64.max << UInt64(64 - bits)
  }
}
