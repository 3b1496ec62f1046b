import Core
internal import RuleSets

// The invariants that hold over time.
extension World {
  /// Checks everything, between two turns.
  func audit() {
    guard pilot != nil, !isAsleep else { return }
    for rule in witness.rules.indices {
      look(at: rule)
      checkKernel(of: rule)
    }
  }

  /// Whether a rule has stayed too long on a path that is dead, and whether its table leads where it may.
  func look(at rule: Int) {
    checkWay(of: rule)
    checkUplink(of: rule)
    guard let known = known(rule) else {
      witness.rules[rule].couldGoSince = [:]
      return
    }
    let chosen = witness.rules[rule].paths
    let free = chosen.filter { known.rule.paths.contains(town.paths[$0].name) && couldGo(rule, known, from: $0) }
    witness.rules[rule].couldGoSince = witness.rules[rule].couldGoSince.filter { free.contains($0.key) }
    for path in free { look(at: path, of: rule, known) }
  }

  private func look(at path: Int, of rule: Int, _ known: WatchPlan.WatchedRule) {
    let since = witness.rules[rule].couldGoSince[path] ?? awake
    witness.rules[rule].couldGoSince[path] = since
    guard let watched = self.known(path: path) else { return }
    if hasObstacle(watched) {
      return fail(.deadPathIsLeft, "rule \(known.rule.name) stays on path \(watched.name), which has an obstacle")
    }
    guard network.canSend(by: path) else { return }
    let seen = witness.paths[path]
    if seen.awaitsKeys && seen.state == .unknown { return }
    var silent = 0
    for target in town.targetsOf[path] {
      guard let probe = witness.probes[target] else { continue }
      let sign = max(network.ledgers[target].lastSign, network.couldNotSend[path])
      let due = max(sign + Promise.bound(probe), since)
      if awake > due { silent += 1 }
      if awake > due && silent > Self.spare(watched) {
        fail(
          .deadPathIsLeft,
          "rule \(known.rule.name) stays on path \(watched.name), whose probe \(probe.name) has had no answer for "
            + "\((awake - sign) / microsecond) µs; \((due - sign) / microsecond) are allowed")
      }
    }
  }

  /// An unusable uplink is left at once, if there is anywhere to go.
  private func checkUplink(of rule: Int) {
    guard let choice = witness.rules[rule].choice, let known = known(rule) else { return }
    switch choice {
    case .path, .paths, .blocked: return
    case .localWAN(let uplink), .underlay(let uplink):
      if knownPlan.uplinks.contains(where: { $0.interface == uplink && isUsable($0) }) { return }
      guard let way = usablePaths(of: known).first.map({ town.paths[$0].name.text }) ?? fallback(of: known)?.description
      else { return }
      fail(
        .deadPathIsLeft, "rule \(known.rule.name) stays on uplink \(uplink), which cannot be used, and could go \(way)")
    }
  }

  private func couldGo(_ rule: Int, _ known: WatchPlan.WatchedRule, from path: Int) -> Bool {
    usablePaths(of: known).contains { $0 != path } || fallback(of: known) != nil
  }

  // MARK: - The kernel

  /// The kernel was not asked too often lately.
  private var kernelTakes: Bool { now > kernel.refusesUntil + 500 * millisecond }

  /// No uplink carries the rule's traffic that the rule does not allow.
  func checkWay(of rule: Int) {
    for device in kernel.routes[rule]?.devices ?? [] { checkWay(of: rule, by: device) }
  }

  private func checkWay(of rule: Int, by device: InterfaceName) {
    guard !kernel.isForeign[rule], let known = known(rule), kernelTakes,
      let uplink = knownPlan.uplinks.first(where: { $0.interface == device }),
      !knownPlan.paths.contains(where: { $0.device == device && known.rule.paths.contains($0.name) })
    else { return }
    let isAllowed =
      switch known.rule.fallback {
      case .block: false
      // With nowhere else to go the route is left as it is.
      case .localWAN: !uplink.isPrivate || fallback(of: known) == nil
      case .underlay: known.underlays.contains(device)
      }
    if !isAllowed {
      fail(
        .noUplinkUnderBlock,
        "rule \(known.rule.name) has fallback \(known.rule.fallback.rawValue), and \(device) carries its traffic")
    }
  }

  private func checkKernel(of rule: Int) {
    guard let known = known(rule), case .exactly(let wanted) = wantedWay(of: rule), kernel.routes[rule] != wanted else {
      kernel.strayedSince[rule] = nil
      return
    }
    let since = kernel.strayedSince[rule] ?? awake
    kernel.strayedSince[rule] = since
    if awake > since + second && kernelTakes {
      let (has, want) = (Self.text(kernel.routes[rule]), Self.text(wanted))
      fail(.kernelFollowsChoice, "rule \(known.rule.name): the kernel has \(has) for more than a second, not \(want)")
    }
  }

  private enum Wanted {
    case exactly(TableRoute.Way?)
    case anything
  }

  /// Where the kernel should lead.
  private func wantedWay(of rule: Int) -> Wanted {
    switch witness.rules[rule].choice {
    case nil, .blocked?: return .exactly(nil)
    case .path(let name)?:
      // A path that the rule set removed, or that leads elsewhere now, keeps its route until it is left.
      guard let number = town.pathNumbers[name], let path = known(path: number), witness.paths[number].state != .unknown
      else { return .anything }
      return wanted(path.way, by: town.paths[number].device)
    case .paths(let names)?:
      guard let shared = known(rule)?.rule else { return .anything }
      var ways: [(way: TableRoute.Way?, weight: Int)] = []
      for name in names {
        guard let number = town.pathNumbers[name], let path = known(path: number),
          witness.paths[number].state != .unknown, path.way != nil, town.devices[town.paths[number].device].carries
        else { return .anything }
        ways.append((path.way, shared.weight(of: name)))
      }
      return .exactly(.sharing(ways))
    case .localWAN(let uplink)?, .underlay(let uplink)?:
      guard let number = town.deviceNumbers[uplink] else { return .anything }
      return wanted(knownPlan.uplinks.first { $0.interface == uplink }?.way, by: number)
    }
  }

  /// While a device is down or a gateway is lost, there can be no route.
  private func wanted(_ way: TableRoute.Way?, by device: Int) -> Wanted {
    way == nil || !town.devices[device].carries ? .anything : .exactly(way)
  }

  static func text(_ way: TableRoute.Way?) -> String {
    switch way {
    case nil: "no route"
    case .unreachable?: "unreachable"
    case .strange(let strange)?: strange.text
    case .shared(let shares)?: shares.map { "dev \($0.device) weight \($0.weight)" }.joined(separator: " + ")
    case .out(let device, let gateway, _)?: "dev \(device)" + (gateway.map { " via \($0)" } ?? "")
    }
  }

  func checkPace(of target: Int, _ probe: Probe) {
    guard let before = network.ledgers[target].sentAt(back: Promise.probesInAnInterval(probe)) else { return }
    if now - before < probe.interval.nanoseconds {
      fail(
        .probesKeepTheirPace,
        "probe \(probe.name) was sent \(Promise.probesInAnInterval(probe) + 1) times in \((now - before) / microsecond) µs, an interval is "
          + "\(probe.interval.milliseconds) ms")
    }
  }
}
