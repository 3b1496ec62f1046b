import Agent
import Core
internal import RuleSets

/// Drives the three machines as the agent's watch does, with as little around them as can be.
final class MachinePilot<Under: Machines>: Pilot {
  /// Slots are objects, so that a machine is changed where it is and never copied.
  private final class ProbeSlot {
    let spec: Probe
    /// In the town.
    let target: Int
    var machine: Under.Probing
    var socket: Int?
    /// When it is to be woken; a timer of another time is one that was cancelled.
    var wakeAt: Instant?
    /// Of those that are watched.
    var path = 0

    init(_ spec: Probe, _ target: Int, _ machine: Under.Probing) {
      self.spec = spec
      self.target = target
      self.machine = machine
    }
  }
  private final class PathSlot {
    /// In the town.
    let number: Int
    let watched: WatchPlan.WatchedPath
    var health: Under.Judging
    var probes: [ProbeSlot] = []

    init(_ number: Int, _ watched: WatchPlan.WatchedPath, _ health: Under.Judging) {
      self.number = number
      self.watched = watched
      self.health = health
    }
  }
  private struct RuleSlot {
    var watched: WatchPlan.WatchedRule
    var selection: Under.Choosing
  }

  private unowned let world: World
  private var uplinks: [WatchPlan.WatchedUplink] = []
  private var links: [InterfaceName: Link] = [:]
  /// By their numbers in the town.
  private var probes: [ProbeSlot?]
  /// By socket.
  private var askers: [Int: ProbeSlot] = [:]
  private var paths: [PathSlot] = []
  private var rules: [RuleSlot] = []
  private var active: [TableID: TableRoute.Way] = [:]
  private var returnAt: Instant?
  private var isRetrying = false
  private var isInspecting = false

  private let returnToken: UInt64 = 1_000_000
  private let retryToken: UInt64 = 1_000_001
  private let inspectToken: UInt64 = 1_000_002

  init(_ world: World) {
    self.world = world
    probes = Array(repeating: nil, count: world.town.targets.count)
  }

  var waitsToReturn: Bool { returnAt != nil }

  func stop() {}

  // MARK: - What to watch

  func watch(_ plan: WatchPlan, links actual: [InterfaceName: Link]) -> Bool {
    guard let inKernel = try? world.activeRoutes(of: Set(plan.rules.map(\.table))) else { return false }
    let now = world.instant
    links = actual
    active = inKernel
    uplinks = plan.uplinks
    bind(plan, at: now)
    rules = plan.rules.map { watched in
      if var known = rules.first(where: { $0.watched.rule.name == watched.rule.name }) {
        known.watched = watched
        known.selection.ruleChanged(to: watched.rule)
        return known
      }
      let adopted = inKernel[watched.table].flatMap { choice(of: $0, for: watched) }
      let selection = Under.Choosing(
        watched.rule, adopted: adopted, remembered: world.memory[watched.rule.name], at: now)
      if let number = world.town.ruleNumber(watched.rule.name) { world.saw(.adopted(rule: number, selection.choice)) }
      return RuleSlot(watched: watched, selection: selection)
    }
    for path in paths { judge(path, at: now, tellAll: true) }
    decideAll(at: now)
    return true
  }

  private func bind(_ plan: WatchPlan, at now: Instant) {
    let before = paths
    var bound: Set<Int> = []
    paths = plan.paths.enumerated().map { index, watched in
      let known = before.first { $0.watched.isSameWay(as: watched) }
      let path = PathSlot(world.number(of: watched), watched, known?.health ?? Under.Judging(at: now))
      for probe in watched.probes {
        guard let target = world.town.targetNumbers[probe.name] else { continue }
        path.probes.append(bind(target, probe, to: watched, at: now))
        path.probes.last?.path = index
        bound.insert(target)
      }
      return path
    }
    for target in probes.indices where !bound.contains(target) { unbind(target) }
  }

