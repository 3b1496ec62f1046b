package import Core
internal import RuleSets

/// What `check-health` found, for programs.
package struct HealthReport: Codable, Equatable, Sendable {
  /// One thing that was checked and is not well.
  package struct Finding: Codable, Equatable, Sendable {
    /// `ok`, `warning`, `critical` or `unknown`.
    package var status: String
    package var text: String
  }

  package var schema = Reports.schema
  /// The worst finding's status.
  package var status: String
  /// The exit status that goes with `status`.
  package var code: Int
  /// The worst finding first; empty if all is well.
  package var findings: [Finding]

  package init(_ check: HealthCheck) {
    status = check.status.name
    code = check.status.rawValue
    findings = check.findings.map { Finding(status: $0.status.name, text: $0.text) }
  }
}
