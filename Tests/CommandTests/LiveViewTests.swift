import Core
import Testing

@testable import Agent
@testable import backhaul

@Suite struct KeyTests {
  @Test func whatATerminalSends() {
    #expect(Key.read(Array("q/".utf8)) == [.character("q"), .character("/")])
    #expect(Key.read(Array("\u{1b}[A\u{1b}[B\u{1b}OA".utf8)) == [.up, .down, .up])
    #expect(
      Key.read(Array("\u{1b}[5~\u{1b}[6~\u{1b}[1~\u{1b}[4~\u{1b}[H\u{1b}[F".utf8)) == [
        .pageUp, .pageDown, .home, .end, .home, .end,
      ])
    #expect(Key.read([0x1b]) == [.escape])
    #expect(Key.read([0x03]) == [.interrupt])
    #expect(Key.read([0x0d, 0x7f, 0x09]) == [.enter, .backspace, .tab])
    #expect(Key.read(Array("ü".utf8)) == [.character("ü")])
  }

  @Test func whatNobodyKnowsIsLeftOut() {
    #expect(Key.read(Array("\u{1b}[1;5Pq".utf8)) == [.character("q")])
    #expect(Key.read([0xff, 0x80, 0x01, UInt8(ascii: "q")]) == [.character("q")])
    #expect(Key.read(Array("\u{1b}[".utf8)).isEmpty)
    for byte in UInt8.min...UInt8.max { _ = Key.read([0x1b, byte, byte]) }
  }
}

@Suite struct LiveViewTests {
  private func path(_ name: String, _ state: String = "up", rtt: Double? = 12, loss: Double? = 0, cause: String = "")
    -> PathReport
  {
    PathReport(
      name: name, kind: "tunnel", device: "bh-\(name)", uplink: "wan0", state: state, sinceSeconds: 190, cause: cause,
      mark: 1, rttMs: rtt, jitterMs: 0.4, loss: loss, carries: state == "up" ? ["office"] : [])
  }

  private func status(_ paths: [PathReport], mode: String = "backhaul") -> StatusReport {
    let rule = RuleReport(
      name: "office", enabled: true, mode: mode, choice: "path:fra-a", path: "fra-a", device: "bh-fra-a", shares: [],
      sinceSeconds: 190, cause: "path fra-a is up", unencrypted: false, unencryptedSeconds: 0, fallback: "block",
      failback: "move", holdDownMs: 30_000, ipv6: "local", paths: ["fra-a"], tiers: [], interfaces: ["lan0"],
      prefixes: 0, table: 7904, mark: 0x400000)
    return StatusReport(
      device: "branch-017", version: "0.1.0", pid: 7, uptimeSeconds: 192, revision: 42, source: "file:///x",
      lastContactSeconds: 12, pullFailures: 0, pullTrouble: nil, applyTrouble: nil, rules: [rule], paths: paths,
      pathsInAll: paths.count,
      pathsUp: paths.count { $0.state == "up" }, uplinks: [], flipMicroseconds: [], flips: 1)
  }

  private func view(_ paths: [PathReport]) -> LiveView {
    var view = LiveView()
    view.answered(status(paths), newEvents: [])
    return view
  }

  private func type(_ keys: String, _ view: inout LiveView) -> [LiveView.Order] {
    Key.read(Array(keys.utf8)).compactMap { view.typed($0) }
  }

  private func drawn(_ view: LiveView, _ columns: Int = 100, _ lines: Int = 24) -> [String] {
    view.lines(columns: columns, lines: lines, clock: "2026-08-01T12:00:00Z", colours: false)
  }

  @Test func aScreenIsFullAndNoLineIsWider() {
    let view = view((0..<60).map { path("path-\($0)", cause: String(repeating: "long ", count: 60)) })
    for (columns, lines) in [(80, 24), (20, 8), (200, 60), (1, 1), (300, 9)] {
      let page = drawn(view, columns, lines)
      #expect(page.count == max(8, lines))
      #expect(page.allSatisfy { $0.count <= max(20, columns) })
    }
  }

