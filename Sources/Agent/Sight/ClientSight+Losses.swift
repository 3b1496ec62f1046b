internal import Core
internal import RuleSets

// What is marked and does not leave, and what comes back and does not get through.
extension ClientSight {
  /// A firewall may have thousands of rules: one that has not changed is read again after the longer, one that has after
  /// the shorter time.
  private static let filterAges: (same: Duration, changed: Duration) = (.seconds(15), .seconds(2))

  func lost(
    _ rule: SightedRule, _ counts: SeenCounts, _ network: SightedNetwork, _ layout: Layout, at now: Instant
  ) -> [TrafficFinding] {
    guard rule.isCounted, let choice = rule.choice, let flow = Self.flow(of: rule, counts) else {
      sights[rule.name]?.evidence.rested()
      return []
    }
    sights[rule.name]?.evidence.counted(
      flow, under: .init(way: choice, generation: counts.generation), at: now)
    if sights[rule.name]?.evidence.loss != nil, isOffloading(rule, at: now) {
      sights[rule.name]?.evidence.rested()
    }
    var found: [TrafficFinding] = []
    if let place = sights[rule.name]?.evidence.loss,
      let finding = finding(
        of: place, leavingBy: { sights[rule.name]?.evidence.stray ?? wayWithoutMark(rule, network, layout) },
        counts.generation, at: now)
    {
      found.append(finding)
    }
    for (device, chain) in rule.returnChains {
      guard let returned = counts.packets[chain] else { continue }
      let key = Returning(rule: rule.name, device: device)
      answers[key, default: AnswerEvidence()].counted(
        left: flow.left, returned: returned, device: { received(by: device, network.snapshot) }, at: now)
      if answers[key]?.isLost == true, isOffloading(rule, at: now) { answers[key] = AnswerEvidence() }
      if answers[key]?.isLost == true {
        found.append(.unanswered(device, by: filters(counts.generation, at: now)?.filters.suspects(of: .answers) ?? []))
      }
    }
    return found
  }

  /// How long an answer about offloaded connections stands: half of what the kernel gives one that is silent
  /// (nf_flowtable_tcp_timeout and _udp_timeout, 30 s).
  private static let offloadAge: Duration = .seconds(15)

  /// Connections of the rule's egress are forwarded past our counters, both ways: that few others get through, or none, is
  /// then no sign that somebody drops what is steered. True too where the kernel does not say.
  private func isOffloading(_ rule: SightedRule, at now: Instant) -> Bool {
    guard configuration.kernel.usesFlowtable else { return false }
    if let known = knownOffloads, now - known.at < Self.offloadAge { return known.marks.contains(rule.mark) }
    guard let marks = try? port.offloadedMarks(configuration.kernel.markMask) else { return true }
    knownOffloads = (now, marks)
    return marks.contains(rule.mark)
  }

  /// Nil while our table is away.
  private static func flow(of rule: SightedRule, _ counts: SeenCounts) -> FlowEvidence.Counts? {
    func packets(_ place: CountedPlace) -> UInt64? { counts.packets[place.chain(of: rule.egress)] }
    guard let taken = packets(.taken), let kept = packets(.kept), let passed = packets(.passed),
      let left = packets(.left)
    else { return nil }
    return FlowEvidence.Counts(
      taken: taken, kept: kept, passed: passed, left: left,
      carried: rule.carryingChains.reduce(0) { $0 + (counts.packets[$1] ?? 0) },
      strayed: rule.strayChains.compactMapValues { counts.packets[$0] })
  }

  /// Before the forward hook packets get lost for many reasons, most of them harmless, so here there must be a known
  /// program that can have done it.
  private func finding(
    of place: LossPlace, leavingBy device: () -> InterfaceName?, _ generation: UInt32, at now: Instant
  ) -> TrafficFinding? {
    let seen = filters(generation, at: now)
    if place == .beforeForward {
      let bits = configuration.kernel.markMask.bits
      let marks = (seen?.marks ?? []).filter { $0.bits & bits != 0 }
      if !marks.isEmpty { return .unmarked(by: marks, leavingBy: device()) }
    }
    let suspects = seen?.filters.suspects(of: place) ?? []
    if suspects.isEmpty, place == .beforeForward { return nil }
    return .dropped(place, by: suspects)
  }

  /// Where a new connection of the rule's clients would leave without its mark; nil if it would leave as it should, or
  /// nowhere. A packet of a connection bound to a tunnel is held anyway, and says nothing about new ones.
  private func wayWithoutMark(_ rule: SightedRule, _ network: SightedNetwork, _ layout: Layout) -> InterfaceName? {
    guard let wanted = rule.wanted, let entrance = rule.survey.entrances.first,
      let destination = rule.destinations.joined().first
    else { return nil }
    let question = WayQuestion(entrance, to: destination, mark: layout.none, wanted: wanted)
    guard case .out(let device, _, _)? = try? port.answer(to: question.lookup), wanted != .devices([device]) else {
      return nil
    }
    let isHeld = forwardTrial(layout, network.surroundings).holds(
      entrance, to: destination, mark: layout.none, by: network.nameInForward(of: entrance.device), leavingBy: device)
    return isHeld ? nil : device
  }

  private func filters(_ generation: UInt32, at now: Instant) -> SeenFilters? {
    if let known = knownFilters,
      now - known.at < (known.generation == generation ? Self.filterAges.same : Self.filterAges.changed)
    {
      return known.seen
    }
    guard let seen = try? port.filters() else { return nil }
    knownFilters = (now, generation, seen)
    return seen
  }

  private func received(by device: InterfaceName, _ snapshot: WatchSnapshot) -> AnswerEvidence.Received? {
    guard let traffic = traffic(at: snapshot.at)[device] else { return nil }
    let own = snapshot.plan.paths.filter { $0.device == device }.flatMap(\.probes).reduce(UInt64(0)) { sum, probe in
      guard let machine = snapshot.probes[probe.name] else { return sum }
      // An HTTP answer comes in a handful of segments.
      let each: UInt64 = if case .icmp = probe.kind { 1 } else { 16 }
      return sum + UInt64(max(0, machine.window.answersInAll)) * each
    }
    return AnswerEvidence.Received(all: traffic.packetsIn, own: own)
  }

  /// Read once per look.
  private func traffic(at now: Instant) -> [InterfaceName: Traffic] {
    if let knownTraffic, knownTraffic.at == now { return knownTraffic.traffic }
    let read = (try? traffic.traffic()) ?? [:]
    knownTraffic = (now, read)
    return read
  }
}
