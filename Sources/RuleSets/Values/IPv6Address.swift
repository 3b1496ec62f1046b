/// An IPv6 address (RFC 4291). It is never backhauled; an IPv4 route may have one as its gateway (RFC 9229), and `explain`
/// may be asked about one.
package struct IPv6Address: Hashable, Sendable, CustomStringConvertible {
  /// The first and the last eight bytes, each as one number.
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// As RFC 4291 section 2.2 writes them.
  package init?(_ text: some StringProtocol) {
    guard text.utf8.count <= 45, let groups = Self.groups(of: text) else { return nil }
    high = groups.prefix(4).reduce(0) { $0 << 16 | UInt64($1) }
    low = groups.suffix(4).reduce(0) { $0 << 16 | UInt64($1) }
  }

  /// fe80::/10: good for one link alone.
  package var isLinkLocal: Bool { high >> 54 == 0x3fa }

  private var groups: [UInt16] {
    [high, low].flatMap { half in [48, 32, 16, 0].map { UInt16(truncatingIfNeeded: half >> $0) } }
  }

  /// As RFC 5952 writes it.
  package var description: String {
    let groups = groups
    let words = groups.map { String($0, radix: 16) }
    // The longest run of zeros, two groups at least; the first of equals.
    var longest = 0..<0
    var start: Int?
    for place in 0...groups.count {
      if place < groups.count, groups[place] == 0 {
        start = start ?? place
      } else if let begun = start {
        if place - begun > max(longest.count, 1) { longest = begun..<place }
        start = nil
      }
    }
    guard !longest.isEmpty else { return words.joined(separator: ":") }
    return words[..<longest.lowerBound].joined(separator: ":") + "::"
      + words[longest.upperBound...].joined(separator: ":")
  }

  private static func groups<Text: StringProtocol>(of text: Text) -> [UInt16]? {
    guard let gap = gap(in: text) else {
      let all = list(text)
      return all?.count == 8 ? all : nil
    }
    let rest = text[gap.upperBound...]
    // `::` stands for one group at least, and stands there once.
    guard Self.gap(in: rest) == nil, let before = list(text[..<gap.lowerBound], mayEndInIPv4: false),
      let after = list(rest), before.count + after.count < 8
    else { return nil }
    return before + [UInt16](repeating: 0, count: 8 - before.count - after.count) + after
  }

  private static func gap<Text: StringProtocol>(in text: Text) -> Range<Text.Index>? {
    var index = text.startIndex
    while index < text.endIndex {
      let next = text.index(after: index)
      if text[index] == ":", next < text.endIndex, text[next] == ":" { return index..<text.index(after: next) }
      index = next
    }
    return nil
  }

  /// Groups of 16 bits; nil where it is no list of groups.
  private static func list(_ text: some StringProtocol, mayEndInIPv4: Bool = true) -> [UInt16]? {
    if text.isEmpty { return [] }
    var parts = text.split(separator: ":", omittingEmptySubsequences: false)
    var end: [UInt16] = []
    if mayEndInIPv4, let address = parts.last.flatMap({ IPv4Address($0) }) {
      parts.removeLast()
      end = [UInt16(address.value >> 16), UInt16(address.value & 0xffff)]
    }
    var groups: [UInt16] = []
    for part in parts {
      // UInt16(_:radix:) takes a sign.
      guard (1...4).contains(part.utf8.count), part.utf8.first != UInt8(ascii: "+"),
        part.utf8.first != UInt8(ascii: "-"), let group = UInt16(part, radix: 16)
      else { return nil }
      groups.append(group)
    }
    return groups + end
  }
}