  /// Of 300 paths, shows the named ones, and how many are up in total.
  private func part(_ names: [String], up: Int = 300, of all: Int = 300, rtt: Double = 99) -> StatusReport {
    var report = status(names.map { path($0, rtt: rtt) })
    report.pathsInAll = all
    report.pathsUp = up
    return report
  }

  @Test func ofManyPathsThoseOnTheScreenAreAskedFor() throws {
    var few = view((0..<100).map { path("path-\($0)") })
    #expect(few.wanted(lines: 24) == nil)
    few = LiveView()
    #expect(few.wanted(lines: 24) == nil, "at first all")
    var many = view((0..<300).map { path("path-\($0)") })
    #expect(many.wanted(lines: 24) == (0..<24).map { "path-\($0)" })
    _ = type("G", &many)
    let names = try #require(many.wanted(lines: 24))
    #expect(names == (276..<300).map { "path-\($0)" })
    #expect(many.wanted(lines: 1_000)?.count == 100)
    many.answered(part(names), newEvents: [])
    #expect(many.status?.paths.count == 300)
    #expect(many.status?.paths.last?.rttMs == 99 && many.status?.paths.first?.rttMs == 12)
    #expect(many.samples["path-299"]?.count == 2 && many.samples["path-0"]?.count == 1)
    #expect(drawn(many).contains { $0.contains("path-299") && $0.contains("99.0 ms") })
  }

  @Test func whatIsNotOnTheScreenIsLookedAtNowAndThen() {
    var many = view((0..<300).map { path("path-\($0)") })
    for _ in 0..<9 {
      #expect(many.wanted(lines: 24) != nil)
      many.answered(part(["path-0"]), newEvents: [])
    }
    many.answered(part(["path-0"]), newEvents: [])
    #expect(many.wanted(lines: 24) == nil, "in time")
    many.answered(status((0..<300).map { path("path-\($0)") }), newEvents: [])
    many.answered(part(["path-0"], up: 299), newEvents: [])
    #expect(many.wanted(lines: 24) == nil, "one of them is not up any more")
    many.answered(status((0..<300).map { path("path-\($0)") }), newEvents: [])
    many.answered(part(["other"], up: 301, of: 301), newEvents: [])
    #expect(many.wanted(lines: 24) == nil && many.status?.paths.count == 300, "there are others")
  }

  @Test func whatIsThereIsShown() {
    let page = drawn(view([path("fra-a"), path("ams-a", "down", cause: "no answer")])).joined(separator: "\n")
    #expect(page.contains("branch-017  revision 42"))
    #expect(page.contains("office  backhaul  path:fra-a  3 m 10 s  path fra-a is up"))
    #expect(page.contains("▸ fra-a"))
    #expect(page.contains("ams-a  down"))
    #expect(page.contains("q quit"))
  }

  @Test func roundTripsAreDrawnAnswerByAnswer() {
    var view = LiveView()
    for trip in [10.0, 20, 10] { view.answered(status([path("fra-a", rtt: trip)]), newEvents: []) }
    view.answered(status([path("fra-a", "down", rtt: 10, loss: 1)]), newEvents: [])
    #expect(view.samples["fra-a"]?.map(\.rttMs) == [10, 20, 10, nil])
    #expect(drawn(view).contains { $0.contains("▁█▁×") })
    for _ in 0..<100 { view.answered(status([path("fra-a")]), newEvents: []) }
    #expect(view.samples["fra-a"]?.count == LiveView.samples)
    view.answered(status([]), newEvents: [])
    #expect(view.samples.isEmpty, "what is gone is forgotten")
  }

  @Test func theChoiceMovesAndStaysOnItsPath() {
    var view = view([path("a"), path("b"), path("c")])
    #expect(view.selected == "a")
    _ = type("jj", &view)
    #expect(view.selected == "c")
    _ = type("j", &view)
    #expect(view.selected == "c")
    view.answered(status([path("z"), path("c")]), newEvents: [])
    #expect(view.selected == "c")
    view.answered(status([path("z")]), newEvents: [])
    #expect(view.selected == "z")
  }

