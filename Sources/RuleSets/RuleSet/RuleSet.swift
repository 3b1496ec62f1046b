/// The one document that the orchestrator gives to one device. Valid by construction only where `RuleSetDecoder`
/// made it: every name that is used is defined, nothing overlaps, every number is in its range.
package struct RuleSet: Equatable, Sendable {
  /// The version of the document's form that this program reads.
  package static let schema = 1

  package var device: Name
  /// Rises with every change that the orchestrator makes.
  package var revision: UInt64
  package var hubs: [Hub]
  package var profiles: [IPsecProfile]
  package var tunnels: [Tunnel]
  package var paths: [Path]
  package var probes: [Probe]
  /// Those that have a name of their own; a rule may have one beside them.
  package var egresses: [Egress]
  /// In order: the first one that matches a packet decides, before any backhaul rule.
  package var steeringRules: [SteeringRule]
  package var backhaulRules: [BackhaulRule]
  /// Prefixes that never go through a hub.
  package var directDestinations: [IPv4Prefix]

  package init(
    device: Name, revision: UInt64, hubs: [Hub] = [], profiles: [IPsecProfile] = [], tunnels: [Tunnel] = [],
    paths: [Path] = [], probes: [Probe] = [],
    egresses: [Egress] = [], steeringRules: [SteeringRule] = [], backhaulRules: [BackhaulRule] = [],
    directDestinations: [IPv4Prefix] = []
  ) {
    self.device = device
    self.revision = revision
    self.hubs = hubs
    self.profiles = profiles
    self.tunnels = tunnels
    self.paths = paths
    self.probes = probes
    self.egresses = egresses
    self.steeringRules = steeringRules
    self.backhaulRules = backhaulRules
    self.directDestinations = directDestinations
  }
}

/// A router that takes in the traffic of edges: one hop away, never behind another hub.
package struct Hub: Equatable, Sendable {
  package var name: Name
  /// Its external address: where tunnels end.
  package var address: IPv4Address

  package init(name: Name, address: IPv4Address) {
    self.name = name
    self.address = address
  }
}
