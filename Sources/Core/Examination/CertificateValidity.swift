/// From when to when an X.509 certificate holds (RFC 5280 section 4.1.2.5). Nothing else of it is read, and nothing is
/// verified: that is for those who use it.
package struct CertificateValidity: Equatable, Sendable {
  package var notBefore: WallTime
  package var notAfter: WallTime

  package init(notBefore: WallTime, notAfter: WallTime) {
    self.notBefore = notBefore
    self.notAfter = notAfter
  }

  /// More certificates are not looked at in one file; a system's authorities are some 150.
  package static let mostCertificates = 500

  /// Of every certificate in a file, PEM (RFC 7468) or DER; nil where it has none, or one of them lies.
  package static func all(in file: [UInt8]) -> [CertificateValidity]? {
    let encoded = PEMBlocks.certificates(in: file, atMost: mostCertificates)
    if encoded.isEmpty { return CertificateValidity(der: file).map { [$0] } }
    var all: [CertificateValidity] = []
    for block in encoded {
      guard let bytes = block, let validity = CertificateValidity(der: bytes) else { return nil }
      all.append(validity)
    }
    return all
  }

  /// Certificate ▸ TBSCertificate ▸ version? serial signature issuer validity. Nil where the bytes end before, a length
  /// lies, or a date is none.
  package init?(der bytes: [UInt8]) {
    var file = DERReader(bytes[...])
    guard var certificate = file.take(.sequence), var body = certificate.take(.sequence) else { return nil }
    _ = body.take(.version)
    guard body.take(.integer) != nil, body.take(.sequence) != nil, body.take(.sequence) != nil,
      var validity = body.take(.sequence), let from = validity.takeTime(), let to = validity.takeTime()
    else { return nil }
    self.init(notBefore: from, notAfter: to)
  }
}

/// Reads DER (X.690), element by element, and never past the bytes it was given.
private struct DERReader {
  enum Tag: UInt8 {
    case integer = 0x02
    case utcTime = 0x17
    case generalizedTime = 0x18
    case sequence = 0x30
    /// [0], constructed.
    case version = 0xa0
  }

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// The content of the next element, which must be of this kind; nil, and nothing is taken, where it is not.
  mutating func take(_ tag: Tag) -> DERReader? {
    guard rest.first == tag.rawValue, let first = rest.dropFirst().first else { return nil }
    var body = rest.dropFirst(2)
    var length = Int(first)
    if first >= 0x80 {
      // The long form: so many bytes of length. Four hold more than any file that is read.
      let count = Int(first & 0x7f)
      guard (1...4).contains(count), body.count >= count else { return nil }
      length = body.prefix(count).reduce(0) { $0 << 8 | Int($1) }
      body = body.dropFirst(count)
    }
    guard length <= body.count else { return nil }
    rest = body.dropFirst(length)
    return DERReader(body.prefix(length))
  }

  /// `YYMMDDHHMMSSZ` until 2049, `YYYYMMDDHHMMSSZ` from then on.
  mutating func takeTime() -> WallTime? {
    if let time = take(.utcTime) {
      guard let text = time.digits(12), let year = Int(text.prefix(2)) else { return nil }
      return Self.time((year >= 50 ? "19" : "20") + text)
    }
    return take(.generalizedTime).flatMap { $0.digits(14) }.flatMap(Self.time)
  }

  /// So many digits and a Z, and nothing else.
  private func digits(_ count: Int) -> String? {
    guard rest.count == count + 1, rest.last == UInt8(ascii: "Z"),
      rest.dropLast().allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return String(decoding: rest.dropLast(), as: UTF8.self)
  }

  private static func time(_ digits: String) -> WallTime? {
    let parts = [(4, "-"), (2, "-"), (2, "T"), (2, ":"), (2, ":"), (2, "Z")]
    var rest = digits[...]
    var text = ""
    for (count, separator) in parts {
      text += rest.prefix(count) + separator
      rest = rest.dropFirst(count)
    }
    return WallTime(text: text)
  }
}

/// The certificates of a PEM file (RFC 7468).
private enum PEMBlocks {
  /// Empty where there is none; nil in place of one that is not base64 or has no end.
  static func certificates(in file: [UInt8], atMost limit: Int) -> [[UInt8]?] {
    var found: [[UInt8]?] = []
    var block: [UInt8]?
    for line in file.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }) {
      let text = String(decoding: line, as: UTF8.self)
      if text.hasPrefix("-----BEGIN CERTIFICATE-----") || text.hasPrefix("-----BEGIN X509 CERTIFICATE-----") {
        guard found.count < limit else { return found }
        block = []
      } else if text.hasPrefix("-----END "), let encoded = block {
        found.append(decode(encoded))
        block = nil
      } else {
        block?.append(contentsOf: line)
      }
    }
    if block != nil { found.append(nil) }
    return found
  }

  /// Base64 (RFC 4648 section 4); nil for any other character.
  private static func decode(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for byte in text where byte != 0x20 && byte != 0x09 {
      if byte == UInt8(ascii: "=") { break }
      guard let value = value(of: byte) else { return nil }
      bits = bits << 6 | UInt32(value)
      count += 6
      guard count >= 8 else { continue }
      count -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
    }
    return bytes
  }

  private static func value(of byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
