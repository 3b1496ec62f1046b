/// Which of an egress's paths that are up carries the traffic.
package struct PathPreference: Hashable, Sendable {
  /// What paths are compared by.
  package enum Measure: String, CaseIterable, Hashable, Writable {
    /// Their order in the egress.
    case order
    /// The mean round trip of their probes.
    case latency
    /// The share of their probes without an answer.
    case loss
  }

  package var measure: Measure
  /// With `latency`: by how much another path's round trip must be shorter.
  package var latencyMargin: Duration
  /// With `loss`: by how many percentage points another path must lose less.
  package var lossMargin: Double
  /// How long another path must have been better by the margin.
  package var hold: Duration

  package init(
    _ measure: Measure, latencyMargin: Duration = .milliseconds(10), lossMargin: Double = 2,
    hold: Duration = .seconds(10)
  ) {
    self.measure = measure
    self.latencyMargin = latencyMargin
    self.lossMargin = lossMargin
    self.hold = hold
  }

  package static let inOrder = PathPreference(.order)

  /// Paths are compared by what their probes measure.
  package var isMeasured: Bool { measure != .order }
}
