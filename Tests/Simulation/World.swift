import Core
internal import RuleSets

/// A router's world on a virtual clock, with one agent in it. Everything in it follows from the seed.
///
/// One turn is what the agent's event loop does for one event; after each the witness looks at what the agent did. While
/// the agent's thread sleeps its events wait: first all that descriptors bring, then all timers that are due, as in the
/// reactor.
package final class World {
  let seed: UInt64
  var town: Town
  var dice: Dice
  private(set) var now: Nanoseconds = 0
  private(set) var queue = EventQueue()

  // The agent.
  private let makePilot: (World) -> any Pilot
  private(set) var pilot: (any Pilot)?
  /// Increases with each start: what an earlier run planned is void.
  private(set) var life = 0
  /// What the agent has been told.
  private(set) var knownLinks: [InterfaceName: Link] = [:]
  private(set) var knownPlan = WatchPlan.empty(.standard)
  /// Which rule set and addresses the agent was told, and which are real: a plan in flight is one behind.
  private var planIsOnItsWay = false
  /// Its last choice before the restart.
  private(set) var memory: [Name: RuleSelection.Choice] = [:]

  // Its thread.
  private var asleepUntil: Nanoseconds = 0
  private var slept: Nanoseconds = 0
  private var inbox: [Event] = []
  private var inboxStart = 0
  private var lateTimers: [(at: Nanoseconds, token: UInt64)] = []
  /// Until then each event may be followed by a short sleep.
  var busyUntil: Nanoseconds = 0

  var network = Network()
  var kernel = Kernel()
  var witness: Witness
  var storm: Storm

  package internal(set) var violation: Violation?
  /// Nil if unused: writing it takes ten times as long as everything else.
  let trace: Trace?
  package private(set) var tally = Tally()

  init(
    seed: UInt64, faults: Int, weights: [Fault.Weight], town: Town? = nil, trace: Trace? = nil,
    pilot: @escaping (World) -> any Pilot
  ) {
    self.seed = seed
    var dice = Dice(seed: seed)
    let town = town ?? Town.found(&dice)
    self.town = town
    storm = Storm(faults: faults, weights: weights, &dice)
    witness = Witness(town)
    self.dice = dice
    self.trace = trace
    makePilot = pilot
    network.begin(town)
    kernel.begin(town)
    queue.plan(.birth, at: 0)
    if faults > 0 { queue.plan(.fault, at: storm.wait(&self.dice)) }
  }

  // MARK: - Time

  var instant: Instant { Instant(nanoseconds: now) }
  var isAsleep: Bool { now < asleepUntil }
  /// How long the agent still sleeps.
  var awakeIn: Nanoseconds { max(0, asleepUntil - now) }
  /// A clock that stops while the agent sleeps.
  var awake: Nanoseconds { max(now, asleepUntil) - slept }

  func plan(_ event: Event, in wait: Nanoseconds) { queue.plan(event, at: now + wait) }
  func plan(_ event: Event, at time: Nanoseconds) { queue.plan(event, at: time) }

  /// Does what comes next. False if there is nothing.
  func step() -> Bool {
    guard let entry = queue.next() else { return false }
    now = max(now, entry.at)
    tally.events += 1
    switch entry.event {
    case .arrival, .news:
      if isAsleep || inbox.count > inboxStart { inbox.append(entry.event) } else { deliver(entry.event) }
    case .timer(let life, let token):
      guard life == self.life, pilot != nil else { break }
      if isAsleep { lateTimers.append((entry.at, token)) } else { turn { $0.timerFired(token) } }
    case .wake: if !isAsleep { wakeUp() }
    case .birth: bear()
    case .fault: strike()
    }
    return violation == nil
  }

  func run(until end: Nanoseconds) {
    while violation == nil, let next = queue.nextTime, next <= end { _ = step() }
    now = max(now, end)
  }

  // MARK: - The agent's thread

  /// The agent does not run for this long.
  func sleep(_ duration: Nanoseconds) {
    let end = now + duration
    guard end > asleepUntil else { return }
    slept += end - max(now, asleepUntil)
    asleepUntil = end
    queue.plan(.wake, at: end)
  }

  private func wakeUp() {
    while inboxStart < inbox.count {
      inboxStart += 1
      deliver(inbox[inboxStart - 1])
      if isAsleep || violation != nil { return }
    }
    inbox.removeAll(keepingCapacity: true)
    inboxStart = 0
    lateTimers.sort { $0.at < $1.at }
    while !lateTimers.isEmpty {
      let timer = lateTimers.removeFirst()
      turn { $0.timerFired(timer.token) }
      if isAsleep || violation != nil { return }
    }
  }

  private func deliver(_ event: Event) {
    switch event {
    case .arrival(let socket, let number, let arrival):
      guard network.take(arrival, of: number, by: socket, at: now, awake: awake) else { return }
      turn { $0.came(arrival, of: number, by: socket) }
    case .news(.link(let device)):
      let name = town.devices[device].name
      knownLinks[name] = town.devices[device].link(device)
      witness.isStirred = true
      turn { $0.linkChanged(name, self.knownLinks[name]) }
    case .news(.plan):
      planIsOnItsWay = false
      tell()
    case .news(.stirred): turn { $0.stirred() }
    case .news(.keys(let path)): turn { $0.keysChanged(of: self.town.paths[path].name) }
    case .timer, .wake, .birth, .fault: preconditionFailure("not the agent's")
    }
  }

  private func turn(_ body: (any Pilot) -> Void) {
    guard let pilot else { return }
    body(pilot)
    examine()
    if now < busyUntil && dice.chance(300) { sleep(dice.time(0...20 * millisecond)) }
  }

  /// Hands over rule set, addresses and links as they are now.
  private func tell() {
    let (plan, links) = (town.plan, town.links)
    let (oldPlan, oldLinks) = (knownPlan, knownLinks)
    turn { pilot in
      self.kernel.remember()
      (self.knownPlan, self.knownLinks) = (plan, links)
      if pilot.watch(plan, links: links) { return self.planCame(replacing: oldPlan) }
      (self.knownPlan, self.knownLinks) = (oldPlan, oldLinks)
      self.tellPlan(in: 200 * millisecond)
    }
  }

  /// Rule set, addresses or gateways changed: the agent gets a new plan soon.
  func tellPlan(in wait: Nanoseconds) {
    guard !planIsOnItsWay else { return }
    planIsOnItsWay = true
    plan(.news(.plan), in: wait)
  }

  func tellLink(_ device: Int, in wait: Nanoseconds) { plan(.news(.link(device: device)), in: wait) }

  // MARK: - Life and death

  func kill() {
    guard let pilot else { return }
    pilot.stop()
    for (number, rule) in town.rules.enumerated() { memory[rule.rule.name] = witness.rules[number].choice }
    self.pilot = nil
    network.closeAll()
    inbox.removeAll()
    inboxStart = 0
    lateTimers.removeAll()
    slept -= max(0, asleepUntil - now)
    asleepUntil = min(asleepUntil, now)
    planIsOnItsWay = false
  }

  private func bear() {
    guard pilot == nil else { return }
    life += 1
    network.begin(town)
    witness.isBorn()
    pilot = makePilot(self)
    note { "agent starts (life \(self.life))" }
    knownPlan = .empty(.standard)
    tell()
  }

  var isPlanOnItsWay: Bool { planIsOnItsWay }

  // MARK: - For those who look

  func note(_ text: () -> String) {
    if let trace { trace.add(now, text()) }
  }

  /// Events of single probes, only if somebody wants to see those as well.
  func noteProbe(_ text: () -> String) {
    if let trace, trace.showsProbes { trace.add(now, text()) }
  }

  func fail(_ invariant: Invariant, _ text: @autoclosure () -> String) {
    guard violation == nil else { return }
    violation = Violation(invariant: invariant, at: now, text: text())
    note { "VIOLATION \(invariant.rawValue)" }
  }

  func count(_ change: (inout Tally) -> Void) { change(&tally) }
}
