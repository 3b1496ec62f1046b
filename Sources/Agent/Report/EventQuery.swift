package import Core
package import RuleSets

/// Which events to show.
package struct EventQuery: Equatable, Sendable {
  /// From when on events are wanted.
  package enum Since: Equatable, Sendable {
    case time(WallTime)
    /// At most this long ago, whatever the wall clock has done since.
    case age(Duration)
  }

  /// How many events `events` returns where no limit is given.
  package static let standardLimit = 1_000
  /// More than the journal can hold.
  package static let maximumLimit = 20_000

  package var since: Since?
  /// Empty for every kind.
  package var kinds: Set<String> = []
  package var subject: String?
  package var limit = standardLimit
  /// Only those with a greater number.
  package var after: UInt64 = 0

  package init() {}

  /// Reads a request's fields; the refusal is worded for a person.
  package init(_ request: LocalAPI.Request) throws(LocalAPI.Refusal) {
    if let text = request.since {
      guard let time = WallTime(text: text) else { throw LocalAPI.Refusal("since: \(quoted(text)) is not a time") }
      since = .time(time)
    }
    if let seconds = request.sinceSeconds {
      guard seconds >= 0, seconds <= 1e9 else { throw LocalAPI.Refusal("since_seconds takes 0 to 1000000000") }
      since = .age(.milliseconds(Int64(seconds * 1_000)))
    }
    for kind in request.kinds ?? [] {
      let known = AgentEvent.Kind.allCases.map(\.rawValue)
      guard known.contains(kind) else {
        let near = nearest(to: kind, among: known).map { "did you mean \(quoted($0))?" }
        throw LocalAPI.Refusal(
          "there is no kind of event \(quoted(kind)); " + (near ?? "the kinds are \(known.joined(separator: ", "))"))
      }
      kinds.insert(kind)
    }
    subject = request.subject
    after = request.after ?? 0
    limit = request.limit ?? Self.standardLimit
    guard (1...Self.maximumLimit).contains(limit) else {
      throw LocalAPI.Refusal("limit takes 1 to \(Self.maximumLimit)")
    }
  }

  /// The newest of `records` that match, oldest first, and how many older ones match too.
  ///
  /// - Parameter newestAge: how long ago the last of `records` was, where the monotonic clock knows it; from there it
  ///   is followed backwards through this life of the agent, and the wall clock is asked only for what was before.
  package func select(
    from records: [EventRecord], newestAge: Duration?, now: WallTime
  ) -> (matching: [EventRecord], omitted: Int) {
    var matching: [EventRecord] = []
    var omitted = 0
    var age = newestAge
    for index in records.indices.reversed() {
      let record = records[index]
      if matches(record, age: age, now: now) {
        if matching.count < limit { matching.append(record) } else { omitted += 1 }
      }
      if let known = age, let step = record.sincePrevious, index > 0, records[index - 1].number + 1 == record.number {
        age = known + step
      } else {
        age = nil
      }
    }
    return (matching.reversed(), omitted)
  }

  private func matches(_ record: EventRecord, age: Duration?, now: WallTime) -> Bool {
    if record.number <= after { return false }
    if !kinds.isEmpty && !kinds.contains(record.kind) { return false }
    if let subject, record.subject != subject, !record.isAbout(rule: subject) { return false }
    switch since {
    case nil: return true
    case .time(let time)?: return record.time >= time
    case .age(let longest)?:
      return age.map { $0 <= longest } ?? (now.secondsSince1970 - record.time.secondsSince1970 <= longest.inSeconds)
    }
  }
}
