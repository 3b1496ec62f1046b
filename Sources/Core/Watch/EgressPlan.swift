internal import RuleSets

/// An egress of a watch plan with the rules that use it: one selection, one active route and one sweep for all of them.
struct EgressPlan: Equatable, Sendable {
  /// In the order of the plan; never empty.
  private(set) var rules: [WatchPlan.WatchedRule]
  /// Where the connections of all its rules come from, as far as that is known.
  private(set) var sources: [ClosedRange<UInt32>]

  /// Those that have one table are one, in the order in which rules use them first.
  static func all(_ rules: [WatchPlan.WatchedRule]) -> [EgressPlan] {
    var found: [EgressPlan] = []
    var places: [TableID: Int] = [:]
    for rule in rules {
      if let place = places[rule.table] {
        found[place].rules.append(rule)
        found[place].sources = AddressRanges.merged(found[place].sources + rule.sources)
      } else {
        places[rule.table] = found.count
        found.append(EgressPlan(rules: [rule], sources: rule.sources))
      }
    }
    return found
  }

  /// The rule that speaks for all: what they say of where to go is the same.
  var first: WatchPlan.WatchedRule { rules[0] }
  var egress: Egress { first.rule.egress }
  var table: TableID { first.table }
  /// The private lines that `fallback: underlay` may go by, in order.
  var underlays: [InterfaceName] { first.underlays }

  /// The mark of its connections once they have settled (`EdgeCompiler+Settled`); nil where they stay bound to paths.
  var settledMark: Mark? { egress.letsFlowsSettle ? first.mark : nil }

  /// Every source is named. A rule of interfaces alone may have sources behind another router, which no list names.
  var isExact: Bool { rules.allSatisfy { !$0.rule.sources.prefixes.isEmpty } }

  // MARK: - In events

  /// The rule's name, if there is only one.
  var subject: String { rules.count == 1 ? first.rule.name.text : egress.name.text }

  /// `rule office`, `rule office (egress hub)`, `egress hub (rules office, lab)`.
  var title: String {
    let names = rules.map(\.rule.name)
    guard names.count > 1 else {
      return "rule \(names[0])" + (egress.name == names[0] ? "" : " (egress \(egress.name))")
    }
    let told = names.prefix(Self.told).map(\.text).joined(separator: ", ")
    return "egress \(egress.name) (rules \(told)"
      + (names.count > Self.told ? " and \(names.count - Self.told) more)" : ")")
  }

  /// More names than that nobody reads.
  private static let told = 4

  /// An event about it: where several rules share it, their names are among the details.
  func event(
    _ kind: AgentEvent.Kind, _ text: String, _ details: [String: String] = [:], payload: AgentEvent.Payload? = nil
  ) -> AgentEvent {
    var details = details
    if rules.count > 1 { details["rules"] = rules.map(\.rule.name.text).joined(separator: ",") }
    return AgentEvent(kind, subject, "\(title): \(text)", details: details, payload: payload)
  }
}
