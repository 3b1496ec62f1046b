/// Which traffic goes to a hub, by which paths, and what happens when they are gone.
package struct BackhaulRule: Equatable, Sendable {
  /// What happens to the traffic when no path of the rule is up.
  package enum Fallback: String, CaseIterable, Equatable, Sendable {
    /// It leaves by a local uplink, masqueraded.
    case localWAN = "local_wan"
    /// It goes nowhere; the sender gets "host unreachable".
    case block
    /// It leaves by the private line below the rule's tunnels, in the clear and as it is, and by no other uplink.
    case underlay
  }

  /// Whether an uplink is shut to the rule's traffic, but for what the rule itself names.
  package var isStrict: Bool { fallback != .localWAN }

  /// What happens to live flows when traffic returns to a better path.
  package enum Failback: String, CaseIterable, Equatable, Sendable {
    /// They finish where they are.
    case drain
    /// Their conntrack entries are deleted, so that they are set up anew on the better path.
    case move
  }

  /// What happens to IPv6 of the sources: it never enters a tunnel.
  package enum IPv6: String, CaseIterable, Equatable, Sendable {
    /// It leaves by the local WAN, as the router would send it anyway.
    case local
    /// It is refused where it would leave by an uplink.
    case block
  }

  package var name: Name
  package var enabled: Bool
  package var sources: Sources
  /// In order of preference; the paths of one tier share the rule's flows. Never empty, and no path is there twice.
  package var tiers: [[PathShare]]
  package var fallback: Fallback
  package var failback: Failback
  /// How long live flows may stay on the way left, with `drain`; zero: until they end.
  package var drainLimit: Duration
  /// How long a better path must have been up before traffic returns to it.
  package var holdDown: Duration
  /// Keeps traffic from a path that comes and goes; see `FlapDamping`.
  package var damping: FlapDamping
  package var ipv6: IPv6

  package init(
    name: Name, enabled: Bool = true, sources: Sources, tiers: [[PathShare]], fallback: Fallback,
    failback: Failback = .move, drainLimit: Duration = .zero,
    holdDown: Duration = .seconds(30), damping: FlapDamping = .standard, ipv6: IPv6 = .local
  ) {
    self.name = name
    self.enabled = enabled
    self.sources = sources
    self.tiers = tiers
    self.fallback = fallback
    self.failback = failback
    self.drainLimit = drainLimit
    self.holdDown = holdDown
    self.damping = damping
    self.ipv6 = ipv6
  }
}

extension BackhaulRule {
  /// With each path in a tier of its own.
  package init(
    name: Name, enabled: Bool = true, sources: Sources, paths: [Name], fallback: Fallback, failback: Failback = .move,
    drainLimit: Duration = .zero, holdDown: Duration = .seconds(30), damping: FlapDamping = .standard,
    ipv6: IPv6 = .local
  ) {
    self.init(
      name: name, enabled: enabled, sources: sources, tiers: paths.map { [PathShare($0)] }, fallback: fallback,
      failback: failback, drainLimit: drainLimit, holdDown: holdDown, damping: damping, ipv6: ipv6)
  }

  /// Every path, in order of preference. To set it puts each in a tier of its own.
  package var paths: [Name] {
    get { tiers.flatMap { $0.map(\.path) } }
    set { tiers = newValue.map { [PathShare($0)] } }
  }

  /// The paths that share flows with another of their tier.
  package var balancedPaths: [Name] { tiers.filter { $0.count > 1 }.flatMap { $0.map(\.path) } }

  /// How much of its tier's flows a path takes, beside the others; 1 for one that the rule does not name.
  package func weight(of path: Name) -> Int { tiers.lazy.joined().first { $0.path == path }?.weight ?? 1 }
}

/// A path's part in its tier.
package struct PathShare: Hashable, Sendable {
  package var path: Name
  /// How many of the tier's flows it takes, beside the others' weights; 1 to 256 (rtnh_hops, linux/rtnetlink.h).
  package var weight: Int

  package init(_ path: Name, weight: Int = 1) {
    self.path = path
    self.weight = weight
  }
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
