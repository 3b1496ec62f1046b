internal import RuleSets
@testable import Core

/// The branch router with IPsec: a tunnel of its own kind, one around GRE, and a private line.
extension Branch {
  static let profile = IPsecProfile(
    name: "hub", authentication: .psk(file: nil), remoteID: identity("hub.example"),
    espProposals: proposals("aes256gcm16-ecp384", for: .esp))

  static let ipsec = Tunnel(
    name: "fra-s", kind: .ipsec(profile: "hub"), hub: "fra", uplink: "wan0", innerLocal: "10.1.3.1/30",
    innerRemote: "10.1.3.2")
  /// GRE in a transport mode SA, by the private line.
  static let protected = Tunnel(
    name: "fra-g", kind: .gre(key: nil), hub: "fra", uplink: "mpls0", innerLocal: "10.1.4.1/30",
    innerRemote: "10.1.4.2",
    protection: "hub")

  static func secureConfiguration() -> AgentConfiguration {
    var configuration = configuration(uplinks: [
      .init(interface: "wan0", tier: 2), .init(interface: "mpls0", tier: 1, isPrivate: true, gateway: "10.99.0.1"),
    ])
    configuration.ipsec.pskFile = "/etc/backhaul/secrets/hub"
    return configuration
  }

  static func secureRuleSet(
    tunnels: [Tunnel] = [ipsec, protected], fallback: Egress.Fallback = .underlay,
    _ change: (inout BackhaulRule) -> Void = { _ in }
  ) -> RuleSet {
    var rule = office
    rule.egress.paths = tunnels.map(\.name)
    rule.egress.fallback = fallback
    change(&rule)
    return RuleSet(
      device: "branch-017", revision: 42, hubs: [Hub(name: "fra", address: "203.0.113.2")], profiles: [profile],
      tunnels: tunnels, paths: tunnels.map { Path(name: $0.name, way: .tunnel($0.name)) }, backhaulRules: [rule])
  }

  static func secureKernel() -> ActualState {
    var state = kernel()
    state.links["wan1"] = nil
    state.addresses["wan1"] = nil
    state.mainDefaults.removeAll { $0.device == "wan1" }
    state.settings = state.settings.filter { $0.key.interface != "wan1" }
    state.links["mpls0"] = Link(index: InterfaceIndex(6), isUp: true, hasCarrier: true, mtu: 1500)
    state.addresses["mpls0"] = ["10.99.0.2/30"]
    for key in InterfaceSetting.Key.allCases { state.settings[InterfaceSetting("mpls0", key)] = 0 }
    state.settings[InterfaceSetting("mpls0", .disableXFRM)] = 1
    return state
  }

  static func secureCompiler(
    _ ruleSet: RuleSet = secureRuleSet(), _ kernel: ActualState = secureKernel(),
    negotiated: [Name: ESPEncapsulation] = [:]
  ) -> EdgeCompiler {
    let configuration = secureConfiguration()
    let slots = Layout.slots(ruleSet, configuration, after: SlotBook()) ?? SlotBook()
    return EdgeCompiler(ruleSet, configuration, slots, kernel, negotiated: negotiated)
  }

  static func identity(_ text: String) -> IKEIdentity {
    guard let identity = IKEIdentity(text) else { fatalError("not valid in a test: \(text)") }
    return identity
  }

  static func proposals(_ texts: String..., for use: ProposalUse) -> [Proposal] {
    texts.map { text in
      guard let proposal = try? Proposal.parse(text, for: use) else { fatalError("not valid in a test: \(text)") }
      return proposal
    }
  }

  static func esp(_ encryption: String, _ bits: Int, _ integrity: String? = nil, inUDP: Bool = false)
    -> ESPEncapsulation
  {
    guard let transform = ESPTransform(encryption: encryption, keyBits: bits, integrity: integrity) else {
      fatalError("not valid in a test: \(encryption)")
    }
    return ESPEncapsulation(transform, isInUDP: inUDP)
  }
}
