/// Who started the agent and watches over it: systemd, say. Called from one task at a time.
///
/// Contract: `tell` never blocks. Each call is one message; its words are taken together or not at all.
package protocol ServiceManagerPort: Sendable {
  /// How long it waits for a sign of life before it restarts the agent; nil: it does not wait for any.
  var watchdog: Duration? { get }
  /// False if the message was not accepted: its queue is full, or it is briefly absent.
  func tell(_ words: [ServiceWord]) -> Bool
}

/// A message to the service manager, in the format of sd_notify(3).
package enum ServiceWord: Equatable, Sendable {
  /// The service is working: a rule set is running, or there is none to run.
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
