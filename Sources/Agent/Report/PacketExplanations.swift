package import Core
internal import RuleSets

/// Answers `explain`: what the rule set wants done with a packet, and what the loops and the kernel do with it now.
package struct PacketExplanations: Sendable {
  private let lookup: any LookupPort
  private let sight: any SightPort
  private let fedSets: any FedSetPort
  private let seen: ClientSight.View
  private let reconciler: Reconciler
  private let watch: PathWatch
  private let ike: IKEKeeper

  /// - Parameter seen: what was last seen of clients' packets.
  package init(
    lookup: any LookupPort, sight: any SightPort, fedSets: any FedSetPort, seen: ClientSight.View,
    reconciler: Reconciler, watch: PathWatch,
    ike: IKEKeeper
  ) {
    self.lookup = lookup
    self.sight = sight
    self.fedSets = fedSets
    self.seen = seen
    self.reconciler = reconciler
    self.watch = watch
    self.ike = ike
  }

  /// The answer while no rule set is running.
  private func withoutRuleSet() async -> String {
    if let left = await reconciler.leftovers() {
      return "no rule set is running, and the kernel still has \(left) from an earlier agent, so nobody knows where "
        + "this packet is meant to go: ip route get shows where it goes"
    }
    return await reconciler.held == nil
      ? "no rule set is running yet, so nothing is steered: everything follows the main table"
      : "no rule set is running, and traffic that must not leave is held off the uplinks until one is: backhaul "
        + "status says why"
  }

  /// What the rule set says, the kernel's own lookup beside it, and warnings if something could not be asked. Throws if
  /// the addresses cannot be read, no rule set is running or the kernel's state cannot be read.
  package func explain(
    _ asked: LocalAPI.Request, ranges: KernelRanges
  ) async throws(LocalAPI.Refusal) -> ExplainReport {
    guard let from = asked.from, let to = asked.to else { throw LocalAPI.Refusal("explain needs two addresses") }
    guard let layout = await reconciler.layout else {
      throw LocalAPI.Refusal(await withoutRuleSet())
    }
    // Before the clock is read, so that ages fit the reported moment.
    let machines = await ike.current()
    let snapshot = await watch.snapshot()
    var warnings: [String] = []
    var actual = ActualState()
    do throws(KernelFailure) { actual = try await reconciler.kernelState() } catch {
      throw LocalAPI.Refusal("the kernel could not be read: \(error)")
    }
    actual.links = snapshot.links
    if let trouble = await reconciler.trouble { warnings.append("the kernel does not match the rule set: \(trouble)") }
    let secured = Set(machines.filter { $0.value.associations.child?.isInstalled == true }.keys)
    let question: PacketQuestion
    var explanation: Explanation
    do throws(Complaint) {
      question = try PacketQuestion(
        source: from, destination: to, service: asked.service, incoming: asked.incoming, sender: asked.mac,
        dscp: asked.dscp)
      explanation = try PacketExplainer(
        EdgeCompiler(layout, actual), choices: snapshot.choices,
        mainRoutes: mainRoutes(of: question, &warnings),
        secured: secured, learnt: learnt(question, layout, &warnings)
      ).explain(question)
    } catch {
      throw LocalAPI.Refusal("\(error)")
    }
    if let tunnel = explanation.tunnel, tunnel.profile != nil, !secured.contains(tunnel.name) {
      warnings.append("tunnel \(tunnel.name) has no SA now: packets are lost in it until it has one")
    }
    let kernel = explanation.lookup(question).flatMap { self.answer($0, &warnings) }
    warnings += strangers(explanation, snapshot, layout)
    if let kernel, let difference = explanation.contradiction(by: kernel) {
      warnings.append(difference)
      explanation.corrected(by: kernel, cause(of: explanation, question, kernel, ranges))
    } else if let leak = leak(of: explanation, question, layout, actual.surroundings) {
      explanation.leaks(leak)
    } else if let finding = obstacle(to: explanation) {
      explanation.obstructed(by: finding)
    }
    let tunnels = TunnelReports(
      layout, actual.addresses.compactMapValues(\.first), snapshot.links, uplinks: snapshot.plan.uplinks, traffic: [:],
      machines: machines,
      at: snapshot.at
    ).all
    return report(
      (from, to), question, explanation, ranges, kernel, warnings, ReportWriter(snapshot),
      tunnels.first { $0.name == explanation.tunnel?.name.text })
  }

  /// Why the kernel's answer differs, as far as it can be seen.
  private func cause(
    of explanation: Explanation, _ question: PacketQuestion, _ answer: LookupAnswer, _ ranges: KernelRanges
  ) -> TrafficFinding? {
    let tables = Set([table(explanation)].compactMap(\.self))
    guard let asked = explanation.lookup(question), let incoming = asked.incoming,
      let network = try? sight.network(tables: tables)
    else { return nil }
    var way = WayQuestion(
      SourceSurvey.Entrance(incoming, asked.source), to: asked.destination, mark: explanation.mark,
      wanted: explanation.wanted, table: tables.first)
    (way.service, way.port) = (asked.service, asked.port)
    let judgement = way.judge(
      answer, rules: network.rules, before: RulePriority(ranges.priorities.upperBound + 1), routes: network.routes,
      grounds: { (try? sight.grounds(for: asked)).map { ($0.entry, $0.isForwarded) } },
      unchecked: { try? sight.answer(to: way.unchecked) }, deadEnd: { (try? sight.deadEnd()) ?? nil })
    guard case .found(let finding) = judgement else { return nil }
    return finding
  }

  /// IPv6 that is to be blocked, and by the kernel's own answer leaves.
  private func leak(
    of explanation: Explanation, _ question: PacketQuestion, _ layout: Layout,
    _ surroundings: ActualState
  ) -> IPv6Leak? {
    guard explanation.packet.isIPv6, explanation.outcome == .blocked, let incoming = explanation.packet.incoming,
      case .ipv6(let source, let destination) = question.ends, let network = try? sight.ipv6(), network.isForwarded
    else { return nil }
    var asked = IPv6Question(incoming, from: source, to: destination)
    // ICMPv6 has another number than ICMP.
    asked.protocolNumber = question.service.map { $0 == .icmp ? 58 : $0.number }
    asked.port = question.port
    guard let answer = try? sight.answer(to: asked) else { return nil }
    return asked.leak(
      answer, rules: network.rules, before: RulePriority(layout.configuration.kernel.priorities.upperBound + 1),
      lans: Set(layout.configuration.lans),
      isHeld: { ForwardTrial(layout, surroundings).holdsIPv6(from: incoming, leavingBy: $0) })
  }

  /// What was seen to befall the rule's packets on their way through the router.
  private func obstacle(to explanation: Explanation) -> TrafficFinding? {
    guard case .rule(let name) = explanation.taker, [.hub, .localWAN, .privateLine].contains(explanation.outcome)
    else { return nil }
    return seen.rules[name]?.findings.first { finding in
      switch finding {
      case .dropped, .unmarked, .unanswered, .connectionTableFull: true
      case .diverted, .leaking, .unrouted, .ended, .unforwarded, .refused, .untaken, .misnamed: false
      }
    }
  }

  /// Rules that are for the packet's source and do not take it, as it comes in where they do not look.
  private func strangers(_ explanation: Explanation, _ snapshot: WatchSnapshot, _ layout: Layout) -> [String] {
    guard explanation.taker == .nobody, !explanation.packet.isIPv6, let incoming = explanation.packet.incoming
    else { return [] }
    let meant = snapshot.plan.rules.filter { watched in
      !layout.interfaces(of: watched.rule).contains(incoming)
        && AddressRanges.contain(explanation.packet.source, watched.sources)
    }
    return meant.map { watched in
      let names = layout.interfaces(of: watched.rule).map(\.text).joined(separator: ", ")
      return
        "rule \(watched.rule.name) takes traffic from \(explanation.packet.source) that comes in by \(names), but this "
        + "comes in by \(incoming)"
    }
  }

  private func mainRoutes(of question: PacketQuestion, _ warnings: inout [String]) -> [TableRoute] {
    guard case .ipv4(let source, let destination) = question.ends else { return [] }
    do throws(KernelFailure) {
      return try lookup.mainRoutes(to: [source, destination])
    } catch {
      warnings.append("the main table could not be read: \(error)")
      return []
    }
  }

  /// The steering rules whose domain sets hold the destination now.
  private func learnt(_ question: PacketQuestion, _ layout: Layout, _ warnings: inout [String]) -> Set<Name> {
    guard case .ipv4(_, let destination) = question.ends else { return [] }
    var rules: Set<Name> = []
    for rule in layout.steeringRules where !rule.match.domains.isEmpty {
      do throws(KernelFailure) {
        if try fedSets.held(by: EdgeCompiler.domainSet(of: rule.name)).contains(destination) { rules.insert(rule.name) }
      } catch {
        warnings.append("the addresses of rule \(rule.name)'s domains could not be read: \(error)")
      }
    }
    return rules
  }

  private func answer(_ question: LookupQuestion, _ warnings: inout [String]) -> LookupAnswer? {
    do throws(KernelFailure) {
      return try lookup.lookup(question)
    } catch {
      warnings.append("the kernel could not be asked: \(error)")
      return nil
    }
  }

  private func report(
    _ ends: (source: String, destination: String), _ question: PacketQuestion, _ explanation: Explanation,
    _ ranges: KernelRanges, _ kernel: LookupAnswer?, _ warnings: [String], _ writer: ReportWriter,
    _ tunnel: TunnelReport?
  ) -> ExplainReport {
    let name = explanation.taker.rule
    let rule = Self.isOfBackhaul(explanation.taker) ? writer.rules.first { $0.name == name?.text } : nil
    let path = explanation.path.flatMap { name in writer.paths.first { $0.name == name.text } }
    return ExplainReport(
      source: ends.source, destination: ends.destination, service: question.service?.rawValue, port: question.port,
      incoming: explanation.packet.incoming?.text, takenBy: Self.word(explanation.taker), rule: name?.text,
      passed: explanation.passed, mode: rule?.mode, cause: rule?.cause,
      mark: explanation.mark.value == 0 ? nil : explanation.mark.value,
      mask: ranges.markMask.bits, ipRule: explanation.rule.map(PlanText.words(of:)), table: table(explanation)?.value,
      route: explanation.route?.words, device: explanation.device?.text, gateway: explanation.gateway?.description,
      translated: explanation.isTranslated, path: explanation.path?.text, pathState: path?.state,
      tunnel: explanation.tunnel?.name.text, hub: explanation.tunnel?.hub.text,
      outer: tunnel.map { tunnel in
        OuterPacketReport(
          source: explanation.outer?.source.description ?? tunnel.local,
          destination: explanation.outer?.destination.description ?? tunnel.remote,
          device: explanation.outerDevice?.text)
      }, child: tunnel?.child, outcome: explanation.outcome.rawValue, verdict: explanation.verdict,
      kernel: kernel.map(LookupReport.init), warnings: warnings)
  }

  private func table(_ explanation: Explanation) -> TableID? {
    guard case .lookup(let table, _)? = explanation.rule?.action else { return nil }
    return table
  }

  private static func isOfBackhaul(_ taker: Explanation.Taker) -> Bool { if case .rule = taker { true } else { false } }

  private static func word(_ taker: Explanation.Taker) -> String {
    switch taker {
    case .rule: "rule"
    case .steering: "steering"
    case .direct: "direct"
    case .router: "router"
    case .nobody: "nobody"
    }
  }
}
