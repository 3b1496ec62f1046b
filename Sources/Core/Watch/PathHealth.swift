package import RuleSets

/// What is known about one path: its device, the uplink below it, and its probes. The verdict is worked out again from
/// all evidence at each change.
package struct PathHealth: Equatable, Sendable {
  /// `degraded`: it carries, but worse than its limits say; `disabled`: an operator has shut it.
  package enum State: String, CaseIterable, Equatable, Sendable { case up, degraded, down, unknown, disabled }

  package private(set) var state: State = .unknown
  package private(set) var since: Instant
  /// Why the state is what it is.
  package private(set) var cause = "not judged yet"
  /// True once the path was `down` since the agent started.
  package private(set) var hasBeenDown = false
  /// A probe of the path cannot even be sent, or who would judge it in a probe's place does not answer: there may never be
  /// a verdict.
  package private(set) var cannotBeProbed = false
  /// Up because an operator says so: there is nothing to gain by waiting, whatever it did before.
  package private(set) var isForcedUp = false
  /// Its device or the uplink below it cannot carry.
  package private(set) var hasObstacle = false
  /// When it last fell, ascending; the oldest are forgotten.
  package private(set) var falls: [Instant] = []
  private static let rememberedFalls = 12

  /// An operator's order for a path, whatever its probes say.
  package enum Force: String, CaseIterable, Codable, Equatable, Sendable { case up, down }

  /// Why a path cannot be judged.
  package enum Doubt: Equatable, Sendable {
    /// The tunnel is still being made, which will be evidence. Until then probes that were lost are none.
    case passing(String)
    /// Nobody can be asked but probes.
    case lasting(String)
  }

  package init(at now: Instant) { since = now }

  /// Judges by the device and the probes. True if the state changed, or whether there can be one.
  package mutating func judge(_ evidence: PathEvidence, at now: Instant) -> Bool {
    let couldNotBeProbed = cannotBeProbed
    let (obstacle, probes) = (evidence.obstacle, evidence.probes)
    isForcedUp = evidence.force == .up && obstacle == nil
    hasObstacle = obstacle != nil
    cannotBeProbed = obstacle == nil && probes.contains { $0.state == .unknown && $0.unsent >= $0.probe.fall }
    if obstacle == nil {
      switch evidence.doubt {
      case .lasting?: cannotBeProbed = cannotBeProbed || probes.isEmpty
      case .passing?: cannotBeProbed = cannotBeProbed && state != .unknown
      case nil: break
      }
    }
    var (new, why) = Self.verdict(evidence, before: state)
    if new == .up, evidence.force == nil, let limits = evidence.limits,
      let excess = limits.excess(PathMeasure(probes, last: limits.window), wasOver: state == .degraded)
    {
      (new, why) = (.degraded, excess)
    }
    cause = new == .down && obstacle == nil ? why + (evidence.remark.map { "; \($0)" } ?? "") : why
    guard new != state else { return cannotBeProbed != couldNotBeProbed }
    if new == .down && (state == .up || state == .degraded) { falls = falls.suffix(Self.rememberedFalls - 1) + [now] }
    state = new
    since = now
    if new == .down { hasBeenDown = true }
    return true
  }

  /// Nothing goes by it: it is dead, or an operator has shut it.
  package var isDead: Bool { Self.isDead(state) }

  private static func isDead(_ state: State) -> Bool { state == .down || state == .disabled }

  private static func verdict(_ evidence: PathEvidence, before: State) -> (State, String) {
    let (obstacle, probes) = (evidence.obstacle, evidence.probes)
    switch evidence.force {
    case .down?: return (.disabled, "forced down by an operator")
    case .up? where obstacle == nil: return (.up, "forced up by an operator, whatever its probes say")
    case .up?, nil: break
    }
    if let obstacle { return (.down, obstacle) }
    switch evidence.doubt {
    // There is no evidence that a working path has failed, or that a failed one works again.
    case .passing(let why)? where probes.isEmpty, .lasting(let why)? where probes.isEmpty:
      return (isDead(before) ? .unknown : before, why)
    case .passing?, .lasting?, nil: break
    }
    let needed = min(evidence.quorum ?? probes.count, probes.count)
    let answered = probes.count { $0.state == .up }
    let failed = probes.filter { $0.state == .down }
    if answered >= needed { return (.up, words(probes.count, answered)) }
    if let first = failed.first, failed.count > probes.count - needed {
      if case .passing(let why)? = evidence.doubt, before == .unknown { return (.unknown, why) }
      return (.down, words(first, failed.count))
    }
    guard let silent = probes.first(where: { $0.state == .unknown }) else { return (before, "no verdict") }
    if silent.unsent >= silent.probe.fall, let trouble = silent.trouble {
      // Our own trouble says nothing about the far end: what was known stays.
      return (isDead(before) ? .unknown : before, "probe \(silent.probe.name) \(trouble)")
    }
    return (.unknown, "probe \(silent.probe.name) has no answer yet")
  }

  private static func words(_ probes: Int, _ answered: Int) -> String {
    if probes == 0 { return "the device is up; no probe watches it" }
    return answered == probes
      ? "every probe is answered" : "\(answered) of \(probes) probes are answered, which is enough"
  }

  private static func words(_ failed: ProbeMachine, _ count: Int) -> String {
    let others = count > 1 ? ", as \(count - 1) other\(count > 2 ? "s" : "")" : ""
    if failed.lost == 0 {
      return "probe \(failed.probe.name): \(failed.answered) of \(failed.probe.rise) answers needed\(others)"
    }
    return
      "probe \(failed.probe.name): \(failed.lost) in a row without an answer "
      + "(\(failed.trouble ?? "no answer"))\(others)"
  }
}
