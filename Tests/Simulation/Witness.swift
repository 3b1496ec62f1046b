import Core
internal import RuleSets

/// What has been seen of the agent.
struct Witness {
  struct SeenPath {
    var state: PathHealth.State = .unknown
    var upSince: Nanoseconds = 0
    /// It was up without some of its probes, so their states depend on more than the last few results.
    var hadQuorum = false
    /// The keys of its tunnel are being made: while its state is unknown, lost probes are no evidence.
    var awaitsKeys = false
    /// Up, or degraded.
    var usableSince: Nanoseconds = 0
    /// Since the agent began, the last of them.
    var falls: [Nanoseconds] = []
  }

  struct SeenRule {
    var choice: RuleSelection.Choice?
    /// The numbers of the paths that are chosen: more than one where they share the flows.
    var paths: [Int] = []
    /// For each of them, since when there is another way, by the clock that stops during sleep.
    var couldGoSince: [Int: Nanoseconds] = [:]
    /// For each path, the start of the up period in which traffic last returned to it.
    var returns: [Int: Nanoseconds] = [:]
    /// The agent has not reported its choice yet, because the kernel has not accepted it.
    var isUntold = false
    /// Its first choice since its start was its own.
    var isFresh = false
  }

  var paths: [SeenPath]
  var rules: [SeenRule]
  /// As the agent has been told; nil: it has not.
  var probes: [Probe?]
  /// What each probe's machine says; nil: it has not said.
  var probeStates: [ProbeMachine.State?]
  /// What the agent reported in this turn.
  var said: [Observation] = []
  /// Something changed that choices follow from.
  var isStirred = false

  init(_ town: Town) {
    paths = town.paths.map { _ in SeenPath() }
    rules = town.rules.map { _ in SeenRule() }
    probes = town.targets.map { _ in nil }
    probeStates = probes.map { _ in nil }
  }

  /// A new agent knows nothing.
  mutating func isBorn() {
    for index in paths.indices { paths[index] = SeenPath() }
    for index in rules.indices { rules[index] = SeenRule() }
    for index in probes.indices { (probes[index], probeStates[index]) = (nil, nil) }
    said.removeAll()
    isStirred = true
  }
}

// Reports from a pilot.
extension World {
  func saw(_ observation: Observation) { witness.said.append(observation) }
}

extension World {
  /// After each turn: what the agent did in it.
  func examine() {
    guard !witness.said.isEmpty || witness.isStirred else { return }
    var next = 0
    while next < witness.said.count, violation == nil {
      let observation = witness.said[next]
      next += 1
      note { "  \(self.text(observation))" }
      switch observation {
      case .judged(let path, let state): judged(path, state)
      case .probe(let target, let from, let to): probed(target, from, to)
      case .adopted(let rule, let choice): adopted(rule, choice)
      case .moved(let rule, let move): moved(rule, move)
      case .isOn(let rule, let choice): isOn(rule, choice)
      }
    }
    witness.said.removeAll(keepingCapacity: true)
    witness.isStirred = false
    for rule in witness.rules.indices { look(at: rule) }
  }

  /// A tunnel's first keys are being made.
  func keysAwaited(of path: Int) { witness.paths[path].awaitsKeys = true }

  /// They are there: its probes start over.
  func keysCame(to path: Int) {
    guard witness.paths[path].awaitsKeys else { return }
    witness.paths[path].awaitsKeys = false
    for target in town.targetsOf[path] { network.ledgers[target].excuse(awake: awake) }
  }

  /// The agent has taken a plan.
  func planCame(replacing old: WatchPlan) {
    for (number, path) in town.paths.enumerated() where !knownPlan.paths.contains(where: { $0.name == path.name }) {
      witness.paths[number] = Witness.SeenPath()
    }
    for number in town.paths.indices where known(path: number)?.quorum != nil { witness.paths[number].hadQuorum = true }
    for number in witness.probes.indices { witness.probes[number] = nil }
    for probe in knownPlan.paths.lazy.flatMap(\.probes) {
      if let number = town.targetNumbers[probe.name] { witness.probes[number] = probe }
    }
    for (number, rule) in town.rules.enumerated() {
      let known = knownPlan.rules.first { $0.rule.name == rule.rule.name }
      if known == nil {
        // The reconciler removes the tables of removed rules.
        witness.rules[number] = Witness.SeenRule()
        kernel.forget(number)
      }
      if known != old.rules.first(where: { $0.rule.name == rule.rule.name }) { witness.rules[number].returns = [:] }
    }
    sendingChanged()
    witness.isStirred = true
  }

  func sendingChanged() {
    network.sendingChanged(town, awake: awake) { known(path: $0)?.source != nil }
  }

  // MARK: - What the agent knows

  func known(_ rule: Int) -> WatchPlan.WatchedRule? {
    knownPlan.rules.first { $0.table == town.rules[rule].table }
  }

  func known(path: Int) -> WatchPlan.WatchedPath? {
    knownPlan.paths.first { $0.mark == town.paths[path].mark && $0.name == town.paths[path].name }
  }

  private func isTroubled(_ device: InterfaceName) -> Bool {
    guard let link = knownLinks[device] else { return true }
    return !link.isUp || !link.hasCarrier
  }

  /// The agent knows of something that keeps the path from carrying traffic.
  func hasObstacle(_ path: WatchPlan.WatchedPath) -> Bool {
    path.obstacle != nil || isTroubled(path.device) || (path.underlay.map(isTroubled) ?? false)
  }

  func isUsable(_ uplink: WatchPlan.WatchedUplink) -> Bool {
    uplink.obstacle == nil && uplink.way != nil && !isTroubled(uplink.interface)
  }

  /// Where the rule's traffic goes when no path is left; nil: it stays.
  func fallback(of rule: WatchPlan.WatchedRule) -> RuleSelection.Choice? {
    switch rule.rule.fallback {
    case .block: .blocked
    case .localWAN:
      knownPlan.uplinks.first { !$0.isPrivate && isUsable($0) }.map { .localWAN($0.interface) }
    case .underlay:
      rule.underlays.first { line in knownPlan.uplinks.contains { $0.interface == line && isUsable($0) } }
        .map { .underlay($0) } ?? .blocked
    }
  }

  static func isUsable(_ state: PathHealth.State) -> Bool { state == .up || state == .degraded }
  static func isDead(_ state: PathHealth.State) -> Bool { state == .down || state == .disabled }

  /// The rule's paths that traffic can be put on.
  func usablePaths(of rule: WatchPlan.WatchedRule) -> [Int] {
    rule.rule.paths.compactMap { town.pathNumbers[$0] }.filter { Self.isUsable(witness.paths[$0].state) }
  }

  /// How many of a path's probes may go without an answer.
  static func spare(_ path: WatchPlan.WatchedPath) -> Int {
    path.probes.count - min(path.quorum ?? path.probes.count, path.probes.count)
  }

  // MARK: - For a trace

  private func text(_ observation: Observation) -> String {
    switch observation {
    case .judged(let path, let state): "path \(town.paths[path].name) is \(state)"
    case .probe(let target, let from, let to): "probe \(town.targets[target].probe.name) is \(to), was \(from)"
    case .adopted(let rule, let choice):
      "rule \(town.rules[rule].rule.name) takes over \(choice?.description ?? "nothing")"
    case .isOn(let rule, let choice):
      "rule \(town.rules[rule].rule.name) is on \(choice?.description ?? "nothing"), and has not said so"
    case .moved(let rule, let move):
      "rule \(town.rules[rule].rule.name): \(move.kind) to \(move.to), was \(move.from?.description ?? "nothing"): \(move.cause)"
    }
  }
}
