import Core
import Testing

@testable import Agent

@Suite struct ProtectionTests {
  private func rule(
    _ mode: RuleMode, _ choice: String?, named name: String = "office", enabled: Bool = true, unencrypted: Bool = false,
    traffic: TrafficFinding.State = .asIntended, cause: String? = nil
  ) -> RuleReport {
    RuleReport(
      name: name, enabled: enabled, mode: mode.rawValue, choice: choice, path: nil, device: nil, shares: [],
      sinceSeconds: 1, cause: "", unencrypted: unencrypted, unencryptedSeconds: 0, fallback: "block", failback: "move",
      holdDownMs: 0, ipv6: "local", paths: [], tiers: [], interfaces: [], prefixes: 0, table: nil, mark: nil,
      traffic: traffic == .unseen
        ? nil
        : TrafficReport(
          state: traffic.rawValue, sinceSeconds: 1, cause: cause, step: cause.map { "end what \($0)" }))
  }

  private func path(_ name: String, _ state: String, cause: String? = nil) -> PathReport {
    PathReport(
      name: name, kind: "tunnel", device: "bh-\(name)", uplink: "wan0", state: state, sinceSeconds: 1,
      cause: "no answer",
      mark: 1, carries: [], downCause: cause)
  }

  private func status(_ rules: [RuleReport], _ paths: [PathReport] = [], revision: UInt64? = 7) -> StatusReport {
    StatusReport(
      device: "branch", version: "0", pid: 1, uptimeSeconds: 1, revision: revision, source: "file:///x",
      pullFailures: 0, rules: rules, paths: paths, pathsInAll: paths.count,
      pathsUp: paths.count { $0.state == "up" }, uplinks: [], flipMicroseconds: [], flips: 0)
  }

  private func judged(_ report: StatusReport) -> Protection { Protection(RouterView(report)) }
  private func judgedReport(_ report: StatusReport) -> StatusReport {
    var report = report
    report.judge(by: RouterView(report))
    return report
  }

  private func word(_ rules: RuleReport..., revision: UInt64? = 7) -> Protection.Word {
    judged(status(rules, revision: revision)).word
  }

