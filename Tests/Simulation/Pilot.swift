import Core
internal import RuleSets

/// The system under test: something that steers by the machines' decisions. It is called from event to event, as the
/// agent's event loop calls the watch, and asks the world for everything else.
protocol Pilot: AnyObject {
  /// Takes a plan: at the start, and whenever rule set, addresses or gateways have changed. False if the kernel could
  /// not be read; then nothing has changed.
  func watch(_ plan: WatchPlan, links: [InterfaceName: Link]) -> Bool
  func linkChanged(_ device: InterfaceName, _ link: Link?)
  func keysChanged(of tunnel: Name)
  /// Another program has changed something of ours in the kernel.
  func stirred()
  func came(_ arrival: Arrival, of number: UInt64, by socket: Int)
  func timerFired(_ token: UInt64)
  func stop()

  /// Whether it is waiting for a hold-down to end.
  var waitsToReturn: Bool { get }
}

/// What a pilot reports about itself, which the invariants judge.
enum Observation {
  case judged(path: Int, PathHealth.State)
  case probe(target: Int, from: ProbeMachine.State, to: ProbeMachine.State)
  /// A rule is new to the agent; this is what it takes over from the kernel.
  case adopted(rule: Int, RuleSelection.Choice?)
  case moved(rule: Int, Move)
  /// It changed its choice, but cannot report that before the kernel accepts it.
  case isOn(rule: Int, RuleSelection.Choice?)
}

/// A flip, as facts.
struct Move: Equatable, Sendable {
  var kind: RuleSelection.Flip.Kind
  var from: RuleSelection.Choice?
  var to: RuleSelection.Choice
  var cause: String
}
