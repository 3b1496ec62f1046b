internal import RuleSets

/// The time zone that a router's own files say.
package struct RouterTimeZone: Equatable, Sendable {
  package var rules: ZoneRules
  /// The file that says it; nil: none does, so it is UTC.
  package var file: String?

  package init(_ rules: ZoneRules, file: String?) {
    self.rules = rules
    self.file = file
  }

  /// What C libraries take where no file is there.
  package static let unsaid = RouterTimeZone(.utc, file: nil)
}
