internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import RuleSets
internal import System

struct EventsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "What happened, when and why, oldest first.",
    discussion: """
      Events come from the journal in the state directory, which survives restarts and power losses and holds the last \
      few thousand. Times are UTC. As far back as the agent has been running, --since 2h measures elapsed time, whatever \
      happened to the clock. With -f the last ten events, or those selected, are printed first and then each new one as \
      it happens; add --json for one line of JSON per event.
      """)

  @OptionGroup var options: QuestionOptions

  @Option(
    help: ArgumentHelp(
      "Only events since then: 90s, 15m, 2h or 3d ago, or a time in UTC such as \"2026-08-01 14:30\" or RFC "
        + "3339.", valueName: "time"),
    transform: { try Since(argument: $0) })
  var since: Since?

  @Option(
    help: ArgumentHelp(
      "Only events of this kind, such as failover; separate several with "
        + "commas.", valueName: "kind"))
  var kind: [String] = []

  @Option(help: ArgumentHelp("Only events about this rule, path, tunnel or other subject.", valueName: "name"))
  var subject: String?

  @Option(
    help: ArgumentHelp("The newest COUNT events at most; the default is 1000, and 10 with -f.", valueName: "count"))
  var limit: Int?

  @Flag(name: [.customShort("f"), .customLong("follow")], help: "Print new events as they happen, until Ctrl-C.")
  var follows = false

  @Flag(help: "Also show numbers, subjects and details.")
  var wide = false

  @Option(help: ArgumentHelp("Read the journal in this directory, without asking the agent.", valueName: "path"))
  var stateDirectory: String?

  private var request: LocalAPI.Request {
    var request = LocalAPI.Request(.events)
    switch since {
    case .age(let seconds)?: request.sinceSeconds = seconds
    case .time(let text)?: request.since = text
    case nil: break
    }
    let kinds = kind.flatMap { $0.split(separator: ",").map(String.init) }
    request.kinds = kinds.isEmpty ? nil : kinds
    request.subject = subject
    request.limit = limit ?? (follows && since == nil ? 10 : nil)
    return request
  }

  func validate() throws {
    if follows && stateDirectory != nil { throw ValidationError("-f needs the agent: leave out --state-directory") }
    do { _ = try EventQuery(request) } catch { throw ValidationError("\(error)") }
  }

  func run() throws {
    if let stateDirectory { return try show(try read(stateDirectory)) }
    if follows { try follow() }
    let hint =
      "without one, backhaul events --state-directory \(FileLocations().stateDirectory) reads the journal on disk"
    try ask(request, options, hint: hint, as: EventsReport.self) { report in
      defer { Self.tellNotes(on: report) }
      return Self.lines(report, wide: wide, colours: Terminal.takesColours)
    }
  }

  /// Asks twice a second: what is new is in the agent's memory. An agent that restarts is followed on.
  private func follow() throws -> Never {
    var request = request
    var last: EventReport?
    var isSilent = false
    while true {
      do throws(Unanswered) {
        let report = try Question(request, options).ask(as: EventsReport.self).answer
        isSilent = false
        show(report, after: last)
        last = report.events.last ?? last
        request.after = report.lastNumber ?? last?.number ?? request.after ?? 0
        request.limit = nil
        request.since = nil
        request.sinceSeconds = nil
      } catch {
        guard error.isPassing, request.after != nil else { throw complain(error.text, error.status) }
        if !isSilent { printError("backhaul: \(error.text); waiting for it") }
        isSilent = true
      }
      usleep(500_000)
    }
  }

  private func show(_ report: EventsReport, after last: EventReport?) {
    if options.json {
      for event in report.events { print(String(decoding: LocalAPI.encode(event), as: UTF8.self)) }
    } else {
      let lines = Self.lines(
        report, wide: wide, colours: Terminal.takesColours, after: last, atLeast: wide ? [] : [24, 8, 20])
      for line in lines.dropFirst(last == nil ? 0 : 1) { print(line) }
    }
    fflush(nil)
  }

  private func read(_ directory: String) throws -> EventsReport {
    do {
      let records = try FileJournal.read(directory: directory)
      if records.isEmpty && access("\(directory)/journal", F_OK) != 0 {
        throw complain("there is no journal in \(directory)", Exit.failed)
      }
      return EventsReport(try EventQuery(request).select(from: records, newestAge: nil, now: WallClock.now))
    } catch let failure as StoreFailure {
      throw complain("\(failure)", Exit.failed)
    }
  }

  private func show(_ report: EventsReport) throws {
    if options.json { return print(String(decoding: LocalAPI.encode(report), as: UTF8.self)) }
    for line in Self.lines(report, wide: wide, colours: Terminal.takesColours) { print(line) }
    Self.tellNotes(on: report)
  }

  /// What is no event goes to standard error, so that lines can be counted.
  private static func tellNotes(on report: EventsReport) { for note in notes(report) { printError(note) } }

  static func notes(_ report: EventsReport) -> [String] {
    var notes: [String] = []
    if let omitted = report.omitted, omitted > 0 {
      notes.append("\(omitted) older event\(omitted == 1 ? "" : "s") not shown: --limit shows more")
    }
    if report.events.isEmpty { notes.append("no such events") }
    if let trouble = report.trouble { notes.append("not all events are saved to disk: \(trouble)") }
    return notes
  }

  /// - Parameters:
  ///   - last: what was printed before.
  ///   - widths: of the first columns.
  static func lines(
    _ report: EventsReport, wide: Bool = false, colours: Bool = false, after last: EventReport? = nil,
    atLeast widths: [Int] = []
  ) -> [String] {
    if report.events.isEmpty { return [] }
    var header = ["TIME", "SEVERITY", "KIND", "EVENT"]
    if wide { header = ["NUMBER"] + header.dropLast() + ["SUBJECT", "EVENT", "DETAILS"] }
    var table = Columns(header, atLeast: widths)
    var before = last
    for event in report.events {
      var row = [event.time, event.severity, event.kind, text(event, after: before)]
      if wide {
        let details = event.details.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        row.insert("\(event.number)", at: 0)
        row.insert(event.subject, at: 4)
        row.append(details.isEmpty ? "-" : details.joined(separator: " "))
      }
      table.add(row.map(Terminal.plain))
      before = event
    }
    let colour: [String: Terminal.Colour] = ["warning": .yellow, "error": .red]
    return zip(table.lines, [nil] + report.events.map { colour[$0.severity] }).map {
      Terminal.paint($0, $1, ifWanted: colours)
    }
  }

  private static func text(_ event: EventReport, after before: EventReport?) -> String {
    var text = event.text
    if let seconds = event.details["duration_seconds"].flatMap(Double.init) { text += " (after \(Words.age(seconds)))" }
    // What both clocks say of the same time: a difference is a step of the wall clock.
    if let before, before.number + 1 == event.number, let after = event.afterSeconds,
      let now = WallTime(text: event.time), let then = WallTime(text: before.time)
    {
      let step = now.secondsSince1970 - then.secondsSince1970 - after
      if abs(step) >= 2 {
        text += " (before it the clock was set \(step > 0 ? "forward" : "back") by \(Words.age(abs(step))))"
      }
    }
    return text
  }
}
