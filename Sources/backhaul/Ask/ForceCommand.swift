internal import Agent
internal import ArgumentParser

struct ForceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "force",
    abstract: "Force a path up or down, whatever its probes say, or let them judge it again.",
    discussion: """
      When the command returns, the traffic has already moved. down: no traffic goes by the path. up: its probes, limits \
      and hold-down are ignored, but a path whose device is missing, down or without carrier stays down. auto: its probes \
      judge it again. A force survives restarts and new rule sets. Only root may use it.
      """)

  enum Force: String, ExpressibleByArgument, CaseIterable { case up, down, auto }

  @Argument(help: "The path, as backhaul paths names it.")
  var path: String

  @Argument(help: "What to force it to.")
  var force: Force

  @Option(
    name: .customLong("for"),
    help: ArgumentHelp("How long, such as 90s, 15m, 2h or 3d; then its probes judge it again.", valueName: "time"),
    transform: { try Self.seconds($0) })
  var lasting: Double?

  @Option(help: ArgumentHelp("Why, for anyone who looks at it later.", valueName: "text"))
  var reason: String?

  @OptionGroup var options: QuestionOptions

  func run() throws {
    var request = LocalAPI.Request(.force)
    request.path = path
    request.force = force.rawValue
    request.forSeconds = lasting
    request.reason = reason
    try ask(request, options, as: ForceReport.self) { report in
      for warning in report.warnings { printError(Terminal.plain("warning: \(warning)")) }
      return Self.lines(report)
    }
  }

  private static func seconds(_ text: String) throws -> Double {
    guard let seconds = Since.seconds(text) else {
      throw ValidationError(
        "expected a duration such as 90s, 15m, 2h or "
          + "3d")
    }
    return seconds
  }

  static func lines(_ report: ForceReport) -> [String] {
    var line = "path \(report.path): "
    line += report.force == "auto" ? "judged by its probes" : "forced \(report.force)"
    if let until = report.until { line += " until \(until)" }
    line += "; "
    line += report.state.map { "it is \($0) now: \(report.cause ?? "")" } ?? "the rule set has no such path"
    return [Terminal.plain(line)]
  }
}

extension Words {
  /// `forced down since 2026-08-01T12:00:00.000Z by user 0 until …: REASON`
  static func force(_ report: PathForceReport) -> String {
    var text = "forced \(report.force) since \(report.since) by user \(report.user)"
    text += report.until.map { " until \($0)" } ?? ""
    text += report.reason.map { ": \($0)" } ?? ""
    return Terminal.plain(text)
  }

  static func stray(_ report: PathForceReport) -> String {
    "FORCED: \(report.path) is \(force(report)); the rule set has no such path, and the force is kept until you clear "
      + "it"
  }
}
