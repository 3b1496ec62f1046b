package import RuleSets

/// A question to the kernel about one rule's packets: would a client's packet go the way that the rule has chosen?
package struct WayQuestion: Equatable, Sendable {
  /// Where the rule's traffic is to go now.
  package enum Wanted: Equatable, Sendable {
    /// By one of these.
    case devices(Set<InterfaceName>)
    case nowhere
  }

  package var entrance: SourceSurvey.Entrance
  package var destination: IPv4Address
  package var mark: Mark
  package var wanted: Wanted
  /// Uplinks that the rule may not use at all: our own forward chain drops what leaves by one.
  package var shut: Set<InterfaceName>
  /// The rule's own.
  package var table: TableID?
  package var service: PacketQuestion.Service?
  package var sourcePort: UInt16?
  package var port: UInt16?
  package var typeOfService: UInt8 = 0
  /// Which of the rule's packets this one stands for, after "traffic of office"; empty: all of them.
  package var part = ""

  package init(
    _ entrance: SourceSurvey.Entrance, to destination: IPv4Address, mark: Mark, wanted: Wanted,
    shut: Set<InterfaceName> = [], table: TableID? = nil
  ) {
    self.table = table
    self.entrance = entrance
    self.destination = destination
    self.mark = mark
    self.wanted = wanted
    self.shut = shut
  }

  package var lookup: LookupQuestion {
    asked(from: entrance.source, by: entrance.device)
  }

  private func asked(from source: IPv4Address, by incoming: InterfaceName?) -> LookupQuestion {
    var question = LookupQuestion(
      source: source, destination: destination, incoming: incoming, mark: mark.value, service: service, port: port)
    (question.sourcePort, question.typeOfService) = (sourcePort, typeOfService)
    return question
  }

  /// The same destination, asked for as if the router itself sent it with the mark: nobody checks that source.
  package var unchecked: LookupQuestion {
    asked(from: IPv4Address(value: 0), by: nil)
  }

  /// What follows from the kernel's answer.
  package enum Judgement: Equatable, Sendable {
    case asWanted
    /// The main table has a route of its own to the destination, which comes before any rule: nothing follows from it.
    case mainsOwn
    case found(TrafficFinding)
  }

  /// Shorter prefixes of the main table are no sites: halves, quarters, or all but the private networks, as VPN programs
  /// lead everything away without touching the default.
  package static let shortestSite: UInt8 = 8

  /// - Parameters:
  ///   - rules: all ip rules that are not ours, in the kernel's order.
  ///   - last: no rule of ours has this priority, or a later one.
  ///   - routes: other programs' routes in our tables.
  ///   - grounds: the prefix of the route that decided, and whether the device of arrival forwards at all; asked for only
  ///     where the answer does not explain itself.
  ///   - deadEnd: the main table's first default route, where it leads nowhere; asked for only where nothing else explains
  ///     that there is no way.
  ///   - isHeld: whether our nftables rules hold back what would leave by a closed device.
  ///   - unchecked: the answer without the reverse-path check, if available; only called if that check refused.
  package func judge(
    _ answer: LookupAnswer, rules: [ForeignRule], before last: RulePriority, routes: [ForeignRoute] = [],
    grounds: () -> (entry: IPv4Prefix?, isForwarded: Bool)?,
    unchecked: () -> LookupAnswer? = { nil }, deadEnd: () -> DeadEnd? = { nil },
    isHeld: (InterfaceName) -> Bool = { _ in true }
  ) -> Judgement {
    let earlier = rules.filter { $0.priority < last && $0.mayTake(lookup) }
    switch answer {
    case .out(let device, _, let table):
      if case .devices(let wanted) = wanted, wanted.contains(device) { return .asWanted }
      func detour(_ cause: Detour.Cause) -> Judgement {
        .found(
          .diverted(
            Detour(
              device: device, cause: cause, part: part, hold: shut.contains(device) && isHeld(device) ? .shut : nil)))
      }
      if let rule = earlier.first(where: { $0.table == table }) {
        // Our own rules would have found a site in main as well.
        if table == .main, let prefix = grounds()?.entry, prefix.length >= Self.shortestSite { return .mainsOwn }
        return detour(.rule(rule))
      }
      guard table == .main else {
        let inside = routes.filter { $0.table == table && table == self.table && $0.destination.contains(destination) }
        return detour(inside.max { $0.destination.length < $1.destination.length }.map { .inside($0) } ?? .table(table))
      }
      guard let prefix = grounds()?.entry else { return .mainsOwn }
      return prefix.length < Self.shortestSite ? detour(.route(prefix)) : .mainsOwn
    // The router has the address itself.
    case .local: return .mainsOwn
    case .unreachable, .discarded:
      if wanted == .nowhere { return .asWanted }
      if let rule = earlier.first(where: \.isRefusal) { return .found(.unrouted(by: rule)) }
      if let end = deadEnd() { return .found(.ended(by: end)) }
      return .found(grounds()?.isForwarded == false ? .unforwarded(entrance.device) : .unrouted(by: nil))
    case .spoofed:
      // An ip rule that discards may answer with the same error.
      if let rule = earlier.first(where: \.isRefusal) { return .found(.unrouted(by: rule)) }
      // A rule that leads everything away also leads the answers away.
      if case .out(let device, _, let table)? = unchecked(), let rule = earlier.first(where: { $0.table == table }),
        wanted != .devices([device])
      {
        return .found(
          .diverted(Detour(device: device, cause: .rule(rule), part: part, hold: .reversePath(entrance.device))))
      }
      return .found(.refused(entrance.device))
    }
  }

  /// One address in each quarter of the internet and a second where main has a site at the first: public ones, that no
  /// packet is sent to. None that the rule set lets go by the main table.
  package static func destinations(avoiding direct: [IPv4Prefix], networks: [IPv4Prefix]) -> [[IPv4Address]] {
    quarters.map { octets in
      octets.map { IPv4Address(value: $0 << 24 | 1) }.filter { address in
        !direct.contains { $0.contains(address) } && !networks.contains { $0.contains(address) }
      }
    }
  }

  /// First octets.
  private static let quarters: [[UInt32]] = [
    [4, 23, 37, 52], [65, 80, 93, 109], [133, 151, 163, 178], [193, 199, 208, 216],
  ]
}
