internal import CCrypto
internal import Glibc

/// Owns one certificate of OpenSSL's.
struct X509Handle: ~Copyable {
  private let pointer: OpaquePointer

  private init(adopting pointer: OpaquePointer) { self.pointer = pointer }

  deinit { X509_free(pointer) }

  /// Reads a certificate in DER. What follows it is ignored, as by libcurl and charon.
  static func decode(_ bytes: UnsafeBufferPointer<UInt8>, number: Int) throws(CertificateFailure) -> X509Handle {
    var place = bytes.baseAddress
    guard let pointer = d2i_X509(nil, &place, bytes.count) else {
      throw .damaged(number: number, OpenSSLErrors.takeText())
    }
    return X509Handle(adopting: pointer)
  }

  /// Reads a certificate with what `openssl x509 -trustout` puts behind it.
  static func decodeTrusted(_ bytes: UnsafeBufferPointer<UInt8>, number: Int) throws(CertificateFailure) -> X509Handle {
    var place = bytes.baseAddress
    guard let pointer = d2i_X509_AUX(nil, &place, bytes.count) else {
      throw .damaged(number: number, OpenSSLErrors.takeText())
    }
    return X509Handle(adopting: pointer)
  }

  func certificate(number: Int) throws(CertificateFailure) -> Certificate {
    let subject = subject
    guard let notBefore = Self.time(X509_get0_notBefore(pointer)), let notAfter = Self.time(X509_get0_notAfter(pointer))
    else { throw .badDate(number: number, subject: subject) }
    return Certificate(subject: subject, notBefore: notBefore, notAfter: notAfter)
  }

  private var subject: String {
    guard let output = BIO_new(BIO_s_mem()) else { return "" }
    defer { BIO_free(output) }
    guard X509_NAME_print_ex(output, X509_get_subject_name(pointer), 0, crypto_name_flags) >= 0 else { return "" }
    var text = [UInt8](repeating: 0, count: Certificate.longestSubject + 1)
    let count = BIO_read(output, &text, Int32(text.count))
    guard count > 0 else { return "" }
    // It is ASCII: every byte is a character.
    let isCut = count > Certificate.longestSubject
    return String(decoding: text.prefix(isCut ? Certificate.longestSubject - 3 : Int(count)), as: UTF8.self)
      + (isCut ? "..." : "")
  }

  /// `YYMMDDHHMMSSZ` (years 1950 to 2049) or `YYYYMMDDHHMMSSZ`. OpenSSL also reads forms that RFC 5280 forbids, but refuses
  /// them when it verifies (X509_cmp_time), so we do as well.
  private static func time(_ time: crypto_time?) -> CertificateTime? {
    guard let time, let text = ASN1_STRING_get0_data(time) else { return nil }
    let bytes = UnsafeBufferPointer(start: text, count: Int(ASN1_STRING_length(time)))
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard bytes.count == (ASN1_STRING_type(time) == V_ASN1_UTCTIME ? 13 : 15), bytes.last == UInt8(ascii: "Z"),
      bytes.dropLast().allSatisfy({ digits.contains($0) })
    else { return nil }
    var date = tm()
    // It looks at the calendar: no 30 February gets through. timegm knows no time zone, and cannot fail on what it gave.
    guard ASN1_TIME_to_tm(time, &date) == 1 else { return nil }
    return CertificateTime(secondsSince1970: timegm(&date))
  }
}
