package import RuleSets

/// Looks a destination up as the kernel does: rule by rule, and in a table the longest prefix with the lowest metric.
/// It knows our rules and tables and the main table, not the rules of other software.
package struct RouteWalk {
  let state: ActualState
  /// Main's too: the routes from the caller, its defaults, and the subnets of the router's addresses.
  private let tables: [TableID: [TableRoute]]
  private let own: Set<IPv4Address>
  /// Asked in this order: ours by priority, then main (32766), as the kernel comes with it.
  private let rules: [RoutingRule]
  private let ipv6Rules: [RoutingRule]

  /// What the kernel looks a route up by (struct flowi4, include/net/flow.h).
  package struct Question {
    package var destination: IPv4Address
    package var source: IPv4Address
    /// Nil: the router asks for a packet of its own, which is from `lo` to a rule.
    package var incoming: InterfaceName?
    /// A device that the answer must leave by (flowi4_oif).
    package var outgoing: InterfaceName?
    package var mark: UInt32

    package init(
      destination: IPv4Address, source: IPv4Address, incoming: InterfaceName? = nil, outgoing: InterfaceName? = nil,
      mark: UInt32 = 0
    ) {
      self.destination = destination
      self.source = source
      self.incoming = incoming
      self.outgoing = outgoing
      self.mark = mark
    }
  }

  /// How a lookup ends.
  package enum Answer: Equatable {
    case local
    case out(InterfaceName, gateway: Gateway?)
    case unreachable
    case noRoute
  }

  package init(_ state: ActualState, mainRoutes: [TableRoute]) {
    self.state = state
    let connected = state.addresses.flatMap { device, addresses in
      addresses.map {
        TableRoute(
          table: .main, destination: $0.subnet, metric: RouteMetric(0), way: .out(device: device, gateway: nil))
      }
    }
    let defaults = state.mainDefaults.flatMap { route in
      (route.isInHalves ? IPv4Prefix.halves : [.all]).map {
        TableRoute(
          table: route.table, destination: $0, metric: route.metric,
          way: .out(device: route.device, gateway: route.gateway))
      }
    }
    let walls = state.deadEnds.compactMap { end -> TableRoute? in
      guard case .type = end.kind else { return nil }
      return TableRoute(table: .main, metric: end.metric, way: .unreachable)
    }
    // Gateways are not known here, and the first of several devices stands for all.
    let sites = state.sites.all.map { site in
      TableRoute(
        table: .main, destination: site.prefix, metric: site.metric,
        way: site.devices.first.map { .out(device: $0, gateway: nil) } ?? .unreachable)
    }
    // A sum of six is more than some compilers can judge the types of (6.2, as Debian has it).
    let others = [mainRoutes, connected, defaults, walls, sites].flatMap { $0 }
    tables = Dictionary(grouping: others + state.routes, by: \.table)
    own = Set(state.addresses.filter { state.links[$0.key] != nil }.values.joined().map(\.address))
    rules = Self.inOrder(.ipv4, state.rules)
    ipv6Rules = Self.inOrder(.ipv6, state.rules)
  }

  private static func inOrder(_ family: RoutingRule.Family, _ rules: [RoutingRule]) -> [RoutingRule] {
    rules.filter { $0.family == family }.enumerated()
      .sorted { ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset) }.map(\.element) + [
        RoutingRule(family, priority: RulePriority(32766), action: .lookup(.main, suppressPrefixLength: nil))
      ]
  }

  /// Asks the rules in order until one decides; `stage` is that rule with its route. The router's own addresses come
  /// before any rule, as the kernel's local table does.
  package func answer(_ question: Question) -> (answer: Answer, stage: PacketFate.Stage) {
    if own.contains(question.destination) { return (.local, .local) }
    var next = rules.startIndex
    while next < rules.endIndex {
      let rule = rules[next]
      next += 1
      guard takes(rule, question) else { continue }
      switch rule.action {
      case .unreachable, .prohibit: return (.unreachable, .lookup(rule, nil))
      case .nop, .strange: continue
      case .goto(let priority): next = place(of: priority, in: rules) ?? next
      case .lookup(let table, let suppressed):
        guard let route = best(in: table, question) else { continue }
        if let suppressed, UInt32(route.destination.length) <= suppressed { continue }
        switch route.way {
        case .unreachable, .strange: return (.unreachable, .lookup(rule, route))
        case .out(let device, let gateway, _): return (.out(device, gateway: gateway), .lookup(rule, route))
        case .shared(let shares):
          guard let share = share(of: question, among: shares) else { return (.unreachable, .lookup(rule, route)) }
          return (.out(share.device, gateway: share.gateway), .lookup(rule, route))
        }
      }
    }
    return (.noRoute, .noRoute)
  }

  /// The rule that a `goto` leads to; nil if there is none, and the `goto` is skipped.
  private func place(of priority: RulePriority, in rules: [RoutingRule]) -> Int? {
    rules.firstIndex { $0.priority == priority }
  }

  /// The ip rule that refuses IPv6 from this device; nil if none does. The packet itself says which routes exist.
  package func refusalOfIPv6(_ packet: Packet, from incoming: InterfaceName) -> RoutingRule? {
    func takes(_ rule: RoutingRule) -> Bool {
      let selected =
        (rule.incoming.map { $0 == incoming } ?? true)
        && (rule.ipv6Source.map { prefix in packet.ipv6Source.map(prefix.contains) ?? false } ?? true)
        && (rule.ipv6Destination.map { prefix in packet.ipv6Destination.map(prefix.contains) ?? false } ?? true)
      return selected != rule.inverted
    }
    var next = ipv6Rules.startIndex
    while next < ipv6Rules.endIndex {
      let rule = ipv6Rules[next]
      next += 1
      guard takes(rule) else { continue }
      switch rule.action {
      case .unreachable, .prohibit: return rule
      case .nop, .strange: continue
      case .goto(let priority): next = place(of: priority, in: ipv6Rules) ?? next
      case .lookup(_, let suppressed): if packet.hasSpecificRoute || suppressed == nil { return nil }
      }
    }
    return nil
  }

  /// fib_rule_match, net/core/fib_rules.c: the inversion holds for the whole selector.
  private func takes(_ rule: RoutingRule, _ question: Question) -> Bool {
    // What the router sends itself comes by the loopback device, as ip rules see it.
    let selected =
      (rule.incoming.map { $0 == question.incoming ?? .loopback } ?? true)
      && (rule.mark.map { question.mark & $0.mask.bits == $0.mark.value } ?? true)
      && (rule.source.map { $0.contains(question.source) } ?? true)
      && (rule.destination.map { $0.contains(question.destination) } ?? true)
    return selected != rule.inverted
  }

  private func best(in table: TableID, _ question: Question) -> TableRoute? {
    (tables[table] ?? []).filter { route in
      guard route.destination.contains(question.destination) else { return false }
      if route.way == .unreachable { return true }
      // One of a single type of service takes hardly any packet.
      if let strange = route.way.strange { return strange.typeOfService == 0 }
      return route.way.devices.contains { isUsable($0, question) }
    }
    .min { ($1.destination.length, $0.metric) < ($0.destination.length, $1.metric) }
  }

  private func isUsable(_ device: InterfaceName, _ question: Question) -> Bool {
    state.links[device]?.isUp == true && (question.outgoing.map { $0 == device } ?? true)
  }

  /// The same for all packets between two addresses, as the kernel's own choice is; its hash is another.
  private func share(of question: Question, among shares: [TableRoute.Share]) -> TableRoute.Share? {
    let usable = shares.filter { isUsable($0.device, question) }
    let weights = usable.reduce(0) { $0 + $1.weight }
    guard weights > 0 else { return nil }
    var place = Int((question.source.value ^ question.destination.value) % UInt32(weights))
    return usable.first { share in
      place -= share.weight
      return place < 0
    }
  }

  /// __fib_validate_source, net/ipv4/fib_frontend.c: would an answer to this packet leave by the device it came by? The
  /// question's device of arrival is the one that the packet is about to leave by.
  package func accepts(_ packet: Packet, from device: InterfaceName, leavingBy outgoing: InterfaceName?) -> Bool {
    // What came out of an IPsec packet is not asked (fib_validate_source).
    let filter = packet.wasEncrypted ? 0 : setting(.reversePathFilter, device, combining: max)
    let usesMark = setting(.sourceValidMark, device, combining: max) != 0
    let question = Question(
      destination: packet.source, source: packet.destination, incoming: outgoing, outgoing: nil,
      mark: usesMark ? packet.mark : 0)
    switch answer(question).answer {
    case .local: return false
    case .unreachable, .noRoute: return filter == 0
    case .out(let back, _):
      if back == device { return true }
      if (state.addresses[device] ?? []).isEmpty { return filter == 0 }
      return filter != 1
    }
  }

  private func setting(
    _ key: InterfaceSetting.Key, _ device: InterfaceName, combining: (Int, Int) -> Int
  ) -> Int {
    let all = InterfaceSetting.all.flatMap { state.settings[InterfaceSetting($0, key)] } ?? 0
    return combining(all, state.settings[InterfaceSetting(device, key)] ?? 0)
  }
}
