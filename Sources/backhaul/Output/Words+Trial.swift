internal import Agent
internal import Core

extension Words {
  /// `TRIAL: revision 8 runs on trial until its source has answered again; otherwise revision 7 comes back in 598 s`.
  static func trial(_ trial: TrialReport) -> String {
    let before = trial.confirmedRevision.map { "revision \($0)" } ?? "the one before"
    if let cause = trial.cause { return "ROLLED BACK: revision \(trial.revision), as \(cause); \(before) runs" }
    let awaited = Set(trial.awaits.compactMap(RuleSetTrial.Evidence.init)).words
    let left = trial.leftSeconds.map { "\(max(1, Int($0.rounded()))) s" } ?? "its time"
    return "TRIAL: revision \(trial.revision) runs on trial until \(awaited); otherwise \(before) comes back in \(left)"
  }
}
