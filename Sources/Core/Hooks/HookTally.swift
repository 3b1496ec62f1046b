/// What hooks have done since the agent started.
package struct HookTally: Equatable, Sendable {
  /// Runs that ended with status 0.
  package var successes = 0
  /// Runs that ended otherwise, or could not begin.
  package var failures = 0
  /// Events that a hook missed because it was too slow.
  package var dropped = 0

  package init() {}
}
