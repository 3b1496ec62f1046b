import Core
import Testing

@testable import Agent
@testable import backhaul

@Suite struct CheckHealthOutputTests {
  private func status(_ mode: String, _ choice: String?, by path: String?, _ cause: String = "c") -> StatusReport {
    let share = ShareReport(path: "fra-a", weight: 1, device: nil)
    var rule = RuleReport(
      name: "office", enabled: true, mode: mode, choice: choice, path: nil, device: nil,
      shares: path.map { [ShareReport(path: $0, weight: 1, device: nil)] } ?? [], sinceSeconds: 190, cause: cause,
      unencrypted: false, unencryptedSeconds: 0, fallback: "local_wan", failback: "move", holdDownMs: 30_000,
      ipv6: "local", paths: ["fra-a"], tiers: [[share]], interfaces: ["lan0"], prefixes: 0)
    rule.traffic = TrafficReport(state: "as_intended", sinceSeconds: 190)
    return StatusReport(
      device: "branch-017", version: "0.1.0", pid: 7, uptimeSeconds: 192.7, revision: 42, source: "file:///x",
      pullFailures: 0, rules: [rule],
      paths: [
        PathReport(
          name: "fra-a", kind: "tunnel", device: "bh-fra-a", uplink: "wan0", state: "up", sinceSeconds: 190,
          cause: "c", mark: 0x200000, rttMs: 12.3456, loss: 0.025, carries: ["office"])
      ], pathsInAll: 1, pathsUp: 1, uplinks: [], flipMicroseconds: [], flips: 1)
  }

  private func line(_ status: StatusReport) -> String {
    CheckHealthCommand.line(HealthCheck(RouterView(status)), status)
  }

  @Test func aPluginsLineHasItsMeasures() {
    #expect(
      line(status("backhaul", "path:fra-a", by: "fra-a")) == "BACKHAUL OK - office by path:fra-a | "
        + "rules_backhaul=1;;;0;1 rules_fallback=0;;;0;1 rules_blocked=0;;;0;1 rules_unencrypted=0;;;0;1 "
        + "paths_up=1;;;0;1 flips=1c uptime=192s fra-a_rtt=12.346ms;;;0 fra-a_loss=2.5%;;;0;100")
  }

  @Test func whatComesFromOutsideEndsNoLine() {
    let line = line(status("fallback", "local_wan:wan0", by: nil, "a|b\nc" + String(repeating: "x", count: 1_000)))
    #expect(line.hasPrefix("BACKHAUL CRITICAL - rule office goes by local_wan:wan0: a/b c"))
    #expect(line.count { $0 == "|" } == 1 && !line.contains("\n") && line.utf8.count < 1_000)
  }

  @Test func anAgentThatIsNotThereHasNoMeasures() {
    let check = HealthCheck(.init(.critical, "no agent answers at /run/x: is it running?"))
    #expect(
      CheckHealthCommand.line(check, nil) == "BACKHAUL CRITICAL - no agent answers at /run/x: is it running?")
    let report = HealthReport(check)
    #expect(report.status == "critical" && report.code == 2 && report.findings.count == 1)
  }

  @Test func aLessPreferredPathIsReported() {
    #expect(line(status("backhaul", "path:ams-a", by: "ams-a")).hasPrefix("BACKHAUL WARNING - rule office goes by the"))
  }
}