  @Test func theChoiceIsAlwaysInSight() {
    var view = view((0..<500).map { path("p\($0)") })
    _ = type("G", &view)
    #expect(drawn(view).contains { $0.contains("▸ p499") })
    _ = type("\u{1b}[5~", &view)
    #expect(drawn(view).contains { $0.contains("▸ p489") })
  }

  @Test func aFilterIsTypedKeptAndTakenBack() {
    var view = view([path("fra-a"), path("ams-a", "down")])
    _ = type("/AMS\r", &view)
    #expect(view.shown.map(\.name) == ["ams-a"])
    #expect(view.selected == "ams-a")
    _ = type("/xx\u{1b}", &view)
    #expect(view.filter == "AMS")
    _ = type("/\u{7f}\u{7f}\u{7f}down\r", &view)
    #expect(view.shown.map(\.name) == ["ams-a"])
    _ = type("/nothing\r", &view)
    #expect(drawn(view).contains { $0.contains("no path is shown") })
  }

  @Test func onlyWhatIsNotUp() {
    var view = view([path("fra-a"), path("ams-a", "degraded")])
    _ = type("t", &view)
    #expect(view.shown.map(\.name) == ["ams-a"])
    _ = type("t", &view)
    #expect(view.shown.count == 2)
  }

  @Test func aForceTakesTwoKeysMore() {
    var view = view([path("fra-a")])
    #expect(type("fd", &view).isEmpty)
    #expect(drawn(view).contains { $0.contains("force fra-a down:  Enter") })
    #expect(type("\r", &view) == [.force(path: "fra-a", force: "down", seconds: nil)])
    #expect(type("fu1", &view) == [.force(path: "fra-a", force: "up", seconds: 600)])
    #expect(type("fa2", &view).isEmpty)
    #expect(type("\r", &view) == [.force(path: "fra-a", force: "auto", seconds: nil)])
    #expect(type("fd\u{1b}", &view).isEmpty)
    #expect(view.mode == .normal)
    // In the middle of a filter, the key is text.
    #expect(type("/fd\r", &view).isEmpty)
  }

  @Test func theChoiceOfAForceIsThePathThatWasChosen() {
    var view = view([path("a"), path("b")])
    _ = type("fd", &view)
    view.answered(status([path("b")]), newEvents: [])
    #expect(type("\r", &view) == [.force(path: "a", force: "down", seconds: nil)])
  }

  @Test func itIsLeftAndHeld() {
    var view = view([path("a")])
    #expect(type("q", &view) == [.quit])
    #expect(type("\u{3}", &view) == [.quit])
    #expect(type("/\u{3}\r", &view) == [.quit], "while a filter is typed, too")
    _ = type("p", &view)
    view.answered(status([path("b")]), newEvents: [])
    #expect(view.shown.map(\.name) == ["a"])
    #expect(drawn(view)[0].contains("PAUSED"))
    _ = type("p", &view)
    view.answered(status([path("b")]), newEvents: [])
    #expect(view.shown.map(\.name) == ["b"])
    #expect(type("?", &view).isEmpty)
    #expect(drawn(view)[0].hasPrefix("backhaul watch"))
    #expect(type("q", &view).isEmpty, "any key leaves the help first")
  }

  @Test func noAnswerIsSaidAndWhatWasKnownStays() {
    var view = view([path("a")])
    view.failed("no agent answers at /run/x: is it running?")
    #expect(drawn(view)[1] == "no answer: no agent answers at /run/x: is it running?")
    #expect(drawn(view).contains { $0.contains("▸ a") })
    view.answered(status([path("a")]), newEvents: [])
    #expect(!drawn(view)[1].contains("no answer"))
  }

  @Test func whatComesFromOutsideCannotSteerTheTerminal() {
    let view = view([path("a", "down", cause: "refused\u{1b}[2J\u{07}")])
    #expect(!drawn(view).joined().unicodeScalars.contains { $0.value < 0x20 })
  }
}
