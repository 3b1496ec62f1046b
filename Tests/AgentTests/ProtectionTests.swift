import Core
import Testing

@testable import Agent

@Suite struct ProtectionTests {
  private func rule(
    _ mode: RuleMode, _ choice: String?, named name: String = "office", enabled: Bool = true, unencrypted: Bool = false
  ) -> RuleReport {
    RuleReport(
      name: name, enabled: enabled, mode: mode.rawValue, choice: choice, path: nil, device: nil, shares: [],
      sinceSeconds: 1, cause: "", unencrypted: unencrypted, unencryptedSeconds: 0, fallback: "block", failback: "move",
      holdDownMs: 0, ipv6: "local", paths: [], tiers: [], interfaces: [], prefixes: 0, table: nil, mark: nil)
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

  private func word(_ rules: RuleReport..., revision: UInt64? = 7) -> Protection.Word {
    Protection(status(rules, revision: revision)).word
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

  @Test func theSentenceNamesWhoIsMeant() {
    let mixed = Protection(
      status([
        rule(.backhaul, "path:fra", named: "a"), rule(.fallback, "local_wan:wan0", named: "b"),
        rule(.blocked, "blocked", named: "c"),
      ])
    )
    #expect(mixed.sentence == "through the hub: a; not: b, c")
    let local = Protection(
      status([rule(.fallback, "local_wan:wan0", named: "a"), rule(.blocked, "blocked", named: "b")]))
    #expect(local.sentence == "traffic of a goes by the local WAN, past the hub; nowhere: b")
  }

  @Test func whatToDoFollowsFromTheCause() {
    func steps(_ path: PathReport) -> [String] { NextSteps.of(status([rule(.blocked, "blocked")], [path])) }
    #expect(steps(path("fra", "up")).isEmpty)
    #expect(steps(path("fra", "unknown")).isEmpty)
    #expect(steps(path("fra", "down", cause: "hub_down"))[0].contains("call who runs it"))
    #expect(steps(path("fra", "down", cause: "tunnel_down"))[0].contains("backhaul tunnels"))
    #expect(steps(path("fra", "down", cause: "uplink_down"))[0].hasPrefix("uplink wan0"))
    #expect(steps(path("fra", "down", cause: "internet_down"))[0].contains("provider"))
    #expect(steps(path("fra", "down", cause: "unclear"))[0].contains("doctor"))
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
    let steps = NextSteps.of(bad)
    #expect(steps.count == 4)
    #expect(steps[0].contains("refused"))
    #expect(steps[1].contains("charon"))
    bad.paths = (0..<20).map { path("p\($0)", "down") }
    #expect(NextSteps.of(bad).count == NextSteps.most)
  }

  @Test func ofManyPathsAScreenGetsThoseThatNeedALook() throws {
    let paths =
      (0..<20).map { path("up-\($0)", "up") } + (0..<20).map { path("down-\($0)", "down", cause: "uplink_down") }
    let all = status([rule(.backhaul, "path:up-0")], paths).judged
    #expect(all.keeping(try PathChoice(nil)) == all)
    let some = all.keeping(try PathChoice(["up-7", "gone"]))
    #expect(some.paths.map(\.name) == ["up-7"] + (0..<12).map { "down-\($0)" })
    #expect(some.pathsInAll == 40 && some.pathsUp == 20 && some.nextSteps == all.nextSteps)
    let few = status([rule(.backhaul, "path:up-0")], Array(paths.prefix(12))).judged
    #expect(few.keeping(try PathChoice([])) == few)
    #expect(throws: LocalAPI.Refusal.self) { try PathChoice((0...100).map { "\($0)" }) }
  }
}
