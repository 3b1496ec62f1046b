package import Core
internal import RuleSets

/// What was seen of one rule's traffic, by the kernel's own answers and counters.
package struct TrafficReport: Codable, Equatable, Sendable {
  /// `as_intended`; `diverted` (it goes another way than the rule says); `untaken` (it follows the main table, as the
  /// rule's interface is not what it was); `obstructed` (it does not leave, or no answer gets back); `misnamed` (it is taken,
  /// though an interface that the rule names is not there); or `unseen` (not looked at yet, or it could not be).
  package var state: String
  package var sinceSeconds: Double
  /// What was found, the worst of it: `diverted`, `leaking_ipv6`, `unmarked`, `untaken`, `unrouted`, `unforwarded`,
  /// `refused`, `dropped`, `unanswered`, `misnamed` or `connection_table_full`; null if all is as intended.
  package var finding: String?
  /// What happens to it and by whose doing: the end of a sentence that begins with the traffic.
  package var cause: String?
  /// Where it really leaves, if it does.
  package var device: String?
  /// What to do about it.
  package var step: String?
}

/// How clients' packets were last looked at.
package struct SightReport: Codable, Equatable, Sendable {
  /// Null: not yet.
  package var ageSeconds: Double?
  /// Put to the kernel in the last look.
  package var questions = 0
  /// Rules for which the last look had no room; the next one begins with them.
  package var unaskedRules: [String] = []
  /// Why the kernel could not be asked.
  package var trouble: String?
}

extension SightReport {
  init(_ view: ClientSight.View, at now: Instant) {
    self.init(
      ageSeconds: view.looked.map { max(0, (now - $0).inSeconds) }, questions: view.asked,
      unaskedRules: view.unasked.map(\.text).sorted(), trouble: view.trouble)
  }
}

extension RuleReport {
  /// With what was seen of its traffic.
  func seen(_ view: ClientSight.View, _ ranges: KernelRanges, at now: Instant) -> RuleReport {
    guard let name = Name(name), let seen = view.rules[name] else { return self }
    var report = self
    let worst = seen.findings.first
    report.traffic = TrafficReport(
      state: seen.state.rawValue, sinceSeconds: max(0, (now - seen.since).inSeconds), finding: worst?.kind,
      cause: worst?.cause,
      device: worst?.device?.text, step: worst?.step(for: name.text, ranges))
    return report
  }

  /// What was seen; a word of another version's counts as nothing seen.
  package var trafficState: TrafficFinding.State {
    traffic.flatMap { TrafficFinding.State(rawValue: $0.state) } ?? .unseen
  }
}
