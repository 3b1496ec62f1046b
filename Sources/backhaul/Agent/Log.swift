internal import Agent
internal import Core
internal import Logging
internal import RuleSets
internal import Synchronization
internal import System

/// The agent's log: events, one line each, with their fields where the target keeps them, and not too many of a kind.
final class Log: Sendable {
  private let logger: Logger
  private let keepsFields: Bool
  private let gate = Mutex(LogGate())
  private let surroundings: any Surroundings
  private let isWaiting = Mutex(false)

  init(_ configuration: AgentConfiguration, surroundings: any Surroundings) {
    let writer = configuration.logTarget.writer("backhaul")
    var logger = Logger(label: "backhaul") { _ in writer.handler }
    logger.logLevel = Self.level(configuration.logLevel)
    self.logger = logger
    keepsFields = writer.keepsFields
    self.surroundings = surroundings
    if let trouble = writer.trouble { logger.warning("\(trouble)") }
  }

  /// Waits for nothing except standard error.
  func tell(_ event: AgentEvent) {
    let level = Self.level(event.severity)
    guard level >= logger.logLevel else { return }
    guard gate.withLock({ $0.came(event.kind, at: surroundings.now) }) else { return waitForTheRest() }
    logger.log(
      level: level, "\(event.kind.rawValue): \(event.text)",
      metadata: metadata(LogRecord.fields(of: event).map { ($0.name, $0.value) }))
  }

  /// On a line of text they would only say again what it says.
  private func metadata(_ fields: [(String, String)]) -> Logger.Metadata? {
    guard keepsFields else { return nil }
    return Dictionary(fields.map { ($0, .string($1)) }) { first, _ in first }
  }

  /// Lines that were not told one by one.
  var suppressed: Int { gate.withLock { $0.suppressedInAll } }

  /// Logs how many lines were suppressed once their window is over.
  private func waitForTheRest() {
    guard let deadline = gate.withLock({ $0.nextDeadline }) else { return }
    let isFirst = isWaiting.withLock { waiting in
      defer { waiting = true }
      return !waiting
    }
    guard isFirst else { return }
    _ = surroundings.alarm(after: deadline - surroundings.now) { [self] in
      isWaiting.withLock { $0 = false }
      for (kind, count) in gate.withLock({ $0.due(at: surroundings.now) }) {
        logger.notice(
          "\(kind.rawValue): \(count) more in \(LogGate.window.components.seconds) s, not told one by one",
          metadata: metadata([("event", kind.rawValue), ("suppressed", "\(count)")]))
      }
      waitForTheRest()
    }
  }

  private static func level(_ level: AgentConfiguration.LogLevel) -> Logger.Level {
    switch level {
    case .trace: .trace
    case .debug: .debug
    case .info: .info
    case .notice: .notice
    case .warning: .warning
    case .error: .error
    }
  }

  private static func level(_ severity: AgentEvent.Severity) -> Logger.Level {
    switch severity {
    case .debug: .debug
    case .info: .info
    case .notice: .notice
    case .warning: .warning
    case .error: .error
    }
  }
}
