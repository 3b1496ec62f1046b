package import Core
package import RuleSets

/// Turns what the loops know into reports. Pure: what it is given is what it says.
package struct ReportWriter: Sendable {
  let watch: WatchSnapshot
  let forces: [Name: ForcedPaths.Entry]
  private let watched: [Name: WatchPlan.WatchedPath]

  package init(_ watch: WatchSnapshot, forces: [Name: ForcedPaths.Entry] = [:]) {
    self.watch = watch
    self.forces = forces
    watched = Dictionary(watch.plan.paths.map { ($0.name, $0) }) { first, _ in first }
  }

  var at: Instant { watch.at }

  package var rules: [RuleReport] {
    watch.plan.rules.sorted { $0.rule.name < $1.rule.name }.compactMap { watched in
      watch.selections[watched.rule.name].map { rule(watched, $0) }
    }
  }

  private func rule(_ watched: WatchPlan.WatchedRule, _ selection: RuleSelection) -> RuleReport {
    let rule = watched.rule
    let choice = selection.choice
    let path: String? = if case .path(let name)? = choice { name.text } else { nil }
    let shares = (choice?.paths ?? []).map { name in
      ShareReport(
        path: name.text, weight: rule.weight(of: name),
        device: self.watched[name]?.device.text)
    }
    return RuleReport(
      name: rule.name.text, enabled: rule.enabled,
      mode: mode(of: selection).rawValue,
      choice: choice?.description, path: path, device: choice.flatMap(device), shares: shares,
      sinceSeconds: age(selection.since),
      cause: watch.causes[rule.name] ?? selection.cause, unencrypted: selection.isUnencrypted,
      unencryptedSeconds: selection.unencrypted(at: watch.at).inSeconds, fallback: rule.fallback.rawValue,
      failback: rule.failback.rawValue,
      drainLimitSeconds: rule.drainLimit > .zero ? rule.drainLimit.inSeconds : nil,
      draining: DrainReport.all(watch.drains[rule.name], at: watch.at),
      holdDownMs: milliseconds(rule.holdDown), ipv6: rule.ipv6.rawValue, paths: rule.paths.map(\.text),
      tiers: tiers(of: rule),
      interfaces: rule.sources.interfaces.map(\.text), prefixes: rule.sources.prefixes.count,
      egress: named(by: rule), table: watched.table.value,
      mark: watched.mark.value, choose: rule.preference.measure.rawValue)
  }

  func mode(of selection: RuleSelection) -> RuleMode { selection.mode { watched[$0]?.isTunnel ?? false } }

  /// A disabled rule has no selection, but it is still reported.
  package func disabled(_ rule: BackhaulRule) -> RuleReport {
    RuleReport(
      name: rule.name.text, enabled: false, mode: RuleMode.bypass.rawValue, choice: nil, path: nil, device: nil,
      shares: [],
      sinceSeconds: 0, cause: "the rule is disabled", unencrypted: false, unencryptedSeconds: 0,
      fallback: rule.fallback.rawValue,
      failback: rule.failback.rawValue,
      drainLimitSeconds: rule.drainLimit > .zero ? rule.drainLimit.inSeconds : nil,
      holdDownMs: milliseconds(rule.holdDown), ipv6: rule.ipv6.rawValue, paths: rule.paths.map(\.text),
      tiers: tiers(of: rule),
      interfaces: rule.sources.interfaces.map(\.text), prefixes: rule.sources.prefixes.count,
      egress: named(by: rule), table: nil, mark: nil, choose: rule.preference.measure.rawValue)
  }

  private func named(by rule: BackhaulRule) -> String? { rule.egress.name == rule.name ? nil : rule.egress.name.text }

  private func tiers(of rule: BackhaulRule) -> [[ShareReport]] {
    rule.tiers.map { tier in
      tier.map { share in
        ShareReport(
          path: share.path.text, weight: share.weight,
          device: watched[share.path]?.device.text)
      }
    }
  }

  func device(of choice: RuleSelection.Choice) -> String? {
    switch choice {
    case .path(let name): watched[name]?.device.text
    case .localWAN(let uplink), .underlay(let uplink): uplink.text
    case .paths, .blocked: nil
    }
  }

  package var paths: [PathReport] { paths(for: .all) }

  package var pathsUp: Int { watch.plan.paths.count { watch.health[$0.name]?.state == .up } }

  /// Those that are asked for, and all that need attention, because the next steps follow from them.
  package func paths(for choice: PathChoice) -> [PathReport] {
    watch.plan.paths.compactMap { path in
      let health = watch.health[path.name] ?? PathHealth(at: watch.at)
      let isForced = forces[path.name] != nil
      guard choice.tells(of: path.name, health.state, isForced: isForced, of: watch.plan.paths.count) else {
        return nil
      }
      let window = path.probes.first.flatMap { watch.probes[$0.name]?.window }
      let carries = watch.selections.filter { $0.value.choice?.paths.contains(path.name) == true }.map(\.key.text)
        .sorted()
      return PathReport(
        name: path.name.text, kind: path.isTunnel ? "tunnel" : "uplink", device: path.device.text,
        uplink: path.underlay?.text, state: health.state.rawValue, sinceSeconds: age(health.since), cause: health.cause,
        mark: path.mark.value, rttMs: window?.roundTrip?.last.milliseconds,
        jitterMs: window?.roundTrip?.jitter.milliseconds,
        loss: window?.loss, carries: carries,
        forced: forces[path.name].map { PathForceReport(path.name, $0) },
        downCause: watch.diagnoses[path.name]?.cause.rawValue, evidence: watch.diagnoses[path.name]?.words,
        missing: watch.diagnoses[path.name]?.gap?.rawValue,
        obstacle: path.obstacle, keys: path.securedTunnel.flatMap { watch.keys[$0] }?.name)
    }
  }

  package var forcesOfNoPath: [PathForceReport] { PathForceReport.stray(forces, watch) }

  package var uplinks: [UplinkReport] {
    watch.plan.uplinks.map { uplink in
      let standing = standing(of: uplink)
      return UplinkReport(
        interface: uplink.interface.text, tier: uplink.tier, isPrivate: uplink.isPrivate,
        usable: standing.obstacle == nil, obstacle: standing.obstacle,
        gateway: uplink.gateway?.description, state: standing.state.rawValue,
        scouts: standing.outlook.scouts.map { ScoutReport($0, at: watch.at) },
        probeBudget: watch.meters[uplink.interface].map { ProbeBudgetReport(uplink.interface, $0) })
    }
  }

  /// Why it cannot be used, nil if it can; and the answers to the pings over it.
  func standing(
    of uplink: WatchPlan.WatchedUplink
  ) -> (obstacle: String?, state: ProbeMachine.State, outlook: UplinkOutlook) {
    let outlook = watch.outlooks[uplink.interface] ?? UplinkOutlook()
    guard !watch.usableUplinks.contains(uplink.interface) else { return (nil, outlook.state, outlook) }
    let link = watch.links[uplink.interface]
    let trouble =
      link == nil
      ? "no such interface"
      : link?.isUp == false ? "the interface is down" : link?.hasCarrier == false ? "no carrier" : nil
    let silence = outlook.isCutOff ? "none of its targets answers" : nil
    // The device's own state is known at once, what follows from it a moment later.
    return (trouble ?? uplink.obstacle ?? silence ?? "it cannot carry traffic", .down, outlook)
  }

  package var probes: [ProbeReport] {
    watch.plan.paths.flatMap(\.probes).compactMap { probe in
      watch.probes[probe.name].map { report($0) }
    }
  }

  private func report(_ machine: ProbeMachine) -> ProbeReport {
    let probe = machine.probe
    let trip = machine.window.roundTrip
    let (kind, target): (String, String) =
      switch probe.kind {
      case .icmp(let target): ("icmp", target.description)
      case .http(let check): (check.scheme.rawValue, check.url)
      }
    return ProbeReport(
      name: probe.name.text, path: probe.path.text, kind: kind, target: target, state: machine.state.rawValue,
      sinceSeconds: age(machine.since), intervalMs: milliseconds(probe.interval),
      timeoutMs: milliseconds(probe.timeout),
      fall: probe.fall, patienceMs: milliseconds(probe.patienceInForce), rise: probe.rise, lostInARow: machine.lost,
      answeredInARow: machine.answered,
      trouble: machine.trouble, lastAnswerSeconds: machine.lastAnswer.map(age), windowProbes: machine.window.count,
      loss: machine.window.loss, rttMs: trip?.last.milliseconds, rttMinMs: trip?.least.milliseconds,
      rttMeanMs: trip?.mean.milliseconds, rttMaxMs: trip?.most.milliseconds, jitterMs: trip?.jitter.milliseconds,
      paceMs: milliseconds(machine.pace), confirmationMs: milliseconds(machine.confirmation))
  }

  package var probesReport: ProbesReport { ProbesReport(probes: probes, budgets: budgets) }

  package var budgets: [ProbeBudgetReport] {
    watch.plan.uplinks.compactMap { uplink in
      watch.meters[uplink.interface].map { ProbeBudgetReport(uplink.interface, $0) }
    }
  }

  private func age(_ since: Instant) -> Double { max(0, (watch.at - since).inSeconds) }
  private func milliseconds(_ duration: Duration) -> Int { Int(duration.nanoseconds / 1_000_000) }
}
