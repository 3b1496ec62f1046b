/// A name that an operator gives to a tunnel, path, probe, hub or rule: 1 to 32 of `a`–`z`, `0`–`9`, `-`, starting with
/// a letter. It goes unchanged into nftables set names, log lines and the CLI, so nothing else is let in.
package struct Name: Hashable, Comparable, Sendable, CustomStringConvertible {
  package static let maximumLength = 32
  package let text: String

  package init?(_ text: some StringProtocol) {
    let bytes = text.utf8
    guard (1...Self.maximumLength).contains(bytes.count), let first = bytes.first,
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first),
      bytes.allSatisfy({
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || $0 == UInt8(ascii: "-")
      })
    else { return nil }
    self.text = String(text)
  }

  private init(known text: String) { self.text = text }

  /// Nothing's name: what a draft has until the document's name is read.
  static let blank = Name(known: "")

  package var description: String { text }
  package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}
