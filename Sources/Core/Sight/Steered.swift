internal import RuleSets

/// What steering rules say of a packet, for people: which one takes it, and why no earlier one does.
struct Steered {
  /// Nil: none.
  var rule: Name?
  /// One line for each rule that does not, in order.
  var passed: [String]

  /// More of them nobody reads.
  private static let most = 20

  /// - Parameters:
  ///   - rules: all of the rule set.
  ///   - holding: those in force.
  init(_ rules: [SteeringRule], holding: [SteeringRule], _ packet: SteeredPacket) {
    let inForce = Set(holding.map(\.name))
    // A rule that its schedule has put out of force takes nothing, whatever minute it is by now.
    let asked = rules.map { rule in
      var rule = rule
      if inForce.contains(rule.name) { rule.match.schedule = nil }
      return rule
    }
    let verdict = SteeringVerdict(
      of: asked.filter { inForce.contains($0.name) || !$0.enabled || $0.match.schedule == nil }, for: packet)
    rule = verdict.rule?.name
    var lines: [String] = []
    for rule in asked {
      if rule.name == self.rule { break }
      if let passed = verdict.passed.first(where: { $0.rule.name == rule.name }) {
        lines.append(passed.words(for: packet))
      } else {
        let idle = SteeringVerdict.Passed(rule: rule, reason: .misses([.schedule]))
        lines.append(idle.words(for: packet))
      }
    }
    passed =
      lines.count > Self.most
      ? lines.prefix(Self.most) + ["\(lines.count - Self.most) more rules do not take it"] : lines
  }
}
