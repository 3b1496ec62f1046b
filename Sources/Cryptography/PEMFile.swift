internal import CCrypto

/// Reads the blocks of a PEM file (RFC 7468), from its first to its last. It owns OpenSSL's reader, not the bytes.
struct PEMFile: ~Copyable {
  private let reader: OpaquePointer

  /// The bytes must stay where they are as long as this lives.
  init(reading bytes: UnsafeBufferPointer<UInt8>) throws(CertificateFailure) {
    guard let reader = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else {
      throw .notStarted(OpenSSLErrors.takeText())
    }
    self.reader = reader
  }

  deinit { BIO_free(reader) }

  /// Empty if there is no certificate in any block.
  consuming func certificates(atMost limit: Int) throws(CertificateFailure) -> [Certificate] {
    var all: [Certificate] = []
    while all.count < limit, let block = try nextBlock(after: all.count) {
      if let certificate = try block.certificate(number: all.count + 1) { all.append(certificate) }
    }
    return all
  }

  /// Nil at the end of the file.
  private func nextBlock(after count: Int) throws(CertificateFailure) -> PEMBlock? {
    var name: UnsafeMutablePointer<CChar>?
    var header: UnsafeMutablePointer<CChar>?
    var data: UnsafeMutablePointer<UInt8>?
    var length = 0
    // The block may be a private key: what OpenSSL copies of a "secure" block it overwrites before it frees it. Its other
    // flag is the one that libcurl reads with.
    let flags = UInt32(PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE)
    if PEM_read_bio_ex(reader, &name, &header, &data, &length, flags) == 1, let name, let header, let data {
      return PEMBlock(name: name, header: header, data: data, count: length)
    }
    if OpenSSLErrors.isEndOfPEM { return nil }
    throw .damagedBlock(after: count, OpenSSLErrors.takeText(ifNone: "it is empty"))
  }
}

/// One block, decoded; it owns its bytes and overwrites them in the end.
private struct PEMBlock: ~Copyable {
  private let name: UnsafeMutablePointer<CChar>
  private let header: UnsafeMutablePointer<CChar>
  private let data: UnsafeMutablePointer<UInt8>
  private let count: Int

  init(
    name: UnsafeMutablePointer<CChar>, header: UnsafeMutablePointer<CChar>, data: UnsafeMutablePointer<UInt8>,
    count: Int
  ) {
    self.name = name
    self.header = header
    self.data = data
    self.count = count
  }

  deinit {
    crypto_clear_free(name, 0)
    crypto_clear_free(header, 0)
    crypto_clear_free(data, count)
  }

  /// Nil for a block of another kind.
  func certificate(number: Int) throws(CertificateFailure) -> Certificate? {
    let bytes = UnsafeBufferPointer(start: data, count: count)
    switch String(cString: name) {
    case PEM_STRING_X509, PEM_STRING_X509_OLD:
      return try X509Handle.decode(bytes, number: number).certificate(number: number)
    case PEM_STRING_X509_TRUSTED:
      return try X509Handle.decodeTrusted(bytes, number: number).certificate(number: number)
    default: return nil
    }
  }
}
