package import RuleSets

/// One event as an operator's own programs get it: as environment variables, each bounded and on one line.
package struct HookCall: Equatable, Sendable {
  /// What a hook has use for. What hooks themselves bring about is not among it: a hook that fails would call itself.
  package static let kinds: Set<AgentEvent.Kind> = [
    .agentStarted, .agentStopping, .ruleSetAccepted, .ruleSetRefused, .pathUp, .pathDown, .pathUnknown, .pathForced,
    .causeFound, .initial, .failover, .failback, .changed, .flipFailed, .driftRepaired, .applyFailed, .charonUp,
    .charonDown, .saUp, .saDown, .unencryptedStarted, .unencryptedEnded, .trafficDiverted, .trafficObstructed,
    .trafficRestored, .connectionTableFull, .connectionTableRelieved, .resolverRestartNeeded,
  ]

  package let event: AgentEvent
  package let time: WallTime
  /// This router's name.
  package let device: Name

  /// Nil if no hook gets it.
  package init?(_ event: AgentEvent, at time: WallTime, on device: Name) {
    guard Self.kinds.contains(event.kind) else { return nil }
    self.event = event
    self.time = time
    self.device = device
  }

  /// Where a hook finds programs.
  package static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// The whole environment of the program: nothing is inherited. In alphabetic order.
  package var environment: [String] {
    var values = [
      "PATH": Self.path,
      "BACKHAUL_EVENT": event.kind.rawValue, "BACKHAUL_SEVERITY": event.severity.name,
      "BACKHAUL_DEVICE": device.text, "BACKHAUL_SUBJECT": event.subject, "BACKHAUL_TEXT": event.text,
      "BACKHAUL_TIME": time.text, "BACKHAUL_CAUSE": event.details["cause"] ?? "",
      "BACKHAUL_FROM": event.details["from"] ?? event.details["before"] ?? "",
      "BACKHAUL_TO": event.details["to"] ?? event.details["state"] ?? "",
    ]
    if let part = event.kind.subject { values["BACKHAUL_\(part.rawValue.uppercased())"] = event.part }
    return values.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.plain($0.value))" }
  }

  private static let longestValue = 1_024

  private static func plain(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      if result.utf8.count + 4 > longestValue { break }
      result.unicodeScalars.append(scalar.isControl ? " " : scalar)
    }
    return result
  }
}
