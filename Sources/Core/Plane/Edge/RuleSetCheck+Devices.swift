package import RuleSets

extension RuleSetCheck {
  /// Missing LANs: no reason to refuse a rule set, since a device may come later or belong to another machine, but
  /// packets under another name are not steered by rules for this one.
  ///
  /// - Parameter present: the devices of the kernel at hand.
  /// - Returns: a warning for each place that names a missing LAN, rules before the local configuration.
  package static func missingLANs(
    _ ruleSet: RuleSet, _ configuration: AgentConfiguration, present: Set<InterfaceName>
  ) -> [Complaint] {
    var named: Set<InterfaceName> = []
    var all: [Complaint] = []
    for (index, rule) in ruleSet.backhaulRules.enumerated() where rule.enabled {
      for (place, interface) in rule.sources.interfaces.enumerated() where !present.contains(interface) {
        named.insert(interface)
        all.append(
          Complaint(
            field: "backhaul_rules[\(index)].sources.interfaces[\(place)]",
            "this machine has no interface \(interface): \(consequence(for: rule))"))
      }
    }
    return all
      + configuration.lans.filter { !present.contains($0) && !named.contains($0) }.map {
        Complaint(field: "lans", "this machine has no interface \($0)")
      }
  }

  private static func consequence(for rule: BackhaulRule) -> String {
    switch (rule.isStrict, rule.sources.prefixes.isEmpty) {
    case (true, false):
      "traffic from the prefixes of rule \(rule.name) is steered and held whichever interface it comes in by; "
        + "nothing else that comes in by another interface is"
    case (true, true): "nothing that comes in by another interface is steered or held by rule \(rule.name)"
    case (false, _): "nothing that comes in by another interface is steered by rule \(rule.name)"
    }
  }
}
