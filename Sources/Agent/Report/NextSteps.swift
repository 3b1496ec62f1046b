internal import Core

/// What whoever stands at the router can do about what a status shows: the worst first, each once. Nothing where all is
/// well.
package enum NextSteps {
  /// Beyond that nobody reads on.
  package static let most = 5

  package static func of(_ status: StatusReport) -> [String] {
    var steps: [String] = []
    func add(_ step: String) { if !steps.contains(step) { steps.append(step) } }

    if let trouble = status.applyTrouble {
      add("the kernel refuses what the rule set needs (\(trouble)): see backhaul doctor and backhaul diff")
    }
    if let charon = status.charon, !charon.answers {
      add("IPsec tunnels need charon, which does not answer: start strongSwan (systemctl start strongswan)")
    }
    if status.revision == nil {
      let why = status.pullTrouble.map { " (\($0))" } ?? ""
      add("no rule set has come from \(status.source) yet\(why): see backhaul doctor for the clock and DNS")
    }
    for force in status.forcesOfNoPath {
      add("\(force.path) is forced and of no path: backhaul force \(force.path) auto forgets it")
    }
    // Those that a rule waits for first.
    let troubled = status.paths.filter { $0.state != PathHealth.State.up.rawValue || $0.forced != nil }
    for path in troubled { if let step = step(for: path) { add(step) } }
    for uplink in status.uplinks where !uplink.usable {
      add("uplink \(uplink.interface) cannot be used (\(uplink.obstacle ?? "unknown")): check its cable and modem")
    }
    if status.revision != nil, status.pullFailures > HealthCheck.toleratedPullFailures {
      add("the orchestrator does not answer (\(status.pullTrouble ?? "unknown")): the last rule set stays in force")
    }
    if status.journalTrouble != nil { add("events are not kept: see whether the disk is full or broken") }
    return Array(steps.prefix(most))
  }

  private static func step(for path: PathReport) -> String? {
    if path.forced != nil {
      return "path \(path.name) is forced: backhaul force \(path.name) auto lets its probes judge it again"
    }
    guard path.state == PathHealth.State.down.rawValue else {
      return path.state == PathHealth.State.degraded.rawValue
        ? "path \(path.name) is degraded: backhaul history \(path.name) shows since when" : nil
    }
    let uplink = path.uplink ?? path.device
    switch path.downCause.flatMap(Diagnosis.Cause.init) {
    case .hubDown: return "the hub of \(path.name) is silent by every way: call who runs it; nothing here can mend it"
    case .tunnelDown:
      return
        "the hub answers beside \(path.name) and not through it: compare its settings with the hub's (backhaul tunnels)"
    case .uplinkDown: return "uplink \(uplink) is dead up to its gateway: check its cable and modem"
    case .internetDown: return "\(uplink)'s gateway answers and the internet behind it does not: call its provider"
    case .unclear: return "path \(path.name) is down for an unclear cause: see backhaul doctor"
    case nil: return "path \(path.name) is down (\(path.cause)): see backhaul doctor if it stays"
    }
  }
}
