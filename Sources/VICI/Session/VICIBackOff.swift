/// How long to wait before charon is tried again. Chance comes in as an argument, so that a test can fix it.
///
/// Not at all after a first failure: a charon that was restarted is there again. Then 100 ms, 200 ms … up to 5 s, each cut
/// by up to a half at random, so that the parts of the agent that lost it together do not knock together for ever.
package struct VICIBackOff: Equatable, Sendable {
  /// In a row.
  package private(set) var failures = 0

  package static let firstWait: Duration = .milliseconds(100)
  /// An operator who starts charon looks for tunnels within seconds.
  package static let longestWait: Duration = .seconds(5)

  package init() {}

  /// Starts the series over: after the next failure the first retry comes at once.
  package mutating func succeeded() { failures = 0 }

  /// - Parameter chance: 0 up to but not including 1.
  package mutating func failed(chance: Double) -> Duration {
    // 100 ms · 2⁶ is more than the longest: from there on nothing changes.
    failures = min(failures + 1, 8)
    guard failures > 1 else { return .zero }
    let whole = min(Self.firstWait * (1 << (failures - 2)), Self.longestWait)
    return whole * (0.5 + 0.5 * min(max(chance, 0), 1))
  }
}
