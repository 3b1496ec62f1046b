internal import RuleSets

extension EdgeCompiler {
  /// What must hold from the first packet on, before any agent has probed a path: strict rules leave by no uplink, and
  /// IPv6 that a rule blocks does not either. Rules that may fall back to the local WAN are not steered at all, so their
  /// traffic follows the main table, and nothing waits for the agent that may go.
  ///
  /// No device, nor any route but floors: it is the ground that the agent finds, and it goes over into the agent's own
  /// state in one nftables transaction.
  ///
  /// Of settings it wants one alone, on the uplinks that are there: the belts are asked about answers too, and without
  /// `src_valid_mark` the reverse-path check would take those of direct destinations for spoofed. An uplink that comes
  /// later gets it from the agent; until then the belts come first, and what is direct waits.
  package func compileGuard() -> DesiredState {
    guard needsGuard else { return DesiredState() }
    let strict = layout.activeEgresses.filter(\.egress.isStrict)
    return DesiredState(
      settings: strict.isEmpty ? [:] : markedReversePaths(), routes: strict.map { .floor($0.table) },
      selectedTables: Set(strict.map(\.table)),
      rules: routingRules(outer: [], marked: strict.map { ($0.mark, $0.table) }),
      nftTable: nftTable(guarding: true))
  }

  /// Whether a rule in force shuts uplinks to anything.
  package var needsGuard: Bool { layout.activeRules.contains { $0.rule.isStrict || $0.rule.ipv6 == .block } }
}
