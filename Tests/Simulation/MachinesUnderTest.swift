import Core
internal import RuleSets

/// The three machines, so that a mutant can stand in for one of them.
protocol Machines: SendableMetatype {
  associatedtype Probing: ProbeUnderTest = ProbeMachine
  associatedtype Judging: HealthUnderTest = PathHealth
  associatedtype Choosing: SelectionUnderTest = RuleSelection
}

/// As they are in Core.
enum Honest: Machines {}

protocol ProbeUnderTest {
  init(_ probe: Probe, at now: Instant, phase: Duration)
  var nextDeadline: Instant { get }
  mutating func timePassed(to now: Instant) -> [ProbeMachine.Directive]
  mutating func prompted(at now: Instant)
  mutating func socketChanged()
  mutating func came(_ evidence: ProbeMachine.Evidence, of number: UInt64, at now: Instant) -> [ProbeMachine.Directive]
  var state: ProbeMachine.State { get }
  var unsent: Int { get }
  /// What the health is judged by.
  var shown: ProbeMachine { get }
}

extension ProbeMachine: ProbeUnderTest {
  var shown: ProbeMachine { self }
}

protocol HealthUnderTest {
  init(at now: Instant)
  /// True where the state changed, or whether there can be one.
  mutating func weigh(obstacle: String?, _ probes: [ProbeMachine], _ path: WatchPlan.WatchedPath, at now: Instant)
    -> Bool
  var shown: PathHealth { get }
}

extension PathHealth: HealthUnderTest {
  mutating func weigh(obstacle: String?, _ probes: [ProbeMachine], _ path: WatchPlan.WatchedPath, at now: Instant)
    -> Bool
  {
    judge(obstacle: obstacle, probes: probes, quorum: path.quorum, limits: path.limits, at: now)
  }
  var shown: PathHealth { self }
}

protocol SelectionUnderTest {
  /// - Parameters:
  ///   - adopted: what the kernel has.
  ///   - remembered: what the agent chose last in its life before. An honest one asks the kernel alone.
  init(_ rule: BackhaulRule, adopted: RuleSelection.Choice?, remembered: RuleSelection.Choice?, at now: Instant)
  mutating func ruleChanged(to new: BackhaulRule)
  mutating func move(_ view: RuleSelection.View, at now: Instant) -> Move?
  var choice: RuleSelection.Choice? { get }
  var nextDeadline: Instant? { get }
}

extension RuleSelection: SelectionUnderTest {
  init(_ rule: BackhaulRule, adopted: Choice?, remembered: Choice?, at now: Instant) {
    self.init(rule, adopted: adopted, at: now)
  }

  mutating func move(_ view: View, at now: Instant) -> Move? { decide(view, at: now).map(Move.init) }
}

extension Move {
  init(_ flip: RuleSelection.Flip) {
    self.init(kind: flip.kind, from: flip.from, to: flip.to, cause: flip.cause)
  }
}
