package import RuleSets

/// What the watch over paths needs to know, worked out from rule set, configuration and kernel: no name is looked up
/// while a verdict is made.
package struct WatchPlan: Equatable, Sendable {
  /// One path, with all that the watch needs to probe it and to send traffic into it.
  package struct WatchedPath: Equatable, Sendable {
    package var name: Name
    package var isTunnel: Bool
    /// The tunnel whose keys charon negotiates; nil if there is none.
    package var securedTunnel: Name?
    package var device: InterfaceName
    /// The uplink below a tunnel; nil for an uplink path and for external tunnels.
    package var underlay: InterfaceName?
    /// The mark of packets bound to this path, and of the connections that were set up on it.
    package var mark: Mark
    /// How a rule's table leads into it; nil while that cannot be said (no gateway).
    package var way: TableRoute.Way?
    /// Why it cannot carry traffic, as far as addresses and routes show.
    package var obstacle: String?
    /// The address that probes are sent from; nil while there is none.
    package var source: IPv4Address?
    package var probes: [Probe]
    package var quorum: Int?
    @Apart package var limits: PathLimits?
    /// The outer address of a tunnel's hub.
    package var hub: IPv4Address?
    /// Bytes that the tunnel adds to each packet; 0 for an uplink.
    package var headers: Int
    /// The connections of a tunnel's outer packets: each is a list of which one is enough.
    package var outer: [[TrackedFlow]]

    package init(
      name: Name, isTunnel: Bool, securedTunnel: Name? = nil, device: InterfaceName, underlay: InterfaceName?,
      mark: Mark, way: TableRoute.Way?,
      obstacle: String?, source: IPv4Address?, probes: [Probe], quorum: Int? = nil, limits: PathLimits? = nil,
      hub: IPv4Address? = nil, headers: Int = 0, outer: [[TrackedFlow]] = []
    ) {
      self.name = name
      self.isTunnel = isTunnel
      self.securedTunnel = securedTunnel
      self.device = device
      self.underlay = underlay
      self.mark = mark
      self.way = way
      self.obstacle = obstacle
      self.source = source
      self.probes = probes
      self.quorum = quorum
      self.limits = limits
      self.hub = hub
      self.headers = headers
      self.outer = outer
    }

    /// The same name for the same device and mark: what is known about one holds for the other.
    package func isSameWay(as other: WatchedPath) -> Bool {
      name == other.name && device == other.device && mark == other.mark
    }
  }

  /// Whose traffic a rule takes. The order of all rules' claims decides which rule gets a packet.
  package struct Claim: Equatable, Sendable {
    package var rule: Name
    package var sources: Sources
    package var table: TableID
  }

  /// One configured uplink, as the kernel has it now.
  package struct WatchedUplink: Equatable, Sendable {
    package var interface: InterfaceName
    package var tier: Int
    /// A private line: `local_wan` never goes there.
    package var isPrivate: Bool
    package var mark: Mark
    package var way: TableRoute.Way?
    package var obstacle: String?
    /// The source address of the scouts; nil: nothing is pinged over this uplink.
    package var source: IPv4Address?
    package var targets: [IPv4Address]
    /// What probes may take of it in bytes a day; nil: it is not metered.
    package var probeBudget: Int?

    package init(
      interface: InterfaceName, tier: Int, isPrivate: Bool = false, mark: Mark, way: TableRoute.Way?, obstacle: String?,
      source: IPv4Address? = nil, targets: [IPv4Address] = [], probeBudget: Int? = nil
    ) {
      self.interface = interface
      self.tier = tier
      self.isPrivate = isPrivate
      self.mark = mark
      self.way = way
      self.obstacle = obstacle
      self.source = source
      self.targets = targets
      self.probeBudget = probeBudget
    }

    package var gateway: Gateway? { if case .out(_, let gateway, _)? = way { gateway } else { nil } }
  }

  /// Rules that name one egress have one table and one mark.
  package struct WatchedRule: Equatable, Sendable {
    package var rule: BackhaulRule
    package var table: TableID
    /// The mark of the packets of all rules that share the table.
    package var mark: Mark
    /// Addresses that the rule's connections come from, as far as they are known: its prefixes, else the subnets of its
    /// LAN interfaces.
    package var sources: [ClosedRange<UInt32>]
    /// The private lines that `fallback: underlay` may go by, in order.
    package var underlays: [InterfaceName]

    package init(
      rule: BackhaulRule, table: TableID, mark: Mark, sources: [ClosedRange<UInt32>], underlays: [InterfaceName] = []
    ) {
      self.rule = rule
      self.table = table
      self.mark = mark
      self.sources = sources
      self.underlays = underlays
    }

    package var claim: Claim { Claim(rule: rule.name, sources: rule.sources, table: table) }
  }

  /// An egress that steering rules in force send packets to; backhaul rules may name it too.
  package struct SteeredEgress: Equatable, Sendable {
    package var egress: Egress
    package var table: TableID
    package var mark: Mark
    /// The steering rules, in their order; never empty.
    package var rules: [Name]
    /// Addresses that its connections come from, as far as they are known: the rules' sources, else the LANs' subnets.
    package var sources: [ClosedRange<UInt32>]
    /// `sources` are all: each rule names its own.
    package var isExact: Bool
    /// The private lines that `fallback: underlay` may go by, in order.
    package var underlays: [InterfaceName]

    package init(
      _ egress: Egress, table: TableID, mark: Mark, rules: [Name], sources: [ClosedRange<UInt32>], isExact: Bool,
      underlays: [InterfaceName] = []
    ) {
      self.egress = egress
      self.table = table
      self.mark = mark
      self.rules = rules
      self.sources = sources
      self.isExact = isExact
      self.underlays = underlays
    }
  }

  package var paths: [WatchedPath]
  /// In order of preference: by tier, then as configured.
  package var uplinks: [WatchedUplink]
  /// Enabled rules only.
  package var rules: [WatchedRule]
  /// Those of steering rules in force.
  package var steered: [SteeredEgress]
  /// The steering rules in force, in order.
  package var steering: [SteeringRule]
  package var directDestinations: [IPv4Prefix]
  package var mask: MarkMask
  /// The revision of the rule set that it was made from; nil if there was none.
  package var revision: UInt64?

  package init(
    paths: [WatchedPath], uplinks: [WatchedUplink], rules: [WatchedRule], steered: [SteeredEgress] = [],
    steering: [SteeringRule] = [], directDestinations: [IPv4Prefix] = [], mask: MarkMask, revision: UInt64? = nil
  ) {
    self.revision = revision
    self.paths = paths
    self.uplinks = uplinks
    self.rules = rules
    self.steered = steered
    self.steering = steering
    self.directDestinations = directDestinations
    self.mask = mask
  }

  /// A plan with nothing to watch, for an agent without a rule set.
  package static func empty(_ mask: MarkMask) -> WatchPlan { WatchPlan(paths: [], uplinks: [], rules: [], mask: mask) }
}
