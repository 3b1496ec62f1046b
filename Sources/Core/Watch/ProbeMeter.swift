internal import RuleSets

/// Counts what probes take of each metered uplink, and says how far their intervals are stretched.
struct ProbeMeter: Sendable {
  private var budgets: [InterfaceName: ProbeBudget] = [:]
  private var loads: [InterfaceName: [ProbeBudget.Load]] = [:]
  /// By the number of the path: the metered uplink below it.
  private var uplinks: [InterfaceName?] = []
  private var headers: [Int] = []

  /// - Parameter scouts: how many are pinged over an uplink.
  mutating func follow(_ plan: WatchPlan, scouts: (InterfaceName) -> Int, at now: Instant) {
    var kept: [InterfaceName: ProbeBudget] = [:]
    loads = [:]
    for uplink in plan.uplinks {
      guard let limit = uplink.probeBudget else { continue }
      kept[uplink.interface] = budgets[uplink.interface]?.limited(to: limit) ?? ProbeBudget(limit, at: now)
      loads[uplink.interface] = Array(
        repeating: ProbeBudget.Load(bytes: Self.bytesOfScout, interval: Scout.interval), count: scouts(uplink.interface)
      )
    }
    budgets = kept
    headers = plan.paths.map(\.headers)
    uplinks = plan.paths.map { path in
      guard let uplink = path.isTunnel ? path.underlay : path.device, kept[uplink] != nil else { return nil }
      return uplink
    }
    for (path, uplink) in zip(plan.paths, uplinks) {
      guard let uplink else { continue }
      loads[uplink, default: []] += path.probes.map {
        ProbeBudget.Load(bytes: ProbeSize.bytes(of: $0, headers: path.headers), interval: $0.interval)
      }
    }
  }

  static let bytesOfScout = 2 * ProbeSize.echo

  /// How far the intervals of a path's probes are stretched now; 1 where its uplink is not metered.
  func stretch(of path: Int, at now: Instant) -> Double { uplinks[path].map { stretch(by: $0, at: now) } ?? 1 }

  func stretch(by uplink: InterfaceName, at now: Instant) -> Double {
    budgets[uplink]?.stretch(loads[uplink] ?? [], at: now) ?? 1
  }

  /// One of a path's probes was sent, or (`times: -1`) was counted and did not leave.
  mutating func sent(_ probe: Probe, of path: Int, times: Int = 1, at now: Instant) {
    guard let uplink = uplinks[path] else { return }
    took(ProbeSize.bytes(of: probe, headers: headers[path]) * times, of: uplink, at: now)
  }

  mutating func took(_ bytes: Int, of uplink: InterfaceName, at now: Instant) { budgets[uplink]?.took(bytes, at: now) }

  /// By uplink: what there is, what is spent, and by how much intervals are stretched.
  func readings(at now: Instant) -> [InterfaceName: MeterReading] {
    var readings: [InterfaceName: MeterReading] = [:]
    for (uplink, budget) in budgets {
      var current = budget
      current.took(0, at: now)
      readings[uplink] = MeterReading(
        budget: current.limit, spent: current.spent, yesterday: current.spentYesterday,
        stretch: stretch(by: uplink, at: now))
    }
    return readings
  }
}
