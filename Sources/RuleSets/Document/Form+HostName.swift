extension Form where Value == String {
  /// A DNS name as a Host header and SNI carry it (RFC 1123 section 2.1).
  package static let hostName = Form(
    .text("host_name", 1...253, "a host name such as hub.example, of at most 253 characters")
  ) { value in
    guard case .string(let text) = value, (1...253).contains(text.utf8.count), IPv4Address(text) == nil else {
      return .refused()
    }
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    let isName = labels.allSatisfy { label in
      (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
        && label.utf8.allSatisfy { byte in
          (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == UInt8(ascii: "-")
        }
    }
    return isName ? .value(text) : .refused()
  }
}
