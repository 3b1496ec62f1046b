import Testing

@testable import Core

@Suite struct CertificateValidityTests {
  /// Self-signed, Ed25519, 2026-01-02 03:04:05 to 2055-06-07 08:09:10 UTC: one date of each kind.
  private static let pem = """
    Some text before it.
    -----BEGIN CERTIFICATE-----
    MIHaMIGNAhR7su3XAcyktvOg30Eep4iZjKH5wTAFBgMrZXAwDzENMAsGA1UEAwwE
    dGVzdDAgFw0yNjAxMDIwMzA0MDVaGA8yMDU1MDYwNzA4MDkxMFowDzENMAsGA1UE
    AwwEdGVzdDAqMAUGAytlcAMhACZkg7pW+oxiX/HxSRnfyeFdf+AUcmS9YmzBmdG9
    bMK3MAUGAytlcANBAP4Tx0nXeKq948P0uSucpcf5E6Me+0P5Z8ZCdRvXVPgCyn7l
    bUVwugQdi5ZCmnuUXYWT7B8vNKtOUBdhOZXIrgA=
    -----END CERTIFICATE-----

    """

  private var bytes: [UInt8] { Array(Self.pem.utf8) }

  private func der(_ validity: [UInt8], version: Bool = true) -> [UInt8] {
    func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
      content.count < 128
        ? [tag, UInt8(content.count)] + content
        : [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 0xff)] + content
    }
    let head = version ? element(0xa0, element(2, [2])) : []
    let issuer = element(0x30, [UInt8](repeating: 0, count: 300))
    let body = head + element(2, [1]) + element(0x30, []) + issuer + element(0x30, validity)
    return element(0x30, element(0x30, body) + element(0x30, []))
  }

  private func time(_ tag: UInt8, _ text: String) -> [UInt8] { [tag, UInt8(text.utf8.count)] + Array(text.utf8) }

  @Test func bothKindsOfDateAreRead() throws {
    let all = try #require(CertificateValidity.all(in: bytes))
    #expect(all.map(\.notBefore.text) == ["2026-01-02T03:04:05.000Z"])
    #expect(all.map(\.notAfter.text) == ["2055-06-07T08:09:10.000Z"])
    #expect(CertificateValidity.all(in: bytes + bytes)?.count == 2)
  }

  @Test(arguments: [true, false])
  func aCertificateOfAnyVersionIsRead(_ hasVersion: Bool) throws {
    let validity = time(0x17, "991231235959Z") + time(0x18, "20500101000000Z")
    let read = try #require(CertificateValidity(der: der(validity, version: hasVersion)))
    #expect(read.notBefore.text == "1999-12-31T23:59:59.000Z")
    #expect(read.notAfter.text == "2050-01-01T00:00:00.000Z")
  }

  @Test(arguments: [
    "99123123595Z", "991331235959Z", "990230000000Z", "9912312359595", "991231235959+0100", "            Z", "",
  ])
  func aDateThatIsNoneIsRefused(_ text: String) {
    #expect(CertificateValidity(der: der(time(0x17, text) + time(0x18, "20500101000000Z"))) == nil)
  }

  @Test func whatIsCutOffIsRefused() {
    let whole = der(time(0x17, "260101000000Z") + time(0x17, "270101000000Z"))
    #expect(CertificateValidity(der: whole) != nil)
    for count in 0..<whole.count { #expect(CertificateValidity(der: Array(whole[..<count])) == nil) }
    let text = String(decoding: bytes, as: UTF8.self)
    let end = text.firstRange(of: "-----END")
    #expect(CertificateValidity.all(in: Array(text[..<(end?.lowerBound ?? text.endIndex)].utf8)) == nil)
    #expect(CertificateValidity.all(in: []) == nil)
  }

  /// Whatever a byte or a length is changed to, it is read or refused, and nothing is read past the end.
  @Test func noBytesBreakIt() {
    let whole = der(time(0x17, "260101000000Z") + time(0x18, "20500101000000Z"))
    for place in whole.indices {
      for value in [0, 1, 0x30, 0x7f, 0x80, 0x81, 0x84, 0x88, 0xff] as [UInt8] {
        var changed = whole
        changed[place] = value
        _ = CertificateValidity(der: changed)
      }
    }
    var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    for _ in 0..<20_000 {
      var noise = whole
      for _ in 0..<4 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        noise[Int(state >> 33) % noise.count] = UInt8(truncatingIfNeeded: state >> 20)
      }
      _ = CertificateValidity(der: noise)
      _ = CertificateValidity.all(in: noise)
    }
  }
}