  private func bind(_ target: Int, _ probe: Probe, to path: WatchPlan.WatchedPath, at now: Instant) -> ProbeSlot {
    let slot: ProbeSlot
    if let known = probes[target], known.spec == probe {
      slot = known
    } else {
      unbind(target)
      let phase = world.phase(upTo: min(probe.interval, .milliseconds(50)))
      slot = ProbeSlot(probe, target, Under.Probing(probe, at: now, phase: phase))
      probes[target] = slot
      world.machineMade(for: probe.name)
    }
    if path.source == nil {
      if slot.socket != nil { slot.machine.socketChanged() }
      close(slot)
    } else if slot.socket == nil {
      let socket = world.open(probe.name)
      slot.socket = socket
      askers[socket] = slot
    }
    schedule(slot)
    return slot
  }

  private func close(_ slot: ProbeSlot) {
    guard let socket = slot.socket else { return }
    world.close(socket)
    askers[socket] = nil
    slot.socket = nil
  }

  private func unbind(_ target: Int) {
    guard let slot = probes[target] else { return }
    close(slot)
    probes[target] = nil
  }

  // MARK: - Evidence

  func linkChanged(_ device: InterfaceName, _ link: Link?) {
    links[device] = link
    var changed = uplinks.contains { $0.interface == device }
    for path in paths where path.watched.device == device || path.watched.underlay == device {
      if judge(path, at: world.instant) { changed = true }
    }
    if changed { decideAll(at: world.instant) }
    stirred()
  }

  func keysChanged(of tunnel: Name) {
    for path in paths where path.watched.securedTunnel == tunnel {
      for slot in path.probes {
        slot.machine.prompted(at: world.instant)
        schedule(slot)
      }
    }
  }

  func stirred() {
    guard !isInspecting else { return }
    isInspecting = true
    world.wake(pilot: inspectToken, at: world.instant + .milliseconds(2))
  }

  private func inspect() {
    guard let routes = try? world.activeRoutes(of: Set(rules.map(\.watched.table))) else { return retrySoon() }
    active = routes
    putRight()
  }

  func timerFired(_ token: UInt64) {
    let now = world.instant
    switch token {
    case returnToken:
      guard let due = returnAt, due <= now else { return }
      returnAt = nil
      decideAll(at: now)
    case retryToken:
      isRetrying = false
      inspect()
    case inspectToken:
      isInspecting = false
      inspect()
    default:
      guard let slot = probes[Int(token)], let due = slot.wakeAt, due <= now else { return }
      slot.wakeAt = nil
      timePassed(slot, to: now)
    }
  }

  private func timePassed(_ slot: ProbeSlot, to now: Instant) {
    let before = slot.machine.state
    follow(slot.machine.timePassed(to: now), slot, at: now)
    schedule(slot)
    settle(slot, before: before, at: now)
  }

  func came(_ arrival: Arrival, of number: UInt64, by socket: Int) {
    guard let slot = askers[socket] else { return }
    let now = world.instant
    let before = slot.machine.state
    let evidence: ProbeMachine.Evidence =
      switch arrival {
      case .answered(let roundTrip): .answered(roundTrip: .nanoseconds(roundTrip))
      case .refused: .refused("destination host unreachable")
      case .couldNotSend: .couldNotSend("no buffer space")
      }
    follow(slot.machine.came(evidence, of: number, at: now), slot, at: now)
    schedule(slot)
    settle(slot, before: before, at: now)
  }

  private func follow(_ directives: [ProbeMachine.Directive], _ slot: ProbeSlot, at now: Instant) {
    for directive in directives {
      switch (directive, slot.socket) {
      case (.abandon(let number), let socket?): world.abandon(number, by: socket)
      case (.send(let number), let socket?): world.send(number, by: socket)
      case (.abandon, nil): break
      case (.send(let number), nil):
        _ = slot.machine.came(.couldNotSend("no address to send from"), of: number, at: now)
      }
    }
  }

