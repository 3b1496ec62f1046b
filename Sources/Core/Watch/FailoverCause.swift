package import RuleSets

/// Why traffic had to leave a way, in one word that can be counted by. What is at fault (`Diagnosis`) is found out
/// later, when the pinged addresses have answered.
package enum FailoverCause: String, CaseIterable, Equatable, Sendable {
  /// The path's probes are not answered.
  case probes
  /// The path's device, or the uplink below it, cannot carry.
  case device
  /// The path is worse than its limits.
  case limits
  /// An operator has shut the path.
  case forced
  /// It was no path of the rule's that was left.
  case other

  /// The first path that was left and is to blame.
  package init(leaving choice: RuleSelection.Choice?, for target: RuleSelection.Choice, _ health: (Name) -> PathHealth?)
  {
    let left = (choice?.paths ?? []).filter { !target.paths.contains($0) }.compactMap(health)
    let causes = left.compactMap { path -> FailoverCause? in
      switch path.state {
      case .down: path.hasObstacle ? .device : .probes
      case .degraded: .limits
      case .disabled: .forced
      case .up, .unknown: nil
      }
    }
    self = causes.first ?? .other
  }
}
