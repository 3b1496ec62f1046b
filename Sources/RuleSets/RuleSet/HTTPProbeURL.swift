/// The parts of an HTTP probe's URL (RFC 3986). Its host is an IPv4 address: a name would be resolved over the very line
/// that may be dead.
struct HTTPProbeURL: Equatable {
  var scheme: HTTPCheck.Scheme
  var address: IPv4Address
  var port: UInt16
  var target: String

  /// Bytes of the whole.
  static let maximumLength = 2048

  static let form = Form<HTTPProbeURL>(
    .text("url", 1...maximumLength, "a URL such as http://192.0.2.1/health, with an IPv4 address")
  ) { value in
    guard case .string(let text) = value else { return .refused() }
    do throws(Refusal) {
      return .value(try HTTPProbeURL(text))
    } catch {
      if error.mayHoldSecret { return .refusedSecret(error.hint ?? "") }
      return .refused(hint: error.hint)
    }
  }

  struct Refusal: Error {
    var hint: String?
    var mayHoldSecret = false
  }

  init(_ text: String) throws(Refusal) {
    guard text.utf8.count <= Self.maximumLength else { throw Refusal(hint: "at most \(Self.maximumLength) bytes") }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw Refusal(hint: "no spaces, control characters or letters beyond ASCII")
    }
    var rest: Substring
    if text.hasPrefix("http://") {
      (scheme, rest) = (.http, text.dropFirst(7))
    } else if text.hasPrefix("https://") {
      (scheme, rest) = (.https, text.dropFirst(8))
    } else {
      throw Refusal(hint: "it begins with http:// or https://")
    }
    if rest.contains("#") { throw Refusal(hint: "no fragment") }
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    rest = rest.dropFirst(authority.count)
    // The path may be left out; a query then follows the host at once.
    target = rest.hasPrefix("/") ? String(rest) : "/" + rest
    // So that the whole can always be written out again, with port, in what a URL may have.
    guard target.utf8.count <= 2000 else { throw Refusal(hint: "a path and query of at most 2000 bytes") }
    if authority.contains("@") { throw Refusal(hint: "no user name or password", mayHoldSecret: true) }
    (address, port) = try Self.endpoint(authority, standardPort: scheme == .http ? 80 : 443)
  }

  init(of check: HTTPCheck) {
    (scheme, address, port, target) = (check.scheme, check.address, check.port, check.target)
  }

  private static func endpoint(
    _ authority: Substring, standardPort: UInt16
  ) throws(Refusal) -> (IPv4Address, UInt16) {
    if authority.hasPrefix("[") { throw Refusal(hint: "only IPv4 is backhauled") }
    let host = authority.prefix { $0 != ":" }
    guard let address = IPv4Address(host) else {
      let isEmpty = host.isEmpty
      throw Refusal(
        hint: isEmpty ? nil : "\(quoted(String(host))) is a name: write its address here and the name in \"host\"")
    }
    guard address.isHost else { throw Refusal(hint: "no host can have this address") }
    let digits = authority.dropFirst(host.count)
    if digits.isEmpty { return (address, standardPort) }
    guard let port = UInt16(digits.dropFirst()), port > 0, digits.dropFirst().first != "+" else {
      throw Refusal(hint: "a port from 1 to 65535")
    }
    return (address, port)
  }
}

extension HTTPProbeURL: Writable {
  func written(as shape: Shape) -> DocumentValue { .string("\(scheme.rawValue)://\(address):\(port)\(target)") }
}
