import Testing

@testable import Cryptography

@Suite struct CertificateTests {
  /// Self-signed by openssl, Ed25519, 2026-01-02 03:04:05 to 2055-06-07 08:09:10 UTC: one date of each kind.
  private static let real = """
    Some text before it.
    -----BEGIN CERTIFICATE-----
    MIHaMIGNAhR7su3XAcyktvOg30Eep4iZjKH5wTAFBgMrZXAwDzENMAsGA1UEAwwE
    dGVzdDAgFw0yNjAxMDIwMzA0MDVaGA8yMDU1MDYwNzA4MDkxMFowDzENMAsGA1UE
    AwwEdGVzdDAqMAUGAytlcAMhACZkg7pW+oxiX/HxSRnfyeFdf+AUcmS9YmzBmdG9
    bMK3MAUGAytlcANBAP4Tx0nXeKq948P0uSucpcf5E6Me+0P5Z8ZCdRvXVPgCyn7l
    bUVwugQdi5ZCmnuUXYWT7B8vNKtOUBdhOZXIrgA=
    -----END CERTIFICATE-----

    """
  private static let realSeconds = [1_767_323_045, 2_695_968_550]

  private func read(_ text: String) throws(CertificateFailure) -> [Certificate] {
    try Certificate.all(in: Array(text.utf8))
  }

  /// The error's text; empty if there is none.
  private func failure(_ file: [UInt8]) -> String {
    do {
      let all = try Certificate.all(in: file)
      return all.isEmpty ? "nothing, and no error" : ""
    } catch {
      #expect(OpenSSLErrors.takeText(ifNone: "empty") == "empty", "no error is left for the next call")
      return error.description
    }
  }
  private func failure(_ text: String) -> String { failure(Array(text.utf8)) }

  private func subjects(_ text: String) throws -> [String] { try read(text).map(\.subject) }

  // MARK: What is read

  @Test func aCertificateThatOpenSSLMadeIsRead() throws {
    let all = try read(Self.real)
    #expect(all.map(\.subject) == ["CN=test"])
    #expect(all.flatMap { [$0.notBefore.secondsSince1970, $0.notAfter.secondsSince1970] } == Self.realSeconds)
  }

  @Test(arguments: [true, false])
  func aCertificateOfAnyVersionIsRead(_ hasVersion: Bool) throws {
    let made = TestCertificate(hasVersion: hasVersion)
    #expect(try Certificate.all(in: made.der) == read(made.pem))
    #expect(try Certificate.all(in: made.der + [0, 1, 2]).count == 1, "what follows it in DER is ignored")
  }

  @Test func everyCertificateOfAFileIsReadInOrder() throws {
    let names = (1...40).map { "hub\($0)" }
    let file = names.map { TestCertificate(subject: Array($0.utf8)).pem }.joined(separator: "# a comment\n")
    #expect(try subjects(file) == names.map { "CN=\($0)" })
  }

  @Test func otherBlocksAreSkipped() throws {
    let key = TestCertificate.pem("PRIVATE KEY", [UInt8](repeating: 9, count: 48))
    // OpenSSL would ask for its passphrase if we let it.
    let locked = """
      -----BEGIN RSA PRIVATE KEY-----
      Proc-Type: 4,ENCRYPTED
      DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF

      CQkJCQkJCQkJCQkJ
      -----END RSA PRIVATE KEY-----

      """
    let list = TestCertificate.pem("X509 CRL", [0x30, 0])
    let file = key + TestCertificate().pem + locked + list + TestCertificate(subject: Array("second".utf8)).pem
    #expect(try subjects(file) == ["CN=test", "CN=second"])
    #expect(failure(key + locked) == "it holds no certificate")
  }

