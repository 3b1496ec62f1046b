internal import Agent
internal import Core

extension Words {
  /// `TRIAL: revision 8 is on trial until its source has answered again; otherwise revision 7 comes back in 598 s`.
  static func trial(_ trial: TrialReport) -> String {
    let before = trial.confirmedRevision.map { "revision \($0)" } ?? "the one before it"
    if let cause = trial.cause {
      return "ROLLED BACK: revision \(trial.revision), because \(cause); \(before) is "
        + "running"
    }
    let awaited = Set(trial.awaits.compactMap(RuleSetTrial.Evidence.init)).words
    let left = trial.leftSeconds.map { "\(max(1, Int($0.rounded()))) s" } ?? "its time"
    return "TRIAL: revision \(trial.revision) is on trial until \(awaited); otherwise \(before) comes back in \(left)"
  }
}
