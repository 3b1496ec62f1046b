internal import RuleSets

/// `[rule_set]`: where the rule set comes from and how it is pulled.
enum RuleSetSourceReader {
  private static let keys = [
    "source", "allow_insecure_http", "interval_seconds", "timeout_seconds", "max_bytes", "credentials_file", "ca_file",
    "client_certificate_file", "client_key_file",
  ]

  static func read(_ top: FieldReader) -> RuleSetSourceConfiguration? {
    guard let value = top["rule_set"] else {
      top.complain("rule_set", "missing; expected a [rule_set] table with at least \"source\"")
      return nil
    }
    guard let fields = FieldReader(value, at: "rule_set", keys: keys, book: top.book) else { return nil }
    let source = fields.required("source", sourceForm)
    let isInsecureAllowed = fields.value("allow_insecure_http", .boolean, default: false)
    let interval = fields.value("interval_seconds", .seconds(5...86_400), default: .seconds(60))
    let timeout = fields.value("timeout_seconds", .seconds(1...600), default: .seconds(20))
    let bytes = fields.value("max_bytes", .integer(1024...67_108_864, of: "bytes"), default: 16 << 20)
    let credentials = fields.optional("credentials_file", .absolutePath(atMost: 4000))
    let authority = fields.optional("ca_file", .absolutePath(atMost: 4000))
    let certificate = fields.optional("client_certificate_file", .absolutePath(atMost: 4000))
    let key = fields.optional("client_key_file", .absolutePath(atMost: 4000))
    if (fields["client_certificate_file"] == nil) != (fields["client_key_file"] == nil) {
      let missing = fields["client_key_file"] == nil ? "client_key_file" : "client_certificate_file"
      fields.complain(missing, "missing; set a client certificate and its key together")
    }
    if let source { check(source, isInsecureAllowed: isInsecureAllowed ?? false, fields) }
    guard let source, let interval, let timeout, let bytes else { return nil }
    return RuleSetSourceConfiguration(
      location: source.location, interval: interval, timeout: timeout, maximumBytes: Int(bytes),
      credentialsFile: credentials, authorityFile: authority, clientCertificateFile: certificate, clientKeyFile: key)
  }

  private static func check(_ source: Source, isInsecureAllowed: Bool, _ fields: FieldReader) {
    if source.isClearText && !source.isLoopback {
      if !isInsecureAllowed {
        fields.complain(
          "source",
          "expected https://, as whoever can alter a rule set owns the router, found http:// to another machine"
            + " (allow_insecure_http = true allows it)")
      } else if fields["credentials_file"] != nil {
        fields.complain("credentials_file", "credentials are never sent over http:// to another machine")
      }
    }
    let tlsKeys = ["ca_file", "client_certificate_file", "client_key_file"]
    for key in tlsKeys + (source.isFile ? ["credentials_file"] : []) where fields[key] != nil && !source.isTLS {
      fields.complain(key, "applies only to an https:// source")
    }
  }

  private struct Source {
    var location: RuleSetSourceConfiguration.Location
    var isTLS = false
    var isClearText = false
    var isLoopback = false
    var isFile = false
  }

  private static let sourceForm = Form<Source>(
    "a URL: https://…, http://… or file:///… with an absolute path"
  ) { value in
    guard case .string(let text) = value else { return .refused() }
    guard text.utf8.count <= 2048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      return .refused(hint: "at most 2048 bytes of ASCII, no spaces")
    }
    if text.contains("#") { return .refused(hint: "no fragment") }
    if text.hasPrefix("file://") { return file(text.dropFirst(7)) }
    return web(text)
  }

  private static func file(_ path: Substring) -> Form<Source>.Reading {
    guard path.hasPrefix("/"), path.utf8.count > 1 else { return .refused(hint: "file:// and an absolute path") }
    if path.contains("%") || path.contains("?") { return .refused(hint: "write the path literally, without % or ?") }
    if path.split(separator: "/").contains("..") { return .refused(hint: "without \"..\"") }
    return .value(Source(location: .file(path: String(path)), isFile: true))
  }

  private static func web(_ text: String) -> Form<Source>.Reading {
    let isTLS = text.hasPrefix("https://")
    guard isTLS || text.hasPrefix("http://") else { return .refused() }
    let authority = text.dropFirst(isTLS ? 8 : 7).prefix { $0 != "/" && $0 != "?" }
    // The text is not repeated where it holds a password: the complaint ends up in logs.
    if authority.contains("@") { return .refusedSecret("no user name or password: use credentials_file") }
    guard let host = host(of: authority) else { return .refused(hint: "a host name or address, with an optional port") }
    let isLoopback = host == "localhost" || host == "[::1]" || IPv4Address(host)?.isLoopback == true
    return .value(
      Source(location: .web(url: text), isTLS: isTLS, isClearText: !isTLS, isLoopback: isLoopback))
  }

  /// Without the port; nil if either is invalid.
  private static func host(of authority: Substring) -> String? {
    var host = authority
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = authority[...end]
      let inside = host.dropFirst().dropLast()
      guard inside.contains(":"), inside.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
    } else {
      host = authority.prefix { $0 != ":" }
      guard case .value = Form<String>.hostName.read(.string(String(host))) else {
        guard IPv4Address(host) != nil else { return nil }
        return isPort(authority.dropFirst(host.count)) ? String(host) : nil
      }
    }
    return isPort(authority.dropFirst(host.count)) ? String(host) : nil
  }

  private static func isPort(_ text: Substring) -> Bool {
    if text.isEmpty { return true }
    let digits = text.dropFirst()
    guard text.hasPrefix(":"), digits.allSatisfy(\.isNumber), let port = UInt16(digits) else { return false }
    return port > 0
  }
}
