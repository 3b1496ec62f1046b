internal import Core
internal import RuleSets

/// Writes what the loops know as Prometheus's text. Pure: what it is given is what it says. Seconds and bytes are the
/// units; a state is a set of samples of which one is 1; a counter begins at 0 with the agent.
package struct MetricsWriter {
  private typealias Labels = Exposition.Labels

  private let reading: MetricsReading
  private let lastRendering: Duration?
  private var page: Exposition

  /// The whole page.
  ///
  /// - Parameter lastRendering: how long the page before took to write; nil: it is the first.
  package static func page(_ reading: MetricsReading, lastRendering: Duration? = nil) -> [UInt8] {
    var writer = MetricsWriter(reading, lastRendering)
    writer.tellOfAgent()
    writer.tellOfRuleSet()
    writer.tellOfReconcile()
    writer.tellOfRules()
    writer.tellOfPaths()
    writer.tellOfProbes()
    writer.tellOfUplinks()
    writer.tellOfConnections()
    writer.tellOfTunnels()
    writer.tellOfKeys()
    return writer.page.bytes
  }

  private init(_ reading: MetricsReading, _ lastRendering: Duration?) {
    self.reading = reading
    self.lastRendering = lastRendering
    // A path with its probe and its tunnel has some 1,700 bytes.
    page = Exposition(reserving: 16 << 10 + reading.watch.plan.paths.count * 2_048)
  }

  private var now: Instant { reading.watch.at }
  private func age(_ since: Instant) -> Duration { max(.zero, now - since) }

  // MARK: - The agent

  private mutating func tellOfAgent() {
    page.family("backhaul_build_info", .gauge, "Always 1, labelled with the agent's version.")
    page.sample(Labels("version", reading.version), 1)
    page.family("backhaul_agent_uptime_seconds", .gauge, "Seconds since the agent started.")
    page.sample(Labels(), age(reading.started))
    page.family("backhaul_events_total", .counter, "Events by kind, as backhaul events lists them.")
    for kind in AgentEvent.Kind.allCases {
      page.sample(Labels("kind", kind.rawValue), reading.events.events[kind] ?? 0)
    }
    page.family("backhaul_journal_healthy", .gauge, "1 while events are saved to disk.")
    page.sample(Labels(), reading.journalTrouble == nil)
    page.family("backhaul_flip_seconds", .summary, "Time from a verdict to the kernel's answer.")
    page.summary(Labels(), count: reading.watch.flips.count, sum: reading.watch.flips.sum)
    page.family("backhaul_hook_runs_total", .counter, "Hook runs by outcome.")
    page.sample(Labels("result", "success"), reading.hooks.successes)
    page.sample(Labels("result", "failure"), reading.hooks.failures)
    page.family("backhaul_hook_dropped_total", .counter, "Events that a hook missed because it was too slow.")
    page.sample(Labels(), reading.hooks.dropped)
    page.family("backhaul_log_suppressed_total", .counter, "Log lines left out because too many were alike.")
    page.sample(Labels(), reading.suppressedLogLines)
    page.family("backhaul_metrics_render_seconds", .gauge, "How long the previous metrics page took to write.")
    if let lastRendering { page.sample(Labels(), lastRendering) }
  }

  private mutating func tellOfRuleSet() {
    let pull = reading.pull
    page.family(
      "backhaul_rule_set_revision", .gauge, "Revision of the running rule set; no sample while none is running.")
    if let revision = pull.revision { page.sample(Labels(), Int(clamping: revision)) }
    page.family("backhaul_rule_set_age_seconds", .gauge, "Seconds since the agent took over the running rule set.")
    if let taken = pull.taken { page.sample(Labels(), age(taken)) }
    page.family(
      "backhaul_rule_set_contact_age_seconds", .gauge,
      "Seconds since the source last gave a usable answer; no sample before its first.")
    if let contact = pull.lastContact { page.sample(Labels(), age(contact)) }
    page.family("backhaul_rule_set_pull_failures", .gauge, "Consecutive failed pulls.")
    page.sample(Labels(), pull.failures)
  }

  private mutating func tellOfReconcile() {
    let tally = reading.reconcile
    page.family("backhaul_reconcile_runs_total", .counter, "Times the agent compared the kernel with the rule set.")
    page.sample(Labels(), tally.runs)
    page.family("backhaul_reconcile_failures_total", .counter, "Comparisons with the kernel that failed.")
    page.sample(Labels(), tally.failures)
    page.family("backhaul_reconcile_changes_total", .counter, "Changes made to the kernel, not counting flips.")
    page.sample(Labels(), tally.changes)
    page.family(
      "backhaul_reconcile_repairs_total", .counter, "Times the agent repaired what another program had changed.")
    page.sample(Labels(), tally.repairs)
    page.family("backhaul_reconcile_healthy", .gauge, "1 while the kernel accepts what the rule set needs.")
    page.sample(Labels(), reading.applyTrouble == nil)
  }

  // MARK: - Rules

  private mutating func tellOfRules() {
    let rules = reading.watch.plan.rules.map(\.rule)
    let labels = rules.map { Labels("rule", $0.name.text) }
    let clocks = rules.map { reading.watch.modes[$0.name] }
    let selections = rules.map { reading.watch.selections[$0.name] }
    page.family("backhaul_rule_mode", .gauge, "Which way a rule's traffic goes: 1 for its mode.")
    for (label, clock) in zip(labels, clocks) {
      for mode in Self.modes { page.sample(label.adding("mode", mode.rawValue), clock?.mode == mode) }
    }
    page.family("backhaul_rule_mode_seconds_total", .counter, "Seconds that a rule's traffic spent in each mode.")
    for (label, clock) in zip(labels, clocks) {
      for mode in Self.modes {
        page.sample(label.adding("mode", mode.rawValue), clock?.time(in: mode, at: now) ?? .zero)
      }
    }
    page.family("backhaul_rule_traffic", .gauge, "What the agent sees of a rule's traffic: 1 for its state.")
    for (label, rule) in zip(labels, rules) {
      let seen = reading.sight.rules[rule.name]?.state ?? .unseen
      for state in TrafficFinding.State.allCases { page.sample(label.adding("state", state.rawValue), seen == state) }
    }
    page.family("backhaul_rule_unencrypted", .gauge, "1 while a rule's traffic goes by a private line in the clear.")
    for (label, selection) in zip(labels, selections) { page.sample(label, selection?.isUnencrypted ?? false) }
    page.family("backhaul_rule_unencrypted_seconds_total", .counter, "Seconds that a rule's traffic went in the clear.")
    for (label, selection) in zip(labels, selections) {
      page.sample(label, selection?.unencrypted(at: now) ?? .zero)
    }
    page.family("backhaul_rule_preferred", .gauge, "1 while a rule's traffic goes by its first tier of paths.")
    for (label, selection) in zip(labels, selections) { page.sample(label, selection?.isPreferred ?? false) }
    page.family("backhaul_rule_path", .gauge, "1 while a rule's traffic goes by the path.")
    for (label, selection) in zip(labels, selections) {
      guard let selection else { continue }
      let taken = selection.choice?.paths ?? []
      for path in selection.egress.paths { page.sample(label.adding("path", path.text), taken.contains(path)) }
    }
    tellOfFlips(rules)
    tellOfSteering()
  }

  private mutating func tellOfSteering() {
    let rules = reading.watch.plan.steering
    let chains = rules.map { EdgeCompiler.hitChain(of: $0.name) }
    let labels = rules.map { Labels("rule", $0.name.text) }
    page.family(
      "backhaul_steering_packets_total", .counter, "Packets that a steering rule has taken since it is in the kernel.")
    for (label, chain) in zip(labels, chains) {
      if let packets = reading.hits.packets[chain] { page.sample(label, Int(clamping: packets)) }
    }
    page.family("backhaul_steering_bytes_total", .counter, "The bytes of these packets.")
    for (label, chain) in zip(labels, chains) {
      if let bytes = reading.hits.bytes[chain] { page.sample(label, Int(clamping: bytes)) }
    }
    page.family("backhaul_egress_mode", .gauge, "Which way an egress of steering rules leads: 1 for its mode.")
    let tunnels = Set(reading.watch.plan.paths.filter(\.isTunnel).map(\.name))
    for (name, steered) in reading.watch.steered.sorted(by: { $0.key < $1.key }) {
      let present = steered.selection.mode { tunnels.contains($0) }
      for mode in Self.modes {
        page.sample(Labels("egress", name.text).adding("mode", mode.rawValue), mode == present)
      }
    }
  }

  /// A rule that traffic goes by has no bypass.
  private static let modes: [RuleMode] = [.backhaul, .fallback, .blocked]
  private static let flipKinds: [AgentEvent.Kind] = [.initial, .failover, .failback, .changed]

  private mutating func tellOfFlips(_ rules: [BackhaulRule]) {
    page.family("backhaul_rule_flips_total", .counter, "Flips of a rule's traffic by kind.")
    for rule in rules {
      for kind in Self.flipKinds {
        let count = reading.events.flips[.init(rule.name.text, kind.rawValue)] ?? 0
        page.sample(Labels("rule", rule.name.text).adding("kind", kind.rawValue), count)
      }
    }
    page.family("backhaul_rule_failovers_total", .counter, "Failovers of a rule's traffic by cause.")
    for rule in rules {
      for cause in FailoverCause.allCases {
        let count = reading.events.failovers[.init(rule.name.text, cause.rawValue)] ?? 0
        page.sample(Labels("rule", rule.name.text).adding("cause", cause.rawValue), count)
      }
    }
  }

  // MARK: - Paths and probes

  private mutating func tellOfPaths() {
    let watch = reading.watch
    let paths = watch.plan.paths
    let labels = paths.map { Labels("path", $0.name.text) }
    let health = paths.map { watch.health[$0.name] ?? PathHealth(at: now) }
    page.family("backhaul_path_state", .gauge, "A path's state: 1 for the current one.")
    for (label, health) in zip(labels, health) {
      for state in PathHealth.State.allCases {
        page.sample(label.adding("state", state.rawValue), health.state == state)
      }
    }
    page.family("backhaul_path_state_age_seconds", .gauge, "How long a path has been in its state.")
    for (label, health) in zip(labels, health) { page.sample(label, age(health.since)) }
    let windows = paths.map { path in path.probes.first.flatMap { watch.probes[$0.name]?.window } }
    page.family("backhaul_path_rtt_seconds", .gauge, "The last round trip of a path's first probe.")
    for (label, window) in zip(labels, windows) {
      if let trip = window?.lastRoundTrip { page.sample(label, trip) }
    }
    page.family(
      "backhaul_path_loss_ratio", .gauge, "Share of a path's last 100 probes that were lost (its first probe only).")
    for (label, window) in zip(labels, windows) {
      if let loss = window?.loss { page.sample(label, loss) }
    }
    page.family("backhaul_path_forced", .gauge, "1 for a path that an operator has forced up or down.")
    for (label, path) in zip(labels, paths) where reading.forced[path.name] != nil { page.sample(label, 1) }
    page.family("backhaul_path_causes_total", .counter, "Diagnoses of why a path was down, by cause.")
    let found = reading.events.causesFound.map { ($0.key.subject, $0.key.word, $0.value) }
    for (path, cause, count) in found.sorted(by: { ($0.0, $0.1) < ($1.0, $1.1) }) {
      page.sample(Labels("path", path).adding("cause", cause), count)
    }
  }

  private mutating func tellOfProbes() {
    let probes = reading.watch.plan.paths.flatMap(\.probes).compactMap { probe in
      reading.watch.probes[probe.name].map { ProbeCounts(probe, $0) }
    }
    page.family("backhaul_probe_up", .gauge, "1 while a probe counts as answered.")
    for probe in probes { page.sample(probe.labels, probe.isUp) }
    page.family("backhaul_probe_sent_total", .counter, "Probes sent, including those that could not leave.")
    for probe in probes { page.sample(probe.labels, probe.sent) }
    page.family("backhaul_probe_unsent_total", .counter, "Probes that could not leave.")
    for probe in probes { page.sample(probe.labels, probe.unsent) }
    page.family("backhaul_probe_answered_total", .counter, "Probes answered in time.")
    for probe in probes { page.sample(probe.labels, probe.answered) }
    page.family("backhaul_probe_lost_total", .counter, "Probes that were not answered in time, or were refused.")
    for probe in probes { page.sample(probe.labels, probe.lost) }
    page.family("backhaul_probe_rtt_seconds", .summary, "Round trips of the probes that were answered.")
    for probe in probes { page.summary(probe.labels, count: probe.answered, sum: .nanoseconds(probe.roundTrips)) }
  }

  /// What is exported of one probe, so that its whole machine is not passed to each family.
  private struct ProbeCounts {
    var labels: Labels
    var isUp: Bool
    var sent: Int
    var unsent: Int
    var answered: Int
    var lost: Int
    var roundTrips: Int64

    init(_ probe: Probe, _ machine: ProbeMachine) {
      labels = Labels("probe", probe.name.text).adding("path", probe.path.text)
      isUp = machine.state == .up
      (sent, unsent) = (machine.sentInAll, machine.unsentInAll)
      (answered, lost) = (machine.window.answersInAll, machine.window.lossesInAll)
      roundTrips = machine.window.roundTripsInAll
    }
  }

  // MARK: - Below the paths

  private mutating func tellOfUplinks() {
    let uplinks = reading.watch.plan.uplinks
    page.family("backhaul_uplink_usable", .gauge, "1 while an uplink can carry traffic.")
    for uplink in uplinks {
      page.sample(
        Labels("uplink", uplink.interface.text), reading.watch.usableUplinks.contains(uplink.interface))
    }
    let meters = uplinks.compactMap { uplink in
      reading.watch.meters[uplink.interface].map { (Labels("uplink", uplink.interface.text), $0) }
    }
    page.family(
      "backhaul_uplink_probe_budget_bytes", .gauge, "Bytes that probes may use of a metered uplink in 24 hours.")
    for (label, meter) in meters { page.sample(label, meter.budget) }
    page.family(
      "backhaul_uplink_probe_spent_bytes", .gauge, "Bytes that probes have used in the current period of 24 hours.")
    for (label, meter) in meters { page.sample(label, meter.spent) }
    page.family(
      "backhaul_uplink_probe_stretch_ratio", .gauge, "Factor by which the intervals of its probes are stretched.")
    for (label, meter) in meters { page.sample(label, meter.stretch) }
  }

  private mutating func tellOfConnections() {
    let reading = reading.connections.reading
    page.family("backhaul_connections_used", .gauge, "Entries in the kernel's connection tracking table.")
    if let reading { page.sample(Labels(), reading.used) }
    page.family("backhaul_connections_limit", .gauge, "Entries that the table may hold; 0: any number.")
    if let reading { page.sample(Labels(), reading.limit) }
    page.family("backhaul_connections_dropped_total", .counter, "Connections refused because the table was full.")
    if let reading { page.sample(Labels(), reading.refused) }
    page.family("backhaul_connections_evicted_total", .counter, "Connections evicted to make room in the table.")
    if let reading { page.sample(Labels(), reading.evicted) }
    page.family("backhaul_connections_full", .gauge, "1 while the table is full.")
    if reading != nil { page.sample(Labels(), self.reading.connections.isFull) }
  }

  private mutating func tellOfTunnels() {
    let tunnels = reading.tunnels
    let labels = tunnels.map { Labels("tunnel", $0.name.text) }
    page.family("backhaul_tunnel_up", .gauge, "1 while a tunnel's device is up.")
    for (label, tunnel) in zip(labels, tunnels) { page.sample(label.adding("kind", tunnel.kind), tunnel.isUp) }
    let counted = zip(labels, tunnels).compactMap { label, tunnel in tunnel.traffic.map { (label, $0) } }
    page.family("backhaul_tunnel_receive_bytes_total", .counter, "Inner bytes received through a tunnel.")
    for (label, traffic) in counted { page.sample(label, Int(clamping: traffic.bytesIn)) }
    page.family("backhaul_tunnel_transmit_bytes_total", .counter, "Inner bytes sent through a tunnel.")
    for (label, traffic) in counted { page.sample(label, Int(clamping: traffic.bytesOut)) }
    page.family("backhaul_tunnel_receive_packets_total", .counter, "Inner packets received through a tunnel.")
    for (label, traffic) in counted { page.sample(label, Int(clamping: traffic.packetsIn)) }
    page.family("backhaul_tunnel_transmit_packets_total", .counter, "Inner packets sent through a tunnel.")
    for (label, traffic) in counted { page.sample(label, Int(clamping: traffic.packetsOut)) }
  }

  private mutating func tellOfKeys() {
    page.family("backhaul_charon_up", .gauge, "1 while charon answers; no sample where no tunnel needs it.")
    if let answers = reading.charonAnswers { page.sample(Labels(), answers) }
    let encrypted = reading.tunnels.compactMap { tunnel in
      tunnel.keys.map { (Labels("tunnel", tunnel.name.text), $0) }
    }
    page.family("backhaul_tunnel_ike_state", .gauge, "The state of a tunnel's IKE SA: 1 for the current one.")
    for (label, keys) in encrypted {
      page.sample(label.adding("state", "none"), keys.ike == nil)
      for state in IKEAssociation.State.allCases {
        page.sample(label.adding("state", state.rawValue.lowercased()), keys.ike?.state == state)
      }
    }
    page.family("backhaul_tunnel_child_state", .gauge, "The state of a tunnel's CHILD SA: 1 for the current one.")
    for (label, keys) in encrypted {
      page.sample(label.adding("state", "none"), keys.child == nil)
      for state in ChildAssociation.State.allCases {
        page.sample(label.adding("state", state.rawValue.lowercased()), keys.child?.state == state)
      }
    }
    page.family("backhaul_tunnel_child_age_seconds", .gauge, "Seconds since a tunnel's keys were made.")
    for (label, keys) in encrypted { if let made = keys.child?.installed { page.sample(label, age(made)) } }
  }
}
