/// How long to wait before charon is tried again. Chance comes in as an argument, so that a test can fix it.
///
/// The first retry comes at once, because a charon that was restarted is already back. Then it is 100 ms, 200 ms and so
/// on up to 5 s, each cut by up to half at random, so that the parts of the agent that lost charon together do not keep
/// retrying together.
package struct VICIBackOff: Equatable, Sendable {
  /// Consecutive failures, counted up to 8.
  package private(set) var failures = 0

  package static let firstWait: Duration = .milliseconds(100)
  /// An operator who starts charon expects tunnels within seconds.
  package static let longestWait: Duration = .seconds(5)

  package init() {}

  /// Starts the series over: after the next failure the first retry comes at once.
  package mutating func succeeded() { failures = 0 }

  /// - Parameter chance: 0 up to but not including 1.
  package mutating func failed(chance: Double) -> Duration {
    // 100 ms · 2⁶ exceeds the longest wait, so counting further would change nothing.
    failures = min(failures + 1, 8)
    guard failures > 1 else { return .zero }
    let whole = min(Self.firstWait * (1 << (failures - 2)), Self.longestWait)
    return whole * (0.5 + 0.5 * min(max(chance, 0), 1))
  }
}
