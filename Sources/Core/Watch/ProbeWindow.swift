internal import RuleSets

/// The last results of one probe, for loss, round trip and jitter. A ring of fixed size: 400 bytes a probe.
package struct ProbeWindow: Equatable, Sendable {
  package static let capacity = PathLimits.windowCapacity

  /// Microseconds of each answer, `lost` for a loss, oldest overwritten first. No answer is waited for as long as 71 minutes.
  private var results: [UInt32] = []
  private static let lost: UInt32 = .max
  private var next = 0
  /// Counts since the window was made, including what it has forgotten.
  package private(set) var answersInAll = 0
  package private(set) var lossesInAll = 0
  /// The sum of all answers' round trips, in nanoseconds.
  package private(set) var roundTripsInAll: Int64 = 0
  /// The round trip of the last answer, even if only losses have come since.
  package private(set) var lastRoundTrip: Duration?

  package init() {}

  /// A probe was answered. The round trip is kept in whole microseconds.
  package mutating func answered(roundTrip: Duration) {
    let nanoseconds = max(0, roundTrip.nanoseconds)
    append(min(UInt32(clamping: nanoseconds / 1_000), Self.lost - 1))
    answersInAll &+= 1
    roundTripsInAll &+= nanoseconds
    lastRoundTrip = .nanoseconds(nanoseconds)
  }

  /// A probe had no answer.
  package mutating func lost() {
    append(Self.lost)
    lossesInAll &+= 1
  }

  private mutating func append(_ result: UInt32) {
    if results.count < Self.capacity {
      // An array that grows by itself doubles.
      if results.isEmpty { results.reserveCapacity(Self.capacity) }
      results.append(result)
    } else {
      results[next] = result
    }
    next = (next + 1) % Self.capacity
  }

  /// Oldest first.
  private var ordered: [UInt32] {
    results.count < Self.capacity ? results : Array(results[next...] + results[..<next])
  }

  package var count: Int { results.count }

  /// The last results up to this number, or all if there are fewer.
  package func recent(_ count: Int) -> ProbeWindow {
    guard count < results.count else { return self }
    var window = ProbeWindow()
    for result in ordered.suffix(max(0, count)) { window.append(result) }
    return window
  }

  /// Share of probes without an answer, 0...1; nil before the first result.
  package var loss: Double? {
    results.isEmpty ? nil : Double(results.count { $0 == Self.lost }) / Double(results.count)
  }

  package var roundTrip: RoundTrip? {
    let answers = ordered.filter { $0 != Self.lost }.map { Int64($0) }
    guard let last = answers.last, let least = answers.min(), let most = answers.max() else { return nil }
    let differences = zip(answers, answers.dropFirst()).map { abs($1 - $0) }
    return RoundTrip(
      last: .microseconds(last), least: .microseconds(least),
      mean: .microseconds(answers.reduce(0, +) / Int64(answers.count)), most: .microseconds(most),
      jitter: .microseconds(differences.isEmpty ? 0 : differences.reduce(0, +) / Int64(differences.count)))
  }

  /// Round trips of the answers in the window.
  package struct RoundTrip: Equatable, Sendable {
    package var last: Duration
    package var least: Duration
    package var mean: Duration
    package var most: Duration
    /// The mean difference between one answer's round trip and the next one's.
    package var jitter: Duration
  }
}
