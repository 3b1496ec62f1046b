internal import RuleSets

/// One thing that happened, for the journal, the log and `backhaul events`. Never holds a secret.
package struct AgentEvent: Equatable, Sendable {
  /// What happened. The raw values are the `event` words of the journal, the log and hooks.
  package enum Kind: String, CaseIterable, Equatable, Sendable {
    case agentStarted = "agent_started"
    case agentStopping = "agent_stopping"
    case ruleSetAccepted = "rule_set_accepted"
    case ruleSetRefused = "rule_set_refused"
    case ruleSetOnTrial = "rule_set_on_trial"
    case ruleSetConfirmed = "rule_set_confirmed"
    case ruleSetRolledBack = "rule_set_rolled_back"
    case pullFailed = "pull_failed"
    case pullRecovered = "pull_recovered"
    case pathUp = "path_up"
    case pathDown = "path_down"
    case pathUnknown = "path_unknown"
    case pathForced = "path_forced"
    case causeFound = "cause_found"
    case initial
    case failover
    case failback
    case changed
    case flipFailed = "flip_failed"
    case driftRepaired = "drift_repaired"
    case applied
    case applyFailed = "apply_failed"
    case connectionsDeleted = "connections_deleted"
    case connectionsMoved = "connections_moved"
    case scheduleChanged = "schedule_changed"
    case timeUnknown = "time_unknown"
    case timeKnown = "time_known"
    case resolverRestartNeeded = "resolver_restart_needed"
    case resolverSilent = "resolver_silent"
    case resolverAnswers = "resolver_answers"
    case connectionTableFull = "connection_table_full"
    case connectionTableRelieved = "connection_table_relieved"
    case drainStarted = "drain_started"
    case drainEnded = "drain_ended"
    case uplinkChanged = "uplink_changed"
    case storeFailed = "store_failed"
    case stateDamaged = "state_damaged"
    case trafficHeld = "traffic_held"
    case revisionPermitted = "revision_permitted"
    case charonUp = "charon_up"
    case charonDown = "charon_down"
    case charonRefused = "charon_refused"
    case charonSettings = "charon_settings"
    case saUp = "sa_up"
    case saDown = "sa_down"
    case saFailed = "sa_failed"
    case saRekeyed = "sa_rekeyed"
    case unencryptedStarted = "unencrypted_started"
    case unencryptedEnded = "unencrypted_ended"
    case trafficDiverted = "traffic_diverted"
    case trafficObstructed = "traffic_obstructed"
    case trafficRestored = "traffic_restored"
    case journalFailed = "journal_failed"
    case journalRecovered = "journal_recovered"
    case journalRepaired = "journal_repaired"
    case metricsFailed = "metrics_failed"
    case metricsRecovered = "metrics_recovered"
    case hookRefused = "hook_refused"
    case hookFailed = "hook_failed"
    case hookPrinted = "hook_printed"
  }

  /// How much an event matters, the least first.
  package enum Severity: Int, CaseIterable, Comparable, Sendable {
    case debug, info, notice, warning, error
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// The word in reports and the journal.
    package var name: String {
      switch self {
      case .debug: "debug"
      case .info: "info"
      case .notice: "notice"
      case .warning: "warning"
      case .error: "error"
      }
    }

    package init?(name: String) {
      guard let severity = Self.allCases.first(where: { $0.name == name }) else { return nil }
      self = severity
    }
  }

  package var kind: Kind
  /// The rule, path, tunnel, uplink or URL that it is about.
  package var subject: String
  /// What happened and what happens next, in one sentence.
  package var text: String
  /// More about it, by name: `from`, `to`, `cause`, `flip_microseconds`. Where a state ended, `duration_seconds` says how
  /// long it lasted.
  package var details: [String: String]

  /// What is counted besides its kind; nil for nothing.
  package var payload: Payload?

  /// What an event says to programs of this process, which read no texts of it.
  package enum Payload: Equatable, Sendable {
    /// Why a rule's traffic left its way; detail `reason`.
    case failover(FailoverCause)
    /// Where the trouble of a path lies; detail `cause`.
    case cause(Diagnosis.Cause)
  }

  /// - Parameter payload: is among the details too, as a word.
  package init(
    _ kind: Kind, _ subject: String, _ text: String, details: [String: String] = [:], payload: Payload? = nil
  ) {
    self.kind = kind
    self.subject = subject
    self.text = text
    self.details = details
    self.payload = payload
    switch payload {
    case .failover(let cause)?: self.details["reason"] = cause.rawValue
    case .cause(let cause)?: self.details["cause"] = cause.rawValue
    case nil: break
    }
  }

  /// A duration as details give it: seconds to the millisecond, `12.034`.
  package static func seconds(_ duration: Duration) -> String {
    let milliseconds = max(0, duration.nanoseconds) / 1_000_000
    let rest = "\(milliseconds % 1_000)"
    return "\(milliseconds / 1_000)." + String(repeating: "0", count: 3 - rest.count) + rest
  }

  package var severity: Severity {
    switch kind {
    case .agentStarted, .agentStopping, .ruleSetAccepted, .initial, .applied, .pathUp, .pullRecovered: .info
    case .drainStarted, .drainEnded, .ruleSetOnTrial, .ruleSetConfirmed, .scheduleChanged: .info
    case .connectionsDeleted, .connectionsMoved, .pathUnknown, .charonUp, .saUp, .saRekeyed: .info
    case .failback, .changed, .uplinkChanged, .unencryptedEnded, .pathForced, .causeFound: .notice
    case .revisionPermitted: .notice
    case .failover, .pathDown, .driftRepaired, .pullFailed, .charonDown, .saDown, .saFailed: .warning
    case .unencryptedStarted, .charonSettings: .warning
    case .trafficDiverted, .trafficObstructed: .error
    case .trafficRestored: .notice
    case .journalFailed: .error
    case .connectionTableFull, .timeUnknown, .resolverSilent: .warning
    case .resolverRestartNeeded, .resolverAnswers: .notice
    case .journalRecovered, .journalRepaired, .metricsRecovered, .connectionTableRelieved, .timeKnown: .notice
    case .metricsFailed, .hookRefused, .hookFailed: .warning
    case .hookPrinted: .info
    case .charonRefused, .stateDamaged, .trafficHeld: .error
    case .ruleSetRefused, .ruleSetRolledBack, .flipFailed, .applyFailed, .storeFailed: .error
    }
  }
}
