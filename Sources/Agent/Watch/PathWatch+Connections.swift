package import Core
internal import RuleSets

// What a full table of tracked connections makes of a probe's silence.
extension PathWatch {
  /// The router's own connections: of ICMP probes and scouts, and of tunnels' outer packets.
  package var trackedFlows: Set<TrackedFlow> {
    var flows = Set(plan.paths.flatMap(\.outer).joined())
    for probe in probes.values { if let flow = probe.handle?.flow { flows.insert(flow) } }
    return flows.union(causes.trackedFlows)
  }

  /// - Parameter missing: of `trackedFlows` those that are not in the table.
  package func connectionTableChanged(isFull: Bool, missing: Set<TrackedFlow>) {
    guard isFull || isTableFull else { return }
    isTableFull = isFull
    for path in plan.paths {
      // Outer packets that find no place are dropped, and nobody is told.
      let isCarried = path.outer.allSatisfy { $0.contains { !missing.contains($0) } }
      for probe in path.probes {
        guard let watched = probes[probe.name] else { continue }
        let isHeld = watched.handle?.flow.map { !missing.contains($0) } ?? false
        watched.machine.hindrance = isFull && !(isCarried && isHeld) ? Self.fullTable : nil
      }
    }
    causes.hinder(isFull ? Self.fullTable : nil, missing: missing)
  }

  private static let fullTable = "the table of tracked connections is full"
}
