import Core
internal import RuleSets
import Testing

@testable import Agent
@testable import backhaul

@Suite struct ExplainLinesTests {
  private var report: ExplainReport {
    ExplainReport(
      source: "192.168.10.2", destination: "198.18.0.9", service: "tcp", port: 443, incoming: "lan0", takenBy: "rule",
      rule: "office", passed: [], mode: "backhaul", cause: "first path in order that is up", mark: 0x400_0000,
      mask: 0x7f00_0000,
      ipRule: "priority 9220 fwmark 0x4000000/0x7f000000 lookup 7904", table: 7904, route: "default dev bh-fra-a",
      device: "bh-fra-a", gateway: nil, translated: false, path: "fra-a", pathState: "up", tunnel: "fra-a", hub: "fra",
      outer: OuterPacketReport(source: "198.51.100.2", destination: "203.0.113.2", device: "wan0"),
      child: ChildReport(
        state: "installed", mode: "tunnel", cipher: "AES_GCM_16-256", encapsulated: true, installedSeconds: 75,
        rekeySeconds: nil, bytesIn: 0, bytesOut: 0), outcome: "hub",
      verdict: "It goes through tunnel fra-a to hub fra: rule office takes it.",
      kernel: LookupReport(answer: "out", device: "bh-fra-a", gateway: nil, table: 7904), warnings: [])
  }

  @Test func aTechReadsItFromTopToBottom() {
    #expect(
      ExplainCommand.lines(report) == [
        "packet    192.168.10.2 → 198.18.0.9 tcp/443, in by lan0",
        "taken by  rule office, backhaul: first path in order that is up",
        "mark      0x4000000/0x7f000000",
        "ip rule   priority 9220 fwmark 0x4000000/0x7f000000 lookup 7904",
        "route     table 7904: default dev bh-fra-a",
        "path      fra-a, up",
        "tunnel    fra-a to hub fra",
        "outer     198.51.100.2 → 203.0.113.2 by wan0",
        "SA        installed for 1 m 15 s, AES_GCM_16-256 in UDP",
        "kernel    dev bh-fra-a table 7904",
        "It goes through tunnel fra-a to hub fra: rule office takes it.",
      ])
  }

  @Test func aWarningStandsBeforeTheVerdict() {
    var report = report
    report.warnings = ["the kernel answers\u{1b}[1m otherwise"]
    #expect(ExplainCommand.lines(report).suffix(2).first == "warning: the kernel answers [1m otherwise")
  }

  @Test func keysAreSnakeCase() throws {
    let bytes = LocalAPI.encode(report)
    let text = String(decoding: bytes, as: UTF8.self)
    for key in ["\"taken_by\":\"rule\"", "\"ip_rule\":", "\"path_state\":\"up\"", "\"outcome\":\"hub\""] {
      #expect(text.contains(key))
    }
    #expect(try LocalAPI.decode(ExplainReport.self, from: bytes) == report)
  }
}

@Suite struct DoctorLinesTests {
  @Test func eachFindingHasItsEvidenceAndItsFix() throws {
    let device = try #require(Name("branch-017"))
    let report = DoctorReport(
      device: device,
      [
        Finding(.error, .mtu, "packets of 1476 bytes do not get through path fra-a", evidence: "e", fix: "f"),
        Finding(.warning, .reversePath, "w", evidence: "net\u{7}", fix: "sysctl"),
      ])
    #expect(
      DoctorCommand.lines(report) == [
        "ERROR mtu: packets of 1476 bytes do not get through path fra-a", "  seen: e", "  fix:  f",
        "WARNING rp_filter: w", "  seen: net ", "  fix:  sysctl", "branch-017: 1 error, 1 warning",
      ])
    #expect(
      DoctorCommand.lines(DoctorReport(device: device, [])) == ["branch-017: found nothing wrong"])
  }
}
