internal import Core
internal import Logging

/// The agent's log: events, one line each, to standard error.
enum Log {
  static func make(_ level: AgentConfiguration.LogLevel) -> Logger {
    var logger = Logger(label: "backhaul") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel =
      switch level {
      case .trace: .trace
      case .debug: .debug
      case .info: .info
      case .notice: .notice
      case .warning: .warning
      case .error: .error
      }
    return logger
  }

  static func tell(_ event: AgentEvent, to logger: Logger) {
    let level: Logger.Level =
      switch event.severity {
      case .debug: .debug
      case .info: .info
      case .notice: .notice
      case .warning: .warning
      case .error: .error
      }
    logger.log(level: level, "\(event.kind.rawValue): \(event.text)")
  }
}
