internal import Agent
import Core
internal import RuleSets

/// Drives the agent's watch machine, unchanged or with one faulty step: its requests are carried out in this world.
final class MachinePilot: Pilot {
  /// What the machine did in one turn, in order.
  private final class Record: @unchecked Sendable {
    var adopted: [(rule: Name, choice: RuleSelection.Choice?)] = []
    var probes: [(probe: Name, from: ProbeMachine.State, to: ProbeMachine.State)] = []
    var flips: [(rule: Name, flip: RuleSelection.Flip)] = []
  }

  private unowned let world: World
  private let twist: (WatchPlan) -> WatchPlan
  private let record = Record()
  private var machine: WatchMachine
  private var effects: [WatchEffect] = []
  private var plan = WatchPlan.empty(.standard)
  private var keys = ToldKeys()
  /// The world's sockets by the machine's, and the other way.
  private var sockets: [Int?] = []
  private var askers: [Int: Int] = [:]
  /// A timer with another number was cancelled.
  private var timer: (token: UInt64, due: Instant)?
  private var lastToken: UInt64 = 0

  /// - Parameters:
  ///   - twist: what the machine is told in the place of a plan.
  ///   - steps: of which one may err.
  init(_ world: World, twist: @escaping (WatchPlan) -> WatchPlan = { $0 }, steps: WatchSteps = WatchSteps()) {
    self.world = world
    self.twist = twist
    machine = WatchMachine(.standard, steps: Self.recorded(steps, by: record))
  }

  private static func recorded(_ honest: WatchSteps, by record: Record) -> WatchSteps {
    var steps = honest
    steps.timePassed = { machine, now in
      let before = machine.state
      defer { if machine.state != before { record.probes.append((machine.probe.name, before, machine.state)) } }
      return honest.timePassed(&machine, now)
    }
    steps.came = { machine, outcome, number, now in
      let before = machine.state
      defer { if machine.state != before { record.probes.append((machine.probe.name, before, machine.state)) } }
      return honest.came(&machine, outcome, number, now)
    }
    steps.adopt = { rule, choice, now in
      let selection = honest.adopt(rule, choice, now)
      record.adopted.append((rule.name, selection.choice))
      return selection
    }
    steps.decide = { selection, view, now in
      let flip = honest.decide(&selection, view, now)
      if let flip { record.flips.append((selection.egress.name, flip)) }
      return flip
    }
    return steps
  }

  var waitsToReturn: Bool { machine.waitsToReturn }
  func stop() {}

  // MARK: - What happens

  func watch(_ new: WatchPlan, links: [InterfaceName: Link]) -> Bool {
    guard let routes = try? world.activeRoutes(of: Set(new.rules.map(\.table))) else { return false }
    let before = plan
    plan = new
    let world = world
    machine.follow(
      twist(new), links: links, generation: machine.linkGeneration, routes: routes, chance: { world.chance },
      at: world.instant)
    act()
    world.machinesMade(by: new, since: before)
    keys.tell(new, in: world) { machine.keysChanged(of: $0, $1, at: world.instant) }
    act()
    tell(allPaths: true)
    return true
  }

  func linkChanged(_ device: InterfaceName, _ link: Link?) { turn { $0.linkChanged(device, link, at: $1) } }

  func keysChanged(of tunnel: Name) {
    if let path = world.town.pathNumbers[tunnel] { world.keysCame(to: path) }
    turn { $0.keysChanged(of: tunnel, .up, at: $1) }
  }

  func stirred() { turn { $0.inspectSoon(at: $1) } }

  func came(_ arrival: Arrival, of number: UInt64, by socket: Int) {
    guard let asker = askers[socket] else { return }
    turn { $0.came(ProbeOutcome(arrival), of: number, by: asker, at: $1) }
  }

  func timerFired(_ token: UInt64) {
    guard token == timer?.token else { return }
    timer = nil
    turn { $0.timePassed(to: $1) }
  }

  private func turn(_ body: (inout WatchMachine, Instant) -> Void) {
    body(&machine, world.instant)
    act()
    tell()
  }

  // MARK: - What it asks for

  private func act() {
    while machine.takeEffects(&effects) {
      for effect in effects { act(effect) }
    }
    let due = Self.deadline(of: &machine)
    guard due != timer?.due else { return }
    lastToken += 1
    timer = due.map { (lastToken, $0) }
    if let due { world.wake(pilot: lastToken, at: due) }
  }

