/// What an event is about: the word that hooks and the log name its subject by.
package enum EventSubject: String, CaseIterable, Sendable { case rule, path, tunnel }

extension AgentEvent.Kind {
  /// Nil: of none of these.
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
