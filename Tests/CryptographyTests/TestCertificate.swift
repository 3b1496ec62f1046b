import FoundationEssentials

/// Certificates made by hand, so that every part can be something that no tool would write. Their signatures are zeros.
struct TestCertificate {
  /// `YYMMDDHHMMSSZ`, or longer: a GeneralizedTime.
  var notBefore = "260101000000Z"
  var notAfter = "270101000000Z"
  var subject: [UInt8] = Array("test".utf8)
  /// Version 3, or none, which means 1.
  var hasVersion = true

  var der: [UInt8] {
    let ed25519 = Self.element(0x30, [0x06, 0x03, 0x2b, 0x65, 0x70])
    let body: [[UInt8]] = [
      hasVersion ? Self.element(0xa0, Self.element(0x02, [2])) : [],
      Self.element(0x02, [1]), ed25519, Self.name(Array("authority".utf8)),
      Self.element(0x30, Self.time(notBefore) + Self.time(notAfter)), Self.name(subject),
      Self.element(0x30, ed25519 + Self.element(0x03, [0] + [UInt8](repeating: 7, count: 32))),
    ]
    return Self.element(
      0x30,
      Self.element(0x30, Array(body.joined())) + ed25519
        + Self.element(0x03, [0] + [UInt8](repeating: 0, count: 64)))
  }

  var pem: String { Self.pem("CERTIFICATE", der) }

  static func pem(_ label: String, _ bytes: [UInt8]) -> String {
    let text = Data(bytes).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
    return "-----BEGIN \(label)-----\n\(text)\n-----END \(label)-----\n"
  }

  static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    switch content.count {
    case ..<128: [tag, UInt8(content.count)] + content
    case ..<65_536: [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 0xff)] + content
    default:
      [tag, 0x83, UInt8(content.count >> 16), UInt8(content.count >> 8 & 0xff), UInt8(content.count & 0xff)] + content
    }
  }

  private static func time(_ text: String) -> [UInt8] { element(text.utf8.count > 13 ? 0x18 : 0x17, Array(text.utf8)) }

  /// One common name, an UTF8String; none for no bytes.
  private static func name(_ text: [UInt8]) -> [UInt8] {
    guard !text.isEmpty else { return element(0x30, []) }
    return element(
      0x30, element(0x31, element(0x30, element(0x06, [0x55, 0x04, 0x03]) + element(0x0c, text))))
  }
}
