/// What an event is about: the word that hooks and the log name its subject by.
package enum EventSubject: String, CaseIterable, Sendable { case rule, path, tunnel }

extension AgentEvent.Kind {
  /// Nil: none of these.
  package var subject: EventSubject? {
    switch self {
    case .initial, .failover, .failback, .changed, .drainStarted, .drainEnded, .unencryptedStarted, .unencryptedEnded,
      .trafficDiverted, .trafficObstructed, .trafficRestored:
      .rule
    case .pathUp, .pathDown, .pathUnknown, .pathForced, .causeFound: .path
    case .saUp, .saDown, .saFailed, .saRekeyed: .tunnel
    default: nil
    }
  }
}

extension AgentEvent {
  /// The names of the rules that it is about, if any: rules that share an egress have their events together.
  package var rules: [String] {
    guard kind.subject == .rule else { return [] }
    return details["rules"].map { $0.split(separator: ",").map(String.init) } ?? [subject]
  }

  /// What it is about, as hooks and the log show it: if it is about rules, all of them.
  package var part: String { kind.subject == .rule ? rules.joined(separator: ",") : subject }
}
