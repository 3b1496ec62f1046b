/// Who started the agent and watches over it: systemd, say. Called from one task at a time.
///
/// Contract: `tell` never blocks. Each call is one message; its words are taken together or not at all.
package protocol ServiceManagerPort: Sendable {
  /// How long it waits for a sign of life before it starts the agent anew; nil: it waits for none.
  var watchdog: Duration? { get }
  /// False where the words were not taken: its queue is full, or it is gone for a moment.
  func tell(_ words: [ServiceWord]) -> Bool
}

/// What a service manager is told, as sd_notify(3) writes it.
package enum ServiceWord: Equatable, Sendable {
  /// The service does what it can do: a rule set runs, or there is none to run.
  case ready
  case alive
  case stopping
  /// What an operator reads in `systemctl status`.
  case status(String)

  /// One line; whatever would end it early, or make it endless, does not.
  package var text: String {
    switch self {
    case .ready: "READY=1"
    case .alive: "WATCHDOG=1"
    case .stopping: "STOPPING=1"
    case .status(let line): "STATUS=" + line.prefix(Self.longestStatus).map { $0.isNewline ? " " : String($0) }.joined()
    }
  }

  private static let longestStatus = 300
}
