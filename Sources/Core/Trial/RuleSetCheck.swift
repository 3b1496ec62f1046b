package import RuleSets

/// Whether a rule set fits this router: what no decoder can know, because it depends on the local configuration.
package enum RuleSetCheck {
  /// Everything that is wrong, in the order of the document; empty if the rule set fits.
  package static func complaints(_ ruleSet: RuleSet, _ configuration: AgentConfiguration) -> [Complaint] {
    var all: [Complaint] = []
    if ruleSet.device != configuration.device {
      all.append(
        Complaint(field: "device", "expected \(configuration.device), this router's name, found \(ruleSet.device)"))
    }
    all += profiles(ruleSet, configuration)
    all += tunnels(ruleSet, configuration)
    for (index, path) in ruleSet.paths.enumerated() {
      guard case .uplink(let interface) = path.way else { continue }
      all += unknownUplink(interface, configuration, field: "paths[\(index)].uplink")
    }
    all += steering(ruleSet, configuration)
    for (index, rule) in ruleSet.backhaulRules.enumerated() {
      all += sources(of: rule, configuration, field: "backhaul_rules[\(index)].sources")
      if !ruleSet.egresses.contains(where: { $0.name == rule.egress.name }) {
        all += fallback(of: rule.egress, ruleSet, configuration, field: "backhaul_rules[\(index)].fallback")
      }
    }
    for (index, egress) in ruleSet.egresses.enumerated() {
      all += fallback(of: egress, ruleSet, configuration, field: "egresses[\(index)].fallback")
    }
    return all + numbers(ruleSet, configuration)
  }

  private static func fallback(
    of egress: Egress, _ ruleSet: RuleSet, _ configuration: AgentConfiguration, field: String
  ) -> [Complaint] {
    switch egress.fallback {
    case .block: return []
    case .localWAN:
      if configuration.uplinks.contains(where: { !$0.isPrivate }) { return [] }
      return [
        Complaint(field: field, "\"local_wan\" never leaves by a private line, and this router has no other uplink")
      ]
    case .underlay:
      if !Layout(ruleSet, configuration, SlotBook(), steering: []).underlays(of: egress).isEmpty { return [] }
      return [
        Complaint(
          field: field,
          "\"underlay\" sends in the clear by a private line, but none of its tunnels goes over one (an uplink with "
            + "private = true in the local configuration)")
      ]
    }
  }

  /// Throws everything that is wrong.
  package static func check(_ ruleSet: RuleSet, _ configuration: AgentConfiguration) throws(Complaints) {
    let all = complaints(ruleSet, configuration)
    guard all.isEmpty else { throw Complaints(all) }
  }

  /// For the profiles that a tunnel uses.
  private static func profiles(_ ruleSet: RuleSet, _ configuration: AgentConfiguration) -> [Complaint] {
    let used = Set(ruleSet.tunnels.compactMap(\.profile))
    var all: [Complaint] = []
    var seen: [Set<String>: (file: String, index: Int)] = [:]
    for (index, profile) in ruleSet.profiles.enumerated() where used.contains(profile.name) {
      let field = "ipsec_profiles[\(index)]"
      all += profile.missingFiles(configuration.ipsec).map {
        Complaint(field: "\(field).\($0)", "missing, and [ipsec] of the local configuration has none either")
      }
      guard case .psk(let file)? = profile.credentials(configuration.ipsec) else { continue }
      let owners = profile.keyOwners(localID: profile.localID ?? IKEIdentity(configuration.device.text))
      if let other = seen[owners], other.file != file {
        all.append(Complaint(field: field, IPsecProfile.sharesKeyOwners(with: other.index)))
      } else {
        seen[owners] = (file, index)
      }
    }
    return all
  }

  private static func unknownUplink(
    _ interface: InterfaceName, _ configuration: AgentConfiguration, field: String
  ) -> [Complaint] {
    if configuration.uplinks.contains(where: { $0.interface == interface }) { return [] }
    let known = list(configuration.uplinks.map(\.interface))
    return [Complaint(field: field, "expected an uplink of this router (\(known)), found \(interface)")]
  }

  private static func sources(
    of rule: BackhaulRule, _ configuration: AgentConfiguration, field: String
  ) -> [Complaint] {
    if configuration.lans.isEmpty {
      return [Complaint(field: field, "this router has no LAN interface that traffic could come in by")]
    }
    return unknownLANs(rule.sources.interfaces, configuration, field: "\(field).interfaces")
  }

  private static func steering(_ ruleSet: RuleSet, _ configuration: AgentConfiguration) -> [Complaint] {
    var all: [Complaint] = []
    for (index, rule) in ruleSet.steeringRules.enumerated() {
      all += unknownLANs(rule.match.lans, configuration, field: "steering_rules[\(index)].match.lans")
    }
    if let domain = ResolverList(ruleSet.steeringRules).overlong(table: configuration.kernel.nftTable) {
      all.append(
        Complaint(
          field: "steering_rules",
          "\(domain) is in too many rules, or lies in domains of too many: dnsmasq takes them all in one line of at most "
            + "\(ResolverList.longestLine) bytes"))
    }
    guard all.isEmpty else { return all }
    let most = SteeringProgram.mostBoxes
    if SteeringPrograms.boxes(of: ruleSet.steeringRules, upTo: most) > most {
      let found = SteeringPrograms.boxes(of: ruleSet.steeringRules, upTo: mostCounted)
      all.append(
        Complaint(
          field: "steering_rules",
          "expected at most \(most) combinations of what the rules match, counted for each LAN and each DSCP value that "
            + "they name, found \(found > mostCounted ? "more than \(mostCounted)" : "\(found)")"))
    }
    return all
  }

  /// So many combinations are counted, where there are too many.
  private static let mostCounted = 10_000_000

  private static func unknownLANs(
    _ interfaces: [InterfaceName], _ configuration: AgentConfiguration, field: String
  ) -> [Complaint] {
    interfaces.enumerated().compactMap { index, interface in
      if configuration.lans.contains(interface) { return nil }
      return Complaint(
        field: "\(field)[\(index)]",
        "expected a LAN interface of this router (\(list(configuration.lans))), found \(interface)")
    }
  }

  /// What tells one tunnel device from another to the kernel (ip_tunnel_find, net/ipv4/ip_tunnel.c).
  private struct Identity: Hashable {
    var kind: String
    var key: UInt32?
    var uplink: InterfaceName?
    var hub: IPv4Address
  }

  private static func tunnels(_ ruleSet: RuleSet, _ configuration: AgentConfiguration) -> [Complaint] {
    let layout = Layout(ruleSet, configuration, SlotBook(), steering: [])
    let taken = Set(configuration.lans + configuration.uplinks.map(\.interface))
    var devices: [InterfaceName: Name] = [:]
    var identities: [Identity: Name] = [:]
    var all: [Complaint] = []
    for (index, tunnel) in ruleSet.tunnels.enumerated() {
      let field = "tunnels[\(index)]"
      if let uplink = tunnel.uplink {
        all += unknownUplink(uplink, configuration, field: "\(field).uplink")
      }
      let hub = ruleSet.hubs.first { $0.name == tunnel.hub }?.address
      var identity: Identity?
      var deviceField = "name"
      switch tunnel.kind {
      case .gre(let key): identity = hub.map { Identity(kind: "gre", key: key, uplink: tunnel.uplink, hub: $0) }
      case .ipip: identity = hub.map { Identity(kind: "ipip", key: nil, uplink: tunnel.uplink, hub: $0) }
      case .ipsec: break  // known by its number, which is its mark
      case .external: deviceField = "device"
      }
      if let identity, let other = identities.updateValue(tunnel.name, forKey: identity) {
        all.append(
          Complaint(
            field: field,
            "same kind, uplink, hub address and key as tunnel \(other): the kernel allows only one such "
              + "tunnel"))
      }
      guard let device = layout.device(of: tunnel) else {
        let prefix = configuration.kernel.interfacePrefix
        all.append(
          Complaint(
            field: "\(field).name",
            "expected at most \(max(0, 15 - prefix.utf8.count)) characters, since the device is called "
              + "\(prefix)\(tunnel.name), found \(tunnel.name.text.utf8.count)"))
        continue
      }
      if taken.contains(device) {
        all.append(Complaint(field: "\(field).\(deviceField)", "\(device) is a LAN or an uplink of this router"))
      }
      if let other = devices.updateValue(tunnel.name, forKey: device) {
        all.append(Complaint(field: "\(field).\(deviceField)", "tunnel \(other) has the device \(device) already"))
      }
    }
    return all
  }

  private static func numbers(_ ruleSet: RuleSet, _ configuration: AgentConfiguration) -> [Complaint] {
    var all: [Complaint] = []
    let owners = Layout.owners(ruleSet, configuration).count
    // Slot 1 is the bypass.
    let room = max(0, Layout.room(in: configuration) - Slot.first.number + 1)
    if owners > room {
      all.append(
        Complaint(
          field: "",
          "\(owners) tunnels, uplinks and egresses in all, but kernel.mark_mask and the table range in the "
            + "local configuration have room for only \(room)"))
    }
    if configuration.kernel.priorities.count < KernelRanges.leastPriorities {
      all.append(
        Complaint(
          field: "",
          "the local configuration gives \(configuration.kernel.priorities.count) ip rule priorities, "
            + "but \(KernelRanges.leastPriorities) are needed"))
    }
    return all
  }

  private static func list(_ names: [InterfaceName]) -> String {
    names.isEmpty ? "none is configured" : names.map(\.text).joined(separator: ", ")
  }
}
