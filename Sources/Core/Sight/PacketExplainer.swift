package import RuleSets

/// Explains packets from the kernel state that the rule set wants; the real kernel's answer is obtained separately.
package struct PacketExplainer {
  private let compiler: EdgeCompiler
  private let layout: Layout
  private let model: ActualState
  private let walk: PacketWalk
  private let routes: RouteWalk
  private let choices: [Name: RuleSelection.Choice]
  private let minute: Int
  private let domains: Set<DomainName>

  /// - Parameters:
  ///   - choices: which way each egress's traffic goes now.
  ///   - minute: of the week, by the router's clock on the wall: for steering rules with a schedule.
  ///   - learnt: the steering rules whose domain sets hold the packet's destination now.
  ///   - mainRoutes: routes of the main table that hold the packet's ends, besides its defaults.
  ///   - secured: tunnels whose packets are encrypted now.
  package init(
    _ compiler: EdgeCompiler, choices: [Name: RuleSelection.Choice], mainRoutes: [TableRoute] = [],
    secured: Set<Name> = [], learnt: Set<Name> = [], minute: Int = 0
  ) {
    domains = LearntDomains.domains(compiler.layout.steeringRules, holding: learnt)
    self.minute = minute
    self.compiler = compiler
    layout = compiler.layout
    self.choices = choices
    let desired = compiler.compile()
    var model = compiler.actual
    model.routes = Set(desired.routes + choices.compactMap { compiler.activeRoute(of: $0, for: $1) })
    model.rules = desired.rules
    model.nftTable = desired.nftTable?.learning(learnt)
    model.settings.merge(desired.settings) { $1 }
    self.model = model
    let layout = layout
    let encrypted = layout.ruleSet.tunnels.filter { secured.contains($0.name) }.compactMap { layout.device(of: $0) }
    walk = PacketWalk(model, mainRoutes: mainRoutes, encrypted: Set(encrypted))
    routes = RouteWalk(model, mainRoutes: mainRoutes)
  }

  /// Explains one packet. Throws if the question has no answer: a destination that is a network's own address, an
  /// interface that does not exist, or a source that may lie behind several.
  package func explain(_ question: PacketQuestion) throws(Complaint) -> Explanation {
    switch question.ends {
    case .ipv4(let source, let destination):
      let incoming = try incoming(question, source, destination)
      var packet = Packet(incoming: incoming, source: source, destination: destination)
      packet.protocolNumber = question.service?.number
      packet.isTCPSYN = question.service == .tcp
      packet.port = question.port
      packet.sender = question.sender
      packet.trafficClass = question.dscp.value << 2
      let steered = try steered(packet, question)
      return explanation(of: packet, steered)
    case .ipv6: return try ipv6(question)
    }
  }

  // MARK: Where it comes in

  /// Nil: the router sends it.
  private func incoming(
    _ question: PacketQuestion, _ source: IPv4Address, _ destination: IPv4Address
  ) throws(Complaint) -> InterfaceName? {
    for (device, addresses) in model.addresses.sorted(by: { $0.key < $1.key }) {
      for address in addresses where address.length < 31 {
        let last = IPv4Address(value: address.subnet.range.upperBound)
        guard destination == last || destination == address.subnet.address else { continue }
        throw Complaint(
          field: "destination", "\(destination) is not a host's address: it stands for the whole network of \(device)")
      }
    }
    if isOwn(source) {
      if let incoming = question.incoming {
        throw Complaint(
          field: "source", "\(source) is the router's own address: nothing from it comes in by \(incoming)")
      }
      guard !isOwn(destination) else {
        throw Complaint(field: "destination", "both ends are the router's own addresses: no packet leaves it")
      }
      return nil
    }
    if let incoming = question.incoming { return try known(incoming) }
    let back = routes.answer(.init(destination: source, source: IPv4Address(value: 0))).answer
    if case .out(let device, _) = back, !layout.ways.contains(where: { $0.device == device }) {
      return try only(device, of: source)
    }
    let place: String
    switch back {
    case .out(let device, _): place = "the route to it leads out by \(device)"
    case .local, .unreachable, .noRoute: place = "no route leads to it"
    }
    throw Complaint(
      field: "source",
      "\(source) is not behind any LAN: \(place); use --in to say which interface it "
        + "comes in by")
  }

  /// The device, LAN or not, where no other has the source's network as well. What comes in by a port comes in by its
  /// bridge's name.
  private func only(_ device: InterfaceName, of source: IPv4Address) throws(Complaint) -> InterfaceName {
    func named(_ device: InterfaceName) -> InterfaceName { model.links[device]?.stack?.master ?? device }
    let others = model.addresses.filter { other, addresses in
      model.links[other]?.isUp == true && addresses.contains { $0.length < 32 && $0.subnet.contains(source) }
    }.keys
    let all = Set(others.map(named) + [named(device)]).sorted()
    guard all.count == 1 else {
      throw Complaint(
        field: "source",
        "\(source) may come in by \(all.map(\.text).joined(separator: " or ")); use --in to say which one")
    }
    return all[0]
  }

  private func isOwn(_ address: IPv4Address) -> Bool {
    model.addresses.values.contains { $0.contains { $0.address == address } }
  }

  private func known(_ incoming: InterfaceName) throws(Complaint) -> InterfaceName {
    if model.links[incoming] != nil { return incoming }
    let names = model.links.keys.map(\.text).sorted()
    let hint = nearest(to: incoming.text, among: names).map { "did you mean \($0)?" }
    throw Complaint(
      field: "in",
      "there is no interface \(incoming); "
        + (hint ?? "LANs are \(layout.configuration.lans.map(\.text).joined(separator: ", "))"))
  }

  // MARK: What becomes of it

  /// What steering rules say of it; nil: they are not asked.
  private func steered(_ packet: Packet, _ question: PacketQuestion) throws(Complaint) -> Steered? {
    let rules = layout.ruleSet.steeringRules
    guard !rules.isEmpty, let incoming = packet.incoming, layout.configuration.lans.contains(incoming),
      !layout.ruleSet.directDestinations.contains(where: { $0.contains(packet.destination) })
    else { return nil }
    let asked = layout.steeringRules.map(\.match)
    guard let service = question.service else {
      guard asked.allSatisfy(\.protocols.isEmpty) else {
        throw Complaint(
          field: "service", "steering rules look at protocols: say which one, as tcp/443, udp/53 or icmp")
      }
      return Steered(rules, holding: layout.steeringRules, self.packet(packet, ProtocolNumber(0)))
    }
    if service != .icmp, question.port == nil, !asked.allSatisfy(\.ports.isEmpty) {
      throw Complaint(
        field: "service", "steering rules look at ports: say which one, as \(service.rawValue)/443")
    }
    return Steered(rules, holding: layout.steeringRules, self.packet(packet, ProtocolNumber(service.number)))
  }

  private func packet(_ packet: Packet, _ number: ProtocolNumber) -> SteeredPacket {
    SteeredPacket(
      source: packet.source, destination: packet.destination, lan: packet.incoming ?? .loopback, mac: packet.sender,
      protocol: number, port: packet.port, dscp: DSCP(value: packet.trafficClass >> 2) ?? .unmarked,
      domains: domains, minuteOfWeek: minute)
  }

  private func explanation(of packet: Packet, _ steered: Steered?) -> Explanation {
    let fate = walk.fate(of: packet)
    let mark = Self.mark(at: fate.stages, layout.mask)
    let lookup = fate.stages.lazy.compactMap { stage -> (rule: RoutingRule, route: TableRoute?)? in
      if case .lookup(let rule, let route) = stage { (rule, route) } else { nil }
    }.first
    var explanation = Explanation(
      packet: packet, taker: taker(of: packet, mark, steered), outcome: .unreachable, mark: mark, rule: lookup?.rule,
      route: lookup?.route, isTranslated: fate.isMasqueraded, verdict: "")
    explanation.passed = steered?.passed ?? []
    switch fate.end {
    case .left(let device, let gateway): leave(&explanation, by: device, gateway, fate.outer.first)
    case .delivered: explanation.outcome = .router
    case .dropped(let why), .rejected(let why):
      explanation.outcome = .blocked
      explanation.reason = why
    case .unreachable:
      // The floor of a rule's table: its traffic has no way, or is to have none.
      let isOfRule =
        switch explanation.taker {
        case .rule, .steering: true
        case .direct, .router, .nobody: false
        }
      let isMains = lookup?.rule.action.isMainWithoutDefault == true
      explanation.outcome = isOfRule && lookup != nil && !isMains ? .blocked : .unreachable
    case .prohibited: explanation.outcome = .blocked
    case .spoofed: explanation.outcome = .spoofed
    }
    explanation.verdict = ExplanationWords(layout, choices).verdict(explanation)
    return explanation
  }

  private func leave(
    _ explanation: inout Explanation, by device: InterfaceName, _ gateway: Gateway?, _ outer: PacketFate?
  ) {
    explanation.device = device
    explanation.gateway = gateway
    guard let way = layout.ways.first(where: { $0.device == device }) else {
      explanation.outcome = .site
      return
    }
    explanation.way = way
    explanation.path = path(by: way.owner, explanation.taker)
    switch way.owner {
    case .uplink: explanation.outcome = way.isPrivate ? .privateLine : .localWAN
    case .egress: explanation.outcome = .site
    case .tunnel(let name):
      explanation.outcome = .hub
      explanation.tunnel = layout.tunnel(named: name)
      explanation.outer = outer?.packet
      // Security associations decide where ESP goes.
      explanation.outerDevice = explanation.tunnel?.uplink
      guard let outer else { return }
      switch outer.end {
      case .left(let device, _): explanation.outerDevice = device
      case .dropped(let why), .rejected(let why): lose(&explanation, why)
      case .delivered, .unreachable, .prohibited, .spoofed: lose(&explanation, "no way to the hub")
      }
    }
  }

  private func lose(_ explanation: inout Explanation, _ why: String) {
    explanation.outcome = .lost
    explanation.outerDevice = nil
    explanation.reason = why
  }

  /// Prefers the rule's own path where another path has the same way.
  private func path(by owner: SlotBook.Owner, _ taker: Explanation.Taker) -> Name? {
    let all = layout.ruleSet.paths.filter { layout.owner(of: $0) == owner }.map(\.name)
    let egress: Egress? =
      switch taker {
      case .rule(let name): layout.ruleSet.backhaulRules.first { $0.name == name }?.egress
      case .steering(let name):
        layout.activeEgresses.first { $0.steering.contains { $0.name == name } }?.egress
      case .direct, .router, .nobody: nil
      }
    let own = egress?.paths ?? []
    return all.first(where: own.contains) ?? all.first
  }

  private func taker(of packet: Packet, _ mark: Mark, _ steered: Steered?) -> Explanation.Taker {
    if packet.incoming == nil { return .router }
    if let rule = steered?.rule { return .steering(rule) }
    if mark == layout.none || mark == layout.passed { return .nobody }
    if mark == layout.bypass { return .direct }
    // Rules that share an egress have one mark, so the packet's source and interface tell them apart.
    let sharing = layout.activeRules.filter { $0.mark == mark }.map(\.rule)
    return (sharing.first { takes($0, packet) } ?? sharing.first).map { .rule($0.name) } ?? .nobody
  }

  private func takes(_ rule: BackhaulRule, _ packet: Packet) -> Bool {
    let prefixes = rule.sources.prefixes
    return packet.incoming.map(layout.interfaces(of: rule).contains) ?? false
      && (prefixes.isEmpty || prefixes.contains { $0.contains(packet.source) })
  }

  /// The result of the chains before the lookup.
  private static func mark(at stages: [PacketFate.Stage], _ mask: MarkMask) -> Mark {
    var mark: UInt32 = 0
    for stage in stages {
      guard case .nft(_, let rule) = stage else { break }
      for case .setMark(let value, let changed) in rule.actions { mark = mark & ~changed.bits | value.value }
    }
    return Mark(value: mark & mask.bits)
  }

  // MARK: IPv6

  /// No mark, lookup or tunnel of ours ever meets it; its routes are not read.
  private func ipv6(_ question: PacketQuestion) throws(Complaint) -> Explanation {
    let lans = layout.configuration.lans
    let incoming: InterfaceName
    if let asked = question.incoming {
      incoming = try known(asked)
    } else if let only = lans.first, lans.count == 1, let link = model.links[only], link.stack?.master == nil {
      incoming = only
    } else {
      throw Complaint(
        field: "source",
        "the agent does not read IPv6 addresses, so use --in to say which LAN it comes from: "
          + lans.map(\.text).joined(separator: ", "))
    }
    let none = IPv4Address(value: 0)
    var packet = Packet(incoming: incoming, source: none, destination: none, isIPv6: true)
    packet.boundDevice = layout.uplinkWays.first?.device
    let fate = walk.fate(of: packet)
    var explanation = Explanation(
      packet: packet, taker: .nobody, outcome: .localWAN, mark: layout.none, isTranslated: false, verdict: "")
    switch fate.end {
    case .prohibited: explanation.outcome = .blocked
    case .rejected(let why):
      explanation.outcome = .blocked
      explanation.reason = why
    case .left, .delivered, .dropped, .unreachable, .spoofed: break
    }
    if explanation.outcome == .blocked {
      let blocking = compiler.ipv6Blocks.first { $0.interface == incoming }
      explanation.taker = blocking.map { .rule($0.rule.name) } ?? .nobody
    }
    explanation.verdict = ExplanationWords(layout, choices).verdict(explanation)
    return explanation
  }
}
