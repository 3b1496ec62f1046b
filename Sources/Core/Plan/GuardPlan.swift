extension Planner {
  /// The steps that put the guard where none stands. It only ever adds: where an agent's table is there already, of a
  /// living agent or a dead one, that holds strict rules to theirs and steers the others too, and is left as it is.
  ///
  /// - Parameter desired: `EdgeCompiler.compileGuard()`.
  package static func guardPlan(desired: DesiredState, actual: ActualState) -> Plan {
    var missing = desired
    if let wanted = desired.nftTable, let present = actual.nftTable, present.guards(likewise: wanted) {
      missing.nftTable = nil
      // It marks by an older mask: rules for other marks are the agent's to bring, together with a table that sets them.
      if !MarkMigration.all(from: actual.rules, to: desired.rules).isEmpty { missing.rules = [] }
    }
    // A flowtable offloads by the table of ours that stands beside it, and goes only where that goes.
    let steps = plan(desired: missing, actual: actual).creating.filter { step in
      if case .deleteFastTable = step { missing.nftTable != nil } else { true }
    }
    // What holds comes first: settings may fail, where the disk is not there yet on which old values are remembered.
    let settings = steps.filter { if case .changeSettings = $0 { true } else { false } }
    let others = steps.filter { if case .changeSettings = $0 { false } else { true } }
    return Plan(creating: others + settings, deleting: [])
  }

  /// The steps that hold everything. None where a table of ours with rules is there already: whoever put it knew the
  /// rule set, be it a living agent or a dead one, and that enforces strict rules.
  package static func holdPlan(desired: DesiredState, actual: ActualState) -> Plan {
    if let present = actual.nftTable, present != desired.nftTable, present.chains.contains(where: { !$0.rules.isEmpty })
    {
      return Plan(creating: [], deleting: [])
    }
    var wanted = desired
    if !actual.hasIPv6Rules { wanted.rules.removeAll { $0.family == .ipv6 } }
    return Plan(creating: Array(plan(desired: wanted, actual: actual).creating), deleting: [])
  }
}

extension NftTable {
  /// Has rules in each of the chains that hold something back, where the other has, hooked alike, and is not dormant.
  fileprivate func guards(likewise other: NftTable) -> Bool {
    flags == other.flags
      && ["pass", "guard"].allSatisfy { name in
        guard let chain = other.chain(name), !chain.rules.isEmpty else { return true }
        return self.chain(name).map { !$0.rules.isEmpty && $0.hook == chain.hook } ?? false
      }
  }

  private func chain(_ name: String) -> NftChain? { chains.first { $0.name == name } }
}
