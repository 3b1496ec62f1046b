package import RuleSets

/// What other software has in the kernel that may come into our way.
package struct ForeignObjects: Equatable, Sendable {
  /// All ip rules but ours and the three that the kernel comes with.
  package var rules: [ForeignRule]
  /// Routes in the range of our tables.
  package var routes: [ForeignRoute]
  /// Rules of nftables and iptables that write the mark of packets or connections.
  package var marks: [ForeignMark]
  /// Those that a rule uses.
  package var flowtables: [Flowtable]
  /// Why rules of iptables-legacy could not be checked; nil if they could.
  package var legacyTrouble: String?

  package init(
    rules: [ForeignRule] = [], routes: [ForeignRoute] = [], marks: [ForeignMark] = [], flowtables: [Flowtable] = [],
    legacyTrouble: String? = nil
  ) {
    self.rules = rules
    self.routes = routes
    self.legacyTrouble = legacyTrouble
    self.marks = marks
    self.flowtables = flowtables
  }
}

/// Another program's route.
package struct ForeignRoute: Hashable, Sendable {
  package var table: TableID
  package var destination: IPv4Prefix
  /// rtm_protocol: who made it.
  package var origin: RouteProtocol

  package init(table: TableID, destination: IPv4Prefix, origin: RouteProtocol) {
    self.table = table
    self.destination = destination
    self.origin = origin
  }
}

/// Another program's rule that writes a mark.
package struct ForeignMark: Hashable, Sendable {
  /// With its family: `inet fw4`. iptables-nft's are among them: `ip mangle`.
  package var table: String
  package var chain: String
  /// That it may change.
  package var bits: UInt32
  /// The connection's mark, not the packet's.
  package var isConnections: Bool
  /// In a table of iptables-legacy, which has no family: `mangle`.
  package var isLegacy: Bool

  package init(table: String, chain: String, bits: UInt32, isConnections: Bool, isLegacy: Bool = false) {
    self.table = table
    self.chain = chain
    self.bits = bits
    self.isConnections = isConnections
    self.isLegacy = isLegacy
  }
}

/// A flowtable: established connections between its devices go past rules and routes.
package struct Flowtable: Hashable, Sendable {
  /// With its family: `inet fw4`.
  package var table: String
  package var name: String
  package var devices: [InterfaceName]
  /// The network card itself forwards them.
  package var isHardware: Bool

  package init(table: String, name: String, devices: [InterfaceName], isHardware: Bool) {
    self.table = table
    self.name = name
    self.devices = devices
    self.isHardware = isHardware
  }
}
