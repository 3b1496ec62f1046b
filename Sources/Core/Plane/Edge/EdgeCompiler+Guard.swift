internal import RuleSets

extension EdgeCompiler {
  /// What must hold from the first packet on, before any agent has probed a path: strict rules leave by no uplink, and
  /// IPv6 that a rule blocks does not either. Rules that may fall back to the local WAN are not steered at all, so
  /// their traffic follows the main table, and nothing that may leave waits for the agent.
  ///
  /// It has no devices, and no routes except floors: the agent builds on it, and replaces it with its own state in one
  /// nftables transaction.
  ///
  /// It needs only one setting, on the existing uplinks: the belts also apply to answers, and without `src_valid_mark`
  /// the reverse-path check would consider those of direct destinations spoofed. An uplink that comes later gets it
  /// from the agent; until then the belts come first, and what is direct waits.
  package func compileGuard() -> DesiredState {
    guard needsGuard else { return DesiredState() }
    let strict = layout.activeEgresses.filter(\.egress.isStrict)
    return DesiredState(
      settings: strict.isEmpty ? [:] : markedReversePaths(), routes: strict.map { .floor($0.table) },
      selectedTables: Set(strict.map(\.table)), shut: shutTables(),
      rules: routingRules(outer: [], egresses: strict.map { ($0.mark, $0.table) }, ways: []),
      nftTable: nftTable(guarding: true))
  }

  /// Whether a rule in force shuts uplinks to anything, or drops it.
  package var needsGuard: Bool {
    layout.isStrict || layout.activeRules.contains { $0.rule.ipv6 == .block }
      || layout.steeringRules.contains { $0.action == .drop }
  }
}
