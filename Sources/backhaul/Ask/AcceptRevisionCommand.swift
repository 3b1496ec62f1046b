internal import Agent
internal import ArgumentParser

struct AcceptRevisionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accept-revision",
    abstract: "Let a rule set in whose revision is not higher than the running one's.",
    discussion: """
      The next rule set of this revision or a higher one is accepted, also where a higher one runs, or the same one with \
      other content: for an orchestrator that has lost count, or was restored from a backup. The source is asked at once. \
      It holds for one rule set, whichever is accepted next, and is kept over restarts until then; `none` takes it back. \
      For root alone.
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
    let running = report.running.map { "revision \($0) runs" } ?? "no rule set runs"
    guard let revision = report.revision else { return ["only a higher revision is accepted; \(running)"] }
    return ["the next rule set of revision \(revision) or higher is accepted; \(running)"]
  }
}
