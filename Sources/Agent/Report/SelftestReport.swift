package import Core

/// What `backhaul selftest` found.
package struct SelftestReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  package var passed: Bool
  package var checks: [Check]

  /// One thing that the self-test tried, and how it went.
  package struct Check: Codable, Equatable, Sendable {
    package var name: String
    package var passed: Bool
    package var text: String
    /// Null where it passed.
    package var fix: String?
  }

  package init(_ checks: [SelfTest.Check]) {
    passed = checks.allSatisfy(\.passed)
    self.checks = checks.map { Check(name: $0.name, passed: $0.passed, text: $0.text, fix: $0.fix) }
  }
}
