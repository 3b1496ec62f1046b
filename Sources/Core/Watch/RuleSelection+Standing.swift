package import RuleSets

extension RuleSelection {
  /// More paths than that nobody reads.
  private static let told = 4

  /// Why the rule's traffic is where it is, judged by the present: a flip's own cause may be long gone.
  package func standing(_ view: View, at now: Instant) -> String {
    let states = egress.tiers.joined().map { (name: $0.path, health: view.state($0.path)) }
    switch choice {
    case nil: return cause
    case .path?, .paths?: return standing(on: choice?.paths ?? [], states, view, at: now)
    case .localWAN?:
      let stuck = view.localWAN == nil ? "; no local uplink can be used, so the route is left as it is" : ""
      return words(states, at: now) + stuck
    case .underlay?: return words(states, at: now)
    case .blocked?:
      let missing = egress.fallback == .underlay && view.underlay == nil
      return words(states, at: now) + (missing ? "; no private line of the rule can be used" : "")
    }
  }

  private func standing(
    on current: [Name], _ states: [(name: Name, health: PathHealth?)], _ view: View, at now: Instant
  ) -> String {
    guard let index = tier(of: current) else {
      return "the rule no longer lists \(listed(current)), and no other is known to work yet"
    }
    let members = current.compactMap { view.state($0) }
    if !members.isEmpty, members.allSatisfy(\.isDead) {
      let stuck = egress.fallback == .localWAN && view.localWAN == nil
      return words(states, at: now) + (stuck ? "; no local uplink can be used, so the route is left as it is" : "")
    }
    if egress.preference.isMeasured, members.contains(where: { $0.state == .up }) {
      return comparison(current, view, at: now)
    }
    let better = egress.tiers.prefix(index + 1).joined().map(\.path).filter { !current.contains($0) }
    if !better.isEmpty, !egress.preference.isMeasured {
      return words(states.filter { better.contains($0.name) }, at: now)
    }
    if members.contains(where: { $0.state == .up }) {
      return current.count == 1 ? "first path in order that is up" : "first paths in order that are up"
    }
    let names = listed(current)
    if members.contains(where: { $0.state == .degraded }) { return "\(names) is degraded, and none is up" }
    return "no verdict on \(names) now, and there is no evidence against it"
  }

  private func listed(_ paths: [Name]) -> String {
    (paths.count == 1 ? "path " : "paths ") + paths.map(\.text).joined(separator: ", ")
  }

  private func words(_ states: [(name: Name, health: PathHealth?)], at now: Instant) -> String {
    guard !states.isEmpty else { return "the rule has no path" }
    let told = states.prefix(Self.told).map { name, health -> String in
      guard let health else { return "path \(name) is gone" }
      if health.state == .up {
        let wait = (mayReturn(health, at: now) - now).inSeconds
        if wait > 0 { return "path \(name) is up, and is returned to in \(Int(wait.rounded(.up))) s if it stays so" }
      }
      return "path \(name) is \(health.state.rawValue): \(health.cause)"
    }
    let more = states.count - told.count
    return told.joined(separator: "; ") + (more > 0 ? "; and \(more) more" : "")
  }
}
