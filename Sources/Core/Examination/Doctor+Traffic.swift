internal import RuleSets

/// What happens to clients' packets, and whether the devices that the configuration names are what it expects.
extension Doctor {
  mutating func checkTraffic() {
    guard case .success(let signs) = seen.agent else { return }
    if let trouble = signs.sightTrouble {
      find(
        .warning, .traffic, "the agent cannot see where clients' packets go", evidence: trouble,
        fix:
          "it needs CAP_NET_ADMIN, and tries again every few seconds; if that does not help, systemctl restart backhaul"
      )
    }
    for sign in signs.traffic {
      find(
        sign.isError ? .error : .warning, .traffic, "traffic of rule \(sign.rule) \(sign.cause)",
        evidence: "the kernel's own answers and counters, as the agent sees them", fix: sign.step)
    }
  }

  mutating func checkUplinks() {
    guard case .success(let kernel) = seen.kernel else { return }
    let uplinks = UplinkState.all(seen.configuration, in: kernel)
    // One that stands by may be unplugged.
    let severity: Finding.Severity = uplinks.contains(where: \.usable) ? .warning : .error
    for uplink in uplinks {
      guard let obstacle = uplink.obstacle else { continue }
      find(
        severity, .uplinks, "uplink \(uplink.interface) cannot be used", evidence: obstacle,
        fix: UplinkAdvice.step(obstacle, uplink.interface.text, unknown: "ip addr show; ip route show default"))
    }
  }

  /// Also without an agent, because people run it before the first start.
  mutating func checkSources() {
    guard case .success(let kernel) = seen.kernel else { return }
    for lan in seen.configuration.lans {
      if kernel.links[lan] == nil {
        find(
          .warning, .lans, "there is no interface \(lan), which agent.toml names as a LAN",
          evidence: "ip link shows no interface of that name",
          fix: "correct lans in agent.toml, or rename the "
            + "interface back")
      } else if let master = kernel.links[lan]?.stack?.master, !seen.configuration.lans.contains(master) {
        find(
          .error, .lans,
          "\(lan), which agent.toml names as a LAN, is a port of \(master), so its packets come in by \(master)",
          evidence: "ip -d link show \(lan): master \(master)",
          fix: "put \(master) in its place in the lans of "
            + "agent.toml")
      }
    }
    guard let ruleSet = (try? seen.ruleSet.get()) ?? nil else { return }
    let layout = Layout(ruleSet, seen.configuration, SlotBook(), steering: [])
    var ways = Set(seen.configuration.uplinks.map(\.interface))
    ways.formUnion(ruleSet.tunnels.compactMap(layout.device(of:)))
    // Routes are not read here: what lies behind another router is the agent's to find.
    let view = SourceSurvey.View(
      lans: seen.configuration.lans, ways: ways, links: kernel.links, addresses: kernel.addresses, leading: { _ in nil }
    )
    for rule in ruleSet.backhaulRules where rule.enabled {
      let survey = SourceSurvey(rule.sources, ranges: AddressRanges.merged(rule.sources.prefixes), view)
      for issue in survey.issues where issue.isNamed || issue.isCovered {
        find(
          .error, .lans, "rule \(rule.name): \(issue.words)", evidence: "ip link; ip addr",
          fix: issue.step(for: rule.name.text))
      }
    }
  }
}

extension SourceIssue {
  fileprivate var isCovered: Bool { if case .covered = kind { true } else { false } }
}
