/// An IPv4 prefix in canonical form: no host bit is set. Written as in `ip route`: `10.0.0.0/8`.
package struct IPv4Prefix: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The first address of the prefix.
  package let address: IPv4Address
  /// 0...32.
  package let length: UInt8

  /// Nil where `length` is over 32 or a bit below the prefix is set.
  package init?(_ address: IPv4Address, length: UInt8) {
    guard length <= 32, address.value & ~Self.netmask(length) == 0 else { return nil }
    self.address = address
    self.length = length
  }

  /// The prefix of this length that holds `address`; nil where `length` is over 32.
  package init?(containing address: IPv4Address, length: UInt8) {
    guard length <= 32 else { return nil }
    self.address = IPv4Address(value: address.value & Self.netmask(length))
    self.length = length
  }

  /// The prefix of just these addresses; nil where they are none.
  package init?(_ range: ClosedRange<UInt32>) {
    let count = UInt64(range.upperBound) - UInt64(range.lowerBound) + 1
    guard count.nonzeroBitCount == 1 else { return nil }
    self.init(IPv4Address(value: range.lowerBound), length: UInt8(32 - count.trailingZeroBitCount))
  }

  /// Reads `a.b.c.d/n`, canonical. A bare address is not a prefix: write `/32`.
  package init?(_ text: some StringProtocol) {
    guard let (address, length) = Self.parse(text) else { return nil }
    self.init(address, length: length)
  }

  private init(unchecked address: IPv4Address, length: UInt8) {
    self.address = address
    self.length = length
  }

  /// 0.0.0.0/0: where a default route points.
  package static let all = IPv4Prefix(unchecked: IPv4Address(value: 0), length: 0)
  /// 0.0.0.0/1 and 128.0.0.0/1: together as good as a default route, and before any.
  package static let halves = [0, 0x8000_0000].map { IPv4Prefix(unchecked: IPv4Address(value: $0), length: 1) }

  /// A prefix of one address.
  package static func host(_ address: IPv4Address) -> IPv4Prefix { IPv4Prefix(unchecked: address, length: 32) }

  /// The address and length as written, host bits kept: what `ip addr` calls `10.1.1.1/30`.
  package static func parse(_ text: some StringProtocol) -> (address: IPv4Address, length: UInt8)? {
    // A rule set holds 100,000 of them.
    text.utf8.withContiguousStorageIfAvailable { parse(bytes: $0) } ?? parse(bytes: Array(text.utf8))
  }

  private static func parse(bytes: some RandomAccessCollection<UInt8>) -> (address: IPv4Address, length: UInt8)? {
    guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")) else { return nil }
    let digits = bytes[bytes.index(after: slash)...]
    guard let address = IPv4Address(bytes: bytes[..<slash]), (1...2).contains(digits.count),
      digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      digits.count == 1 || digits.first != UInt8(ascii: "0")
    else { return nil }
    let length = digits.reduce(UInt8(0)) { $0 * 10 + ($1 - UInt8(ascii: "0")) }
    return length <= 32 ? (address, length) : nil
  }

  /// As many high bits as `length` says, which is 0...32.
  package static func netmask(_ length: UInt8) -> UInt32 { length == 0 ? 0 : UInt32.max << (32 - UInt32(length)) }

  /// Every address of the prefix, first and last included, in host byte order.
  package var range: ClosedRange<UInt32> { address.value...(address.value | ~Self.netmask(length)) }

  /// Whether the address lies in the prefix, its first and last addresses included.
  package func contains(_ other: IPv4Address) -> Bool { range.contains(other.value) }
  /// Whether every address of the other prefix lies in this one. A prefix contains itself.
  package func contains(_ other: IPv4Prefix) -> Bool { length <= other.length && contains(other.address) }
  /// Whether they share an address, which means that one contains the other.
  package func overlaps(_ other: IPv4Prefix) -> Bool { contains(other.address) || other.contains(address) }

  package var description: String { "\(address)/\(length)" }

  /// Orders by first address, the wider prefix first.
  package static func < (left: Self, right: Self) -> Bool {
    (left.address, left.length) < (right.address, right.length)
  }
}
