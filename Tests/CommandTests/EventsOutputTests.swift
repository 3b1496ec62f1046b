import ArgumentParser
import Core
import Testing

@testable import Agent
@testable import backhaul

@Suite struct EventsOutputTests {
  private func event(
    _ number: UInt64, _ time: String, _ kind: AgentEvent.Kind, _ subject: String, _ text: String,
    details: [String: String] = [:], after: Double? = 1
  ) -> EventReport {
    let event = AgentEvent(kind, subject, text, details: details)
    return EventReport(
      number: number, time: "2026-08-01T\(time)Z", kind: kind.rawValue, severity: event.severity.name, subject: subject,
      text: text, details: details, afterSeconds: after)
  }

  private var report: EventsReport {
    EventsReport(events: [
      event(7, "12:00:00.000", .agentStarted, "branch-017", "agent 0.1.0 started", after: nil),
      event(8, "12:00:01.000", .applied, "revision 3", "12 steps"),
      event(
        9, "14:00:02.000", .pathDown, "fra-a", "path fra-a is down, was up: no answer",
        details: ["cause": "no answer", "duration_seconds": "192.250"]),
      event(
        10, "14:00:02.001", .flipFailed, "office", "table 7900\ncould not be\u{1b}[2J led there", after: 0.001),
    ])
  }

  @Test func linesReadLikeALog() {
    #expect(
      EventsCommand.lines(report) == [
        "TIME                      SEVERITY  KIND           EVENT",
        "2026-08-01T12:00:00.000Z  info      agent_started  agent 0.1.0 started",
        "2026-08-01T12:00:01.000Z  info      applied        12 steps",
        "2026-08-01T14:00:02.000Z  warning   path_down      path fra-a is down, was up: no answer (after 3 m 12 s) "
          + "(before it the clock was set forward by 2 h 0 m)",
        "2026-08-01T14:00:02.001Z  error     flip_failed    table 7900 could not be [2J led there",
      ])
  }

  @Test func wideLinesHaveNumbersSubjectsAndDetails() {
    #expect(
      EventsCommand.lines(EventsReport(events: Array(report.events[1...2])), wide: true) == [
        "NUMBER  TIME                      SEVERITY  KIND       SUBJECT     EVENT"
          + String(repeating: " ", count: 100) + "DETAILS",
        "8       2026-08-01T12:00:01.000Z  info      applied    revision 3  12 steps"
          + String(repeating: " ", count: 97) + "-",
        "9       2026-08-01T14:00:02.000Z  warning   path_down  fra-a       path fra-a is down, was up: no answer "
          + "(after 3 m 12 s) (before it the clock was set forward by 2 h 0 m)  cause=no answer "
          + "duration_seconds=192.250",
      ])
  }

  @Test func onATerminalWhatIsBadHasAColour() {
    let lines = EventsCommand.lines(report, colours: true)
    #expect(lines[1].hasPrefix("2026"))
    #expect(lines[3].hasPrefix("\u{1b}[33m2026") && lines[3].hasSuffix("\u{1b}[0m"))
    #expect(lines[4].hasPrefix("\u{1b}[31m2026"))
    #expect(!EventsCommand.lines(report).joined().contains("\u{1b}"))
  }

  @Test func noEventsPrintNoLineAndANote() {
    #expect(EventsCommand.lines(EventsReport(events: [])).isEmpty)
    #expect(EventsCommand.notes(EventsReport(events: [])) == ["no such events"])
    #expect(EventsCommand.notes(report).isEmpty)
    let troubled = EventsReport(events: report.events, omitted: 12, trouble: "write journal: No space left on device")
    #expect(
      EventsCommand.notes(troubled) == [
        "12 older events not shown: --limit shows more",
        "not all events are saved to disk: write journal: No space left on device",
      ])
  }

  @Test(arguments: [
    ("90s", Since.age(seconds: 90)), ("15m", .age(seconds: 900)), ("2h", .age(seconds: 7_200)),
    ("3d", .age(seconds: 259_200)), ("1w", .age(seconds: 604_800)),
    ("2026-08-01 14:30", .time("2026-08-01T14:30:00.000Z")), ("2026-08-01", .time("2026-08-01T00:00:00.000Z")),
    ("2026-08-01T14:30:00+02:00", .time("2026-08-01T12:30:00.000Z")),
  ])
  func sinceTakesAgesAndTimes(_ text: String, _ expected: Since) throws {
    #expect(try Since(argument: text) == expected)
  }

  @Test(arguments: ["", "s", "90", "-5m", "1.5h", "5 m", "9999999s", "yesterday", "14:30", "2026-02-30"])
  func sinceTakesNothingElse(_ text: String) {
    #expect(throws: (any Error).self) { try Since(argument: text) }
  }

  @Test(arguments: [
    (["--kind", "failovr"], "there is no kind of event \"failovr\"; did you mean \"failover\"?"),
    (["--limit", "0"], "limit takes 1 to 20000"), (["--since", "soon"], "90s, 15m, 2h or 3d"),
  ])
  func wrongArgumentsAreExplained(_ arguments: [String], _ words: String) {
    let error = #expect(throws: (any Error).self) { try EventsCommand.parse(arguments) }
    #expect(error.map { EventsCommand.fullMessage(for: $0).contains(words) } == true)
  }

  @Test func kindsMayBeGivenTogetherOrApart() throws {
    let command = try EventsCommand.parse(["--kind", "failover,failback", "--kind", "path_down", "--since", "2h"])
    #expect(command.kind == ["failover,failback", "path_down"])
    #expect(command.since == .age(seconds: 7_200))
  }
}

