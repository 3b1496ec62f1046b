internal import RuleSets

/// A question to see whether a nameserver answers (RFC 1035 section 4).
package struct ResolverQuestion: Equatable, Sendable {
  package var number: UInt16
  /// Empty: the root.
  package var name: String

  package init(number: UInt16, name: String) {
    self.number = number
    self.name = name
  }

  /// An A question for the name, with recursion; for the root its NS. Nil if the name is invalid.
  package var bytes: [UInt8]? {
    var bytes: [UInt8] = [UInt8(number >> 8), UInt8(number & 0xff), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    let labels = name.split(separator: ".")
    guard name.utf8.count <= 253 else { return nil }
    for label in labels {
      guard (1...63).contains(label.utf8.count) else { return nil }
      bytes.append(UInt8(label.utf8.count))
      bytes.append(contentsOf: label.utf8)
    }
    return bytes + [0, 0, labels.isEmpty ? 2 : 1, 0, 1]
  }

  /// Nil if it does not answer this question.
  package func answer(_ bytes: [UInt8]) -> Nameserver.Answer? {
    guard bytes.count >= 12, UInt16(bytes[0]) << 8 | UInt16(bytes[1]) == number, bytes[2] & 0x80 != 0
    else { return nil }
    let code = bytes[3] & 0x0f
    return code == 0 ? .answered : .failed(code: code)
  }

  /// The nameservers of a resolv.conf(5), as the C library takes them: the first three.
  package static func nameservers(_ text: some StringProtocol) -> [String] {
    var found: [String] = []
    for line in text.split(whereSeparator: \.isNewline) where found.count < 3 {
      let words = line.split { $0 == " " || $0 == "\t" }
      guard words.count >= 2, words[0] == "nameserver" else { continue }
      found.append(String(words[1]))
    }
    return found
  }
}

extension RuleSetSourceConfiguration.Location {
  /// The name that must be resolved before the source can be asked; nil if the source is a file or an address.
  package var hostName: String? {
    guard case .web(let url) = self, let scheme = ["https://", "http://"].first(where: url.hasPrefix) else {
      return nil
    }
    let authority = url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let host = authority.hasPrefix("[") ? "" : authority.prefix { $0 != ":" }
    return host.isEmpty || IPv4Address(host) != nil ? nil : String(host)
  }
}