  @Test func theOtherLabelsOfCertificatesAreRead() throws {
    let der = TestCertificate().der
    // CertAux ::= SEQUENCE { trust SEQUENCE OF OID, alias UTF8String }: clientAuth, "us".
    let trust = TestCertificate.element(
      0x30,
      TestCertificate.element(0x30, [0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 2])
        + TestCertificate.element(0x0c, Array("us".utf8)))
    #expect(try subjects(TestCertificate.pem("X509 CERTIFICATE", der)) == ["CN=test"])
    #expect(try subjects(TestCertificate.pem("TRUSTED CERTIFICATE", der)) == ["CN=test"])
    #expect(try subjects(TestCertificate.pem("TRUSTED CERTIFICATE", der + trust)) == ["CN=test"])
    #expect(failure(TestCertificate.pem("TRUSTED CERTIFICATE", der + [0x30, 9])).hasPrefix("certificate 1 is damaged"))
    #expect(failure(TestCertificate.pem("CERTIFICATE REQUEST", der)) == "it holds no certificate")
  }

  @Test func linesMayEndAsOnWindowsOrBeOne() throws {
    #expect(try read(Self.real.split(separator: "\n").joined(separator: "\r\n")) == read(Self.real))
    let lines = TestCertificate().pem.split(separator: "\n")
    let one = [lines[0], lines[1...].dropLast().joined()[...], lines[lines.count - 1]].joined(separator: "\n")
    #expect(try subjects(one) == ["CN=test"], "no line break at the end either")
  }

  /// OpenSSL, and so libcurl, would not see the first block, and it might be the only one.
  @Test func aByteOrderMarkIsReported() {
    #expect(failure("\u{feff}" + TestCertificate().pem).contains("byte order mark"))
    #expect(failure("\u{feff}").contains("byte order mark"))
  }

  // MARK: Dates

  @Test(arguments: [
    ("491231235959Z", 2_524_607_999), ("20491231235959Z", 2_524_607_999), ("20500101000000Z", 2_524_608_000),
    ("500101000000Z", -631_152_000), ("691231235959Z", -1), ("700101000000Z", 0), ("380119031408Z", 2_147_483_648),
    ("000229120000Z", 951_825_600), ("21060207062816Z", 4_294_967_296), ("99991231235959Z", 253_402_300_799),
    ("19000101000000Z", -2_208_988_800), ("991231235959Z", 946_684_799),
  ])
  func datesAreRead(_ text: String, _ seconds: Int) throws {
    for made in [TestCertificate(notBefore: text), TestCertificate(notAfter: text)] {
      let read = try #require(try Certificate.all(in: made.der).first)
      let changed = made.notBefore == text ? read.notBefore : read.notAfter
      #expect(changed == CertificateTime(secondsSince1970: seconds))
      #expect(read.notBefore < read.notAfter || seconds <= 1_767_225_600 || seconds >= 1_798_761_600)
    }
  }

  @Test(arguments: [
    "99123123595Z", "991331235959Z", "990230000000Z", "010229000000Z", "991231240000Z", "991231236000Z",
    "9912312359595", "991231235959+0100", "9912312359Z", "            Z", "", "-91231235959Z", "20500101000000.5Z",
    "20500230000000Z", "205001010000Z", "20500101000000+0100", "205001010000000",
  ])
  func anInvalidDateIsRefused(_ text: String) {
    #expect(failure(TestCertificate(notBefore: text).der) == "certificate 1, CN=test, has an invalid date")
    let second = TestCertificate(notAfter: text, subject: Array("hub".utf8)).pem
    #expect(failure(Self.real + second) == "certificate 2, CN=hub, has an invalid date")
  }

  // MARK: Subjects

  @Test(arguments: [
    ("hub1.example", "CN=hub1.example"), ("Köln", "CN=K\\C3\\B6ln"), ("a\u{1b}[2J\n", "CN=a\\1B[2J\\0A"),
    ("a,b", "CN=a\\,b"), ("\u{202e}gnp", "CN=\\E2\\80\\AEgnp"),
  ])
  func aSubjectIsPrintable(_ name: String, _ text: String) throws {
    #expect(try subjects(TestCertificate(subject: Array(name.utf8)).pem) == [text])
  }

