internal import Core
package import RuleSets

// What happens to traffic, and the links below it, that probes confirm at once.
extension PathWatch {
  /// Paths that carry traffic and are probed so seldom that their traffic tells more.
  private var quiet: [WatchPlan.WatchedPath] {
    plan.paths.filter { path in
      selections.values.contains { $0.choice?.paths.contains(path.name) == true }
        && !path.probes.isEmpty
        && path.probes.allSatisfy { (probes[$0.name]?.machine.pace ?? $0.interval) > SilentTraffic.period }
    }
  }

  package var awaitsTraffic: Bool { !quiet.isEmpty }

  /// The devices have carried so much by now.
  package func counted(_ traffic: [InterfaceName: Traffic]) {
    let now = loop.now
    var known: [InterfaceName: SilentTraffic] = [:]
    for path in quiet {
      guard let traffic = traffic[path.device] else { continue }
      var silence = silences[path.device] ?? SilentTraffic()
      if silence.counted(bytesIn: traffic.bytesIn, bytesOut: traffic.bytesOut, at: now) { prompt(path, at: now) }
      known[path.device] = silence
    }
    silences = known
  }

  /// Nobody has the address on the device's link: if it is a gateway, every path over it is in doubt.
  package func neighbourFailed(_ address: IPv4Address, on device: InterfaceName) {
    guard plan.uplinks.contains(where: { $0.interface == device && $0.gateway == .ipv4(address) }) else { return }
    let now = loop.now
    causes.neighbourFailed(address, on: device, at: now)
    for path in plan.paths where path.underlay == device || path.device == device { prompt(path, at: now) }
    findCauses()
  }

  /// - Parameter besides: is not asked.
  func prompt(_ path: WatchPlan.WatchedPath, at now: Instant, besides asker: WatchedProbe? = nil) {
    for probe in path.probes {
      guard let watched = probes[probe.name], watched !== asker else { continue }
      watched.machine.prompted(at: now)
      reschedule(watched)
    }
  }
}
