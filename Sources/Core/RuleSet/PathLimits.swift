/// How bad a path may be and still be taken for good: beyond a limit it is `degraded`, and another path that is up is
/// preferred to it. Each limit has two values, so that a path on the brink does not flap.
package struct PathLimits: Hashable, Sendable {
  package struct Limit<Value: Comparable & Hashable & Sendable>: Hashable, Sendable {
    /// More than this is too bad.
    package var over: Value
    /// At most this is good again.
    package var under: Value

    package init(over: Value, under: Value) {
      self.over = over
      self.under = under
    }

    /// - Parameter wasOver: what the last answer was.
    func isOver(_ value: Value, wasOver: Bool) -> Bool { wasOver ? value > under : value > over }
  }

  /// Share of probes without an answer, in percent: 0 to 100.
  package var loss: Limit<Double>?
  package var roundTrip: Limit<Duration>?
  package var jitter: Limit<Duration>?
  /// The last so many results of each probe are looked at: 5 to `ProbeWindow.capacity`.
  package var window: Int

  package init(
    loss: Limit<Double>? = nil, roundTrip: Limit<Duration>? = nil, jitter: Limit<Duration>? = nil, window: Int = 30
  ) {
    self.loss = loss
    self.roundTrip = roundTrip
    self.jitter = jitter
    self.window = window
  }

  /// What is over its limit, in words; nil where nothing is, or too little is known yet.
  func excess(_ measure: PathMeasure, wasOver: Bool) -> String? {
    guard measure.results >= min(window, 5) else { return nil }
    var words: [String] = []
    if let loss, loss.isOver(measure.loss, wasOver: wasOver) {
      words.append("\(tenths(measure.loss)) % loss, limit \(tenths(wasOver ? loss.under : loss.over)) %")
    }
    if let roundTrip, let value = measure.roundTrip, roundTrip.isOver(value, wasOver: wasOver) {
      words.append(
        "round trip \(milliseconds(value)), limit \(milliseconds(wasOver ? roundTrip.under : roundTrip.over))")
    }
    if let jitter, let value = measure.jitter, jitter.isOver(value, wasOver: wasOver) {
      words.append("jitter \(milliseconds(value)), limit \(milliseconds(wasOver ? jitter.under : jitter.over))")
    }
    return words.isEmpty ? nil : words.joined(separator: "; ")
  }

  private func tenths(_ value: Double) -> String {
    let whole = Int((value * 10).rounded())
    return whole % 10 == 0 ? "\(whole / 10)" : "\(whole / 10).\(whole % 10)"
  }

  private func milliseconds(_ duration: Duration) -> String { "\(tenths(duration.milliseconds)) ms" }
}

/// What the probes of a path have measured of late: the mean of those that are up.
package struct PathMeasure: Equatable, Sendable {
  /// Of the probe with the most.
  package var results: Int
  /// In percent.
  package var loss: Double
  package var roundTrip: Duration?
  package var jitter: Duration?

  package init(_ probes: [ProbeMachine], last count: Int) {
    let windows = probes.filter { $0.state == .up }.map { $0.window.recent(count) }
    results = windows.map(\.count).max() ?? 0
    let losses = windows.compactMap(\.loss)
    loss = losses.isEmpty ? 0 : losses.reduce(0, +) / Double(losses.count) * 100
    let trips = windows.compactMap(\.roundTrip)
    roundTrip = Self.mean(trips.map(\.mean))
    jitter = Self.mean(trips.map(\.jitter))
  }

  private static func mean(_ durations: [Duration]) -> Duration? {
    durations.isEmpty ? nil : durations.reduce(.zero, +) / durations.count
  }
}
