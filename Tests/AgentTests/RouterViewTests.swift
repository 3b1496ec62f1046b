import Core
internal import RuleSets
import Testing

@testable import Agent

/// The agent's own view says the same as the report that it gives out, in each state of a rule.
@Suite struct RouterViewTests {
  private func bothWays(_ bench: WatchBench, _ seen: ClientSight.View) async -> (RouterView, RouterView) {
    let writer = ReportWriter(await bench.watch.snapshot())
    var report = StatusReport(
      device: "branch", version: "0", pid: 1, uptimeSeconds: 1, revision: nil, source: "", pullFailures: 0,
      rules: writer.rules.map { $0.seen(seen, KernelRanges(), at: writer.at) }, paths: writer.paths,
      pathsInAll: 0, pathsUp: 0, uplinks: writer.uplinks, flipMicroseconds: [], flips: 0)
    report.sight.trouble = seen.trouble
    return (writer.view(seen, KernelRanges()), RouterView(report))
  }

  @Test(arguments: [Egress.Fallback.localWAN, .block])
  func isWhatTheReportSays(_ fallback: Egress.Fallback) async throws {
    let bench = try WatchBench()
    var seen = ClientSight.View()
    seen.rules[try #require(Name("office"))] = ClientSight.View.Rule(
      state: .obstructed, since: bench.loop.now, findings: [.unforwarded(bench.a)])
    try await bench.watch.watch(
      try bench.plan(fallback: fallback, secured: true), links: bench.links, generation: 0)
    for pass in 0..<4 {
      let (judged, told) = await bothWays(bench, pass == 0 ? ClientSight.View() : seen)
      #expect(judged == told)
      #expect(judged.rules.count == 1 && judged.paths.count == 2 && judged.uplinks.count == 1)
      bench.loop.advance(by: .seconds(5))
      if pass == 1 { await bench.watch.linkChanged(bench.a, bench.link(carrier: false)) }
      if pass == 2 { await bench.watch.linkChanged(bench.wan, nil) }
    }
  }
}
