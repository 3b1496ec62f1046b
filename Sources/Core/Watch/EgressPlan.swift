internal import RuleSets

/// An egress of a watch plan with all whose traffic goes by it: one selection, one active route and one sweep for all.
struct EgressPlan: Equatable, Sendable {
  private(set) var egress: Egress
  private(set) var table: TableID
  /// Of the packets that go by it, and of its connections once they have settled.
  private(set) var mark: Mark
  /// The private lines that `fallback: underlay` may go by, in order.
  private(set) var underlays: [InterfaceName]
  /// The backhaul rules that use it, in the order of the plan. Empty where only steering rules do.
  private(set) var rules: [WatchPlan.WatchedRule]
  /// The steering rules that use it, in their order.
  private(set) var steering: [Name]
  /// Where the connections of all its rules come from, as far as that is known.
  private(set) var sources: [ClosedRange<UInt32>]
  /// Every source is named. A rule of interfaces alone may have sources behind another router, which no list names.
  private(set) var isExact: Bool

  private init(_ rule: WatchPlan.WatchedRule) {
    (egress, table, mark, underlays) = (rule.rule.egress, rule.table, rule.mark, rule.underlays)
    (rules, steering, sources) = ([rule], [], rule.sources)
    isExact = !rule.rule.sources.prefixes.isEmpty
  }

  private init(_ steered: WatchPlan.SteeredEgress) {
    (egress, table, mark, underlays) = (steered.egress, steered.table, steered.mark, steered.underlays)
    (rules, steering, sources, isExact) = ([], steered.rules, steered.sources, steered.isExact)
  }

  private mutating func join(_ other: EgressPlan) {
    rules += other.rules
    steering += other.steering
    sources = AddressRanges.merged(sources + other.sources)
    isExact = isExact && other.isExact
  }

  /// Those that have one table are one, in the order in which rules use them first; backhaul rules before steering rules.
  static func all(_ plan: WatchPlan) -> [EgressPlan] {
    var found: [EgressPlan] = []
    var places: [TableID: Int] = [:]
    for one in plan.rules.map({ EgressPlan($0) }) + plan.steered.map({ EgressPlan($0) }) {
      if let place = places[one.table] {
        found[place].join(one)
      } else {
        places[one.table] = found.count
        found.append(one)
      }
    }
    return found
  }

  /// The mark of its connections once they have settled (`EdgeCompiler+Settled`); nil where they stay bound to paths.
  var settledMark: Mark? { egress.letsFlowsSettle ? mark : nil }

  // MARK: - In events

  private var names: [Name] { rules.map(\.rule.name) + steering }

  /// The rule's name, if it is one backhaul rule's alone.
  var subject: String { rules.count == 1 && steering.isEmpty ? rules[0].rule.name.text : egress.name.text }

  /// `rule office`, `rule office (egress hub)`, `egress hub (rules office, lab)`.
  var title: String {
    guard names.count > 1 || rules.isEmpty else {
      return "rule \(names[0])" + (egress.name == names[0] ? "" : " (egress \(egress.name))")
    }
    let told = names.prefix(Self.told).map(\.text).joined(separator: ", ")
    return "egress \(egress.name) (\(names.count == 1 ? "rule" : "rules") \(told)"
      + (names.count > Self.told ? " and \(names.count - Self.told) more)" : ")")
  }

  /// More names than that nobody reads.
  private static let told = 4

  /// An event about it: where several rules share it, their names are among the details.
  func event(
    _ kind: AgentEvent.Kind, _ text: String, _ details: [String: String] = [:], payload: AgentEvent.Payload? = nil
  ) -> AgentEvent {
    var details = details
    if subject == egress.name.text, names.count > 1 || rules.isEmpty {
      details["rules"] = names.map(\.text).joined(separator: ",")
    }
    return AgentEvent(kind, subject, "\(title): \(text)", details: details, payload: payload)
  }
}
