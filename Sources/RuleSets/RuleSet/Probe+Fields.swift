extension Probe: Described {
  package static let blank = Probe(name: .blank, path: .blank, kind: .icmp(target: .blank))

  private static let kindForm = Form<KindWord>.choice(unsupported: [
    "https": "kind is \"http\"; the url says https", "ping": "did you mean \"icmp\"?",
  ])

  package mutating func fields(_ fields: Fields) {
    /// What reports and events call it.
    fields.name(&name, of: .probes)
    /// The path that it watches.
    /// - Value: a path's name
    fields.required("path", .name, &path)
    /// `http` is for https as well: the URL says which.
    let kind = fields.kind("kind", Self.kindForm, &kind.kindWord)
    fields.only(.icmp, of: kind) {
      /// Answers an echo only through the path.
      fields.required("target", .hostAddress, &self.kind.target)
    }
    fields.only(.http, of: kind) {
      // Set once: the check is kept in a box of its own.
      var check = self.kind.check
      check.fields(fields)
      self.kind.check = check
    }
    /// The address that probes are sent from. By default the tunnel's inner address, else the first LAN's, or the uplink's
    /// own.
    /// - Default: see right
    fields.optional("source", .hostAddress, &source)
    /// From one probe to the next. Probes of many paths leave together, each up to a twentieth of its interval, and at most
    /// 5 ms, before its time.
    fields.standard("interval_ms", .milliseconds(50...3_600_000), &interval)
    // Without its own, a probe that is faster than the usual timeout waits as long as it can.
    if fields.isReading { timeout = min(timeout, interval) }
    /// How long an answer may take.
    /// - Value: 10 to `interval_ms`
    /// - Default: 800, or `interval_ms` where that is less
    fields.standard("timeout_ms", .milliseconds(RuleSetBounds.probeTimeout), &timeout)
    if fields.isReading, timeout > interval {
      fields.complain(
        "timeout_ms",
        "expected at most interval_ms, \(Int64(interval.milliseconds)), found \(Int64(timeout.milliseconds))")
    }
    /// Consecutive failures until down. See below.
    fields.standard("fall", .count(1...100, of: "probes"), &fall)
    /// A gap without an answer that is no longer than this plus a round trip does not make the path down. See
    /// [Patience](#patience-how-long-a-path-may-be-silent).
    /// - Default: a tenth of `interval_ms`, 100 at most, times `fall` − 1
    fields.optional("patience_ms", Self.patienceForm, &patience)
    /// Consecutive successes until up.
    fields.standard("rise", .count(1...100, of: "probes"), &rise)
  }

  package static func refusal(of key: String, in kind: String?, known kinds: [String]) -> String? {
    kinds.first.map { "only an \($0) probe has it" }
  }

  /// Milliseconds, or the name of a kind of line.
  private static let patienceForm: Form<Duration> = {
    // Up to ten minutes, which nobody waits for.
    let number = Form<Duration>.milliseconds(0...600_000)
    let line = Form<Line>.choice(unsupported: ["fiber": "did you mean \"fibre\"?", "lte": "did you mean \"radio\"?"])
    return Form(.either(number.shape, line.shape)) { value in
      guard case .string = value else { return number.read(value) }
      switch line.read(value) {
      case .value(let line): return .value(line.patience)
      case .refused(let hint?): return .refused(hint: hint)
      case .refused(nil), .refusedSecret: return number.read(value)
      }
    }
  }()

  /// The words that `kind` may have.
  enum KindWord: String, CaseIterable, Writable { case icmp, http }
}

extension HTTPCheck {
  fileprivate static let blank = HTTPCheck(scheme: .http, address: .blank, port: 80, target: "/")

  fileprivate mutating func fields(_ fields: Fields) {
    /// `http://` or `https://`, an address as its host, optional port, path and query (up to 2,000 bytes). A name is
    /// refused, because it would be resolved over the very line that may be dead; put it into `host`.
    fields.required("url", HTTPProbeURL.form, &link)
    /// For the Host header and, with https, for SNI and the certificate.
    /// - Default: the address
    fields.optional("host", .hostName, &hostName)
    /// Answers with another status count as failures.
    fields.list("expect_status", 1...16, of: .count(100...599), &statuses)
    /// Must be in the first 64 KiB of the body. No control characters.
    /// - Default: any body
    fields.optional("expect_body", .text("text", atMost: 1024), &bodyText)
  }

  private var link: HTTPProbeURL {
    get { HTTPProbeURL(of: self) }
    set { (scheme, address, port, target) = (newValue.scheme, newValue.address, newValue.port, newValue.target) }
  }
}

/// What kinds hold, as the document's fields: where another kind is set, to set one has no effect.
extension Probe.Kind {
  fileprivate var kindWord: Probe.KindWord {
    get {
      switch self {
      case .icmp: .icmp
      case .http: .http
      }
    }
    set {
      guard newValue != kindWord else { return }
      self =
        switch newValue {
        case .icmp: .icmp(target: .blank)
        case .http: .http(.blank)
        }
    }
  }

  fileprivate var target: IPv4Address {
    get { if case .icmp(let target) = self { target } else { .blank } }
    set { if case .icmp = self { self = .icmp(target: newValue) } }
  }

  fileprivate var check: HTTPCheck {
    get { if case .http(let check) = self { check } else { .blank } }
    set { if case .http = self { self = .http(newValue) } }
  }
}
