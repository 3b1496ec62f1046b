/// Where traffic goes: by which paths, what happens when they are gone, and how it returns. Rules say whose traffic goes
/// there. Those that name the same egress share its mark, its table and every flip.
package struct Egress: Hashable, Sendable {
  /// What happens to the traffic when none of its paths is up.
  package enum Fallback: String, CaseIterable, Hashable, Writable {
    /// It leaves by a local uplink, masqueraded.
    case localWAN = "local_wan"
    /// It goes nowhere; the sender gets "host unreachable".
    case block
    /// It leaves by the private line below its tunnels, in the clear and as it is, and by no other uplink.
    case underlay
  }

  /// What happens to live flows when traffic returns to a better path.
  package enum Failback: String, CaseIterable, Hashable, Writable {
    /// They finish where they are.
    case drain
    /// Their conntrack entries are deleted, so that they are set up anew on the better path.
    case move
  }

  package var name: Name
  /// In order of preference; the paths of one tier share the flows. Never empty, and no path is there twice.
  package var tiers: [[PathShare]]
  package var fallback: Fallback
  package var failback: Failback
  /// How long live flows may stay on the way left, with `drain`; zero: until they end.
  package var drainLimit: Duration
  /// How long a better path must have been up before traffic returns to it.
  package var holdDown: Duration
  /// Keeps traffic from a path that comes and goes; see `FlapDamping`.
  package var damping: FlapDamping
  /// Which of the paths that are up is the best one.
  package var preference: PathPreference

  package init(
    name: Name, tiers: [[PathShare]], fallback: Fallback, failback: Failback = .move, drainLimit: Duration = .zero,
    holdDown: Duration = .seconds(30), damping: FlapDamping = .standard, preference: PathPreference = .inOrder
  ) {
    self.name = name
    self.tiers = tiers
    self.fallback = fallback
    self.failback = failback
    self.drainLimit = drainLimit
    self.holdDown = holdDown
    self.damping = damping
    self.preference = preference
  }
}

extension Egress {
  /// Whether uplinks are shut to its traffic, but for those that it names itself.
  package var isStrict: Bool { fallback != .localWAN }

  /// Every path, in order of preference. To set it puts each in a tier of its own.
  package var paths: [Name] {
    get { tiers.flatMap { $0.map(\.path) } }
    set { tiers = newValue.map { [PathShare($0)] } }
  }

  /// The paths that share flows with another of their tier.
  package var balancedPaths: [Name] { tiers.filter { $0.count > 1 }.flatMap { $0.map(\.path) } }

  /// No live flow is left on a path that new ones do not take, so a flow need not keep to its path: it goes with the rest.
  package var letsFlowsSettle: Bool { failback == .move && balancedPaths.isEmpty }

  /// How much of its tier's flows a path takes, beside the others; 1 for one that is not named.
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
