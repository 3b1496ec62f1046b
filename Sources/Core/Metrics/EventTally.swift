/// What has happened since the agent started, in numbers: fed with each event, asked whenever someone scrapes.
package struct EventTally: Equatable, Sendable {
  /// A rule's flips of one kind, say.
  package struct Key: Hashable, Sendable {
    package var subject: String
    package var word: String

    package init(_ subject: String, _ word: String) {
      self.subject = subject
      self.word = word
    }
  }

  /// The limit of each tally. Rule sets come and go under a running agent, each perhaps with new names.
  package static let mostKeys = 16_384

  package private(set) var events: [AgentEvent.Kind: Int] = [:]
  /// Keyed by rule and kind of flip.
  package private(set) var flips: [Key: Int] = [:]
  /// Keyed by rule and `FailoverCause`.
  package private(set) var failovers: [Key: Int] = [:]
  /// Keyed by path and `Diagnosis.Cause`.
  package private(set) var causesFound: [Key: Int] = [:]

  package init() {}

  /// Counts an event. A tally that has `mostKeys` entries takes no new ones.
  package mutating func noted(_ event: AgentEvent) {
    events[event.kind, default: 0] += 1
    switch event.kind {
    case .initial, .failover, .failback, .changed:
      for rule in event.rules { Self.count(rule, event.kind.rawValue, in: &flips) }
    default: break
    }
    switch event.payload {
    case .failover(let cause)?: for rule in event.rules { Self.count(rule, cause.rawValue, in: &failovers) }
    case .cause(let cause)?: Self.count(event.subject, cause.rawValue, in: &causesFound)
    case nil: break
    }
  }

  private static func count(_ subject: String, _ word: String, in counts: inout [Key: Int]) {
    let key = Key(subject, word)
    guard counts[key] != nil || counts.count < mostKeys else { return }
    counts[key, default: 0] += 1
  }
}
