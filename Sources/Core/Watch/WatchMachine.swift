package import RuleSets

/// The watch over paths: what happens to each probe, which paths are up, where each rule's traffic goes, what is at
/// fault, and which connections have to continue elsewhere. A pure machine: it gets what happened and when, and
/// `effects` says what to do. Its driver does that before reporting anything else.
///
///     plan, links, keys, forces ─┐
///     probe answered or not ─────┴─▶ verdict on a path ─▶ decision for each rule ─▶ active route ─▶ live flows
///     scouts ───────────────────────────────▲──▶ cause
///
/// Words come after deeds: events are reported once the kernel has accepted the routes.
package struct WatchMachine: Sendable {
  let steps: WatchSteps
  var index: WatchIndex
  var circumstances = PathCircumstances()
  /// Those of the first path first, each path's in its own order.
  var probes: [WatchedProbe] = []
  /// When each of `probes` is due.
  var schedule = ProbeSchedule()
  var sockets = SocketBook()
  /// Spreads the first probes.
  var bound = 0
  /// For each path, written by all its probes.
  var histories: [PathHistory] = []
  /// Of each path.
  var health: [PathHealth] = []
  /// Paths that went down and whose connections must go once the rules have flipped.
  var newlyDown: [Int] = []
  /// Several probes are seen to at once, and one decision follows.
  var gathersVerdicts = false
  var hasNewVerdict = false
  /// The connection tracking table.
  var isTableFull = false
  /// For devices that carry traffic now by paths that are rarely probed.
  var silences: [InterfaceName: SilentTraffic] = [:]
  var egresses: [WatchedEgress] = []
  /// How long each rule was in which mode.
  var modes: [Name: ModeClock] = [:]
  /// Marks of paths that a rule set took away while a rule's traffic still went by them.
  var orphans: [Name: Mark] = [:]
  var causes = CauseFinder()
  var meter = ProbeMeter()
  var flips = FlipTimes()

  /// Routes that the kernel has not answered for.
  var openWrites = 0
  /// What is to be done once it has.
  var isDeciding = false
  var takenOver: PlanChange?
  /// Events to report once the flips are made.
  var pending: [AgentEvent] = []
  var effects: [WatchEffect] = []

  /// When a path may be returned to, or a doubt about an uplink is over.
  var decisionDue: Instant?
  /// When to compare paths that a rule chooses among by what was measured.
  var comparisonDue: Instant?
  /// When the limit of what drains is over.
  var drainDue: Instant?
  /// When to look at the active routes: after another program has interfered, and after a failure of ours.
  var inspectionDue: Instant?
  var retryDue: Instant?
  var causeDue: Instant?
  /// How long the events of one change take to come in.
  static let burst: Duration = .milliseconds(2)
  /// Between two comparisons of what was measured: less than anybody waits for, and few beside the probes themselves.
  static let comparisonPace: Duration = .milliseconds(200)

  package init(_ mask: MarkMask, steps: WatchSteps = WatchSteps()) {
    self.steps = steps
    index = WatchIndex(.empty(mask))
  }

  package var plan: WatchPlan { index.plan }

  // MARK: - What to do

  mutating func ask(_ effect: WatchEffect) { effects.append(effect) }

  /// Hands over what is to be done. The list that it takes in return keeps its memory.
  package mutating func takeEffects(_ list: inout [WatchEffect]) -> Bool {
    list.removeAll(keepingCapacity: true)
    guard !effects.isEmpty else { return false }
    swap(&effects, &list)
    return true
  }

  mutating func tellPending() {
    for event in pending { effects.append(.tell(event)) }
    pending.removeAll(keepingCapacity: true)
  }

  // MARK: - Time

  /// When `timePassed` must be called next; nil: not before something happens.
  package var nextDeadline: Instant? {
    var next = schedule.next
    func take(_ due: Instant?) {
      guard let due else { return }
      next = next.map { min($0, due) } ?? due
    }
    take(causes.nextDeadline)
    take(decisionDue)
    take(comparisonDue)
    take(drainDue)
    take(inspectionDue)
    take(retryDue)
    take(causeDue)
    return next
  }

  /// Sees to one kind of what is due: what follows from it is done before the next.
  package mutating func timePassed(to now: Instant) {
    func isDue(_ due: Instant?) -> Bool { due.map { $0 <= now } ?? false }
    if isDue(schedule.next) {
      probesAreDue(at: now)
    } else if isDue(causes.nextDeadline) {
      scoutsAreDue(at: now)
    } else if isDue(inspectionDue) {
      inspectionDue = nil
      inspect()
    } else if isDue(retryDue) {
      retryDue = nil
      inspect()
    } else if isDue(drainDue) {
      drainsEnd(at: now)
    } else if isDue(decisionDue) || isDue(comparisonDue) {
      decideAll(at: now)
    } else if isDue(causeDue) {
      causeDue = nil
      findCausesNow()
    }
  }

  /// Every probe is seen to at its time, or not much later.
  ///
  /// - Parameter delay: how much.
  package func keepsPace(within delay: Duration, at now: Instant) -> Bool {
    schedule.next.map { now - $0 < delay } ?? true
  }

  // MARK: - The sockets of probes

  /// What a socket is opened for; nil if that is gone.
  package func use(of socket: Int) -> (probe: Probe, binding: ProbeBinding)? {
    switch sockets.user(of: socket) {
    case .probe(let number)?: probes[number].binding.map { (probes[number].machine.probe, $0) }
    case .scout(let number)?: causes.use(of: number)
    case nil: nil
    }
  }

  /// - Parameter flow: the tracked connection that all its packets belong to; nil if each packet makes its own.
  package mutating func opened(_ socket: Int, flow: TrackedFlow?) {
    switch sockets.user(of: socket) {
    case .probe(let number)?: probes[number].flow = flow
    case .scout(let number)?: causes.opened(number, flow: flow)
    case nil: break
    }
  }

  /// The outcome of a probe that was sent by this socket.
  package mutating func came(_ outcome: ProbeOutcome, of number: UInt64, by socket: Int, at now: Instant) {
    switch sockets.user(of: socket) {
    case .probe(let probe)?: came(outcome, of: number, to: probe, at: now)
    case .scout(let scout)?:
      scouted(causes.came(outcome, of: number, to: scout, &meter, &effects, at: now), at: now)
    case nil: break
    }
  }

  // MARK: - Scouts and causes

  private mutating func scoutsAreDue(at now: Instant) {
    // Each once: no scout holds the loop.
    var mayMove = false
    for _ in 0..<causes.count {
      guard let scout = causes.due(at: now) else { break }
      if causes.timePassed(to: now, scout, &meter, &effects) { mayMove = true }
    }
    // One decision for all of them: of an egress no second write may be asked for before the first is answered.
    scouted(mayMove, at: now)
  }

  private mutating func scouted(_ mayMove: Bool, at now: Instant) {
    for hub in causes.takeReturned() {
      for path in index.paths(by: hub.uplink)
      where plan.paths[path].underlay == hub.uplink && plan.paths[path].hub == hub.address { prompt(path, at: now) }
    }
    if mayMove { decideAll(at: now) } else { findCauses(at: now) }
  }

  /// Many paths may go down at once: one look for all of them, after the flips.
  mutating func findCauses(at now: Instant) {
    guard causeDue == nil, !causes.diagnoses.isEmpty || health.contains(where: { $0.state == .down }) else { return }
    causeDue = now + Self.burst
  }

  private mutating func findCausesNow() {
    let view = CauseFinder.View(index: index, health: health, circumstances: circumstances, probes: probes)
    for event in causes.review(view) { ask(.tell(event)) }
  }

  /// Takes scouts to a new plan.
  mutating func postScouts(at now: Instant) {
    causes.follow(index, &sockets, &effects, at: now)
    meter.follow(plan, scouts: { causes.scouts(by: $0) }, at: now)
  }
}

/// One probe with its machine, and what it is sent by.
struct WatchedProbe: Sendable {
  var machine: ProbeMachine
  /// The number of its path.
  var path: Int
  /// Its own as long as it lives.
  let socket: Int
  /// Nil while there is no address to send from.
  var binding: ProbeBinding?
  var flow: TrackedFlow?
}

/// Which socket is whose: the driver knows sockets by their numbers, which stay, while those of probes and scouts follow
/// the plan.
struct SocketBook: Sendable {
  enum User: Sendable {
    case probe(Int)
    case scout(Int)
  }

  private var users: [User?] = []
  private var free: [Int] = []

  func user(of socket: Int) -> User? { users.indices.contains(socket) ? users[socket] : nil }

  mutating func add() -> Int {
    if let socket = free.popLast() { return socket }
    users.append(nil)
    return users.count - 1
  }

  mutating func gave(_ socket: Int, to user: User) { users[socket] = user }

  mutating func remove(_ socket: Int) {
    users[socket] = nil
    free.append(socket)
  }
}