  private func act(_ effect: WatchEffect) {
    switch effect {
    case .open(let socket): open(socket)
    case .close(let socket): close(socket)
    case .send(let socket, let number): sockets[socket].map { world.send(number, by: $0) }
    case .abandon(let socket, let number): sockets[socket].map { world.abandon(number, by: $0) }
    case .lead(let egress, let table, let way):
      do throws(KernelFailure) {
        if let way {
          try world.activate(TableRoute(table: table, metric: .active, way: way))
        } else {
          try world.deactivate(table)
        }
        machine.led(egress: egress, at: world.instant)
      } catch {
        machine.notLed(egress: egress, error.description, at: world.instant)
      }
    case .leave(let table): try? world.deactivate(table)
    case .look(let tables):
      do throws(KernelFailure) {
        machine.sawRoutes(try world.activeRoutes(of: tables), at: world.instant)
      } catch {
        machine.sawNoRoutes(error.description, at: world.instant)
      }
    case .sweep, .tell: break
    }
  }

  private func open(_ socket: Int) {
    guard let use = machine.use(of: socket) else { return }
    while sockets.count <= socket { sockets.append(nil) }
    let opened = world.open(use.probe.name)
    sockets[socket] = opened
    askers[opened] = socket
  }

  private func close(_ socket: Int) {
    guard let opened = sockets[socket] else { return }
    world.close(opened)
    askers[opened] = nil
    sockets[socket] = nil
  }

  // MARK: - What is seen

  private func tell(allPaths: Bool = false) {
    for (rule, choice) in record.adopted {
      if let number = world.town.ruleNumber(rule) { world.saw(.adopted(rule: number, choice)) }
    }
    for (probe, from, to) in record.probes {
      if let target = world.town.targetNumbers[probe] { world.saw(.probe(target: target, from: from, to: to)) }
    }
    for (path, state) in Self.verdicts(of: &machine) {
      let place = world.number(of: path)
      if allPaths || state != world.witness.paths[place].state { world.saw(.judged(path: place, state)) }
    }
    for (rule, flip) in record.flips {
      if let number = world.town.ruleNumber(rule) { world.saw(.moved(rule: number, Move(flip))) }
    }
    record.adopted.removeAll(keepingCapacity: true)
    record.probes.removeAll(keepingCapacity: true)
    record.flips.removeAll(keepingCapacity: true)
  }

  // A getter called on a property of a class gets a copy of the whole machine, which took two fifths of the simulation's
  // time. What is passed as `inout`, and is not inlined, is looked at where it is.

  @inline(never) private static func verdicts(of machine: inout WatchMachine) -> [(
    WatchPlan.WatchedPath, PathHealth.State
  )] {
    var verdicts: [(WatchPlan.WatchedPath, PathHealth.State)] = []
    for (number, path) in machine.plan.paths.enumerated() { verdicts.append((path, machine.verdict(on: number))) }
    return verdicts
  }

  @inline(never) private static func deadline(of machine: inout WatchMachine) -> Instant? { machine.nextDeadline }
}

extension ProbeOutcome {
  init(_ arrival: Arrival) {
    self =
      switch arrival {
      case .answered(let roundTrip): .answered(roundTrip: .nanoseconds(roundTrip))
      case .refused: .refused("destination host unreachable")
      case .couldNotSend: .couldNotSend("no buffer space")
      }
  }
}

extension Move {
  init(_ flip: RuleSelection.Flip) {
    self.init(kind: flip.kind, from: flip.from, to: flip.to, cause: flip.cause)
  }
}

/// Like the key keeper: the keys of a new tunnel are being made and will be there soon; a removed tunnel has none.
struct ToldKeys {
  private var secured: Set<Name> = []

  mutating func tell(_ plan: WatchPlan, in world: World, _ body: (Name, IKENews.Word?) -> Void) {
    let tunnels = Set(plan.paths.compactMap(\.securedTunnel))
    for tunnel in secured.subtracting(tunnels).sorted() { body(tunnel, nil) }
    for tunnel in tunnels.subtracting(secured).sorted() {
      body(tunnel, .pending)
      guard let path = world.town.pathNumbers[tunnel] else { continue }
      world.keysAwaited(of: path)
      world.plan(.news(.keys(path: path)), in: world.dice.time(0...second))
    }
    secured = tunnels
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
  var chance: Double { Double(dice.below(1_000)) / 1_000 }

  /// Probes that are new to the agent, or changed.
  func machinesMade(by plan: WatchPlan, since old: WatchPlan) {
    let known = Dictionary(old.paths.flatMap(\.probes).map { ($0.name, $0) }) { first, _ in first }
    for probe in plan.paths.flatMap(\.probes) where known[probe.name] != probe { machineMade(for: probe.name) }
  }
}
