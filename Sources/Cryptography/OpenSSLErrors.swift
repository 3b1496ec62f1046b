internal import CCrypto

/// The queue in which OpenSSL keeps the errors of this thread, the oldest first. Reading empties it, so that no error
/// is mistaken for that of a later call.
enum OpenSSLErrors {
  /// Whether the last call failed because no further PEM block begins.
  static var isEndOfPEM: Bool {
    let code = ERR_peek_last_error()
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE
  }

  /// The oldest error, which names the cause; the later ones only say what failed because of it. These texts are
  /// constants of OpenSSL's. Its further notes (ERR_get_error_all) may quote the input, and are not read.
  static func takeText(ifNone nothing: String = "no reason given") -> String {
    // What was never loaded has no errors.
    guard crypto_library_trouble() == nil else { return nothing }
    let code = ERR_get_error()
    defer { ERR_clear_error() }
    guard code != 0 else { return nothing }
    let texts = [ERR_lib_error_string(code), ERR_reason_error_string(code)].compactMap { $0.map(String.init(cString:)) }
    return texts.isEmpty ? "OpenSSL error \(code)" : texts.joined(separator: ": ")
  }
}
