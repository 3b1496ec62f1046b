extension Path: Described {
  package static let blank = Path(name: .blank, way: .tunnel(.blank))

  package mutating func fields(_ fields: Fields) {
    /// What egresses, rules and probes call it.
    fields.name(&name, of: .paths)
    /// Either this
    /// - Value: a tunnel's name
    /// - Default:
    fields.optional("tunnel", .name, &tunnel)
    /// or this: the local WAN itself, with masquerading; a private line as it is, in the clear.
    /// - Default:
    fields.optional("uplink", .interface, &uplink)
    fields.exactlyOne("tunnel", "uplink")
    // What cannot be read is complained of, and there is no way then.
    if fields.isReading, way == .tunnel(.blank) { fields.isWhole = false }
    /// How many probes must be answered for the path to be up.
    /// - Value: 1 to the number of its probes
    /// - Default: all of them
    fields.optional("quorum", .count(1...Int64(RuleSetBounds.probes), of: "probes"), &quorum)
    /// How bad the path may be. Beyond the limits it is `degraded`: it still carries traffic where there is no other, and
    /// the rule prefers any path that is up.
    /// - Default: none
    fields.object("limits", &limits)
  }

  private var tunnel: Name? {
    get { if case .tunnel(let name) = way { name } else { nil } }
    set { if let newValue { way = .tunnel(newValue) } }
  }

  private var uplink: InterfaceName? {
    get { if case .uplink(let interface) = way { interface } else { nil } }
    set { if let newValue { way = .uplink(newValue) } }
  }
}

extension PathLimits: Described {
  package static let blank = PathLimits()

  package mutating func fields(_ fields: Fields) {
    /// The share of answers that are missing.
    /// - Default: none
    fields.object("loss_percent", &loss.lossDraft)
    /// The mean round trip over the probes that are up.
    /// - Default: none
    fields.object("rtt_ms", &roundTrip.roundTripDraft)
    /// The mean jitter over the probes that are up.
    /// - Default: none
    fields.object("jitter_ms", &jitter.jitterDraft)
    fields.atLeastOne("loss_percent", "rtt_ms", "jitter_ms")
    /// The last so many results of each probe are looked at.
    fields.standard("window", .count(5...Int64(Self.windowCapacity), of: "probes"), &window)
  }
}

/// What a limit may be set to.
protocol LimitBounds: Sendable { static var form: Form<Int64> { get } }
enum LossBounds: LimitBounds {
  static let form = Form<Int64>.integer(0...100, of: "percent")
}
enum RoundTripBounds: LimitBounds {
  static let form = Form<Int64>.integer(RuleSetBounds.probeTimeout, of: "milliseconds")
}
enum JitterBounds: LimitBounds {
  static let form = Form<Int64>.integer(1...RuleSetBounds.probeTimeout.upperBound, of: "milliseconds")
}

/// One limit, in the document's numbers.
struct DraftLimit<Bounds: LimitBounds>: Described {
  var over: Int64 = 0
  var under: Int64 = 0

  static var blank: Self { Self() }

  mutating func fields(_ fields: Fields) {
    /// More than this is too bad.
    fields.required("over", Bounds.form, &over)
    /// At most this is good again.
    fields.required("under", Bounds.form, &under)
    guard fields.isReading, fields.isWhole, under > over else { return }
    fields.complain("under", "expected at most \"over\", \(over), found \(under)")
  }
}

extension PathLimits.Limit<Double>? {
  fileprivate var lossDraft: DraftLimit<LossBounds>? {
    get { map { DraftLimit(over: Int64($0.over.rounded()), under: Int64($0.under.rounded())) } }
    set { self = newValue.map { .init(over: Double($0.over), under: Double($0.under)) } }
  }
}

extension PathLimits.Limit<Duration>? {
  fileprivate var roundTripDraft: DraftLimit<RoundTripBounds>? {
    get { draft() }
    set { set(newValue) }
  }

  fileprivate var jitterDraft: DraftLimit<JitterBounds>? {
    get { draft() }
    set { set(newValue) }
  }

  private func draft<Bounds>() -> DraftLimit<Bounds>? {
    map { DraftLimit(over: $0.over.nanoseconds / 1_000_000, under: $0.under.nanoseconds / 1_000_000) }
  }

  private mutating func set(_ draft: DraftLimit<some LimitBounds>?) {
    self = draft.map { .init(over: .milliseconds($0.over), under: .milliseconds($0.under)) }
  }
}
