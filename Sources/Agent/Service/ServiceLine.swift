internal import Core
internal import RuleSets

/// The agent in one line, as `systemctl status` shows it.
enum ServiceLine {
  static func text(_ snapshot: WatchSnapshot, _ pull: RuleSetKeeper.Status) -> String {
    if let hold = pull.hold {
      let what = hold.word == .everything ? "all forwarded traffic" : "traffic of the last one's strict rules"
      return "no rule set is running (\(hold.cause)): \(what) is held off the uplinks"
    }
    guard let revision = pull.revision else {
      return "no rule set is running: " + (pull.lastTrouble ?? "none is cached, so the source is asked")
    }
    let tunnels = Set(snapshot.plan.paths.filter(\.isTunnel).map(\.name))
    let modes = snapshot.plan.rules.compactMap { snapshot.selections[$0.rule.name]?.mode { tunnels.contains($0) } }
    let told = RuleMode.allCases.compactMap { mode -> String? in
      let count = modes.count { $0 == mode }
      return count == 0 ? nil : "\(count) \(mode.rawValue)"
    }
    let up = snapshot.plan.paths.count { [.up, .degraded].contains(snapshot.health[$0.name]?.state) }
    var parts = ["revision \(revision)"]
    if !told.isEmpty { parts.append("rules: " + told.joined(separator: ", ")) }
    if !snapshot.plan.paths.isEmpty { parts.append("\(up) of \(snapshot.plan.paths.count) paths up") }
    if let trouble = pull.lastTrouble { parts.append(trouble) }
    return parts.joined(separator: "; ")
  }
}
