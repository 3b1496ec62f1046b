/// What became of `accept-revision`.
package struct AcceptRevisionReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  /// The next rule set of this revision or a higher one is accepted, once; null: none that is lower than the running one.
  package var revision: UInt64?
  /// Of the rule set that runs; null where none does.
  package var running: UInt64?
  /// What an operator may not have meant.
  package var warnings: [String]
}
