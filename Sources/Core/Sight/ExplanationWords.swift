internal import RuleSets

/// What happens to a packet, in one sentence for a technician at the router.
struct ExplanationWords {
  private let layout: Layout
  private let choices: [Name: RuleSelection.Choice]

  init(_ layout: Layout, _ choices: [Name: RuleSelection.Choice]) {
    self.layout = layout
    self.choices = choices
  }

  func verdict(_ explanation: Explanation) -> String {
    if explanation.packet.isIPv6 { return ipv6(explanation) }
    let device = explanation.device?.text ?? "nothing"
    switch explanation.outcome {
    case .hub:
      let tunnel = explanation.tunnel?.name.text ?? device
      let hub = explanation.tunnel.map { " to hub \($0.hub)" } ?? ""
      return "It goes through tunnel \(tunnel)\(hub)\(because(explanation))."
    case .localWAN:
      let translated = explanation.isTranslated ? " with the uplink's own address" : ""
      return "It leaves by uplink \(device)\(translated)\(because(explanation))."
    case .privateLine: return "It leaves by the private line \(device) in the clear\(because(explanation))."
    case .site: return "It stays out of every tunnel and goes out by \(device)\(because(explanation))."
    case .router: return "The router takes it itself."
    case .blocked: return "It goes nowhere: \(obstacle(explanation))."
    case .unreachable: return "It goes nowhere: no route leads to \(explanation.packet.destination)."
    // Said by what was seen.
    case .diverted, .obstructed: return explanation.verdict
    case .spoofed:
      let incoming = explanation.packet.incoming?.text ?? "it"
      return "It goes nowhere: the reverse-path check (rp_filter) refuses its source, as no answer would leave by "
        + "\(incoming)."
    case .lost:
      let tunnel = explanation.tunnel?.name.text ?? device
      return "It goes into tunnel \(tunnel) and no further: \(explanation.reason ?? "no way to the hub")."
    }
  }

  private func because(_ explanation: Explanation) -> String {
    let isMains = explanation.rule?.action.isMainWithoutDefault == true
    switch explanation.taker {
    case .rule(let name) where isMains:
      let prefix = explanation.route.map { "\($0.destination)" } ?? "it"
      return ": the main table has a route of its own to \(prefix), which comes before rule \(name)"
    case .rule(let name): return ": rule \(name) takes it" + since(egress(of: name))
    case .steering(let name) where isMains && egress(steeredBy: name) != nil:
      let prefix = explanation.route.map { "\($0.destination)" } ?? "it"
      return ": the main table has a route of its own to \(prefix), which comes before steering rule \(name)"
    case .steering(let name):
      guard let egress = egress(steeredBy: name) else {
        return ": steering rule \(name) takes it, and lets it follow the main table"
      }
      return ": steering rule \(name) sends it to egress \(egress)" + since(egress)
    case .direct: return ": \(explanation.packet.destination) is a direct destination"
    case .router: return ": it is the router's own traffic, which no rule takes"
    case .nobody: return ": no rule takes it, so it follows the main table"
    }
  }

  private func egress(of rule: Name) -> Name? {
    layout.ruleSet.backhaulRules.first { $0.name == rule }?.egress.name
  }

  private func egress(steeredBy rule: Name) -> Name? {
    layout.ruleSet.steeringRules.first { $0.name == rule }?.egress
  }

  private func since(_ egress: Name?) -> String {
    switch egress.flatMap({ choices[$0] }) {
    case .path, .paths, nil: ""
    case .localWAN: " and has fallen back to the local WAN"
    case .underlay: " and has fallen back to the private line"
    case .blocked: " and blocks"
    }
  }

  private func obstacle(_ explanation: Explanation) -> String {
    if let reason = explanation.reason { return "the router holds it back (\(reason))" }
    if case .steering(let name) = explanation.taker, let egress = egress(steeredBy: name) {
      return "steering rule \(name) sends it to egress \(egress), of which no path can be used"
    }
    guard case .rule(let name) = explanation.taker,
      let rule = layout.ruleSet.backhaulRules.first(where: { $0.name == name })
    else { return "the route says so" }
    return "rule \(name) takes it, no path of the rule can be used, and its fallback is \(rule.fallback.rawValue)"
  }

  private func ipv6(_ explanation: Explanation) -> String {
    let incoming = explanation.packet.incoming?.text ?? "it"
    if explanation.outcome == .blocked {
      let rule = if case .rule(let name) = explanation.taker { "rule \(name) says ipv6: block" } else { "so it is" }
      return "IPv6 is never backhauled, and from \(incoming) it is refused at every uplink: \(rule)."
    }
    return "IPv6 is never backhauled: from \(incoming) it leaves by the local WAN, as the IPv6 routes say."
  }
}
