internal import CCurl
internal import CLinux

/// Why a transfer brought no answer. No text in it holds a header, a key or the URL's user and password.
package enum TransferFailure: Error, Equatable, Sendable, CustomStringConvertible {
  case timedOut
  case cancelled
  /// The host's name gave no address.
  case unresolved(String)
  /// A step of the binding failed: the device or its address is gone. Nothing was sent.
  case notBound(step: String, errno: Int32)
  /// No connection; `errno` is connect's, 0 where libcurl knows none.
  case notConnected(errno: Int32, String)
  /// The handshake failed, or the certificate is not one that we trust.
  case insecure(String)
  case bodyTooLarge(limit: Int)
  case headersTooLarge(limit: Int)
  /// The connection ended before the answer did.
  case cutOff(String)
  /// What came is no answer in HTTP.
  case malformed(String)
  /// Slower than the limit for longer than it allows.
  case tooSlow
  /// A file that the request names cannot be used.
  case unusableFile(String)
  /// Our own doing: an option or URL that libcurl does not take, no memory.
  case notStarted(String)

  package var description: String {
    switch self {
    case .timedOut: "timed out"
    case .cancelled: "cancelled"
    case .unresolved(let text): text
    case .notBound(let step, let errno): "\(step): \(String(cString: linux_error_text(errno)))"
    case .notConnected(let errno, let text):
      errno == 0 ? text : "could not connect: \(String(cString: linux_error_text(errno)))"
    case .insecure(let text): text
    case .bodyTooLarge(let limit): "the body is larger than \(limit) bytes"
    case .headersTooLarge(let limit): "the headers are larger than \(limit) bytes"
    case .cutOff(let text): "the answer was cut off: \(text)"
    case .malformed(let text): "not an HTTP answer: \(text)"
    case .tooSlow: "the answer came too slowly"
    case .unusableFile(let text): text
    case .notStarted(let text): text
    }
  }

  init(_ code: CURLcode, _ text: String, errno: Int32) {
    switch code {
    case CURLE_OPERATION_TIMEDOUT: self = .timedOut
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: self = .unresolved(text)
    case CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED: self = .notConnected(errno: errno, text)
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR,
      CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_CLIENTCERT, CURLE_USE_SSL_FAILED:
      self = .insecure(text)
    case CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE, CURLE_READ_ERROR:
      self = .unusableFile(text)
    case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING: self = .cutOff(text)
    case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_UNSUPPORTED_PROTOCOL: self = .malformed(text)
    default: self = .notStarted(text)
    }
  }
}