@Suite struct HistoryOutputTests {
  private func report(_ buckets: [HistoryReport.Bucket], probes: Int = 1) -> HistoryReport {
    HistoryReport(
      path: "fra-a", device: "bh-fra-a", state: "up", sinceSeconds: 190, cause: "every probe is answered",
      probes: probes,
      lastBucketSeconds: 12, buckets: buckets)
  }
  private func bucket(_ probes: Int, _ lost: Int, _ mean: Double?) -> HistoryReport.Bucket {
    .init(
      probes: probes, lost: lost, rttMinMs: mean.map { $0 - 1 }, rttMeanMs: mean, rttMaxMs: mean.map { $0 + 1 })
  }

  @Test func anHourIsDrawnMinuteByMinute() {
    let buckets = [
      bucket(600, 0, 10), bucket(600, 0, 10), bucket(600, 6, 20), bucket(0, 0, nil), bucket(600, 600, nil),
      bucket(600, 300, 45), bucket(120, 0, 12),
    ]
    #expect(
      HistoryCommand.lines(report(buckets)) == [
        "path fra-a: up for 3 m 10 s on bh-fra-a: every probe is answered",
        "rtt   ▁▁▃·×█▁  9.0 ms / 12.0 ms / 46.0 ms",
        "loss  ▁▁▂·█▅▁  0 % / 0.5 % / 100 %",
        "      the last 7 minutes, the current one on the right; min / median / max",
      ])
  }

  @Test func aSteadyLineHasNoPeaks() {
    let lines = HistoryCommand.lines(report((0..<60).map { bucket(60, 0, 10 + Double($0 % 2) / 100) }))
    #expect(lines[1] == "rtt   " + String(repeating: "▁", count: 60) + "  9.0 ms / 10.0 ms / 11.0 ms")
    #expect(lines[3] == "      the last 60 minutes, the current one on the right; min / median / max")
  }

  @Test func noAnswerAndNoProbe() {
    #expect(
      HistoryCommand.lines(report([bucket(3, 3, nil)])).dropFirst() == [
        "rtt   ×  no answer", "loss  █  100 % / 100 % / 100 %",
        "      the last 1 minute, the current one on the right; min / median / max",
      ])
    #expect(
      HistoryCommand.lines(report([bucket(0, 0, nil)])).dropFirst().prefix(2) == [
        "rtt   ·  no answer", "loss  ·  no probe sent",
      ])
    #expect(
      HistoryCommand.lines(report([bucket(0, 0, nil)], probes: 0)).last
        == "no probe watches it, so there is nothing to draw")
  }

  @Test func onATerminalMinutesWithALossAreRed() {
    let lines = HistoryCommand.lines(report([bucket(6, 0, 1), bucket(6, 1, 1)]), colours: true)
    #expect(lines[1].hasPrefix("rtt   ▁\u{1b}[31m▁\u{1b}[0m  "))
    #expect(lines[2].hasPrefix("loss  ▁\u{1b}[31m▃\u{1b}[0m  "))
  }

  @Test func loss() {
    #expect(Sparkline.shares([0, 0.001, 0.5, 0.999, 1, nil, .nan], absent: "·") == "▁▂▅▇█··")
    #expect(Sparkline.relative([nil, 0, 0], absent: "·") == "·▁▁")
    #expect(Sparkline.relative([], absent: "·") == "")
  }
}
