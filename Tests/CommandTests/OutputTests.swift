import Core
import Testing

@testable import Agent
@testable import backhaul

@Suite struct OutputTests {
  @Test func columnsAlignAndEndWithoutBlanks() {
    var table = Columns("PATH", "STATE", "CAUSE")
    table.add("fra-a", "up", "-")
    table.add("a", "unknown", "")
    #expect(table.lines == ["PATH   STATE    CAUSE", "fra-a  up       -", "a      unknown"])
  }

  @Test func agesReadAsAPersonSaysThem() {
    #expect(
      [0, 59.9, 60, 3_725, 90_000, -1, .infinity].map(Words.age).prefix(6) == [
        "0 s", "59 s", "1 m 0 s", "1 h 2 m", "1 d 1 h", "0 s",
      ])
  }

  @Test func numbersThatAreNotThereAreADash() {
    #expect(Words.milliseconds(nil) == "-")
    #expect(Words.milliseconds(.nan) == "-")
    #expect(Words.milliseconds(12.34) == "12.3 ms")
    #expect(Words.share(0.025) == "2.5 %")
    #expect(Words.share(1) == "100 %")
  }
}

@Suite struct StatusLinesTests {
  private func rule(_ mode: String, _ choice: String?, _ cause: String) -> RuleReport {
    var report = RuleReport(
      name: "office", enabled: true, mode: mode, choice: choice, path: nil, device: nil, shares: [], sinceSeconds: 190,
      cause: cause, unencrypted: false, unencryptedSeconds: 0, fallback: "local_wan", failback: "move",
      holdDownMs: 30_000, ipv6: "local", paths: ["fra-a"], tiers: [],
      interfaces: ["lan0"], prefixes: 0, table: 7904, mark: 0x400000)
    report.traffic = TrafficReport(state: "as_intended", sinceSeconds: 190)
    return report
  }

  private func status(_ rules: [RuleReport], path: String, cause: String, trouble: String? = nil) -> StatusReport {
    var report = StatusReport(
      device: "branch-017", version: "0.1.0", pid: 7, uptimeSeconds: 192, revision: 42,
      source: "https://orchestrator.example/branch-017", lastContactSeconds: 12, pullFailures: 0, pullTrouble: nil,
      applyTrouble: trouble, rules: rules,
      paths: [
        PathReport(
          name: "fra-a", kind: "tunnel", device: "bh-fra-a", uplink: "wan0", state: path, sinceSeconds: 190,
          cause: cause, mark: 0x200000, rttMs: 12.3, jitterMs: 0.4, loss: 0, carries: ["office"])
      ], pathsInAll: 1, pathsUp: path == "up" ? 1 : 0,
      uplinks: [
        UplinkReport(interface: "wan0", tier: 1, isPrivate: false, usable: true, obstacle: nil, gateway: "198.51.100.1")
      ],
      flipMicroseconds: [], flips: 1)
    report.judge(by: RouterView(report))
    return report
  }

