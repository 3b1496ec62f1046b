/// The differentiated services code point of an IPv4 header (RFC 2474): the upper six bits of the second byte.
package struct DSCP: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// 0...63.
  package let value: UInt8

  /// Nil above 63.
  package init?(value: UInt8) {
    guard value < 64 else { return nil }
    self.value = value
  }

  private init(known value: UInt8) { self.value = value }

  /// A class by its name, in capitals.
  package init?(name: some StringProtocol) {
    guard let known = Self.classes.first(where: { $0.name == name }) else { return nil }
    value = known.value
  }

  /// Every class that has a name: CS (RFC 2474), AF (RFC 2597), EF (RFC 3246), VA (RFC 5865) and LE (RFC 8622). CS0 is
  /// what a packet has that nobody has marked.
  package static let classes: [(name: String, value: UInt8)] =
    (0...7).map { ("CS\($0)", UInt8($0 * 8)) }
    + (1...4).flatMap { level in (1...3).map { ("AF\(level)\($0)", UInt8(level * 8 + $0 * 2)) } }
    + [("VA", 44), ("EF", 46), ("LE", 1)]

  /// Every code point, in order.
  /// What a packet has that nobody has given another one: the standard treatment (RFC 2474 section 4.1).
  package static let unmarked = DSCP(known: 0)

  package static let all = (UInt8(0)...63).map { DSCP(known: $0) }

  /// The class's name, or the number where it has none. 0 is a number: "not marked" is no class.
  package var description: String {
    value == 0 ? "0" : Self.classes.first { $0.value == value }?.name ?? "\(value)"
  }

  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}
