/// Why no certificates could be read from a file. No text in it quotes the file, which may also hold a private key; only
/// the subject of a certificate is named.
package enum CertificateFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// The limit is in bytes.
  case tooLarge(limit: Int)
  case none
  /// The file begins with the byte order mark of UTF-8, which hides the first PEM block from OpenSSL.
  case byteOrderMark
  /// A PEM block that is not base64, is empty or has no end. `number` of certificates were read before it.
  case damagedBlock(after: Int, String)
  /// The certificate of this number, counted from 1, is not one in DER.
  case damaged(number: Int, String)
  /// A date is not of the form that RFC 5280 section 4.1.2.5 asks for, or no calendar has it.
  case badDate(number: Int, subject: String)
  /// OpenSSL cannot be loaded, or had no memory.
  case notStarted(String)

  package var description: String {
    switch self {
    case .tooLarge(let limit): "it is larger than \(limit) bytes"
    case .none: "it holds no certificate"
    case .byteOrderMark: "it begins with a byte order mark, which hides the first certificate: save it without one"
    case .damagedBlock(0, let cause): "its first PEM block is damaged: \(cause)"
    case .damagedBlock(let count, let cause): "the PEM block after certificate \(count) is damaged: \(cause)"
    case .damaged(let number, let cause): "certificate \(number) is damaged: \(cause)"
    case .badDate(let number, let subject): "certificate \(number), \(subject), has an invalid date"
    case .notStarted(let cause): cause
    }
  }
}
