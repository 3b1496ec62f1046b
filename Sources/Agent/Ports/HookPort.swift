/// The operator's own programs. None of ours waits for them.
///
/// Contract: only what root alone can have put there is run. Each run ends within its limit, and everything with it that
/// it has left in its process group. It gets the environment that it is given and nothing else of ours, no privileges,
/// and at most a bounded part of its output is kept.
package protocol HookPort: Sendable {
  /// What there is now, in alphabetic order: those that may be run, and why the others may not.
  func hooks() -> HookListing
  func run(_ hook: String, environment: [String], limit: Duration) async -> HookOutcome
}

package struct HookListing: Equatable, Sendable {
  package var hooks: [String]
  /// By name; a folder that cannot be used by its path.
  package var refused: [String: String]

  package init(hooks: [String] = [], refused: [String: String] = [:]) {
    self.hooks = hooks
    self.refused = refused
  }
}

package struct HookOutcome: Equatable, Sendable {
  package enum End: Equatable, Sendable {
    case exited(Int32)
    case killed(signal: Int32)
    case overTime
    case notStarted(String)
  }

  package var end: End
  /// The first lines of what it printed, without control characters.
  package var output: [String]

  package init(_ end: End, output: [String] = []) {
    self.end = end
    self.output = output
  }
}
