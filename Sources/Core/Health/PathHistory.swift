/// What one path's probes brought over the last hour, a minute a bucket. A ring of fixed size: 60 buckets of 24 bytes, so
/// 1.5 KB a path and 1.5 MB for a thousand. In memory alone; an agent that starts begins anew.
package struct PathHistory: Equatable, Sendable {
  package static let minutes = 60

  /// One minute. Counts and microseconds have 32 bits: no probe is sent 70 million times a second, nor waited for an hour.
  package struct Minute: Equatable, Sendable {
    package fileprivate(set) var answers: UInt32 = 0
    package fileprivate(set) var losses: UInt32 = 0
    fileprivate var least: UInt32 = .max
    fileprivate var most: UInt32 = 0
    fileprivate var sum: UInt64 = 0

    package init() {}

    package var probes: Int { Int(answers) + Int(losses) }
    /// 0...1; nil where no probe was sent.
    package var loss: Double? { probes == 0 ? nil : Double(losses) / Double(probes) }
    package var leastRoundTrip: Duration? { answers == 0 ? nil : .microseconds(Int64(least)) }
    package var meanRoundTrip: Duration? { answers == 0 ? nil : .microseconds(Int64(sum / UInt64(answers))) }
    package var mostRoundTrip: Duration? { answers == 0 ? nil : .microseconds(Int64(most)) }
  }

  /// Minute n of the monotonic clock is in place n mod 60; empty until the first result.
  private var ring: [Minute] = []
  /// The first minute that was watched, and the last that has a result.
  private var first: Int64
  private var newest: Int64

  package init(at now: Instant) {
    first = Self.minute(of: now)
    newest = first
  }

  private static func minute(of now: Instant) -> Int64 { now.nanoseconds / 60_000_000_000 }
  private static func place(of minute: Int64) -> Int { Int(minute % Int64(minutes)) }

  package mutating func answered(roundTrip: Duration, at now: Instant) {
    let microseconds = UInt32(clamping: max(0, roundTrip.nanoseconds) / 1_000)
    change(at: now) { minute in
      minute.answers += minute.answers < .max ? 1 : 0
      minute.least = min(minute.least, microseconds)
      minute.most = max(minute.most, microseconds)
      minute.sum += UInt64(microseconds)
    }
  }

  package mutating func lost(_ count: Int, at now: Instant) {
    guard count > 0 else { return }
    change(at: now) { $0.losses = UInt32(clamping: UInt64($0.losses) + UInt64(count)) }
  }

  private mutating func change(at now: Instant, _ body: (inout Minute) -> Void) {
    if ring.isEmpty { ring = Array(repeating: Minute(), count: Self.minutes) }
    let minute = Self.minute(of: now)
    // What lies between is over an hour old, or had no probe.
    if minute - newest >= Int64(Self.minutes) {
      for place in ring.indices { ring[place] = Minute() }
    } else {
      for passed in stride(from: newest + 1, through: minute, by: 1) { ring[Self.place(of: passed)] = Minute() }
    }
    newest = max(newest, minute)
    body(&ring[Self.place(of: minute)])
  }

  /// The minutes since the watch began, at most 60, oldest first; the last is not over yet.
  package func minutes(at now: Instant) -> [Minute] {
    let last = max(Self.minute(of: now), newest)
    return (max(first, last - Int64(Self.minutes) + 1)...last).map { minute in
      minute > newest - Int64(Self.minutes) && minute <= newest && !ring.isEmpty
        ? ring[Self.place(of: minute)] : Minute()
    }
  }

  /// How long the last of `minutes(at:)` has lasted.
  package static func lasted(at now: Instant) -> Duration { .nanoseconds(now.nanoseconds % 60_000_000_000) }
}