  @Test func eachWord() {
    #expect(word(rule(.backhaul, "path:fra")) == .protected)
    #expect(word(rule(.backhaul, "path:fra", named: "a"), rule(.fallback, "local_wan:wan0", named: "b")) == .partly)
    #expect(word(rule(.backhaul, "path:fra", named: "a"), rule(.blocked, "blocked", named: "b")) == .partly)
    #expect(word(rule(.fallback, "local_wan:wan0")) == .unprotected)
    #expect(word(rule(.fallback, "local_wan:wan0", named: "a"), rule(.blocked, "blocked", named: "b")) == .unprotected)
    #expect(word(rule(.fallback, "underlay:mpls0", unencrypted: true)) == .unencrypted)
    #expect(
      word(rule(.backhaul, "path:fra", named: "a"), rule(.fallback, "underlay:mpls0", named: "b", unencrypted: true))
        == .unencrypted)
    #expect(word(rule(.blocked, "blocked")) == .blocked)
    #expect(word(rule(.blocked, nil)) == .undecided)
    #expect(word(rule(.blocked, nil, named: "a"), rule(.blocked, "blocked", named: "b")) == .blocked)
    #expect(word(rule(.bypass, nil, enabled: false)) == .unsteered)
    #expect(word(revision: nil) == .unsteered)
  }

  @Test func whatIsSeenComesBeforeWhatWasDecided() {
    let hub = rule(.backhaul, "path:fra", named: "a")
    func other(_ traffic: TrafficFinding.State, _ mode: RuleMode = .backhaul) -> RuleReport {
      rule(mode, mode == .blocked ? "blocked" : "path:fra", named: "b", traffic: traffic, cause: "does x")
    }
    func first(_ rules: RuleReport...) -> (Protection.Word, String) {
      let protection = judged(status(rules))
      return (protection.word, protection.sentence)
    }
    #expect(first(hub, other(.diverted)) == (.diverted, "traffic of b does x; through the hub: a"))
    #expect(first(other(.diverted, .blocked)) == (.diverted, "traffic of b does x"), "what leaks is not blocked")
    #expect(first(hub, other(.obstructed)) == (.obstructed, "traffic of b does x; through the hub: a"))
    #expect(first(other(.untaken)) == (.unsteered, "traffic of b does x; it follows the main table"))
    #expect(first(hub, other(.untaken)) == (.partly, "traffic of b does x; through the hub: a"))
    #expect(first(hub, other(.misnamed)) == (.partly, "traffic of b does x; through the hub: a"))
    #expect(first(rule(.fallback, "local_wan:wan0", named: "a"), other(.untaken)).0 == .unprotected)
    #expect(first(hub, other(.unseen)).0 == .undecided, "nobody has looked yet")
    #expect(first(rule(.fallback, "local_wan:wan0", traffic: .unseen)).0 == .unprotected)
    #expect(first(rule(.blocked, "blocked", traffic: .unseen)).0 == .blocked)
    // Of two, the worse one comes first, and the other is still shown.
    #expect(
      first(other(.obstructed), rule(.backhaul, "path:fra", named: "c", traffic: .diverted, cause: "does y"))
        == (.diverted, "traffic of c does y; dropped on this router: b"))
  }

  @Test func monitoringGetsWhatIsSeen() {
    func health(_ rule: RuleReport) -> HealthCheck {
      var rule = rule
      rule.shares = [ShareReport(path: "fra", weight: 1)]
      rule.tiers = [rule.shares]
      return HealthCheck(RouterView(status([rule], [path("fra", "up")])))
    }
    #expect(health(rule(.backhaul, "path:fra")).status == .ok)
    for state in [TrafficFinding.State.diverted, .untaken, .obstructed] {
      let found = health(rule(.backhaul, "path:fra", traffic: state, cause: "does x"))
      #expect(found.status == .critical)
      #expect(found.findings.first?.text == "rule office: its traffic does x")
    }
    #expect(health(rule(.backhaul, "path:fra", traffic: .misnamed, cause: "does x")).status == .warning)
    #expect(health(rule(.backhaul, "path:fra", traffic: .unseen)).status == .unknown)
    #expect(health(rule(.blocked, "blocked", traffic: .unseen)).status == .critical)
    #expect(health(rule(.blocked, "blocked", traffic: .misnamed, cause: "does x")).status == .critical)
  }

  @Test func theSentenceNamesWhoIsMeant() {
    let mixed = judged(
      status([
        rule(.backhaul, "path:fra", named: "a"), rule(.fallback, "local_wan:wan0", named: "b"),
        rule(.blocked, "blocked", named: "c"),
      ])
    )
    #expect(mixed.sentence == "through the hub: a; by the local WAN: b; nowhere: c")
    let local = judged(
      status([rule(.fallback, "local_wan:wan0", named: "a"), rule(.blocked, "blocked", named: "b")]))
    #expect(local.sentence == "traffic of a goes by the local WAN, past the hub; nowhere: b")
  }

  private func uplink(_ name: String, _ state: String, usable: Bool = true, roles: [String] = []) -> UplinkReport {
    UplinkReport(
      interface: name, tier: 1, isPrivate: false, usable: usable, obstacle: usable ? nil : "no carrier", state: state,
      scouts: roles.map { ScoutReport(address: "192.0.2.1", roles: [$0], answer: "silent") })
  }

  @Test func aRuleThatStaysOnADeadPathIsNotProtected() {
    var stuck = rule(.backhaul, "path:fra")
    stuck.shares = [ShareReport(path: "fra", weight: 1)]
    var report = status([stuck], [path("fra", "down", cause: "uplink_down")])
    report.uplinks = [uplink("wan0", "down", usable: false)]
    #expect(Protection(RouterView(report)).word == .blocked)
    #expect(
      Protection(RouterView(report)).sentence
        == "traffic of office goes nowhere: its paths are down and no uplink can be used")
    #expect(HealthCheck(RouterView(report)).status == .critical)
    #expect(NextSteps.of(RouterView(report)) == ["uplink wan0 cannot be used (no carrier): check its cable and modem"])
    stuck.shares.append(ShareReport(path: "ams", weight: 1))
    #expect(judged(status([stuck], [path("fra", "down"), path("ams", "up")])).word == .protected)
    report = status(
      [stuck, rule(.backhaul, "path:par", named: "guests")], [path("fra", "down"), path("ams", "disabled")])
    #expect(Protection(RouterView(report)).sentence == "through the hub: guests; nowhere: office")
  }

  @Test func aLocalWANThatSeemsDeadIsReportedAsSuch() {
    var local = rule(.fallback, "local_wan:wan0")
    local.device = "wan0"
    var report = status([local], [path("fra", "down", cause: "uplink_down")])
    report.uplinks = [uplink("wan0", "down", roles: ["gateway"]), uplink("wan1", "up")]
    #expect(Protection(RouterView(report)).word == .unprotected)
    #expect(Protection(RouterView(report)).sentence.contains("is sent by the local WAN wan0, which seems dead"))
    #expect(NextSteps.of(RouterView(report)).contains { $0.contains("traffic can move to wan1") })
    report.uplinks[0] = uplink("wan0", "down", roles: ["target"])
    #expect(!NextSteps.of(RouterView(report)).contains { $0.contains("wan1") }, "it has targets already")
    report.uplinks = [uplink("wan0", "unknown")]
    #expect(Protection(RouterView(report)).sentence == "traffic of office goes by the local WAN, past the hub")
  }

  @Test func whatElseThereIsIsNotHidden() {
    let some = judged(
      status([
        rule(.fallback, "underlay:mpls0", named: "a", unencrypted: true), rule(.fallback, "local_wan:wan0", named: "b"),
        rule(.blocked, "blocked", named: "c"), rule(.blocked, nil, named: "d"),
      ]))
    #expect(
      some.sentence
        == "traffic of a goes by a private line in the clear; by the local WAN: b; nowhere: c; being judged: d")
    let judged = judged(status([rule(.blocked, "blocked", named: "a"), rule(.blocked, nil, named: "b")]))
    #expect(
      judged.sentence == "traffic of a goes nowhere: nothing leaks, and its devices are offline; being judged: b")
  }

  @Test func aTunnelsTroubleIsToldApart() {
    func step(_ change: (inout PathReport) -> Void, charon: CharonReport? = nil) -> String? {
      var bad = path("fra", "down", cause: "tunnel_down")
      change(&bad)
      var report = status([rule(.blocked, "blocked")], [bad])
      report.charon = charon
      return NextSteps.of(RouterView(report)).first { !$0.contains("charon") }
    }
    #expect(step { _ in }?.contains("compare the tunnel's settings") == true)
    #expect(
      step { $0.obstacle = "an interface that is not ours has the name bh-fra" }?.contains("cannot be used here")
        == true)
    #expect(step { $0.keys = "down" }?.contains("pre-shared key") == true)
    #expect(step { $0.keys = "up" }?.contains("drops ESP") == true)
    #expect(step({ $0.keys = "unknown" }, charon: CharonReport(answers: false)) == nil)
  }

  @Test func aRuleSetThatCannotBeUsedIsNotOneThatDidNotCome() {
    var report = status([rule(.backhaul, "path:fra")])
    report.pullTrouble = "rule set refused: x"
    #expect(NextSteps.of(RouterView(report))[0].hasSuffix("revision 7 stays in force; ask its maintainer to fix it"))
    report.revision = nil
    #expect(NextSteps.of(RouterView(report))[0].contains("none is running"))
    report.pullFailures = 1
    #expect(NextSteps.of(RouterView(report))[0].hasPrefix("no rule set has come"))
    report.revision = 7
    report.pullFailures = 9
    #expect(
      NextSteps.of(RouterView(report))[0]
        == "no rule set can be fetched from its source (rule set refused: x): revision 7 stays in force")
  }

  @Test func whatToDoFollowsFromTheCause() {
    func steps(_ path: PathReport) -> [String] {
      NextSteps.of(RouterView(status([rule(.blocked, "blocked")], [path])))
    }
    #expect(steps(path("fra", "up")).isEmpty)
    #expect(steps(path("fra", "unknown")).isEmpty)
    #expect(steps(path("fra", "down", cause: "hub_down"))[0].contains("call whoever runs the hub"))
    #expect(steps(path("fra", "down", cause: "tunnel_down"))[0].contains("backhaul tunnels"))
    #expect(steps(path("fra", "down", cause: "uplink_down"))[0].hasPrefix("uplink wan0"))
    #expect(steps(path("fra", "down", cause: "internet_down"))[0].contains("provider"))
    #expect(steps(path("fra", "down"))[0].contains("(no answer)"))
    #expect(steps(path("fra", "degraded"))[0].contains("backhaul history fra"))
    var forced = path("fra", "disabled")
    forced.forced = PathForceReport(path: "fra", force: "down", since: "then", user: 0)
    #expect(steps(forced)[0].contains("backhaul force fra auto"))
  }

  @Test func theWorstComesFirstEachOnceAndNoMoreThanAreRead() {
    var bad = status(
      [rule(.blocked, "blocked")], (0..<20).map { path("p\($0)", "down", cause: "uplink_down") } + [path("x", "down")])
    bad.applyTrouble = "ip route add: refused"
    bad.charon = CharonReport(answers: false)
    let steps = NextSteps.of(RouterView(bad))
    #expect(steps.count == 4)
    #expect(steps[0].contains("refused"))
    #expect(steps[1].contains("charon"))
    bad.paths = (0..<20).map { path("p\($0)", "down") }
    #expect(NextSteps.of(RouterView(bad)).count == NextSteps.most)
  }

  @Test func ofManyPathsAScreenGetsThoseThatNeedALook() throws {
    let paths =
      (0..<20).map { path("up-\($0)", "up") } + (0..<20).map { path("down-\($0)", "down", cause: "uplink_down") }
    let all = judgedReport(status([rule(.backhaul, "path:up-0")], paths))
    #expect(all.keeping(try PathChoice(nil)) == all)
    let some = all.keeping(try PathChoice(["up-7", "gone"]))
    #expect(some.paths.map(\.name) == ["up-7"] + (0..<12).map { "down-\($0)" })
    #expect(some.pathsInAll == 40 && some.pathsUp == 20 && some.nextSteps == all.nextSteps)
    let few = judgedReport(status([rule(.backhaul, "path:up-0")], Array(paths.prefix(12))))
    #expect(few.keeping(try PathChoice([])) == few)
    #expect(throws: LocalAPI.Refusal.self) { try PathChoice((0...100).map { "\($0)" }) }
  }
}
