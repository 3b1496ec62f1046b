internal import Agent
internal import ArgumentParser

struct AcceptRevisionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accept-revision",
    abstract: "Accept a rule set whose revision is not higher than the running one's.",
    discussion: """
      The agent accepts the next rule set with this revision or a higher one, even if the running revision is higher, or \
      the same with different content. Use it when the orchestrator has lost count or was restored from a backup. The \
      agent asks the source at once. The permission is good for one rule set, the next one accepted, and survives \
      restarts until then; `none` withdraws it. Only root may use it.
      """)

  enum Lowest: Equatable, ExpressibleByArgument {
    case revision(UInt64)
    case none

    init?(argument: String) {
      if argument == "none" {
        self = .none
      } else if let number = UInt64(argument), number > 0 {
        self = .revision(number)
      } else {
        return nil
      }
    }
  }

  @Argument(help: ArgumentHelp("The lowest revision to accept, or none.", valueName: "revision"))
  var lowest: Lowest

  @OptionGroup var options: QuestionOptions

  func run() throws {
    var request = LocalAPI.Request(.acceptRevision)
    if case .revision(let revision) = lowest { request.revision = revision }
    try ask(request, options, as: AcceptRevisionReport.self) { report in
      for warning in report.warnings { printError(Terminal.plain("warning: \(warning)")) }
      return Self.lines(report)
    }
  }

  static func lines(_ report: AcceptRevisionReport) -> [String] {
    let running = report.running.map { "revision \($0) is running" } ?? "no rule set is running"
    guard let revision = report.revision else { return ["only a higher revision is accepted; \(running)"] }
    return ["the next rule set of revision \(revision) or higher is accepted; \(running)"]
  }
}
