extension DesiredStateCompiler {
  /// What must hold from the first packet on, before any agent has probed a path: strict rules leave by no uplink, and
  /// IPv6 that a rule blocks does not either. Rules that may fall back to the local WAN are not steered at all, so their
  /// traffic goes as the main table says, and nothing waits for the agent that may go.
  ///
  /// No device, setting, nor any route but floors: it is the ground that the agent finds, and it goes over into the
  /// agent's own state in one nftables transaction.
  ///
  /// With direct destinations there are no belts yet: the reverse-path check would take the answers for spoofed until the
  /// agent has set `src_valid_mark`, and the interfaces whose setting that is may not be there before the network is.
  package func compileGuard() -> DesiredState {
    guard needsGuard else { return DesiredState() }
    let strict = layout.activeRules.filter(\.rule.isStrict)
    return DesiredState(
      routes: strict.map { .floor($0.table) }, selectedTables: Set(strict.map(\.table)),
      rules: strict.isEmpty
        ? []
        : routingRules(
          outer: [], marked: strict.map { ($0.mark, $0.table) }, belted: !hasDirectDestinations),
      steering: steeringTable(guarding: true))
  }

  /// Whether a rule in force shuts uplinks to anything.
  package var needsGuard: Bool { layout.activeRules.contains { $0.rule.isStrict || $0.rule.ipv6 == .block } }
}
