package import Core
internal import RuleSets

/// What `check-health` found, for programs.
package struct HealthReport: Codable, Equatable, Sendable {
  package struct Finding: Codable, Equatable, Sendable {
    /// `ok`, `warning`, `critical` or `unknown`.
    package var status: String
    package var text: String
  }

  package var schema = Reports.schema
  /// The worst of the findings'.
  package var status: String
  /// The exit status.
  package var code: Int
  /// The worst first; none where all is well.
  package var findings: [Finding]

  package init(_ check: HealthCheck) {
    status = check.status.name
    code = check.status.rawValue
    findings = check.findings.map { Finding(status: $0.status.name, text: $0.text) }
  }
}

extension HealthCheck.View {
  /// A word of another version's is taken for the worst that it can mean.
  package init(_ status: StatusReport) {
    self.init(revision: status.revision)
    rules = status.rules.filter(\.enabled).map { rule in
      let first = rule.tiers.first?.map(\.path) ?? []
      return HealthCheck.Rule(
        name: rule.name, mode: RuleMode(rawValue: rule.mode) ?? .blocked, way: rule.choice,
        isPreferred: rule.shares.contains { first.contains($0.path) }, isUnencrypted: rule.unencrypted,
        isLost: status.isLost(rule), cause: rule.cause, traffic: rule.trafficState,
        trafficCause: rule.traffic?.cause ?? "")
    }
    paths = status.paths.map { path in
      HealthCheck.Path(
        name: path.name, state: PathHealth.State(rawValue: path.state) ?? .unknown,
        cause: path.cause + (path.downCause.map { "; \($0)" } ?? ""))
    }
    applyTrouble = status.applyTrouble
    pullTrouble = status.pullTrouble
    pullFailures = status.pullFailures
    journalTrouble = status.journalTrouble
  }
}
