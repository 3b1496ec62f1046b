/// An IPv6 address as text (RFC 4291 section 2.2). It is never backhauled, so nobody asks for more than whether it is one.
package struct IPv6Address: Equatable, Sendable, CustomStringConvertible {
  package let description: String

  package init?(_ text: some StringProtocol) {
    guard text.utf8.count <= 45 else { return nil }
    guard let gap = Self.gap(in: text) else {
      guard Self.count(text) == 8 else { return nil }
      description = String(text)
      return
    }
    let rest = text[gap.upperBound...]
    // `::` stands for one group at least, and stands there once.
    guard Self.gap(in: rest) == nil, let before = Self.count(text[..<gap.lowerBound], mayEndInIPv4: false),
      let after = Self.count(rest), before + after < 8
    else { return nil }
    description = String(text)
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

  /// How many groups of 16 bits; nil where it is no list of groups.
  private static func count(_ text: some StringProtocol, mayEndInIPv4: Bool = true) -> Int? {
    if text.isEmpty { return 0 }
    var parts = text.split(separator: ":", omittingEmptySubsequences: false)
    var groups = 0
    if mayEndInIPv4, let last = parts.last, IPv4Address(last) != nil {
      parts.removeLast()
      groups = 2
    }
    for part in parts {
      guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(isHexadecimal) else { return nil }
    }
    return groups + parts.count
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }
}
