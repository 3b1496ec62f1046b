package import Agent
package import Core
package import Transfer

/// The rule set from an HTTP(S) server. The connection is neither marked nor bound: a pull goes the way of the router's
/// own traffic.
package struct WebRuleSetSource: RuleSetSource {
  private let url: String
  private let configuration: RuleSetSourceConfiguration
  private let engine: TransferEngine

  package init(url: String, _ configuration: RuleSetSourceConfiguration, by engine: TransferEngine) {
    self.url = url
    self.configuration = configuration
    self.engine = engine
  }

  /// One GET, with `If-None-Match` where an ETag is known (RFC 9110, section 13.1.2). Only 200 with a body that is no
  /// web page, and 304, are answers.
  package func fetch(etag: String?) async throws(FetchFailure) -> Fetched {
    var request = TransferRequest(
      url: url, timeout: configuration.timeout, maximumBytes: configuration.maximumBytes)
    request.authorityFile = configuration.authorityFile
    request.clientCertificateFile = configuration.clientCertificateFile
    request.clientKeyFile = configuration.clientKeyFile
    request.headers = ["User-Agent: backhaul", "Accept: application/json"]
    if let etag { request.headers.append("If-None-Match: \(etag)") }
    if let file = configuration.credentialsFile {
      // The token is read for each pull, so that a new one needs no restart.
      request.headers.append("Authorization: Bearer \(try token(in: file))")
    }
    let response: TransferResponse
    do throws(TransferFailure) {
      response = try await engine.perform(request)
    } catch {
      throw failure(error.description)
    }
    return try judged(response, asked: etag)
  }

  private func judged(_ response: TransferResponse, asked etag: String?) throws(FetchFailure) -> Fetched {
    switch response.status {
    case 200:
      if response.body.isEmpty { throw failure("status 200 with an empty body") }
      if isHTML(response) { throw failure("status 200 with a web page instead of a rule set") }
      return .document(bytes: response.body, etag: response.etag.flatMap(Self.usable))
    case 304:
      guard etag != nil else { throw failure("status 304, but we sent no ETag") }
      return .unchanged
    case 300..<400: throw failure("status \(response.status): redirects are not followed")
    default: throw failure("status \(response.status)")
    }
  }

  /// A captive portal's page, or a proxy's error page with status 200.
  private func isHTML(_ response: TransferResponse) -> Bool {
    let type = response.contentType?.prefix { $0 != ";" && $0 != " " }.lowercased()
    if type == "text/html" || type == "application/xhtml+xml" { return true }
    return response.body.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) } == UInt8(ascii: "<")
  }

  /// Nil for an ETag with control characters (RFC 9110, section 8.8.3) or one too long to be worth keeping.
  private static func usable(_ etag: String) -> String? {
    etag.utf8.count <= 256 && !etag.isEmpty && etag.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f } ? etag : nil
  }

  private func token(in path: String) throws(FetchFailure) -> String {
    let bytes: [UInt8]
    do throws(SystemCallFailure) {
      bytes = try BoundedFile.read(path, atMost: 4096, secrecy: .ownerOnly)
    } catch {
      throw FetchFailure(operation: error.operation, cause: error.cause)
    }
    var line = bytes[...]
    while let last = line.last, last == 0x0a || last == 0x0d { line.removeLast() }
    // RFC 6750 section 2.1: b64token.
    guard !line.isEmpty, line.allSatisfy(Self.isTokenByte) else {
      throw FetchFailure(operation: "read \(path)", cause: "it is not a single line with a bearer token")
    }
    return String(decoding: line, as: UTF8.self)
  }

  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "-._~+/=".utf8.contains(byte)
    }
  }

  private func failure(_ cause: String) -> FetchFailure {
    FetchFailure(operation: "GET \(Self.withoutSecrets(url))", cause: cause)
  }

  /// User, password, query and fragment may hold a secret.
  package static func withoutSecrets(_ url: String) -> String {
    let shown = url.prefix { $0 != "?" && $0 != "#" }
    let parts = shown.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    // `https:`, nothing, `user:password@host:port`, and the path.
    guard parts.count >= 3, let at = parts[2].lastIndex(of: "@") else { return String(shown) }
    let host = parts[2][parts[2].index(after: at)...]
    return ([parts[0], parts[1], host] + parts[3...]).joined(separator: "/")
  }
}
