package import RuleSets

/// What a kernel is tried with: a router that has everything, made up. Pure; `backhaul selftest` puts it into a network
/// namespace of its own.
package enum SelfTest {
  /// A kind of tunnel that the kernel is tried with. The raw value is the rule set's word for it.
  package enum Kind: String, CaseIterable, Sendable {
    case gre, ipip, ipsec

    /// What the kernel must have for it, for a person to fix.
    package var fix: String {
      switch self {
      case .gre: "tunnels of kind gre need the module ip_gre (CONFIG_NET_IPGRE)"
      case .ipip: "tunnels of kind ipip need the module ipip (CONFIG_NET_IPIP)"
      case .ipsec: "tunnels of kind ipsec need the module xfrm_interface (CONFIG_XFRM_INTERFACE), and esp4"
      }
    }

    /// The sample's tunnel of this kind.
    package var tunnel: String { "try-\(rawValue)" }
  }

  /// How one thing went.
  package struct Check: Equatable, Sendable {
    package var name: String
    package var passed: Bool
    package var text: String
    /// What to do; nil if it passed.
    package var fix: String?

    /// A check that passed, and what it saw.
    package static func passed(_ name: String, _ text: String) -> Check { Check(name: name, passed: true, text: text) }
    /// A check that failed, why, and what to do about it.
    package static func failed(_ name: String, _ text: String, fix: String) -> Check {
      Check(name: name, passed: false, text: text, fix: fix)
    }
  }

  /// Documentation's addresses (RFC 5737): nothing of the router's own.
  package static let uplink = "wan0"
  package static let uplinkAddress = "192.0.2.2/24"
  package static let gateway = "192.0.2.1"
  package static let lans = ["lan0", "lan1"]
  /// The rule whose traffic may fall back, and the one whose may not.
  package static let rules = (open: "office", strict: "tills")

  /// A rule set with tunnels of these kinds, of which there is one at least: shared flows, both fallbacks, draining, direct
  /// destinations, IPv6 refused.
  package static func document(_ kinds: [Kind]) -> String {
    let tunnels = kinds.enumerated().map { number, kind in
      let more = kind == .ipsec ? #", "profile": "made-up""# : ""
      return """
        {"name": "\(kind.tunnel)", "kind": "\(kind.rawValue)", "hub": "hub", "uplink": "\(uplink)"\(more),
         "inner": {"local": "10.255.\(number).1/30", "remote": "10.255.\(number).2"}}
        """
    }
    let paths = kinds.map { #"{"name": "\#($0.tunnel)", "tunnel": "\#($0.tunnel)"}"# }
    let first = kinds.first.map { #""\#($0.tunnel)""# } ?? ""
    let shares = kinds.map { #"{"path": "\#($0.tunnel)"}"# }.joined(separator: ", ")
    let shared = kinds.count > 1 ? #"{"balance": [\#(shares)]}"# : first
    return """
      {"schema": 1, "device": "selftest", "revision": 1, "role": "edge",
       "hubs": [{"name": "hub", "address": "203.0.113.2"}],
       "ipsec_profiles": [{"name": "made-up", "auth": "psk", "psk_file": "made-up.psk", "local_id": "a.example",
         "remote_id": "b.example"}],
       "tunnels": [\(tunnels.joined(separator: ",\n"))],
       "paths": [\(paths.joined(separator: ", "))], "probes": [],
       "backhaul_rules": [
         {"name": "\(rules.open)", "sources": {"interfaces": ["lan0"], "prefixes": ["192.168.10.0/24"]},
          "paths": [\(shared)], "fallback": "local_wan", "failback": "drain", "ipv6": "local"},
         {"name": "\(rules.strict)", "sources": {"interfaces": ["lan1"], "prefixes": ["192.168.20.0/24"]}, "paths": [\(first)], "fallback": "block",
          "ipv6": "block"}],
       "direct_destinations": ["198.18.0.0/15", "192.0.2.53/32"]}
      """
  }

  /// The sample's local configuration: one uplink, two LANs, and the ranges to try. Never nil, as its names are valid.
  package static func configuration(_ ranges: KernelRanges) -> AgentConfiguration? {
    guard let device = Name("selftest"), let uplink = InterfaceName(uplink) else { return nil }
    return AgentConfiguration(
      device: device, ruleSet: RuleSetSourceConfiguration(location: .file(path: "/nowhere")),
      uplinks: [UplinkConfiguration(interface: uplink)], lans: lans.compactMap { InterfaceName($0) }, kernel: ranges)
  }

  /// The sample with its numbers; nil if the ranges have no room for it.
  package static func layout(_ kinds: [Kind], _ ranges: KernelRanges) throws(Complaints) -> Layout? {
    let ruleSet = try RuleSetDecoder.decode(Array(document(kinds).utf8))
    guard let configuration = configuration(ranges) else { return nil }
    try RuleSetCheck.check(ruleSet, configuration)
    guard let slots = Layout.slots(ruleSet, configuration, after: SlotBook()) else { return nil }
    return Layout(ruleSet, configuration, slots)
  }
}
