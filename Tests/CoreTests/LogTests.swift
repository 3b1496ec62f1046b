import Core
internal import RuleSets
import Testing

@Suite struct LogTests {
  private let begin = Instant(nanoseconds: 0)
  private var record: LogRecord {
    let event = AgentEvent(.pathDown, "fra-a", "t", details: ["cause": "a \"b\" [c]\\"])
    return LogRecord(.warning, "path_down: path fra-a is down", fields: LogRecord.fields(of: event))
  }

  @Test func theJournalGetsFields() {
    #expect(
      String(decoding: JournalMessage.encode(record), as: UTF8.self) == """
        MESSAGE=path_down: path fra-a is down
        PRIORITY=4
        SYSLOG_IDENTIFIER=backhaul
        BACKHAUL_EVENT=path_down
        BACKHAUL_SUBJECT=fra-a
        BACKHAUL_PATH=fra-a
        BACKHAUL_CAUSE=a "b" [c]\\

        """)
  }

  @Test func aValueOfTwoLinesComesAfterItsLength() {
    let bytes = JournalMessage.encode(LogRecord(.info, "a\nb"))
    #expect(Array(bytes.prefix(20)) == Array("MESSAGE\n".utf8) + [3, 0, 0, 0, 0, 0, 0, 0] + Array("a\nb\n".utf8))
  }

  @Test func whatCannotBeAFieldsNameIsNone() {
    let bytes = JournalMessage.encode(LogRecord(.info, "t", fields: [.init("a=b\nMESSAGE", "x"), .init("", "y")]))
    #expect(String(decoding: bytes, as: UTF8.self) == "MESSAGE=t\nPRIORITY=6\nSYSLOG_IDENTIFIER=backhaul\n")
  }

  @Test func syslogIsAsRFC5424HasIt() {
    let bytes = SyslogMessage.encode(
      record, at: WallTime(milliseconds: 1_785_585_600_123), host: "branch 017", process: 42)
    #expect(
      String(decoding: bytes, as: UTF8.self) == "<28>1 2026-08-01T12:00:00.123Z branch017 backhaul 42 path_down "
        + "[backhaul@32473 event=\"path_down\" subject=\"fra-a\" path=\"fra-a\" cause=\"a \\\"b\\\" [c\\]\\\\\"] "
        + "path_down: path fra-a is down")
    let bare = SyslogMessage.encode(
      LogRecord(.error, "a\nb"), at: WallTime(milliseconds: 1_785_585_600_123), host: "", process: 1)
    #expect(String(decoding: bare, as: UTF8.self) == "<27>1 2026-08-01T12:00:00.123Z - backhaul 1 - - a b")
  }

  @Test func noMessageIsLongerThanReceiversTake() {
    let long = String(repeating: "é", count: 5_000)
    let record = LogRecord(.info, long, fields: (0..<50).map { .init("f\($0)", long) })
    let bytes = SyslogMessage.encode(record, at: WallTime(milliseconds: 0), host: long, process: 1)
    #expect(bytes.count <= 2_048)
    #expect(String(validating: bytes, as: UTF8.self) != nil)
    #expect(JournalMessage.encode(record).count < 150_000)
  }

  /// A machine cannot change within `#expect`.
  private final class Gate {
    private var gate = LogGate()
    func came(_ kind: AgentEvent.Kind, at now: Instant) -> Bool { gate.came(kind, at: now) }
    func due(at now: Instant) -> [String] { gate.due(at: now).map { "\($0.kind.rawValue) \($0.count)" } }
    var nextDeadline: Instant? { gate.nextDeadline }
    var suppressed: Int { gate.suppressedInAll }
  }

  @Test func whatHappensOverAndOverIsLoggedAFewTimesAndThenCounted() {
    let gate = Gate()
    for _ in 0..<LogGate.most { #expect(gate.came(.pathDown, at: begin)) }
    for _ in 0..<7 { #expect(!gate.came(.pathDown, at: begin + .seconds(1))) }
    #expect(gate.came(.pathUp, at: begin + .seconds(1)), "another kind is not concerned")
    #expect(gate.nextDeadline == begin + LogGate.window)
    #expect(gate.due(at: begin + .seconds(9)) == [])
    #expect(gate.due(at: begin + LogGate.window) == ["path_down 7"])
    #expect(gate.nextDeadline == nil)
    #expect(gate.came(.pathDown, at: begin + LogGate.window), "and from then on again")
    #expect(gate.suppressed == 7)
  }

  @Test func whatHappensNowAndThenIsAlwaysLogged() {
    let gate = Gate()
    for second in 0..<1_000 { #expect(gate.came(.failover, at: begin + .seconds(second))) }
  }
}
