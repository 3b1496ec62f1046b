package import RuleSets

/// Makes the data plane of a rule set: everything that is ours in the kernel, as it should be right now. Pure: the same
/// rule set, configuration, slots and kernel give the same value, and what the kernel has of ours already never changes
/// it, so that a second run finds nothing to do.
///
/// The kernel's links, addresses and main default routes do change it: tunnels follow the uplink's address, routes
/// follow the gateway, and a device that is not there has no route. nftables and ip rules go by name and mark alone, so
/// they are there before the device is.
package struct EdgeCompiler: Sendable {
  package let layout: Layout
  package let actual: ActualState
  /// What ESP last cost each tunnel, as far as charon has said.
  package let negotiated: [Name: ESPEncapsulation]

  package init(
    _ ruleSet: RuleSet, _ configuration: AgentConfiguration, _ slots: SlotBook, _ actual: ActualState,
    negotiated: [Name: ESPEncapsulation] = [:]
  ) {
    self.init(Layout(ruleSet, configuration, slots), actual, negotiated: negotiated)
  }

  package init(_ layout: Layout, _ actual: ActualState, negotiated: [Name: ESPEncapsulation] = [:]) {
    self.layout = layout
    self.actual = actual
    self.negotiated = negotiated
  }

  /// Everything of ours that the kernel should have now.
  package func compile() -> DesiredState {
    let devices = tunnelDevices()
    return DesiredState(
      tunnels: devices.wanted, held: devices.held, settings: interfaceSettings(made: devices.wanted),
      routes: tableRoutes(made: devices.wanted), selectedTables: Set(layout.activeEgresses.map(\.table)),
      shut: shutTables(),
      rules: routingRules(), nftTable: nftTable(),
      fastTable: fastTable(made: devices.wanted, held: devices.held))
  }

  /// By the table of each strict egress the uplinks that it may not lead by.
  func shutTables() -> [TableID: Set<InterfaceName>] {
    var shut: [TableID: Set<InterfaceName>] = [:]
    for active in layout.activeEgresses where active.egress.isStrict {
      shut[active.table] = Set(layout.configuration.uplinks.map(\.interface)).subtracting(
        layout.ownUplinks(of: active.egress) + layout.underlays(of: active.egress))
    }
    return shut
  }

  /// The configured uplink with this interface as it stands now; nil if agent.toml has none.
  package func uplink(_ interface: InterfaceName) -> UplinkState? {
    layout.configuration.uplinks.first { $0.interface == interface }.map {
      UplinkState($0, in: actual)
    }
  }
}
