package import RuleSets

// What happens to traffic, and the links below it, that probes confirm at once; and what a full connection tracking
// table makes of a probe's silence.
extension WatchMachine {
  /// Paths that carry traffic and are probed so rarely that their traffic says more.
  private var quiet: [Int] {
    let carrying = Set(egresses.flatMap { $0.selection.choice?.paths ?? [] }.compactMap { index.paths[$0] })
    return carrying.sorted().filter { path in
      let range = index.probes[path]
      return !range.isEmpty && range.allSatisfy { probes[$0].machine.pace > SilentTraffic.period }
    }
  }

  package var awaitsTraffic: Bool { !quiet.isEmpty }

  /// The devices' byte counts so far.
  package mutating func counted(_ traffic: [InterfaceName: Traffic], at now: Instant) {
    var known: [InterfaceName: SilentTraffic] = [:]
    for path in quiet {
      let device = plan.paths[path].device
      guard let traffic = traffic[device] else { continue }
      var silence = silences[device] ?? SilentTraffic()
      if silence.counted(bytesIn: traffic.bytesIn, bytesOut: traffic.bytesOut, at: now) { prompt(path, at: now) }
      known[device] = silence
    }
    silences = known
  }

  /// Nobody has the address on the device's link: if it is a gateway, every path over it is in doubt.
  package mutating func neighbourFailed(_ address: IPv4Address, on device: InterfaceName, at now: Instant) {
    guard index.uplink(device)?.gateway == .ipv4(address) else { return }
    causes.neighbourFailed(address, on: device, at: now)
    for path in index.paths(by: device) { prompt(path, at: now) }
    findCauses(at: now)
  }

  /// - Parameter besides: is not asked.
  mutating func prompt(_ path: Int, at now: Instant, besides asker: Int? = nil) {
    for number in index.probes[path] where number != asker {
      probes[number].machine.prompted(at: now)
      reschedule(number)
    }
  }

  // MARK: - The connection tracking table

  /// The router's own connections: of ICMP probes and scouts, and of tunnels' outer packets.
  package var trackedFlows: Set<TrackedFlow> {
    var flows = Set(plan.paths.flatMap(\.outer).joined())
    for probe in probes { if let flow = probe.flow { flows.insert(flow) } }
    return flows.union(causes.trackedFlows)
  }

  /// - Parameter missing: of `trackedFlows` those that are not in the table.
  package mutating func connectionTableChanged(isFull: Bool, missing: Set<TrackedFlow>) {
    guard isFull || isTableFull else { return }
    isTableFull = isFull
    for (path, watched) in plan.paths.enumerated() {
      // Outer packets that find no place are silently dropped.
      let isCarried = watched.outer.allSatisfy { $0.contains { !missing.contains($0) } }
      for number in index.probes[path] {
        let isHeld = probes[number].flow.map { !missing.contains($0) } ?? false
        probes[number].machine.hindrance = isFull && !(isCarried && isHeld) ? Self.fullTable : nil
      }
    }
    causes.hinder(isFull ? Self.fullTable : nil, missing: missing)
  }

  private static let fullTable = "the connection tracking table is full"
}
