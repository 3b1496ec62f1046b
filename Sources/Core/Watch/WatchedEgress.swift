internal import RuleSets

/// One way out with its table: where the traffic goes now, where the kernel leads it, and what still flows elsewhere.
struct WatchedEgress: Sendable {
  /// Why the kernel was asked to lead the table elsewhere.
  enum Purpose: Sendable {
    case flip(RuleSelection.Flip, verdict: Instant)
    /// To bring the kernel to the choice; `repairing`: another program has interfered.
    case settle(repairing: Bool)
    /// There is no choice that the route could be of.
    case stray
  }

  var watched: EgressPlan
  var selection: RuleSelection
  /// What was last put into its table: compared with the kernel whenever something stirs there.
  var active: TableRoute.Way?
  /// What the kernel was asked for and has not answered.
  var write: (purpose: Purpose, way: TableRoute.Way?)?
  /// A flip that the kernel has not taken yet.
  var unfinished: (flip: RuleSelection.Flip, verdict: Instant)?
  /// Where live flows were left.
  var drains = Drains()
  /// The choice before the decisions of this moment.
  var before: RuleSelection.Choice?

  init(_ watched: EgressPlan, _ selection: RuleSelection) {
    self.watched = watched
    self.selection = selection
  }
}
