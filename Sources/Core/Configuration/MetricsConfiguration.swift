package import RuleSets

/// `[metrics]`: where monitoring finds the agent's metrics. Nowhere by default.
package struct MetricsConfiguration: Equatable, Sendable {
  /// Where they are served by HTTP, on this machine only.
  package enum Listener: Equatable, Sendable, CustomStringConvertible {
    case loopback(IPv4Address, port: UInt16)
    case unix(path: String)

    /// As the configuration has it.
    package var description: String {
      switch self {
      case .loopback(let address, let port): "\(address):\(port)"
      case .unix(let path): path
      }
    }
  }

  package var listener: Listener?
  /// A file for node_exporter's textfile collector, rewritten once per `textfileInterval`.
  package var textfile: String?
  package var textfileInterval: Duration

  package init(listener: Listener? = nil, textfile: String? = nil, textfileInterval: Duration = .seconds(15)) {
    self.listener = listener
    self.textfile = textfile
    self.textfileInterval = textfileInterval
  }
}

enum MetricsConfigurationReader {
  static func read(_ top: FieldReader) -> MetricsConfiguration? {
    let standard = MetricsConfiguration()
    guard let value = top["metrics"] else { return standard }
    let keys = ["listen", "textfile", "textfile_interval_seconds"]
    guard let fields = FieldReader(value, at: "metrics", keys: keys, book: top.book) else { return nil }
    let listener = fields.optional("listen", listenerForm)
    let textfile = fields.optional("textfile", textfileForm)
    let interval = fields.value("textfile_interval_seconds", .seconds(1...3_600), default: standard.textfileInterval)
    guard let interval else { return nil }
    return MetricsConfiguration(listener: listener, textfile: textfile, textfileInterval: interval)
  }

  /// Metrics show who talks to whom and what is broken, so they are served on this machine only; to get them elsewhere,
  /// put something in front that asks for a password.
  private static let listenerForm = Form<MetricsConfiguration.Listener>(
    "a loopback address and a port such as 127.0.0.1:9469, or the absolute path of a Unix socket"
  ) { value in
    guard case .string(let text) = value else { return .refused() }
    if text.hasPrefix("/") || text.hasPrefix("unix:") {
      // sun_path has 108 bytes, the last one is 0; LocalListener's lock beside it has five more in its name.
      switch Form.absolutePath(atMost: 102).read(value) {
      case .value(let path): return .value(.unix(path: path))
      case .refused(let hint): return .refused(hint: hint)
      case .refusedSecret(let hint): return .refusedSecret(hint)
      }
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    if parts.count > 2 { return .refused(hint: "IPv4") }
    guard let address = IPv4Address(parts[0]) else {
      return .refused(hint: parts[0] == "localhost" ? "an address, not a name" : nil)
    }
    if !address.isLoopback { return .refused(hint: "only loopback addresses are allowed") }
    guard parts.count == 2, let port = port(parts[1]) else { return .refused(hint: "with a port from 1 to 65535") }
    return .value(.loopback(address, port: port))
  }

  private static func port(_ text: Substring) -> UInt16? {
    guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return UInt16(text).flatMap { $0 > 0 ? $0 : nil }
  }

  private static let textfileForm: Form<String> = {
    let path = Form.absolutePath(atMost: 4000)
    return Form("\(path.expected) that ends with \".prom\"") { value in
      if case .string(let text) = value, text.hasPrefix("/"), !text.hasSuffix(".prom") {
        return .refused(hint: "node_exporter ignores other files")
      }
      return path.read(value)
    }
  }()
}
