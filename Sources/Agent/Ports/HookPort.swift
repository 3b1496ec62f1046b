/// The operator's own programs. Nothing of ours waits for them.
///
/// Contract: only programs that nobody but root can have put there are run. Each run ends within its limit, together
/// with everything left in its process group. It gets the environment given here and nothing else of ours, has no
/// privileges, and only a bounded part of its output is kept.
package protocol HookPort: Sendable {
  /// What is there now, in alphabetical order: the hooks that may be run, and why the others may not.
  func hooks() -> HookListing
  func run(_ hook: String, environment: [String], limit: Duration) async -> HookOutcome
}

/// The hooks that can be run now, and those that were refused.
package struct HookListing: Equatable, Sendable {
  package var hooks: [String]
  /// The reasons, by the hook's name; a folder that cannot be used is listed by its path.
  package var refused: [String: String]

  package init(hooks: [String] = [], refused: [String: String] = [:]) {
    self.hooks = hooks
    self.refused = refused
  }
}

/// How one run of a hook ended, and what it printed.
package struct HookOutcome: Equatable, Sendable {
  /// How the run ended. `exited` carries the exit status, `overTime` means it was killed at its limit, and `notStarted`
  /// says why it never ran.
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
