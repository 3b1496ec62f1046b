import Core
internal import RuleSets
import Testing

@Suite struct HealthCheckTests {
  private func rule(
    _ mode: RuleMode, by way: String? = "path:fra-a", preferred: Bool = true, unencrypted: Bool = false
  ) -> RouterView.Rule {
    var rule = RouterView.Rule(name: "office", mode: mode, way: way, cause: "why")
    rule.shares = ["fra-a"]
    rule.firstTier = preferred ? ["fra-a"] : ["other"]
    rule.isUnencrypted = unencrypted
    rule.traffic = .asIntended
    return rule
  }

  private func check(
    _ rules: [RouterView.Rule], _ states: [PathHealth.State] = [.up],
    _ change: (inout RouterView) -> Void = { _ in }
  ) -> HealthCheck {
    var view = RouterView(revision: 7)
    view.rules = rules
    view.paths = states.enumerated().map { RouterView.Path(name: "p\($0)", state: $1, cause: "why") }
    change(&view)
    return HealthCheck(view)
  }

  @Test func allIsWell() {
    let check = check([rule(.backhaul)])
    #expect(check.status == .ok && check.findings.isEmpty)
  }

  @Test func aRuleIsAsGoodAsTheWayItGoes() {
    #expect(check([rule(.backhaul, by: "path:ams-a", preferred: false)]).status == .warning)
    #expect(check([rule(.fallback, by: "local_wan:wan0", preferred: false)]).status == .critical)
    #expect(check([rule(.blocked, by: "blocked", preferred: false)]).status == .critical)
    #expect(check([rule(.fallback, by: "underlay:mpls0", preferred: false, unencrypted: true)]).status == .critical)
    #expect(check([rule(.blocked, by: nil, preferred: false)]).status == .unknown)
    #expect(check([rule(.fallback, by: "path:wan")]).status == .ok, "the rule itself prefers an uplink")
  }

  @Test func aPathThatIsNotUpIsAWarning() {
    for state in PathHealth.State.allCases {
      #expect(check([rule(.backhaul)], [.up, state]).status == (state == .up ? .ok : .warning))
    }
  }

  @Test func theWorstIsTheStatusAndComesFirst() {
    let check = check([rule(.fallback, by: "local_wan:wan0", preferred: false), rule(.blocked, by: nil)], [.down])
    #expect(check.status == .critical)
    #expect(check.findings.map(\.status) == [.critical, .unknown, .warning])
    #expect(check.findings.first?.text == "rule office goes by local_wan:wan0: why")
    #expect(HealthCheck.Status.allCases.sorted() == [.ok, .warning, .unknown, .critical])
  }

  @Test func theAgentsOwnTroublesCount() {
    #expect(check([rule(.backhaul)]) { $0.revision = nil }.status == .critical)
    #expect(check([rule(.backhaul)]) { $0.applyTrouble = "no table" }.status == .critical)
    #expect(check([rule(.backhaul)]) { $0.journalTrouble = "full" }.status == .warning)
    #expect(check([rule(.backhaul)]) { $0.pullFailures = 2 }.status == .ok, "an orchestrator may restart")
    #expect(check([rule(.backhaul)]) { $0.pullFailures = 3 }.status == .warning)
  }
}
