/// Ports of TCP or UDP, both bounds included. One port is written as a number, several as `5000-5999`.
package struct PortRange: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Never 0, which no connection can have.
  package let first: UInt16
  package let last: UInt16

  /// Nil where the bounds are the wrong way round, or the first is 0.
  package init?(_ first: UInt16, _ last: UInt16) {
    guard first > 0, first <= last else { return nil }
    self.first = first
    self.last = last
  }

  private init(unchecked first: UInt16, _ last: UInt16) { (self.first, self.last) = (first, last) }

  /// Reads `5000-5999`: two decimal numbers without leading zeros, the lower one first. One port alone is no range.
  package init?(_ text: some StringProtocol) {
    guard let (first, last) = Self.parse(text) else { return nil }
    self.init(first, last)
  }

  /// The numbers as written, the wrong way round too.
  static func parse(_ text: some StringProtocol) -> (first: UInt16, last: UInt16)? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let first = port(parts[0]), let last = port(parts[1]) else { return nil }
    return (first, last)
  }

  private static func port(_ text: some StringProtocol) -> UInt16? {
    guard (1...5).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "0"),
      text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return UInt16(text)
  }

  package var range: ClosedRange<UInt16> { first...last }

  package func contains(_ port: UInt16) -> Bool { range.contains(port) }

  package var description: String { first == last ? "\(first)" : "\(first)-\(last)" }

  /// Orders by first port, the shorter range first.
  package static func < (left: Self, right: Self) -> Bool { (left.first, left.last) < (right.first, right.last) }

  /// The same ports in as few ranges as there can be, in order: those that overlap or touch are one.
  package static func merged(_ ranges: some Sequence<PortRange>) -> [PortRange] {
    ranges.sorted().reduce(into: []) { merged, next in
      guard let open = merged.last, UInt32(next.first) <= UInt32(open.last) + 1 else { return merged.append(next) }
      merged[merged.count - 1] = PortRange(unchecked: open.first, max(open.last, next.last))
    }
  }
}