  @Test func aSubjectIsBounded() throws {
    #expect(try subjects(TestCertificate(subject: []).pem) == [""])
    for count in [252, 253, 254, 100_000] {
      let subject = try subjects(TestCertificate(subject: [UInt8](repeating: 0x61, count: count)).pem)[0]
      #expect(subject.count == min(count + 3, Certificate.longestSubject))
      #expect(subject.hasSuffix("...") == (count + 3 > Certificate.longestSubject))
    }
    #expect(
      failure(TestCertificate(subject: [0xff, 0xfe, 0x00, 0x80]).pem)
        == "certificate 1 is damaged: asn1 encoding routines: invalid utf8string")
  }

  // MARK: What is refused

  @Test(arguments: ["", "nonsense", "-----BEGIN CERTIFICATE----", "\n\n\0\0\n", "0", "0\u{3}"])
  func garbageIsRefused(_ text: String) { #expect(failure(text) != "") }

  @Test func aDamagedBlockIsReportedWithItsPlace() throws {
    let good = TestCertificate().pem
    let empty = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"
    #expect(failure(good + empty) == "the PEM block after certificate 1 is damaged: it is empty")
    #expect(failure(empty) == "its first PEM block is damaged: it is empty")
    #expect(
      failure(good.replacing("-----END CERTIFICATE-----\n", with: ""))
        == "its first PEM block is damaged: PEM routines: bad end line")
    #expect(
      failure(good + good + good.replacing("MI", with: "M*", maxReplacements: 1))
        == "the PEM block after certificate 2 is damaged: PEM routines: bad base64 decode")
    #expect(
      failure(good + TestCertificate.pem("CERTIFICATE", [0x30, 0x03, 0x02, 0x01, 0x01])).hasPrefix(
        "certificate 2 is damaged: asn1 encoding routines: "))
    #expect(try read(good).count == 1, "an error is not taken for one of the next file")
  }

  @Test func noErrorQuotesAKey() {
    let secret = "c2VjcmV0"
    let key = "-----BEGIN PRIVATE KEY-----\n\(secret)*\(secret)\n-----END PRIVATE KEY-----\n"
    for file in [key, TestCertificate().pem + key, String(key.dropLast(20)), key + Self.real] {
      let text = failure(file)
      #expect(text.contains("damaged") && !text.contains("secret") && !text.contains(secret))
    }
  }

  @Test func whatIsCutOffIsRefused() {
    let whole = TestCertificate(notAfter: "20500101000000Z").der
    #expect(failure(whole) == "")
    for count in 0..<whole.count { #expect(failure(Array(whole[..<count])) != "") }
    let text = TestCertificate().pem
    let end = text.utf8.count - "-----END CERTIFICATE-----\n".utf8.count
    for count in 0..<end { #expect(failure(Array(text.utf8.prefix(count))) != "") }
  }

  @Test func nothingLargerThanTheBoundsIsRead() throws {
    let file = Array(Self.real.utf8)
    let blank = [UInt8](repeating: 0x0a, count: Certificate.mostBytes - file.count)
    #expect(try Certificate.all(in: blank + file).count == 1)
    #expect(failure(blank + file + [0x0a]) == "it is larger than 1048576 bytes")
    // A length of 4 GiB, and one of more than fits anything.
    #expect(failure([0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30]) != "")
    #expect(failure([0x30, 0x89] + [UInt8](repeating: 0xff, count: 9)) != "")
    let many = String(repeating: TestCertificate().pem, count: Certificate.mostCertificates)
    #expect(try read(many + "-----BEGIN CERTIFICATE-----\n*").count == Certificate.mostCertificates)
  }

  /// Whatever a byte or a length is changed to, the file is read or refused, and nothing past the end is read.
  @Test func noBytesBreakIt() {
    let whole = TestCertificate(notAfter: "20500101000000Z").der
    for place in whole.indices {
      for value in [0, 1, 0x30, 0x7f, 0x80, 0x81, 0x84, 0x88, 0xff] as [UInt8] {
        var changed = whole
        changed[place] = value
        _ = failure(changed)
      }
    }
    let texts = [whole, Array(TestCertificate().pem.utf8)]
    var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    for count in 0..<10_000 {
      var noise = texts[count % 2]
      for _ in 0..<4 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        noise[Int(state >> 33) % noise.count] = UInt8(truncatingIfNeeded: state >> 20)
      }
      _ = failure(noise)
    }
  }
}
