/// What is known of one path: its device, the uplink below it, and its probes. The verdict is worked out anew from all
/// evidence at each change.
package struct PathHealth: Equatable, Sendable {
  /// `degraded` and `disabled` are words of the status that no evidence of today leads to.
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

  /// Why a path that no probe watches cannot be judged.
  package enum Doubt: Equatable, Sendable {
    /// There will be evidence soon.
    case passing(String)
    case lasting(String)
  }

  package init(at now: Instant) { since = now }

  /// Judges by the device and the probes. True where the state changed, or whether there can be one.
  ///
  /// - Parameters:
  ///   - obstacle: why the device or the uplink below it cannot carry (gone, down, no carrier, no address).
  ///   - doubt: why nothing is known where there are no probes.
  ///   - remark: what else is known where the probes have no answer: whether the tunnel has keys. No evidence of its own.
  package mutating func judge(
    obstacle: String?, probes: [ProbeMachine], remark: String? = nil, doubt: Doubt? = nil, at now: Instant
  ) -> Bool {
    let couldNotBeProbed = cannotBeProbed
    cannotBeProbed = obstacle == nil && probes.contains { $0.state == .unknown && $0.unsent >= $0.probe.fall }
    if obstacle == nil, probes.isEmpty, case .lasting? = doubt { cannotBeProbed = true }
    let (new, why) = Self.verdict(obstacle: obstacle, probes: probes, doubt: doubt, before: state)
    cause = new == .down && obstacle == nil ? why + (remark.map { "; \($0)" } ?? "") : why
    guard new != state else { return cannotBeProbed != couldNotBeProbed }
    state = new
    since = now
    if new == .down { hasBeenDown = true }
    return true
  }

  private static func verdict(
    obstacle: String?, probes: [ProbeMachine], doubt: Doubt?, before: State
  ) -> (State, String) {
    if let obstacle { return (.down, obstacle) }
    switch doubt {
    // Nothing says that what carried carries no more, nor that what did not does again.
    case .passing(let why)? where probes.isEmpty, .lasting(let why)? where probes.isEmpty:
      return (before == .down ? .unknown : before, why)
    case .passing?, .lasting?, nil: break
    }
    if let failed = probes.first(where: { $0.state == .down }) {
      let trouble = failed.trouble ?? "no answer"
      if failed.lost == 0 {
        return (.down, "probe \(failed.probe.name): \(failed.answered) of \(failed.probe.rise) answers needed")
      }
      return (.down, "probe \(failed.probe.name): \(failed.lost) in a row without an answer (\(trouble))")
    }
    if let silent = probes.first(where: { $0.state == .unknown }) {
      if silent.unsent >= silent.probe.fall, let trouble = silent.trouble {
        // Our own trouble says nothing about the far end: what was known stays.
        return (before == .down ? .unknown : before, "probe \(silent.probe.name) \(trouble)")
      }
      return (.unknown, "probe \(silent.probe.name) has no answer yet")
    }
    return (.up, probes.isEmpty ? "the device is up; no probe watches it" : "every probe is answered")
  }
}
