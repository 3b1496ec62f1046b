package import RuleSets

/// What one path's probes brought over the last hour, one bucket a minute. A ring that grows to 60 buckets of 16 bytes:
/// 1 KB a path after an hour, and 1 MB for a thousand. It is kept in memory only and starts empty with the agent.
package struct PathHistory: Equatable, Sendable {
  package static let minutes = 60

  /// One minute. No path is probed a thousand times a second, and nothing waits an hour for an answer: 16 bits are
  /// enough for counts, and 32 for microseconds.
  package struct Minute: Equatable, Sendable {
    package fileprivate(set) var answers: UInt16 = 0
    package fileprivate(set) var losses: UInt16 = 0
    fileprivate var least: UInt32 = .max
    fileprivate var mean: UInt32 = 0
    fileprivate var most: UInt32 = 0

    package init() {}

    package var probes: Int { Int(answers) + Int(losses) }
    /// 0...1; nil if no probe was sent.
    package var loss: Double? { probes == 0 ? nil : Double(losses) / Double(probes) }
    package var leastRoundTrip: Duration? { answers == 0 ? nil : .microseconds(Int64(least)) }
    package var meanRoundTrip: Duration? { answers == 0 ? nil : .microseconds(Int64(mean)) }
    package var mostRoundTrip: Duration? { answers == 0 ? nil : .microseconds(Int64(most)) }
  }

  /// Minute n since `first` is in place n mod 60; empty until the first result.
  private var ring: [Minute] = []
  /// The sum of the newest minute's round trips, in microseconds.
  private var sum: UInt64 = 0
  /// The first minute that was watched, and the last that has a result.
  private let first: Int64
  private var newest: Int64

  package init(at now: Instant) {
    first = Self.minute(of: now)
    newest = first - 1
  }

  private static func minute(of now: Instant) -> Int64 { now.nanoseconds / 60_000_000_000 }
  private func place(of minute: Int64) -> Int { Int((minute - first) % Int64(Self.minutes)) }

  /// A probe of the path was answered. The round trip is kept in whole microseconds.
  package mutating func answered(roundTrip: Duration, at now: Instant) {
    let microseconds = UInt32(clamping: max(0, roundTrip.nanoseconds) / 1_000)
    change(at: now) { minute, sum in
      guard minute.answers < .max else { return }
      minute.answers += 1
      sum += UInt64(microseconds)
      minute.least = min(minute.least, microseconds)
      minute.mean = UInt32(sum / UInt64(minute.answers))
      minute.most = max(minute.most, microseconds)
    }
  }

  /// This many of the path's probes had no answer.
  package mutating func lost(_ count: Int, at now: Instant) {
    guard count > 0 else { return }
    change(at: now) { minute, _ in minute.losses = UInt16(clamping: UInt64(minute.losses) + UInt64(count)) }
  }

  private mutating func change(at now: Instant, _ body: (inout Minute, inout UInt64) -> Void) {
    let minute = max(Self.minute(of: now), newest)
    // What lies between had no probe.
    if minute - newest > Int64(Self.minutes) {
      ring = Array(repeating: Minute(), count: Self.minutes)
    } else if minute > newest {
      for passed in newest + 1...minute {
        let place = place(of: passed)
        if place == ring.count { ring.append(Minute()) } else { ring[place] = Minute() }
      }
    }
    if minute > newest { sum = 0 }
    newest = minute
    body(&ring[place(of: minute)], &sum)
  }

  /// The minutes since the watch began, at most 60, oldest first; the last is not over yet.
  package func minutes(at now: Instant) -> [Minute] {
    let last = max(Self.minute(of: now), newest, first)
    return (max(first, last - Int64(Self.minutes) + 1)...last).map { minute in
      minute > newest - Int64(Self.minutes) && minute <= newest ? ring[place(of: minute)] : Minute()
    }
  }

  /// How long the last of `minutes(at:)` has lasted.
  package static func lasted(at now: Instant) -> Duration { .nanoseconds(now.nanoseconds % 60_000_000_000) }
}
