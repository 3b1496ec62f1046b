/// The last results of one probe, for loss, round trip and jitter. A ring of fixed size: memory does not grow.
package struct ProbeWindow: Equatable, Sendable {
  /// At one probe a second the window is a little under two minutes.
  package static let capacity = 100

  /// Nanoseconds of each answer, −1 for a loss, oldest overwritten first.
  private var results: [Int64] = []
  private var next = 0
  /// Since the window was made, also of what it has forgotten.
  package private(set) var answersInAll = 0
  package private(set) var lossesInAll = 0
  /// Of all answers together, in nanoseconds.
  package private(set) var roundTripsInAll: Int64 = 0
  /// Of the last answer, also where only losses have come since.
  package private(set) var lastRoundTrip: Duration?

  package init() {}

  package mutating func answered(roundTrip: Duration) {
    let nanoseconds = max(0, roundTrip.nanoseconds)
    append(nanoseconds)
    answersInAll &+= 1
    roundTripsInAll &+= nanoseconds
    lastRoundTrip = .nanoseconds(nanoseconds)
  }

  package mutating func lost() {
    append(-1)
    lossesInAll &+= 1
  }

  private mutating func append(_ result: Int64) {
    if results.count < Self.capacity {
      results.append(result)
    } else {
      results[next] = result
    }
    next = (next + 1) % Self.capacity
  }

  /// Oldest first.
  private var ordered: [Int64] {
    results.count < Self.capacity ? results : Array(results[next...] + results[..<next])
  }

  package var count: Int { results.count }

  /// The last so many results, or all where there are fewer.
  package func recent(_ count: Int) -> ProbeWindow {
    guard count < results.count else { return self }
    var window = ProbeWindow()
    for result in ordered.suffix(max(0, count)) { window.append(result) }
    return window
  }

  /// Share of probes without an answer, 0...1; nil before the first result.
  package var loss: Double? {
    results.isEmpty ? nil : Double(results.count { $0 < 0 }) / Double(results.count)
  }

  package var roundTrip: RoundTrip? {
    let answers = ordered.filter { $0 >= 0 }
    guard let last = answers.last, let least = answers.min(), let most = answers.max() else { return nil }
    let differences = zip(answers, answers.dropFirst()).map { abs($1 - $0) }
    return RoundTrip(
      last: .nanoseconds(last), least: .nanoseconds(least),
      mean: .nanoseconds(answers.reduce(0, +) / Int64(answers.count)), most: .nanoseconds(most),
      jitter: .nanoseconds(differences.isEmpty ? 0 : differences.reduce(0, +) / Int64(differences.count)))
  }

  package struct RoundTrip: Equatable, Sendable {
    package var last: Duration
    package var least: Duration
    package var mean: Duration
    package var most: Duration
    /// The mean difference between one answer's round trip and the next one's.
    package var jitter: Duration
  }
}
