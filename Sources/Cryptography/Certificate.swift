internal import CCrypto

/// What an X.509 certificate (RFC 5280) says about its owner and its validity. Reading one verifies nothing: no
/// signature, chain or name is checked.
package struct Certificate: Equatable, Sendable {
  /// A distinguished name in the notation of RFC 4514: `CN=hub1.example,O=Example`. It is printable ASCII whatever the
  /// certificate holds (other bytes are escaped, as in `\C3\BC`) and is cut after `longestSubject` characters.
  package var subject: String
  package var notBefore: CertificateTime
  package var notAfter: CertificateTime

  /// The largest file that is read. The system's bundle of authorities has some 230 KiB.
  package static let mostBytes = 1 << 20
  /// The number of certificates after which the rest of a file is ignored. The system's bundle has about 150.
  package static let mostCertificates = 500
  /// In characters, escapes included.
  package static let longestSubject = 256

  package init(subject: String, notBefore: CertificateTime, notAfter: CertificateTime) {
    self.subject = subject
    self.notBefore = notBefore
    self.notAfter = notAfter
  }

  /// Reads every certificate in a PEM file, or the one in a DER file. OpenSSL finds the PEM blocks, so these are the
  /// certificates that libcurl finds in the same file: text between blocks and blocks of other kinds, such as keys, are
  /// skipped, and no passphrase is asked for.
  ///
  /// - Throws: if the file is too large, holds no certificate, or if any PEM block or certificate in it is damaged.
  package static func all(in file: [UInt8]) throws(CertificateFailure) -> [Certificate] {
    guard file.count <= mostBytes else { throw .tooLarge(limit: mostBytes) }
    guard !file.isEmpty else { throw .none }
    // OpenSSL would silently skip the block behind it.
    guard !file.starts(with: [0xef, 0xbb, 0xbf]) else { throw .byteOrderMark }
    if let trouble = crypto_library_trouble() {
      throw .notStarted("OpenSSL cannot be used: \(String(cString: trouble))")
    }
    // Other code on this thread may have left an error behind, and must not find ours.
    ERR_clear_error()
    defer { ERR_clear_error() }
    return try file.withUnsafeBufferPointer { bytes throws(CertificateFailure) in
      let all = try PEMFile(reading: bytes).certificates(atMost: mostCertificates)
      if !all.isEmpty { return all }
      // A DER certificate is one SEQUENCE.
      guard bytes.first == 0x30 else { throw .none }
      return [try X509Handle.decode(bytes, number: 1).certificate(number: 1)]
    }
  }
}

/// A moment in a certificate, in whole seconds since the beginning of 1970 UTC; negative before.
package struct CertificateTime: Hashable, Comparable, Sendable {
  package var secondsSince1970: Int

  package init(secondsSince1970: Int) { self.secondsSince1970 = secondsSince1970 }

  package static func < (one: Self, other: Self) -> Bool { one.secondsSince1970 < other.secondsSince1970 }
}
