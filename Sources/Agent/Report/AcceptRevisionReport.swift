internal import Core
internal import RuleSets

/// The result of `accept-revision`.
package struct AcceptRevisionReport: Codable, Equatable, Sendable {
  package var schema = Reports.schema
  /// The next rule set with this revision or a higher one is accepted, once; null: none below the running one is.
  package var revision: UInt64?
  /// The running rule set's revision; null if none is running.
  package var running: UInt64?
  /// Hints that the request may not do what was meant.
  package var warnings: [String]
}

extension AgentService {
  /// Permits one downgrade to the request's revision and pulls at once, or withdraws the permission if the request has
  /// none. A permit that could not be saved is a warning and not an error: it holds until the agent restarts.
  package func acceptRevision(
    _ asked: LocalAPI.Request, by user: UInt32
  ) async throws(LocalAPI.Refusal) -> AcceptRevisionReport {
    if let revision = asked.revision, !RuleSetBounds.revision.contains(Int64(clamping: revision)) {
      throw LocalAPI.Refusal(
        "a revision is a whole number from \(RuleSetBounds.revision.lowerBound) to \(RuleSetBounds.revision.upperBound)"
      )
    }
    let before = await keeper.permittedRevision
    let failure = await keeper.permit(asked.revision, by: user)
    var warnings: [String] = []
    let running = await keeper.status.revision
    if asked.revision == nil && before == nil { warnings.append("no lower revision was accepted") }
    if let revision = asked.revision, let running, revision > running {
      warnings.append("revision \(running) is running: a higher one is accepted anyway")
    }
    if let failure { warnings.append("a restart of the agent will forget it: \(failure)") }
    if asked.revision != nil { await keeper.pullNow() }
    return AcceptRevisionReport(revision: asked.revision, running: running, warnings: warnings)
  }
}
