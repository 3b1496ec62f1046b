internal import Core
internal import RuleSets

/// What probes may take of a metered uplink, and what they have taken: bytes on its wire, both directions.
package struct ProbeBudgetReport: Codable, Equatable, Sendable {
  package var uplink: String
  package var bytesPerDay: Int
  /// In this period of 24 hours, the first of which began with the agent.
  package var spentBytes: Int
  /// In the one before; null in the first.
  package var spentYesterdayBytes: Int?
  /// By how much intervals are longer in steady state: 1 or more.
  package var stretch: Double
}

extension ProbeBudgetReport {
  init(_ uplink: InterfaceName, _ reading: MeterReading) {
    self.init(
      uplink: uplink.text, bytesPerDay: reading.budget, spentBytes: reading.spent,
      spentYesterdayBytes: reading.yesterday, stretch: (reading.stretch * 100).rounded() / 100)
  }
}
