package import RuleSets

extension AgentConfiguration {
  /// With the interfaces of the rule set's strict rules among the LANs, so that the guard holds them whatever `lans` says
  /// by now. An uplink stays an uplink.
  package func covering(_ ruleSet: RuleSet) -> AgentConfiguration {
    let uplinks = Set(uplinks.map(\.interface))
    var known = Set(lans)
    var covering = self
    for rule in ruleSet.backhaulRules where rule.enabled && rule.isStrict {
      for interface in rule.sources.interfaces where !uplinks.contains(interface) && known.insert(interface).inserted {
        covering.lans.append(interface)
      }
    }
    return covering
  }
}