  @Test func throughTheHub() {
    let lines = StatusCommand.lines(
      status([rule("backhaul", "path:fra-a", "first path in order that is up")], path: "up", cause: ""))
    #expect(
      lines == [
        "PROTECTED: all traffic that the rules cover goes through the hub",
        "branch-017: revision 42, agent 0.1.0 for 3 m 12 s",
        "rule office: backhaul by path:fra-a for 3 m 10 s: first path in order that is up",
        "path fra-a: up for 3 m 10 s on bh-fra-a, 12.3 ms, loss 0 %",
        "uplink wan0: usable, gateway 198.51.100.1",
        "source https://orchestrator.example/branch-017: last answer 12 s ago",
      ])
  }

  @Test func whatDrainsIsShownWithItsEnd() {
    var office = rule("backhaul", "path:fra-a", "path fra-a is up")
    office.draining = [
      DrainReport(way: "path:ams-a", sinceSeconds: 12, endsInSeconds: 48),
      DrainReport(way: "local_wan:wan0", sinceSeconds: 90, endsInSeconds: nil),
    ]
    let lines = StatusCommand.lines(status([office], path: "up", cause: ""))
    #expect(
      lines[3...4] == [
        "rule office: live flows drain on path:ams-a, for 12 s so far, those left are set up again in 48 s",
        "rule office: live flows drain on local_wan:wan0, for 1 m 30 s so far, until they end",
      ])
  }

  @Test func whereTheTroubleLies() {
    var report = status([rule("fallback", "local_wan:wan0", "path fra-a is down")], path: "down", cause: "no answer")
    report.paths[0].downCause = "hub_down"
    report.paths[0].evidence = "hub 203.0.113.2 does not answer by wan0; 192.0.2.1 answers by wan0"
    report.uplinks[0].state = "up"
    report.uplinks[0].scouts = [
      ScoutReport(address: "198.51.100.1", roles: ["gateway"], answer: "unknown"),
      ScoutReport(address: "203.0.113.2", roles: ["hub"], answer: "silent"),
      ScoutReport(address: "192.0.2.1", roles: ["target"], answer: "answers", rttMs: 1.2, lastAnswerSeconds: 3),
    ]
    report.uplinks[0].probeBudget = ProbeBudgetReport(
      uplink: "wan0", bytesPerDay: 5_000_000, spentBytes: 12_345, stretch: 4.12)
    let lines = StatusCommand.lines(report)
    #expect(
      lines[4] == "path fra-a: hub_down: hub 203.0.113.2 does not answer by wan0; 192.0.2.1 answers by wan0")
    #expect(
      lines[5]
        == "uplink wan0: usable, gateway 198.51.100.1, up: gateway 198.51.100.1 has not answered, hub 203.0.113.2 is "
        + "silent, target 192.0.2.1 answers, probes took 12 kB of 5 MB in this period of 24 h, intervals stretched "
        + "4.1 times"
    )
  }

  @Test func blockedAndInTrouble() {
    let lines = StatusCommand.lines(
      status(
        [rule("blocked", "blocked", "path fra-a is down")], path: "down", cause: "bh-fra-a does not exist",
        trouble: "ip link add bh-fra-a: File exists"))
    #expect(lines[2] == "rule office: blocked for 3 m 10 s: path fra-a is down")
    #expect(lines[3].hasSuffix(": bh-fra-a does not exist"))
    #expect(lines.contains("TROUBLE: ip link add bh-fra-a: File exists"))
    #expect(
      lines.contains {
        $0.hasPrefix("→ the kernel refuses what the rule set needs (ip link add bh-fra-a: File exists)")
      })
  }

  @Test func whatOperatorsSaidIsShown() {
    var report = status([], path: "disabled", cause: "forced down by an operator")
    let force = PathForceReport(
      path: "fra-a", force: "down", since: "2026-08-01T12:00:00.000Z", until: "2026-08-01T14:00:00.000Z", user: 0,
      reason: "line is being mended")
    report.paths[0].forced = force
    report.forcesOfNoPath = [PathForceReport(path: "old", force: "up", since: "2026-08-01T12:00:00.000Z", user: 0)]
    let lines = StatusCommand.lines(report)
    #expect(
      lines[3]
        == "FORCED: path fra-a is forced down since 2026-08-01T12:00:00.000Z by user 0 until 2026-08-01T14:00:00.000Z: "
        + "line is being mended")
    #expect(
      lines[4].hasPrefix(
        "FORCED: old is forced up since 2026-08-01T12:00:00.000Z by user 0; the rule set has no such path"))
    let paths = PathsCommand.lines(PathsReport(paths: report.paths, forcesOfNoPath: report.forcesOfNoPath))
    #expect(paths[0].contains("FORCED  CAUSE"))
    #expect(paths[1].contains("down    forced down by an operator"))
    #expect(paths.count == 4)
  }

  @Test func aForceIsAnsweredInALine() {
    let report = ForceReport(
      path: "fra-a", force: "down", until: "2026-08-01T14:00:00.000Z", state: "disabled",
      cause: "forced down by an operator", warnings: [])
    #expect(
      ForceCommand.lines(report) == [
        "path fra-a: forced down until 2026-08-01T14:00:00.000Z; it is disabled now: forced down by an operator"
      ])
    let gone = ForceReport(path: "old", force: "auto", warnings: [])
    #expect(ForceCommand.lines(gone) == ["path old: judged by its probes; the rule set has no such path"])
  }
}
