/// An IPv6 prefix in canonical form: no host bit is set. Written as in `ip -6 route`: `2001:db8::/32`.
package struct IPv6Prefix: Hashable, Sendable, CustomStringConvertible {
  /// The first address of the prefix, as one number.
  package let value: UInt128
  /// 0...128.
  package let length: UInt8

  /// Nil where `length` is over 128 or a bit below the prefix is set.
  package init?(_ value: UInt128, length: UInt8) {
    guard length <= 128, value & ~Self.netmask(length) == 0 else { return nil }
    self.value = value
    self.length = length
  }

  /// `address/length`, canonical.
  package init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let address = IPv6Address(parts[0]), let length = UInt8(parts[1]) else { return nil }
    self.init(UInt128(address.high) << 64 | UInt128(address.low), length: length)
  }

  private init(unchecked value: UInt128, length: UInt8) {
    self.value = value
    self.length = length
  }

  /// All ones in the first `length` bits.
  package static func netmask(_ length: UInt8) -> UInt128 { length == 0 ? 0 : .max << (128 - UInt128(length)) }

  /// The first address of the prefix.
  package var address: IPv6Address {
    IPv6Address(high: UInt64(truncatingIfNeeded: value >> 64), low: UInt64(truncatingIfNeeded: value))
  }

  /// Link-local addresses (fe80::/10) and groups (ff00::/8): every device has routes for them, and none leads anywhere else.
  package var isOfEveryLink: Bool { value >> 118 == 0x3fa || value >> 120 == 0xff }

  package var description: String { "\(address)/\(length)" }
}

extension IPv6Prefix: AddressPrefix {
  package static let all = IPv6Prefix(unchecked: 0, length: 0)

  /// Whether every address of the other prefix lies in this one. A prefix contains itself.
  package func contains(_ other: Self) -> Bool {
    length <= other.length && other.value & Self.netmask(length) == value
  }

  package static func < (left: Self, right: Self) -> Bool { (left.value, left.length) < (right.value, right.length) }
}

/// A prefix of either family: two of them are apart, or one lies in the other. Ordered by first address, the wider first.
package protocol AddressPrefix: Hashable, Comparable, Sendable {
  /// Every address: where a default route leads to.
  static var all: Self { get }
  var length: UInt8 { get }
  func contains(_ other: Self) -> Bool
}

extension IPv4Prefix: AddressPrefix {}

extension IPv6Prefix {
  /// The prefix of this length that the address lies in; nil where the length is over 128.
  package init?(of address: IPv6Address, length: UInt8) {
    guard length <= 128 else { return nil }
    self.init(address.value & Self.netmask(length), length: length)
  }

  /// Whether the address lies in the prefix.
  package func contains(_ address: IPv6Address) -> Bool { address.value & Self.netmask(length) == value }

  /// Its first address, and one more: a host's mostly.
  package var host: IPv6Address {
    let host = length < 127 ? value | 1 : value
    return IPv6Address(high: UInt64(truncatingIfNeeded: host >> 64), low: UInt64(truncatingIfNeeded: host))
  }
}

/// An IPv6 address of a device, with its network's length.
package struct IPv6InterfaceAddress: Hashable, Sendable {
  package var address: IPv6Address
  package var network: IPv6Prefix

  /// Nil where the length is over 128.
  package init?(_ address: IPv6Address, length: UInt8) {
    guard let network = IPv6Prefix(of: address, length: length) else { return nil }
    self.address = address
    self.network = network
  }
}

extension IPv6Address {
  /// The address as one number.
  fileprivate var value: UInt128 { UInt128(high) << 64 | UInt128(low) }
}
