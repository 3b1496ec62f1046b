package import RuleSets

/// Everything of ours in the kernel, as it should be, except one thing: the active default route of each backhaul rule's
/// table, which `WatchMachine` owns and which changes far more often than the rest.
package struct DesiredState: Hashable, Sendable {
  package var tunnels: [TunnelDevice]
  /// Devices of ours that can be neither made nor judged now (their uplink has no address): left exactly as they are.
  package var held: Set<InterfaceName>
  /// Values that per-interface sysctls must have.
  package var settings: [InterfaceSetting: Int]
  /// Floors of all tables, and the default route of each tunnel's and uplink's own table.
  package var routes: [TableRoute]
  /// Tables whose route of metric `.active` belongs to `WatchMachine`: no plan touches it while the table lives.
  package var selectedTables: Set<TableID>
  /// Devices that an active route of such a table must not lead by, whoever put it there: the table may have been another
  /// egress's, and packets are sent to it before `WatchMachine` has looked at it.
  package var shut: [TableID: Set<InterfaceName>] = [:]
  package var rules: [RoutingRule]
  package var nftTable: NftTable?
  /// The table of the flowtable; nil if it is not wanted.
  package var fastTable: NftTable?

  package init(
    tunnels: [TunnelDevice] = [], held: Set<InterfaceName> = [], settings: [InterfaceSetting: Int] = [:],
    routes: [TableRoute] = [], selectedTables: Set<TableID> = [], shut: [TableID: Set<InterfaceName>] = [:],
    rules: [RoutingRule] = [],
    nftTable: NftTable? = nil, fastTable: NftTable? = nil
  ) {
    self.fastTable = fastTable
    self.tunnels = tunnels
    self.held = held
    self.settings = settings
    self.routes = routes
    self.selectedTables = selectedTables
    self.shut = shut
    self.rules = rules
    self.nftTable = nftTable
  }
}
