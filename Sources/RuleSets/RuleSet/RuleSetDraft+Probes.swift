/// Probes: how to know whether a path works.
extension RuleSetDraft {
  private enum ProbeKind: String, CaseIterable, Sendable {
    case icmp, http

    var ownKeys: [String] {
      switch self {
      case .icmp: ["target"]
      case .http: ["url", "host", "expect_status", "expect_body"]
      }
    }

    var refused: [String: String] {
      let other = self == .icmp ? ProbeKind.http : .icmp
      let text = "only \(other == .icmp ? "an icmp" : "an http") probe has it"
      return Dictionary(uniqueKeysWithValues: other.ownKeys.map { ($0, text) })
    }
  }

  private static let commonProbeKeys = [
    "name", "path", "kind", "source", "interval_ms", "timeout_ms", "fall", "patience_ms", "rise",
  ]
  private static let probeKindForm = Form<ProbeKind>.choice(unsupported: [
    "https": "kind is \"http\"; the url says https", "ping": "did you mean \"icmp\"?",
  ])

  mutating func readProbes(_ top: FieldReader) {
    probes = top.objects("probes", 0...RuleSetBounds.probes) { readProbe($0, $1, at: $2) }
  }

  private mutating func readProbe(_ index: Int, _ value: DocumentValue, at path: String) -> Probe? {
    let kind: ProbeKind? = value.word("kind")
    let ownKeys = kind?.ownKeys ?? ProbeKind.allCases.flatMap(\.ownKeys)
    guard
      let fields = FieldReader(
        value, at: path, keys: Self.commonProbeKeys + ownKeys, refused: kind?.refused ?? [:], book: book)
    else { return nil }
    let name = readName(.probes, index: index, fields)
    let watched = fields.required("path", .name)
    _ = fields.required("kind", Self.probeKindForm)
    let source = fields.optional("source", .hostAddress)
    let times = readTimes(fields)
    let fall = fields.value(
      "fall", .integer(RuleSetBounds.probeCount, of: "probes"), default: Int64(Probe.standardFall))
    let patience = fields.optional("patience_ms", Self.patienceForm)
    let rise = fields.value("rise", .integer(RuleSetBounds.probeCount, of: "probes"), default: 3)
    let check = kind.flatMap { readCheck($0, fields) }
    guard let name, let watched, let check, let times, let fall, let rise else { return nil }
    return Probe(
      name: name, path: watched, kind: check, source: source, interval: times.interval, timeout: times.timeout,
      fall: Int(fall), patience: patience, rise: Int(rise))
  }

  /// Milliseconds, or the name of a kind of line.
  private static let patienceForm: Form<Duration> = {
    let number = Form<Duration>.milliseconds(RuleSetBounds.probePatience)
    let line = Form<Probe.Line>.choice(unsupported: [
      "fiber": "did you mean \"fibre\"?", "lte": "did you mean \"radio\"?",
    ])
    return Form("\(number.expected), \(line.expected)") { value in
      guard case .string = value else { return number.read(value) }
      switch line.read(value) {
      case .value(let line): return .value(line.patience)
      case .refused(let hint?): return .refused(hint: hint)
      case .refused(nil), .refusedSecret: return number.read(value)
      }
    }
  }()

  private func readTimes(_ fields: FieldReader) -> (interval: Duration, timeout: Duration)? {
    let interval = fields.value("interval_ms", .milliseconds(RuleSetBounds.probeInterval), default: .seconds(1))
    let timeout = fields.optional("timeout_ms", .milliseconds(RuleSetBounds.probeTimeout))
    guard let interval else { return nil }
    // Without its own, a probe that is faster than the usual timeout waits as long as it can.
    guard let timeout else { return (interval, min(.milliseconds(800), interval)) }
    if timeout > interval {
      fields.complain(
        "timeout_ms",
        "expected at most interval_ms, \(Int64(interval.milliseconds)), found \(Int64(timeout.milliseconds))")
    }
    return (interval, timeout)
  }

  private func readCheck(_ kind: ProbeKind, _ fields: FieldReader) -> Probe.Kind? {
    switch kind {
    case .icmp: fields.required("target", .hostAddress).map { .icmp(target: $0) }
    case .http: readHTTPCheck(fields).map { .http($0) }
    }
  }

  private func readHTTPCheck(_ fields: FieldReader) -> HTTPCheck? {
    let url = fields.required("url", HTTPProbeURL.form)
    let host = fields.optional("host", .hostName)
    let statuses = fields.list("expect_status", 1...16, of: .integer(100...599))
    for (item, status) in statuses.enumerated()
    where statuses.prefix(item).contains(where: { $0.value == status.value }) {
      fields.complain("expect_status[\(status.index)]", "\(status.value) is there twice")
    }
    let body = fields.optional("expect_body", .text("text", atMost: 1024))
    guard let url else { return nil }
    return HTTPCheck(
      scheme: url.scheme, address: url.address, port: url.port, target: url.target, hostName: host,
      statuses: fields["expect_status"] == nil ? [200, 204] : statuses.map { Int($0.value) }, bodyText: body)
  }
}

extension Form where Value == String {
  /// A DNS name as a Host header and SNI carry it (RFC 1123 section 2.1).
  package static let hostName = Form("a host name such as hub.example, of at most 253 characters") { value in
    guard case .string(let text) = value, (1...253).contains(text.utf8.count), IPv4Address(text) == nil else {
      return .refused()
    }
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    let isName = labels.allSatisfy { label in
      (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
        && label.utf8.allSatisfy { byte in
          (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == UInt8(ascii: "-")
        }
    }
    return isName ? .value(text) : .refused()
  }
}
