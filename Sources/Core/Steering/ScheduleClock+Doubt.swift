package import RuleSets

/// What schedules mean while nobody knows what time it is: at boot, when a router without a battery shows some time of the
/// past until NTP has set its clock.
extension ScheduleClock {
  /// 2025-01-01: no agent that knows schedules is as old as that, so a clock that shows less has not been set.
  package static let earliest = WallTime(secondsSince1970: 1_735_689_600)

  /// Whether the clock may have been set. What is no number is no time.
  package static func isCredible(_ moment: WallTime) -> Bool {
    moment.secondsSince1970 >= earliest.secondsSince1970
  }

  /// Whether anything depends on the time: an enabled rule has a schedule.
  package static func matters(to rules: [SteeringRule]) -> Bool {
    rules.contains { $0.enabled && $0.match.schedule != nil }
  }

  /// The rules that take packets now, in order: by the clock, or as `withoutTime` says where it has not been set.
  package func inForce(_ ruleSet: RuleSet, at moment: WallTime) -> [SteeringRule] {
    Self.isCredible(moment) ? active(ruleSet.steeringRules, at: moment) : Self.withoutTime(ruleSet)
  }

  /// The rules that take packets while the time is not known, in order. Rules without a schedule hold. A rule with one may
  /// hold now or not, and whichever of the two shuts more is taken:
  ///
  /// - `drop` holds: nothing shuts more.
  /// - `direct`, and an egress that falls back to the local WAN, do not hold: nothing opens more. Their packets are for
  ///   later rules and the backhaul rules, which may be strict.
  /// - A strict egress holds, so its packets leave by no uplink, as they might by a later rule. Until the agent has probed
  ///   a path they go nowhere.
  /// - A strict egress one of whose paths is an uplink drops: it might let out by that uplink what a backhaul rule would
  ///   hold back at this hour, and a later rule might let it out by another.
  ///
  /// It costs the traffic of such rules the seconds until the clock is set. The other choice would let a packet out that
  /// the rule set forbids.
  package static func withoutTime(_ ruleSet: RuleSet) -> [SteeringRule] {
    let egresses = Dictionary(
      (ruleSet.egresses + ruleSet.backhaulRules.map(\.egress)).map { ($0.name, $0) },
      uniquingKeysWith: { first, _ in first })
    let uplinkPaths = Set(ruleSet.paths.filter(\.isUplink).map(\.name))
    return ruleSet.steeringRules.filter(\.enabled).compactMap { rule in
      guard rule.match.schedule != nil else { return rule }
      switch rule.action {
      case .drop: return rule
      case .direct: return nil
      case .egress(let name):
        guard let egress = egresses[name], egress.isStrict else { return nil }
        guard egress.paths.contains(where: uplinkPaths.contains) else { return rule }
        var shut = rule
        shut.action = .drop
        return shut
      }
    }
  }
}

extension Path {
  fileprivate var isUplink: Bool { if case .uplink = way { true } else { false } }
}
