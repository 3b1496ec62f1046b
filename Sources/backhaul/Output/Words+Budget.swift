internal import Agent

extension Words {
  /// `probes took 12 kB of 5 MB in this period of 24 h, intervals stretched 4.1 times`.
  static func budget(_ budget: ProbeBudgetReport) -> String {
    let spent =
      "probes took \(bytes(UInt64(max(0, budget.spentBytes)))) of \(bytes(UInt64(max(0, budget.bytesPerDay))))"
    let stretch = budget.stretch > 1 ? ", intervals stretched \(times(budget.stretch)) times" : ""
    return "\(spent) in this period of 24 h\(stretch)"
  }

  /// `256 of 256, 1240 refused, 12 thrown out unanswered since the router started`.
  static func fill(_ connections: ConnectionsReport) -> String {
    "\(connections.used) of \(connections.limit), \(connections.refused) refused, \(connections.evicted) thrown out "
      + "unanswered since the router started"
  }

  private static func times(_ value: Double) -> String {
    let tenths = Int((min(value, 1e9) * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }
}
