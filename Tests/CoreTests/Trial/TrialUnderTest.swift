import Core
internal import RuleSets

/// A trial, so that a mutant can stand in for it.
protocol TrialUnderTest {
  var inner: RuleSetTrial { get set }
  init(inner: RuleSetTrial)

  /// What the guard uses at boot.
  static func guarded(_ kept: RuleSetTrial.Kept) -> RuleSetTrial.Generation
  static func start(_ kept: RuleSetTrial.Kept, _ terms: RuleSetTrial.Terms, at now: Instant) -> RuleSetTrial.Start
  mutating func handle(_ input: RuleSetTrial.Input, at now: Instant) -> [RuleSetTrial.Command]
  func rejection(of checksum: String) -> RuleSetTrial.Rejection?
}

extension TrialUnderTest {
  static func guarded(_ kept: RuleSetTrial.Kept) -> RuleSetTrial.Generation { RuleSetTrial.generation(of: kept) }
  static func start(_ kept: RuleSetTrial.Kept, _ terms: RuleSetTrial.Terms, at now: Instant) -> RuleSetTrial.Start {
    RuleSetTrial.Start(kept, terms, at: now)
  }
  mutating func handle(_ input: RuleSetTrial.Input, at now: Instant) -> [RuleSetTrial.Command] {
    inner.handle(input, at: now)
  }
  func rejection(of checksum: String) -> RuleSetTrial.Rejection? { inner.rejection(of: checksum) }
}

/// The real one, from Core.
struct HonestTrial: TrialUnderTest { var inner: RuleSetTrial }
