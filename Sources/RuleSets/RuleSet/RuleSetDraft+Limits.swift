/// The limits of a path: how bad it may be.
extension RuleSetDraft {
  func readLimits(_ path: FieldReader) -> PathLimits? {
    guard let fields = path.object("limits", keys: ["loss_percent", "rtt_ms", "jitter_ms", "window"]) else {
      return nil
    }
    var limits = PathLimits()
    limits.loss = readLimit("loss_percent", 0...100, of: "percent", fields) { Double($0) }
    limits.roundTrip = readLimit("rtt_ms", RuleSetBounds.probeTimeout, of: "milliseconds", fields) { .milliseconds($0) }
    limits.jitter = readLimit("jitter_ms", 1...RuleSetBounds.probeTimeout.upperBound, of: "milliseconds", fields) {
      .milliseconds($0)
    }
    let window = fields.value("window", .integer(5...Int64(PathLimits.windowCapacity), of: "probes"), default: 30)
    limits.window = window.map { Int($0) } ?? 30
    if fields["loss_percent"] == nil && fields["rtt_ms"] == nil && fields["jitter_ms"] == nil {
      book.complain(fields.path, "expected loss_percent, rtt_ms, jitter_ms or several of them, found none")
    }
    return limits
  }

  private func readLimit<Value>(
    _ key: String, _ range: ClosedRange<Int64>, of unit: String, _ limits: FieldReader, _ make: (Int64) -> Value
  ) -> PathLimits.Limit<Value>? {
    guard let fields = limits.object(key, keys: ["over", "under"]) else { return nil }
    let over = fields.required("over", .integer(range, of: unit))
    let under = fields.required("under", .integer(range, of: unit))
    guard let over, let under else { return nil }
    if under > over { fields.complain("under", "expected at most \"over\", \(over), found \(under)") }
    return PathLimits.Limit(over: make(over), under: make(under))
  }
}
