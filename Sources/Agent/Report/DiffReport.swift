package import Core

/// How the kernel differs from the rule set.
package struct DiffReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var revision: UInt64
  /// `agent`: compared with the running rule set; `cache`: with the cached one, without an agent to say which way rules
  /// go and what charon has negotiated.
  package var from: String
  package var differences: [DifferenceReport]

  /// One object of the kernel that is not as the rule set wants it.
  package struct DifferenceReport: Codable, Equatable, Sendable {
    /// `missing`, `superfluous` or `changed`.
    package var kind: String
    package var object: String
    /// What the kernel has; null unless `kind` is `changed`.
    package var found: String?
    /// The whole difference on one line.
    package var line: String
  }

  package init(revision: UInt64, from: String, _ differences: [Difference]) {
    self.revision = revision
    self.from = from
    self.differences = differences.map {
      DifferenceReport(kind: $0.kind.rawValue, object: $0.object, found: $0.found, line: $0.line)
    }
  }
}
