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

  /// A steering rule, ready to be held against a hundred thousand connections.
  fileprivate struct Asked: Equatable, Sendable {
    let name: Name
    let candidate: Candidate
    private let protocols: [ProtocolNumber]
    private let ports: [PortRange]
    /// Nil: any address.
    private let sources: [ClosedRange<UInt32>]?
    private let destinations: [ClosedRange<UInt32>]?

    init(_ rule: SteeringRule) {
      let match = rule.match
      let owner: Owner =
        switch rule.action {
        case .egress(let name): .egress(name)
        case .direct: .direct
        case .drop: .nowhere
        }
      let isTold = match.lans.isEmpty && match.macs.isEmpty && match.dscp.isEmpty && match.domains.isEmpty
      name = rule.name
      candidate = Candidate(
        owner: owner,
        unknown: isTold
          ? nil : SteeringMatch(lans: match.lans, macs: match.macs, dscp: match.dscp, domains: match.domains))
      (protocols, ports) = (match.protocols, match.ports)
      sources = match.sources.isEmpty ? nil : AddressRanges.merged(match.sources)
      destinations = match.destinations.isEmpty ? nil : AddressRanges.merged(match.destinations)
    }

    func mayTake(_ flow: FlowTuple) -> Bool {
      (protocols.isEmpty || protocols.contains(flow.protocol))
        && (ports.isEmpty || flow.port.map { port in ports.contains { $0.contains(port) } } == true)
        && sources.map { AddressRanges.contain(flow.source, $0) } ?? true
        && destinations.map { AddressRanges.contain(flow.destination, $0) } ?? true
    }
  }

  private struct Backhaul: Equatable {
    var sources: [ClosedRange<UInt32>]?
    var candidate: Candidate
  }

  private final class Rules: Sendable {
    let steering: [Asked]
    let backhaul: [Backhaul]
    let direct: [ClosedRange<UInt32>]

    init(_ plan: WatchPlan) {
      steering = plan.steering.map { Asked($0) }
      backhaul = plan.rules.map { watched in
        let sources = watched.rule.sources
        return Backhaul(
          sources: sources.prefixes.isEmpty ? nil : AddressRanges.merged(sources.prefixes),
          candidate: Candidate(
            owner: .egress(watched.rule.egress.name),
            unknown: sources.interfaces.isEmpty ? nil : SteeringMatch(lans: sources.interfaces)))
      }
      direct = AddressRanges.merged(plan.directDestinations)
    }
  }

  private let rules: Rules

  package init(_ plan: WatchPlan) { rules = Rules(plan) }

  package static func == (left: Self, right: Self) -> Bool {
    left.rules === right.rules
      || left.rules.steering == right.rules.steering && left.rules.direct == right.rules.direct
        && left.rules.backhaul == right.rules.backhaul
  }

  /// In the order in which rules are asked, up to the first that is certain; empty: no rule.
  package func candidates(for flow: FlowTuple) -> [Candidate] {
    if AddressRanges.contain(flow.destination, rules.direct) { return [Candidate(owner: .direct)] }
    var found: [Candidate] = []
    for rule in rules.steering where rule.mayTake(flow) {
      found.append(rule.candidate)
      if rule.candidate.unknown == nil { return found }
    }
    for rule in rules.backhaul where rule.sources.map({ AddressRanges.contain(flow.source, $0) }) ?? true {
      found.append(rule.candidate)
      if rule.candidate.unknown == nil { return found }
    }
    return found
  }

  /// Whether a steering rule may decide about the flow, as far as its entry tells.
  package func mayDecide(_ rule: Name, _ flow: FlowTuple) -> Bool {
    if AddressRanges.contain(flow.destination, rules.direct) { return false }
    for other in rules.steering where other.mayTake(flow) {
      if other.name == rule { return true }
      if other.candidate.unknown == nil { return false }
    }
    return false
  }

  /// The steering rules that are not in both, or say something else there; all of both, where those in both have another
  /// order.
  fileprivate func changed(to other: FlowOwners) -> [Asked] {
    let (old, new) = (rules.steering, other.rules.steering)
    let before = Dictionary(old.map { ($0.name, $0) }) { first, _ in first }
    let after = Dictionary(new.map { ($0.name, $0) }) { first, _ in first }
    let kept = { (rule: Asked) in before[rule.name] == after[rule.name] }
    guard old.filter(kept).map(\.name) == new.filter(kept).map(\.name) else { return old + new }
    return (old + new).filter { !kept($0) }
  }
}

/// From one plan's rules to another's.
package struct FlowChange: Equatable, Sendable {
  package let old: FlowOwners
  package let new: FlowOwners
  /// What decides about the other flows is the same.
  private let changed: [FlowOwners.Asked]

  package init(from old: FlowOwners, to new: FlowOwners) {
    (self.old, self.new) = (old, new)
    changed = old.changed(to: new)
  }

  /// Other steering rules may decide about the flow, or the same ones otherwise.
  package func concerns(_ flow: FlowTuple) -> Bool {
    changed.contains { $0.mayTake(flow) } && old.candidates(for: flow) != new.candidates(for: flow)
  }
}

/// Which connections of a mark a sweep is about, where the mark does not say it.
package enum FlowFilter: Equatable, Sendable {
  /// Those that may be an egress's.
  case of(Name, FlowOwners)
  /// Those that are decided anew.
  case decidedAnew(FlowChange)
  /// Those that a steering rule may decide about.
  case ofRule(Name, FlowOwners)

  package func takes(_ flow: FlowTuple) -> Bool {
    switch self {
    case .of(let egress, let owners):
      let candidates = owners.candidates(for: flow)
      // Nobody's: whoever sent it there does not any more.
      return candidates.isEmpty || candidates.contains { $0.owner == .egress(egress) }
    case .ofRule(let rule, let owners): return owners.mayDecide(rule, flow)
    case .decidedAnew(let change): return change.concerns(flow)
    }
  }
}
