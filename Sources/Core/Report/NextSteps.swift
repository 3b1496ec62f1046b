internal import RuleSets

/// What an operator can do about the troubles that a router's view shows: the worst first, without repetition. Empty if
/// all is well.
package enum NextSteps {
  /// Nobody reads more than that.
  package static let most = 5

  /// At most `most` steps, each a sentence or a command.
  package static func of(_ view: RouterView) -> [String] {
    var steps: [String] = []
    func add(_ step: String) { if !steps.contains(step) { steps.append(step) } }

    for rule in view.rules.sorted(by: { $0.traffic < $1.traffic }) {
      if let step = rule.step { add(step) }
    }
    if let trouble = view.sightTrouble {
      add("the agent cannot see where clients' packets go (\(trouble)): see backhaul doctor")
    }
    if let trouble = view.applyTrouble {
      add("the kernel refuses what the rule set needs (\(trouble)): see backhaul doctor and backhaul diff")
    }
    if view.charonAnswers == false {
      add(
        "charon, which negotiates the keys of IPsec tunnels, does not answer: systemctl restart strongswan (tunnels "
          + "that "
          + "still work are interrupted for a moment)")
    }
    if let table = view.fullTable {
      add(
        "the connection tracking table is full (\(table.used) of \(table.limit)): conntrack -L shows who opened "
          + "the connections; sysctl -w net.netfilter.nf_conntrack_max=N makes room for more")
    }
    if view.hold == .leftOver {
      add(
        "systemctl reload backhaul pulls a rule set now, even one that the agent would not try again by itself; to do "
          + "without "
          + "one, systemctl stop backhaul and backhaul teardown remove what is left in the kernel")
    }
    // The source has answered, and not with what could be used.
    let refusal = view.pullFailures == 0 ? view.pullTrouble : nil
    if let refusal {
      let instead = view.revision.map { "revision \($0) stays in force" } ?? "none is running"
      add("the newest rule set cannot be used (\(refusal)): \(instead); ask its maintainer to fix it")
    } else if view.revision == nil {
      let why = view.pullTrouble.map { " (\($0))" } ?? ""
      add("no rule set has come from \(view.source) yet\(why): see backhaul doctor for the clock and DNS")
    }
    for path in view.forcesOfNoPath {
      add("\(path) is forced, but no such path exists: backhaul force \(path) auto clears it")
    }
    // Those that a rule waits for first.
    let troubled = view.paths.filter(\.needsALook)
    for path in troubled { if let step = step(for: path, view) { add(step) } }
    for uplink in view.uplinks where !uplink.isUsable {
      let obstacle = uplink.obstacle ?? "unknown"
      add("uplink \(uplink.interface) cannot be used (\(obstacle)): \(UplinkAdvice.step(obstacle, uplink.interface))")
    }
    for rule in view.rules where rule.mode == .fallback {
      if let step = leave(rule.device, view) { add(step) }
    }
    if let revision = view.revision, view.pullFailures > HealthCheck.toleratedPullFailures {
      add(
        "no rule set can be fetched from its source (\(view.pullTrouble ?? "unknown")): revision \(revision) stays "
          + "in force")
    }
    if let first = view.notKept.first {
      add(
        "a restart would lose part of the present state (\(first)): check whether the disk is full, broken or "
          + "read-only")
    }
    if view.journalTrouble != nil { add("events are not being saved: check whether the disk is full or broken") }
    return Array(steps.prefix(most))
  }

  /// A rule stays on a silent uplink that has no targets of its own, though there is another.
  private static func leave(_ device: String?, _ view: RouterView) -> String? {
    guard let uplink = view.uplinks.first(where: { $0.interface == device }),
      uplink.isUsable, uplink.state == .down, !uplink.hasTargets,
      let other = view.uplinks.first(where: { other in
        other.interface != uplink.interface && other.isUsable && !other.isPrivate && other.state != .down
      })
    else { return nil }
    return
      "uplink \(uplink.interface) is silent and has no targets to judge it by: set its `targets` in agent.toml, so "
      + "that "
      + "traffic can move to \(other.interface)"
  }

  private static func step(for path: RouterView.Path, _ view: RouterView) -> String? {
    if path.isForced {
      return "path \(path.name) is forced: backhaul force \(path.name) auto lets its probes judge it again"
    }
    guard path.state == .down else {
      return path.state == .degraded
        ? "path \(path.name) is degraded: backhaul history \(path.name) shows since when" : nil
    }
    let uplink = path.uplink ?? path.device
    switch path.trouble {
    case .hubDown:
      return "the hub of \(path.name) does not answer by \(uplink), although the internet does: call "
        + "whoever runs the hub"
    case .tunnelDown: return tunnelStep(for: path, view)
    // An uplink that cannot be used at all is reported below.
    case .uplinkDown where view.uplinks.contains { $0.interface == uplink && !$0.isUsable }: return nil
    case .uplinkDown: return "uplink \(uplink) is dead, not even its gateway answers: check its cable and modem"
    case .internetDown: return "\(uplink)'s gateway answers, but the internet beyond it does not: call its provider"
    case .unclear: return unclearStep(for: path, uplink)
    case nil:
      return "path \(path.name) is down (\(path.cause)): still finding out what is at fault; look again in a few "
        + "seconds"
    }
  }

  /// What would give more evidence the next time.
  private static func unclearStep(for path: RouterView.Path, _ uplink: String) -> String {
    let name = path.name
    switch path.gap {
    case .hub:
      return
        "path \(name) is down, and its hub's outer address has never answered a ping: let it answer pings, to tell a "
        + "dead "
        + "hub from a dead tunnel the next time"
    case .targets:
      return
        "path \(name) is down, and nothing shows whether the internet answers: set `targets` of uplink \(uplink) in "
        + "agent.toml"
    case .gateway:
      return
        "path \(name) is down, and uplink \(uplink) has no gateway that answers pings: set its `targets` in agent.toml"
    case .probes:
      return "the internet answers by \(uplink), but the target of \(name)'s probes does not: give them another target"
    case .uplink, nil:
      return "path \(name) is down, and another program makes its tunnel: see what that program says about it"
    }
  }

  private static func tunnelStep(for path: RouterView.Path, _ view: RouterView) -> String? {
    if let obstacle = path.obstacle { return "\(path.name) cannot be used here (\(obstacle)): see backhaul tunnels" }
    switch path.keys {
    // That is reported already.
    case .unknown where view.charonAnswers == false: return nil
    case .down:
      return
        "\(path.name) gets no keys from its hub: compare pre-shared key, certificates and ids with the hub's, and "
        + "check that "
        + "UDP ports 500 and 4500 are let through"
    case .up:
      return
        "\(path.name) has keys, but nothing comes back: look for a firewall along the way that drops ESP or UDP port "
        + "4500"
    case .unknown, .pending, nil:
      return
        "the hub answers, but not through \(path.name): compare the tunnel's settings with the hub's (backhaul tunnels)"
    }
  }
}
