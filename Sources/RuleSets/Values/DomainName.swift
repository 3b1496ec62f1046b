/// A DNS domain, which stands for itself and its subdomains. In small letters and without a dot at the end; names in
/// other scripts are in punycode (RFC 3492).
package struct DomainName: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// RFC 1035 section 2.3.4, less the bytes that only the wire has.
  package static let maximumLength = 253
  package let text: String

  /// Labels of 1 to 63 letters, digits, `-` and `_` (which names of hosts may not have, and some have), with `.` between
  /// them; none begins or ends in `-`. The last is not all digits, or it would be an address. Capitals are made small.
  package init?(_ text: some StringProtocol) {
    guard (1...Self.maximumLength).contains(text.utf8.count) else { return nil }
    let labels = Array(text.utf8).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard labels.allSatisfy(Self.isLabel), labels.last?.allSatisfy(Self.isDigit) == false else { return nil }
    self.text = text.lowercased()
  }

  private static func isLabel(_ label: ArraySlice<UInt8>) -> Bool {
    let hyphen = UInt8(ascii: "-")
    return (1...63).contains(label.count) && label.first != hyphen && label.last != hyphen
      && label.allSatisfy { byte in
        isDigit(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == hyphen || byte == UInt8(ascii: "_")
      }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  /// Whether the other is this domain or a subdomain of it.
  package func contains(_ other: DomainName) -> Bool {
    let (own, theirs) = (text.utf8, other.text.utf8)
    guard theirs.count > own.count else { return text == other.text }
    return theirs.suffix(own.count).elementsEqual(own)
      && theirs[theirs.index(theirs.endIndex, offsetBy: -own.count - 1)] == UInt8(ascii: ".")
  }

  /// This domain and those above it, the nearest first: `a.b.example`, `b.example`, `example`.
  package var lineage: some Sequence<DomainName> {
    sequence(first: self) { domain in
      guard let dot = domain.text.utf8.firstIndex(of: UInt8(ascii: ".")) else { return nil }
      return DomainName(known: String(domain.text[domain.text.utf8.index(after: dot)...]))
    }
  }

  private init(known text: String) { self.text = text }

  package var description: String { text }
  package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}
