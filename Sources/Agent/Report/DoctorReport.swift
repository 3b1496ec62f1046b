package import Core
package import RuleSets

/// What `doctor` found, the agent's own state first, then errors, then warnings.
package struct DoctorReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var device: String
  package var errors: Int
  package var warnings: Int
  package var findings: [FindingReport]

  /// One problem, how it was noticed and how to fix it.
  package struct FindingReport: Codable, Equatable, Sendable {
    /// `error` or `warning`.
    package var severity: String
    /// `agent`, `traffic`, `lans`, `uplinks`, `rule_set`, `clock`, `dns`, `domains`, `mtu`, `rp_filter`, `forwarding`,
    /// `offload`, `marks`, `tables`, `priorities`, `connections`, `charon`, `kernel`, `certificates`, `libraries`, `state` or
    /// `journal`.
    package var subject: String
    package var text: String
    /// What was observed.
    package var evidence: String
    /// The command or setting that fixes it.
    package var fix: String
  }

  package init(device: Name, _ findings: [Finding]) {
    self.device = device.text
    errors = findings.count { $0.severity == .error }
    warnings = findings.count { $0.severity == .warning }
    self.findings = findings.map {
      FindingReport(
        severity: $0.severity.rawValue, subject: $0.subject.rawValue, text: $0.text, evidence: $0.evidence, fix: $0.fix)
    }
  }
}
