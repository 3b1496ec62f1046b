internal import RuleSets

/// What the probes of a path have measured of late: the mean of those that are up.
package struct PathMeasure: Equatable, Sendable {
  /// For the probe with the worst value.
  package var results: Int
  /// In percent.
  package var loss: Double
  package var roundTrip: Duration?
  package var jitter: Duration?

  package init(results: Int, loss: Double, roundTrip: Duration? = nil, jitter: Duration? = nil) {
    self.results = results
    self.loss = loss
    self.roundTrip = roundTrip
    self.jitter = jitter
  }

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

/// Whether what was measured is within a path's limits.
extension PathLimits {
  /// What exceeds its limit, in words; nil if nothing does, or too little is known yet.
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
