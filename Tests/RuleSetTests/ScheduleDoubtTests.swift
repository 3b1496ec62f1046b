internal import RuleSets
import Testing

@testable import Core

/// What schedules mean while the time is not known, and what is told where rules begin and end.
@Suite struct ScheduleDoubtTests {
  private let night: Schedule

  init() throws {
    night = Schedule(from: try #require(TimeOfDay("22:00")), to: try #require(TimeOfDay("06:00")))
  }

  private func name(_ text: String) throws -> Name { try #require(Name(text)) }

  private func rule(
    _ text: String, _ action: SteeringRule.Action, always: Bool = false, enabled: Bool = true
  ) throws -> SteeringRule {
    SteeringRule(
      name: try name(text), enabled: enabled, match: SteeringMatch(dscp: DSCP.all, schedule: always ? nil : night),
      action: action)
  }

  private func ruleSet(_ rules: [SteeringRule]) throws -> RuleSet {
    let (tunnel, uplink) = (try name("fra"), try name("wan"))
    func egress(_ text: String, _ fallback: Egress.Fallback, _ paths: [Name]) throws -> Egress {
      Egress(name: try name(text), tiers: paths.map { [PathShare($0)] }, fallback: fallback)
    }
    var office = BackhaulRule(name: try name("office"), sources: Sources(), paths: [tunnel], fallback: .block)
    office.egress.name = office.name
    return RuleSet(
      device: try name("branch-017"), revision: 1,
      paths: [
        Path(name: tunnel, way: .tunnel(tunnel)),
        Path(name: uplink, way: .uplink(try #require(InterfaceName("wan0")))),
      ],
      egresses: [
        try egress("loose", .localWAN, [tunnel]), try egress("strict", .block, [tunnel]),
        try egress("line", .underlay, [tunnel]), try egress("metered", .block, [tunnel, uplink]),
      ], steeringRules: rules, backhaulRules: [office])
  }

  private func told(_ rules: [SteeringRule]) -> [String] { rules.map { "\($0.name) \($0.action.words)" } }

  @Test func whatShutsHoldsAndWhatOpensDoesNot() throws {
    let rules = [
      try rule("drop", .drop), try rule("direct", .direct), try rule("loose", .egress(name("loose"))),
      try rule("strict", .egress(name("strict"))), try rule("line", .egress(name("line"))),
      try rule("of-a-rule", .egress(name("office"))), try rule("metered", .egress(name("metered"))),
      try rule("nowhere", .egress(name("unknown"))), try rule("off", .drop, enabled: false),
    ]
    #expect(
      told(ScheduleClock.withoutTime(try ruleSet(rules))) == [
        "drop drop", "strict egress:strict", "line egress:line", "of-a-rule egress:office", "metered drop",
      ])
    let always = try rules.map { rule in
      try self.rule(rule.name.text, rule.action, always: true, enabled: rule.enabled)
    }
    #expect(ScheduleClock.withoutTime(try ruleSet(always)) == always.filter(\.enabled), "the others know no time")
  }

  /// The most that a packet may do at any time of the week is never less than what it may do in doubt.
  @Test func noPacketMayDoMoreThanAtTheWorstHour() throws {
    /// How much a way opens.
    func openness(_ action: SteeringRule.Action?) -> Int {
      switch action {
      case .drop?: 0
      case .egress(let egress)? where egress.text == "strict": 1
      case .egress(let egress)? where egress.text == "metered": 2
      case .egress?, .direct?: 3
      // The backhaul rule `office`, which is strict.
      case nil: 1
      }
    }
    let actions: [SteeringRule.Action] = [
      .drop, .direct, .egress(try name("loose")), .egress(try name("strict")), .egress(try name("metered")),
    ]
    for first in actions {
      for second in [nil] + actions.map(Optional.some) {
        // The second has no schedule.
        let last = try second.map { [try rule("second", $0, always: true)] } ?? []
        let doubted = ScheduleClock.withoutTime(try ruleSet([try rule("first", first)] + last)).first?.action
        let hours = [openness(first), openness(second)]
        #expect(openness(doubted) <= hours.max() ?? 0)
        // No uplink is open that is shut at some hour.
        if (hours.min() ?? 0) <= 1 { #expect(openness(doubted) <= 1, "\(first) before \(String(describing: second))") }
      }
    }
  }

  @Test func aClockThatShowsATimeBeforeTheAgentWasMadeHasNotBeenSet() throws {
    for text in ["1970-01-01T00:00:10Z", "2019-12-31T23:59:59Z", "2024-12-31T23:59:59Z"] {
      #expect(!ScheduleClock.isCredible(try #require(WallTime(text: text))), "\(text)")
    }
    for text in ["2025-01-01T00:00:00Z", "2026-08-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
      #expect(ScheduleClock.isCredible(try #require(WallTime(text: text))), "\(text)")
    }
    #expect(!ScheduleClock.isCredible(WallTime(secondsSince1970: .nan)))
    #expect(!ScheduleClock.isCredible(WallTime(secondsSince1970: -.infinity)))
    let clock = ScheduleClock(.utc)
    let ruleSet = try ruleSet([try rule("shut", .drop), try rule("open", .direct)])
    let unset = WallTime(secondsSince1970: 12 * 3_600)
    #expect(told(clock.inForce(ruleSet, at: unset)) == ["shut drop"])
    #expect(clock.wait(ruleSet.steeringRules, at: unset) == ScheduleClock.waitForTheTime)
    #expect(clock.wait([try rule("always", .drop, always: true)], at: unset) == nil)
    #expect(told(clock.inForce(ruleSet, at: try #require(WallTime(text: "2026-01-09T12:00:00Z")))) == [])
    #expect(
      told(clock.inForce(ruleSet, at: try #require(WallTime(text: "2026-01-09T23:00:00Z")))) == [
        "shut drop", "open direct",
      ])
  }

  @Test func theTimeMattersToEnabledRulesWithASchedule() throws {
    #expect(!ScheduleClock.matters(to: []))
    #expect(
      !ScheduleClock.matters(to: [try rule("off", .drop, enabled: false), try rule("always", .drop, always: true)]))
    #expect(ScheduleClock.matters(to: [try rule("always", .drop, always: true), try rule("night", .drop)]))
  }

  @Test func whatTheClockChangedIsTold() throws {
    let (a, b, c) = (try rule("a", .drop), try rule("b", .direct), try rule("c", .drop))
    func words(_ old: [SteeringRule], _ new: [SteeringRule]) -> String? { ScheduleTurn(from: old, to: new)?.words }
    #expect(words([a], [a]) == nil && words([], []) == nil)
    #expect(words([a], [a, b]) == "b holds from now on")
    #expect(words([a, b], []) == "a, b no longer hold")
    #expect(words([a], [b, c]) == "b, c hold from now on; a no longer holds")
    var other = a
    other.action = .egress(try name("metered"))
    #expect(words([a], [other]) == "a holds from now on", "it did something else, while the time was not known")
    let many = try (1...8).map { try rule("r\($0)", .drop) }
    #expect(words([], many) == "r1, r2, r3, r4, r5, r6 and 2 more hold from now on")
  }

  @Test func aLayoutHasTheRulesThatHold() throws {
    let ruleSet = try ruleSet([try rule("shut", .drop), try rule("off", .drop, enabled: false)])
    let configuration = AgentConfiguration(
      device: ruleSet.device, ruleSet: RuleSetSourceConfiguration(location: .file(path: "/nowhere")), uplinks: [],
      lans: [])
    #expect(told(Layout(ruleSet, configuration, SlotBook()).steeringRules) == ["shut drop"])
    #expect(Layout(ruleSet, configuration, SlotBook(), steering: []).steeringRules == [])
  }
}
