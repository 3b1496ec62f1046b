/// Whose traffic goes to a hub, and by which egress.
package struct BackhaulRule: Equatable, Sendable {
  /// What happens to IPv6 of the sources: it never enters a tunnel.
  package enum IPv6: String, CaseIterable, Equatable, Writable {
    /// It leaves by the local WAN, as the router would send it anyway.
    case local
    /// It is refused where it would leave by an uplink.
    case block
  }

  package var name: Name
  package var enabled: Bool
  package var sources: Sources
  /// Where its traffic goes. Of the rule set's egresses the one that the rule names, or one of its own, which then has
  /// the rule's name.
  package var egress: Egress
  package var ipv6: IPv6
  /// Steering rules may send what a strict rule takes by uplinks that its own egress may not use.
  package var allowBypass: Bool

  package init(
    name: Name, enabled: Bool = true, sources: Sources, egress: Egress, ipv6: IPv6 = .local, allowBypass: Bool = false
  ) {
    self.name = name
    self.enabled = enabled
    self.sources = sources
    self.egress = egress
    self.ipv6 = ipv6
    self.allowBypass = allowBypass
  }
}

extension BackhaulRule {
  /// With an egress of its own, and each path in a tier of its own.
  package init(
    name: Name, enabled: Bool = true, sources: Sources, paths: [Name], fallback: Egress.Fallback,
    failback: Egress.Failback = .move, drainLimit: Duration = .zero, holdDown: Duration = .seconds(30),
    damping: FlapDamping = .standard, ipv6: IPv6 = .local
  ) {
    let egress = Egress(
      name: name, tiers: paths.map { [PathShare($0)] }, fallback: fallback, failback: failback, drainLimit: drainLimit,
      holdDown: holdDown, damping: damping)
    self.init(name: name, enabled: enabled, sources: sources, egress: egress, ipv6: ipv6)
  }

  /// Whether uplinks are shut to its traffic.
  package var isStrict: Bool { egress.isStrict }
}

/// Whose traffic a rule takes: of LAN interfaces, of prefixes, or of prefixes on certain LAN interfaces where both are
/// given. At least one is. Prefixes alone mean: on any LAN interface of the router.
package struct Sources: Equatable, Sendable {
  package var interfaces: [InterfaceName]
  package var prefixes: [IPv4Prefix]

  package init(interfaces: [InterfaceName] = [], prefixes: [IPv4Prefix] = []) {
    self.interfaces = interfaces
    self.prefixes = prefixes
  }
}
