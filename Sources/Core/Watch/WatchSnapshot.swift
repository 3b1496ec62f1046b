package import RuleSets

/// What `PathWatch` knows at one moment, by value.
package struct WatchSnapshot: Sendable {
  package var at: Instant
  package var plan: WatchPlan
  package var links: [InterfaceName: Link]
  package var health: [Name: PathHealth]
  package var probes: [Name: ProbeMachine]
  package var selections: [Name: RuleSelection]
  /// Why each rule's traffic goes where it goes, as things stand now.
  package var causes: [Name: String] = [:]
  package var drains: [Name: Drains]
  package var usableUplinks: [InterfaceName]
  package var flips: FlipTimes
  /// Of the paths that are down, as far as it is known.
  package var diagnoses: [Name: Diagnosis] = [:]
  package var outlooks: [InterfaceName: UplinkOutlook] = [:]
  /// Of the tunnels that need them.
  package var keys: [Name: IKENews.Word] = [:]
  /// Of the metered uplinks.
  package var meters: [InterfaceName: MeterReading] = [:]
  /// Of the enabled rules.
  package var modes: [Name: ModeClock] = [:]
  /// By the names of the egresses that steering rules use.
  package var steered: [Name: Steered] = [:]

  /// The egresses that only steering rules use, except those that are called like a backhaul rule.
  package var steeredAlone: [WatchPlan.SteeredEgress] {
    let known = Set(plan.rules.map(\.rule.name)).union(plan.rules.map(\.rule.egress.name))
    return plan.steered.filter { !known.contains($0.egress.name) }
  }

  /// Where the traffic of each egress goes, by its name; those that have no choice yet are not among them.
  package var choices: [Name: RuleSelection.Choice] {
    var choices = steered.compactMapValues(\.selection.choice)
    for watched in plan.rules { choices[watched.rule.egress.name] = selections[watched.rule.name]?.choice }
    return choices
  }

  /// Where an egress's traffic goes, and why, as things stand now.
  package struct Steered: Sendable {
    package var selection: RuleSelection
    package var cause: String
  }
}

/// What probes have taken of a metered uplink, in bytes a day.
package struct MeterReading: Equatable, Sendable {
  package var budget: Int
  package var spent: Int
  package var yesterday: Int?
  package var stretch: Double
}

/// How long the last flips took, from verdict to the kernel's answer.
package struct FlipTimes: Equatable, Sendable {
  package static let capacity = 256
  /// Oldest overwritten first.
  package private(set) var durations: [Duration] = []
  /// Since the agent started.
  package private(set) var count = 0
  /// Of all of them.
  package private(set) var sum: Duration = .zero

  mutating func add(_ duration: Duration) {
    sum += duration
    if durations.count < Self.capacity {
      durations.append(duration)
    } else {
      durations[count % Self.capacity] = duration
    }
    count += 1
  }
}
