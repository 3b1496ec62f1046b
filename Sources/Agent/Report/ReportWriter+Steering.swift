internal import Core
internal import RuleSets

extension ReportWriter {
  /// Every steering rule, in order.
  ///
  /// - Parameter hits: what the kernel has counted of each.
  func steering(_ rules: [SteeringRule], _ hits: SeenCounts) -> [SteeringReport] {
    let inForce = Set(watch.plan.steering.map(\.name))
    return rules.map { rule in
      let chain = EdgeCompiler.hitChain(of: rule.name)
      let steered = rule.egress.flatMap { watch.steered[$0] }
      return SteeringReport(
        name: rule.name.text, enabled: rule.enabled, holds: inForce.contains(rule.name), action: rule.action.word,
        egress: rule.egress?.text, match: rule.match.words, mode: steered.map { mode(of: $0.selection).rawValue },
        choice: steered?.selection.choice?.description, cause: steered?.cause, packets: hits.packets[chain],
        bytes: hits.bytes[chain])
    }
  }
}
