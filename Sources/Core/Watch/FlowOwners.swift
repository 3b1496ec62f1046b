package import RuleSets

/// A tracked connection, as far as its entry in the kernel's table tells: by its first packet.
package struct FlowTuple: Equatable, Sendable {
  package var source: IPv4Address
  package var destination: IPv4Address
  package var `protocol`: ProtocolNumber
  /// The destination's; nil where the protocol has none.
  package var port: UInt16?

  package init(source: IPv4Address, destination: IPv4Address, protocol: ProtocolNumber, port: UInt16? = nil) {
    self.source = source
    self.destination = destination
    self.protocol = `protocol`
    self.port = port
  }
}

/// Who may have decided about a connection: the steering rules and backhaul rules of one plan, held against its entry in
/// the kernel's table. That entry knows nothing of LANs, MAC addresses, code points and domain names, so a rule that asks
/// for these is a candidate and no certainty.
package struct FlowOwners: Equatable, Sendable {
  /// Where a rule sends packets.
  package enum Owner: Hashable, Sendable {
    case egress(Name)
    case direct
    case nowhere
  }

  /// A rule that may have decided.
  package struct Candidate: Equatable, Sendable {
    package var owner: Owner
    /// What the entry does not tell and the rule asks for; nil: it has decided if none before it has.
    package var unknown: SteeringMatch?
  }

  private final class Rules: Sendable {
    let steering: [SteeringRule]
    let backhaul: [(sources: [ClosedRange<UInt32>]?, interfaces: [InterfaceName], egress: Name)]
    let direct: [ClosedRange<UInt32>]

    init(_ plan: WatchPlan) {
      steering = plan.steering
      backhaul = plan.rules.map { watched in
        let sources = watched.rule.sources
        return (
          sources.prefixes.isEmpty ? nil : AddressRanges.merged(sources.prefixes), sources.interfaces,
          watched.rule.egress.name
        )
      }
      direct = AddressRanges.merged(plan.directDestinations)
    }
  }

  private let rules: Rules

  package init(_ plan: WatchPlan) { rules = Rules(plan) }

  package static func == (left: Self, right: Self) -> Bool {
    left.rules === right.rules
      || left.rules.steering == right.rules.steering && left.rules.direct == right.rules.direct
        && left.rules.backhaul.elementsEqual(right.rules.backhaul) { $0 == $1 }
  }

  /// In the order in which rules are asked, up to the first that is certain; empty: no rule.
  package func candidates(for flow: FlowTuple) -> [Candidate] {
    if AddressRanges.contain(flow.destination, rules.direct) { return [Candidate(owner: .direct)] }
    var found: [Candidate] = []
    for rule in rules.steering where rule.match.mayTake(flow) {
      let owner: Owner =
        switch rule.action {
        case .egress(let name): .egress(name)
        case .direct: .direct
        case .drop: .nowhere
        }
      let unknown = rule.match.unknown
      found.append(Candidate(owner: owner, unknown: unknown))
      if unknown == nil { return found }
    }
    for rule in rules.backhaul {
      if let sources = rule.sources, !AddressRanges.contain(flow.source, sources) { continue }
      let unknown = rule.interfaces.isEmpty ? nil : SteeringMatch(lans: rule.interfaces)
      found.append(Candidate(owner: .egress(rule.egress), unknown: unknown))
      if unknown == nil { return found }
    }
    return found
  }
}

extension FlowOwners {
  /// Whether a steering rule may decide about the flow, as far as its entry tells.
  package func mayDecide(_ rule: Name, _ flow: FlowTuple) -> Bool {
    if AddressRanges.contain(flow.destination, rules.direct) { return false }
    for other in rules.steering where other.match.mayTake(flow) {
      if other.name == rule { return true }
      if other.match.unknown == nil { return false }
    }
    return false
  }
}

/// Which connections of a mark a sweep is about, where the mark does not say it.
package enum FlowFilter: Equatable, Sendable {
  /// Those that may be an egress's.
  case of(Name, FlowOwners)
  /// Those that other rules, or the same ones otherwise, may decide about since a change.
  case decidedAnew(since: FlowOwners, by: FlowOwners)
  /// Those that a steering rule may decide about.
  case ofRule(Name, FlowOwners)

  package func takes(_ flow: FlowTuple) -> Bool {
    switch self {
    case .of(let egress, let owners):
      let candidates = owners.candidates(for: flow)
      // Nobody's: whoever sent it there does not any more.
      return candidates.isEmpty || candidates.contains { $0.owner == .egress(egress) }
    case .ofRule(let rule, let owners): return owners.mayDecide(rule, flow)
    case .decidedAnew(let old, let new): return old.candidates(for: flow) != new.candidates(for: flow)
    }
  }
}

extension SteeringMatch {
  fileprivate func mayTake(_ flow: FlowTuple) -> Bool {
    (protocols.isEmpty || protocols.contains(flow.protocol))
      && (ports.isEmpty || flow.port.map { port in ports.contains { $0.contains(port) } } == true)
      && (sources.isEmpty || sources.contains { $0.contains(flow.source) })
      && (destinations.isEmpty || destinations.contains { $0.contains(flow.destination) })
  }

  /// What a connection's entry does not tell; nil: it tells all that the match asks for.
  fileprivate var unknown: SteeringMatch? {
    guard !lans.isEmpty || !macs.isEmpty || !dscp.isEmpty || !domains.isEmpty else { return nil }
    return SteeringMatch(lans: lans, macs: macs, dscp: dscp, domains: domains)
  }
}