  private func schedule(_ slot: ProbeSlot) {
    let next = slot.machine.nextDeadline
    guard slot.wakeAt != next else { return }
    slot.wakeAt = next
    world.wake(pilot: UInt64(slot.target), at: next)
  }

  // MARK: - Verdict and flip

  private func settle(_ slot: ProbeSlot, before: ProbeMachine.State, at now: Instant) {
    let state = slot.machine.state
    if state != before { world.saw(.probe(target: slot.target, from: before, to: state)) }
    let path = paths[slot.path]
    guard state != before || slot.machine.unsent == slot.spec.fall || path.watched.limits != nil else { return }
    if judge(path, at: now) { decideAll(at: now) }
  }

  @discardableResult private func judge(_ path: PathSlot, at now: Instant, tellAll: Bool = false) -> Bool {
    let before = path.health.shown.state
    let shown = path.probes.map { $0.machine.shown }
    let changed = path.health.weigh(obstacle: obstacle(of: path.watched), shown, path.watched, at: now)
    let after = path.health.shown.state
    if after != before || tellAll { world.saw(.judged(path: path.number, after)) }
    return changed
  }

  private func obstacle(of path: WatchPlan.WatchedPath) -> String? {
    if let underlay = path.underlay, let trouble = trouble(of: underlay) { return "uplink \(trouble)" }
    return path.obstacle ?? trouble(of: path.device)
  }

  private func trouble(of device: InterfaceName) -> String? {
    guard let link = links[device] else { return "\(device) does not exist" }
    if !link.isUp { return "\(device) is set down" }
    return link.hasCarrier ? nil : "\(device) has no carrier"
  }

  private func canUse(_ uplink: WatchPlan.WatchedUplink) -> Bool {
    uplink.obstacle == nil && uplink.way != nil && trouble(of: uplink.interface) == nil
  }

  private func decideAll(at now: Instant) {
    let usable = uplinks.filter(canUse)
    let paths = paths
    var view = RuleSelection.View(
      state: { name in paths.first { $0.watched.name == name }?.health.shown },
      localWAN: usable.first { !$0.isPrivate }?.interface,
      canUse: { name in usable.contains { $0.interface == name } })
    for index in rules.indices {
      view.underlay = rules[index].watched.underlays.first { line in usable.contains { $0.interface == line } }
      view.isAstray = isAstray(rules[index])
      guard let move = rules[index].selection.move(view, at: now) else { continue }
      if let number = world.town.ruleNumber(rules[index].watched.rule.name) { world.saw(.moved(rule: number, move)) }
      put(move.to, rules[index].watched)
    }
    let due = rules.compactMap { $0.selection.nextDeadline }.min()
    if due != returnAt, let due { world.wake(pilot: returnToken, at: due) }
    returnAt = due
    putRight()
  }

  // MARK: - The kernel

  private func isAstray(_ slot: RuleSlot) -> Bool {
    let names = slot.selection.choice?.paths ?? []
    guard !names.isEmpty, !names.contains(where: slot.watched.rule.paths.contains) else { return false }
    let known = paths.map(\.watched).filter { names.contains($0.name) }.map(\.device)
    let devices = known.count == names.count ? known : known + (active[slot.watched.table]?.devices ?? [])
    return devices.contains { isShut($0, to: slot.watched) }
  }

  private func isShut(_ device: InterfaceName, to watched: WatchPlan.WatchedRule) -> Bool {
    guard let uplink = uplinks.first(where: { $0.interface == device }),
      !paths.contains(where: { $0.watched.device == device && watched.rule.paths.contains($0.watched.name) })
    else { return false }
    return watched.rule.isStrict ? !watched.underlays.contains(device) : uplink.isPrivate
  }

