internal import RuleSets
import Testing

@testable import Core

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

/// `fallback: underlay`: while its tunnels are down, a rule's traffic goes in the clear by the private line below them
/// if that can be used, and nowhere else.
@Suite struct RuleSelectionUnderlayTests {
  /// A rule with the paths `a` and `b` over the private lines `mpls0` and `mpls1`; beside them the uplink `wan0`.
  private struct Bench {
    var selection: RuleSelection
    var health: [Name: PathHealth] = [:]
    var lines: [InterfaceName]
    var usable: Set<InterfaceName>
    let names: [Name]

    init(adopted: String? = nil) throws {
      names = try ["a", "b"].map { try #require(Name($0)) }
      lines = try ["mpls0", "mpls1"].map { try #require(InterfaceName($0)) }
      usable = Set(lines)
      let adopted = try adopted.map { RuleSelection.Choice.underlay(try #require(InterfaceName($0))) }
      selection = RuleSelection(try Self.rule(.underlay, names).egress, adopted: adopted, at: at(0))
      for name in names { health[name] = PathHealth(at: at(0)) }
    }

    static func rule(_ fallback: Egress.Fallback, _ paths: [Name]) throws -> BackhaulRule {
      BackhaulRule(
        name: try #require(Name("office")), sources: Sources(interfaces: [try #require(InterfaceName("lan0"))]),
        paths: paths, fallback: fallback, holdDown: .seconds(30))
    }

    mutating func judge(_ path: Name, _ obstacle: String?, at now: Instant) {
      _ = health[path]?.judge(PathEvidence(obstacle: obstacle, probes: []), at: now)
    }

    /// What happens, in an operator's words.
    mutating func happen(_ what: String, at now: Instant) throws {
      let words = what.split(separator: " ").map(String.init)
      switch (words.first, words.last) {
      case ("nothing"?, _): break
      case ("all"?, "down"?): for name in names { judge(name, "no answer", at: now) }
      case ("path"?, "up"?): judge(try #require(Name(words[1])), nil, at: now)
      case ("path"?, "down"?): judge(try #require(Name(words[1])), "no answer", at: now)
      case ("line"?, "gone"?): usable.remove(try #require(InterfaceName(words[1])))
      case ("line"?, "back"?): usable.insert(try #require(InterfaceName(words[1])))
      case ("rule"?, let fallback?):
        selection.egressChanged(
          to: try Self.rule(try #require(Egress.Fallback(rawValue: fallback)), names).egress)
      default: Issue.record("what is \(what)?")
      }
    }

    mutating func decide(at now: Instant) -> RuleSelection.Flip? {
      let (health, usable) = (health, usable)
      return selection.decide(
        .init(
          state: { health[$0] }, localWAN: InterfaceName("wan0"), underlay: lines.first { usable.contains($0) },
          canUse: { usable.contains($0) }), at: now)
    }
  }

  /// At this second this happens; the result is `KIND to: cause`, or nothing.
  private func check(_ rows: [(Double, String, String)], adopted: String? = nil) throws {
    var bench = try Bench(adopted: adopted)
    for (second, what, expected) in rows {
      try bench.happen(what, at: at(second))
      let flip = bench.decide(at: at(second))
      let text = flip.map { "\($0.kind.rawValue) \($0.to): \($0.cause)" } ?? ""
      #expect(text == expected, "\(second) s: \(what)")
    }
  }

  private static let down = "path a is down: no answer; path b is down: no answer"

  @Test func toTheLineAndBack() throws {
    try check([
      (0, "nothing", ""),
      (1, "path a up", "initial path:a: first path in order that is up"),
      (10, "all down", "failover underlay:mpls0: path a is down: no answer; path b is down: no answer"),
      (11, "nothing", ""),
      (20, "path b up", ""),
      (30, "path a up", ""),
      (50, "nothing", "failback path:b: path b is up: the device is up; no probe watches it"),
      (60, "nothing", "failback path:a: path a is up: the device is up; no probe watches it"),
    ])
  }

  @Test func atTheStart() throws {
    try check([(1, "all down", "initial underlay:mpls0: \(Self.down)")])
  }

  @Test func theLineGoesAndComesBack() throws {
    try check([
      (1, "all down", "initial underlay:mpls0: \(Self.down)"),
      (5, "line mpls1 gone", ""),
      (10, "line mpls0 gone", "failover blocked: \(Self.down); no private line of the rule can be used"),
      (11, "nothing", ""),
      (20, "line mpls0 back", "changed underlay:mpls0: \(Self.down)"),
    ])
  }

  @Test func theNextLineAndBackToTheFirst() throws {
    try check([
      (1, "all down", "initial underlay:mpls0: \(Self.down)"),
      (10, "line mpls0 gone", "failover underlay:mpls1: private line mpls0 cannot be used"),
      (20, "line mpls0 back", "failback underlay:mpls0: private line mpls0 comes first"),
    ])
  }

  @Test func withNoLineItIsBlockedAndNeverALocalWAN() throws {
    try check([
      (0, "line mpls0 gone", ""),
      (0, "line mpls1 gone", ""),
      (1, "all down", "initial blocked: \(Self.down); no private line of the rule can be used"),
      (1_000, "nothing", ""),
      (1_001, "path b up", "failback path:b: path b is up"),
    ])
  }

  @Test func theRuleChanges() throws {
    let changed = [
      (1.0, "all down", "initial underlay:mpls0: \(Self.down)"),
      (2, "rule block", "changed blocked: \(Self.down)"),
      (3, "rule underlay", "changed underlay:mpls0: \(Self.down)"),
      (4, "rule local_wan", "changed local_wan:wan0: \(Self.down)"),
      (5, "rule underlay", "changed underlay:mpls0: \(Self.down)"),
    ]
    try check(changed)
  }

  @Test func aRestartOnTheLineStaysThere() throws {
    try check(
      [
        (0, "nothing", ""), (1, "all down", ""), (2, "path a up", ""),
        (32, "nothing", "failback path:a: path a is up: the device is up; no probe watches it"),
      ], adopted: "mpls0")
  }

  @Test func aRestartOnALineThatIsNotTheFirstAnyMore() throws {
    try check(
      [(0, "nothing", "failback underlay:mpls0: private line mpls0 comes first")], adopted: "mpls1")
  }

  // MARK: How long traffic has gone in the clear

  @Test func secondsInTheClearAddUp() throws {
    var bench = try Bench()
    func clear(_ second: Double) -> Double { bench.selection.unencrypted(at: at(second)).inSeconds }
    func step(_ second: Double, _ what: String) throws {
      try bench.happen(what, at: at(second))
      _ = bench.decide(at: at(second))
    }
    try step(1, "path a up")
    #expect(clear(100) == 0)
    try step(100, "all down")
    #expect(bench.selection.isUnencrypted)
    #expect(bench.selection.unencryptedSince == at(100))
    #expect(clear(107) == 7)
    try step(110, "line mpls0 gone")
    #expect(bench.selection.unencryptedSince == at(100), "by another line, but still in the clear")
    #expect(clear(115) == 15)
    try step(120, "line mpls1 gone")
    #expect(!bench.selection.isUnencrypted, "blocked")
    #expect(clear(500) == 20)
    try step(500, "line mpls1 back")
    #expect(clear(501) == 21)
    try step(510, "path a up")
    try step(540, "nothing")
    #expect(bench.selection.choice == .path(bench.names[0]))
    #expect(clear(9_000) == 60)
  }

  @Test func secondsOfAnEarlierLifeAreNotKnown() throws {
    let bench = try Bench(adopted: "mpls0")
    #expect(bench.selection.isUnencrypted)
    #expect(bench.selection.unencrypted(at: at(12)).inSeconds == 12)
  }

  @Test func onlyThePrivateLineIsInTheClear() throws {
    let wan = try #require(InterfaceName("wan0"))
    let name = try #require(Name("a"))
    for choice: RuleSelection.Choice? in [nil, .blocked, .localWAN(wan), .path(name)] {
      let selection = RuleSelection(try Bench.rule(.underlay, [name]).egress, adopted: choice, at: at(0))
      #expect(!selection.isUnencrypted)
      #expect(selection.unencrypted(at: at(60)) == .zero)
    }
  }
}
