package import Core

/// What the kernel has otherwise than the rule set wants it.
package struct DiffReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var revision: UInt64
  /// `agent`: of the rule set that runs; `cache`: of the cached one, without an agent's word on which way rules go and
  /// what charon has negotiated.
  package var from: String
  package var differences: [DifferenceReport]

  package struct DifferenceReport: Codable, Equatable, Sendable {
    /// `missing`, `superfluous` or `changed`.
    package var kind: String
    package var object: String
    /// What is there of it; null unless it is changed.
    package var found: String?
    /// The whole as one line.
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