  private func way(of choice: RuleSelection.Choice, for rule: BackhaulRule) -> TableRoute.Way? {
    switch choice {
    case .path(let name): paths.first { $0.watched.name == name }?.watched.way
    case .paths(let names):
      .sharing(names.map { name in (paths.first { $0.watched.name == name }?.watched.way, rule.weight(of: name)) })
    case .localWAN(let uplink), .underlay(let uplink): uplinks.first { $0.interface == uplink }?.way
    case .blocked: nil
    }
  }

  private func choice(of way: TableRoute.Way, for rule: WatchPlan.WatchedRule) -> RuleSelection.Choice? {
    if case .shared(let shares) = way {
      let devices = shares.map(\.device)
      let names = paths.map(\.watched).filter { devices.contains($0.device) }.map(\.name)
      let found = rule.rule.tiers.lazy.map { $0.map(\.path).filter(names.contains) }.first { !$0.isEmpty }
      return found.map { $0.count == 1 ? .path($0[0]) : .paths($0) }
    }
    guard case .out(let device, _, _) = way else { return nil }
    if let path = paths.first(where: { $0.watched.device == device && rule.rule.paths.contains($0.watched.name) }) {
      return .path(path.watched.name)
    }
    if rule.underlays.contains(device) { return .underlay(device) }
    guard rule.rule.fallback == .localWAN, uplinks.contains(where: { $0.interface == device && !$0.isPrivate })
    else { return nil }
    return .localWAN(device)
  }

  @discardableResult private func put(_ choice: RuleSelection.Choice, _ watched: WatchPlan.WatchedRule) -> Bool {
    let table = watched.table
    do throws(KernelFailure) {
      if let way = way(of: choice, for: watched.rule) {
        try world.activate(TableRoute(table: table, metric: .active, way: way))
        active[table] = way
      } else {
        try world.deactivate(table)
        active[table] = nil
      }
      return true
    } catch {
      retrySoon()
      return false
    }
  }

  private func retrySoon() {
    guard !isRetrying else { return }
    isRetrying = true
    world.wake(pilot: retryToken, at: world.instant + .milliseconds(200))
  }

  /// Brings the kernel to the choices, where a flip failed, a gateway changed or another has meddled.
  private func putRight() {
    for rule in rules {
      guard let choice = rule.selection.choice else {
        if active[rule.watched.table] != nil { removeStray(rule.watched.table) }
        continue
      }
      let wanted = way(of: choice, for: rule.watched.rule)
      guard wanted != active[rule.watched.table], !keepsOldRoute(choice, of: rule.watched) else { continue }
      if wanted?.devices.contains(where: { trouble(of: $0) != nil }) == true {
        if leaks(rule.watched) { removeStray(rule.watched.table) }
        continue
      }
      put(choice, rule.watched)
    }
  }

  private func leaks(_ watched: WatchPlan.WatchedRule) -> Bool {
    watched.rule.isStrict && active[watched.table]?.devices.contains { isShut($0, to: watched) } == true
  }

  private func removeStray(_ table: TableID) {
    do throws(KernelFailure) {
      try world.deactivate(table)
      active[table] = nil
    } catch {
      retrySoon()
    }
  }

  private func keepsOldRoute(_ choice: RuleSelection.Choice, of watched: WatchPlan.WatchedRule) -> Bool {
    let names = choice.paths
    if names.isEmpty || leaks(watched) { return false }
    let known = paths.filter { names.contains($0.watched.name) }
    return known.isEmpty || (known.contains { $0.health.shown.state == .unknown } && active[watched.table] != nil)
  }
}

extension World {
  func number(of path: WatchPlan.WatchedPath) -> Int {
    guard let number = town.pathNumbers[path.name] else { preconditionFailure("no path \(path.name)") }
    return number
  }

  func wake(pilot token: UInt64, at time: Instant) {
    plan(.timer(life: life, token: token), at: max(now, time.nanoseconds))
  }

  /// Spreads the first probes.
  func phase(upTo longest: Duration) -> Duration { .nanoseconds(dice.time(0...longest.nanoseconds)) }
}
