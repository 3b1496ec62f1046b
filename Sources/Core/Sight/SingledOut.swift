package import RuleSets

/// Packets of a rule's clients that other programs single out: by an ip rule that comes before ours and takes a part of
/// them (a protocol, a port, a network), or by a route in the rule's own table. One packet that stands for all says
/// nothing of these.
package struct SingledOut: Sendable {
  /// For one rule's packets in one look: the most general first.
  package static let most = 64

  /// Whose packets, and where they are to go.
  package struct Clients: Sendable {
    package var entrances: [SourceSurvey.Entrance]
    /// Of the rule's prefixes; empty if it has none.
    package var ranges: [ClosedRange<UInt32>]
    package var addresses: [InterfaceName: [InterfaceAddress]]
    /// Destinations that are not the rule's.
    package var direct: [IPv4Prefix]
    /// That stand for all.
    package var destinations: [IPv4Address]
    package var mark: Mark
    package var table: TableID?
    package var wanted: WayQuestion.Wanted
    package var shut: Set<InterfaceName>

    package init(
      entrances: [SourceSurvey.Entrance], ranges: [ClosedRange<UInt32>],
      addresses: [InterfaceName: [InterfaceAddress]] = [:], direct: [IPv4Prefix] = [], destinations: [IPv4Address],
      mark: Mark, table: TableID? = nil, wanted: WayQuestion.Wanted, shut: Set<InterfaceName> = []
    ) {
      self.entrances = entrances
      self.ranges = ranges
      self.addresses = addresses
      self.direct = direct
      self.destinations = destinations
      self.mark = mark
      self.table = table
      self.wanted = wanted
      self.shut = shut
    }
  }

  private let clients: Clients

  package init(_ clients: Clients) { self.clients = clients }

  /// - Parameters:
  ///   - rules: asked before ours.
  ///   - routes: of others, in tables of ours.
  package func questions(rules: [ForeignRule], routes: [ForeignRoute]) -> [WayQuestion] {
    let ofRules = rules.flatMap { rule in questions(about: rule).map { (rule.extent, $0) } }
    let ofRoutes = routes.filter { $0.table == clients.table && $0.destination.length > 0 }
      .compactMap { route in question(about: route).map { (Int(route.destination.length), $0) } }
    return (ofRules + ofRoutes).enumerated()
      .sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }
      .prefix(Self.most).map(\.element.1)
  }

  private func question(about route: ForeignRoute) -> WayQuestion? {
    guard let entrance = clients.entrances.first, let destination = self.destination(in: route.destination) else {
      return nil
    }
    return question(entrance, destination, part: "to \(route.destination)")
  }

  // MARK: Of an ip rule

  /// Packets that the rule takes, and that it may take another way than those that stand for all; none where a client of
  /// ours cannot send such a packet, or the kernel cannot be asked about it: it takes TCP, UDP and ICMP alone.
  private func questions(about rule: ForeignRule) -> [WayQuestion] {
    guard !rule.selector.hasMore else { return [] }
    let meetsMark = clients.mark.value & rule.mask == rule.mark & rule.mask
    if rule.isInverted { return meetsMark ? exceptions(of: rule) : [] }
    let isForAll = rule.source == .all && rule.destination == .all && rule.selector.isEmpty
    guard meetsMark, !isForAll, let destination = self.destination(of: rule),
      let service = self.service(of: rule.selector),
      let entrance = self.entrance(in: rule.source, by: rule.incoming)
    else { return [] }
    return [
      question(
        entrance, destination, service.service, rule.selector.sourcePorts?.lowerBound,
        rule.selector.destinationPorts?.lowerBound, rule.selector.typeOfService, part: rule.part)
    ]
  }

  /// It takes what it does not match: a packet for each thing that it asks for, which lacks that one.
  private func exceptions(of rule: ForeignRule) -> [WayQuestion] {
    guard let destination = clients.destinations.first, let entrance = clients.entrances.first else { return [] }
    var found: [WayQuestion] = []
    if rule.source != .all, let other = self.entrance(outside: rule.source) {
      found.append(question(other, destination))
    }
    if let other = clients.entrances.first(where: { rule.incoming != nil && $0.device != rule.incoming }) {
      found.append(question(other, destination))
    }
    if rule.destination != .all, let other = clients.destinations.first(where: { !rule.destination.contains($0) }) {
      found.append(question(entrance, other))
    }
    if let number = rule.selector.protocolNumber,
      let other = PacketQuestion.Service.allCases.first(where: { $0.number != number })
    {
      found.append(question(entrance, destination, other, part: "by other protocols"))
    }
    if let ports = rule.selector.destinationPorts, let service = service(of: rule.selector)?.service,
      let other = Self.port(outside: ports)
    {
      found.append(question(entrance, destination, service, nil, other, part: "to other ports"))
    }
    return found
  }

  private func service(of selector: PacketSelector) -> (service: PacketQuestion.Service?, Void)? {
    guard let number = selector.protocolNumber else {
      let hasPorts = selector.sourcePorts != nil || selector.destinationPorts != nil
      return (hasPorts ? .udp : nil, ())
    }
    return PacketQuestion.Service.allCases.first { $0.number == number }.map { ($0, ()) }
  }

  private static func port(outside ports: ClosedRange<UInt16>) -> UInt16? {
    if ports.lowerBound > 1 { return ports.lowerBound - 1 }
    return ports.upperBound < .max ? ports.upperBound + 1 : nil
  }

  /// Nil for a site of somebody's: networks that nobody has on the internet are led elsewhere for good reason.
  private func destination(of rule: ForeignRule) -> IPv4Address? {
    if Self.sites.contains(where: { $0.contains(rule.destination) }) { return nil }
    return destination(in: rule.destination)
  }

  private func destination(in prefix: IPv4Prefix) -> IPv4Address? {
    if let known = clients.destinations.first(where: prefix.contains) { return known }
    let inside = IPv4Address(value: prefix.address.value | (prefix.length < 31 ? 1 : 0))
    return inside.isHost && !clients.direct.contains { $0.contains(inside) } ? inside : nil
  }

  /// A client there.
  private func entrance(in prefix: IPv4Prefix, by device: InterfaceName?) -> SourceSurvey.Entrance? {
    let known = clients.entrances.filter { device == nil || $0.device == device }
    if let entrance = known.first(where: { prefix.contains($0.source) }) { return entrance }
    return hosts(in: prefix.range).lazy.compactMap { self.entrance($0, among: known) }.first
  }

  private func entrance(outside prefix: IPv4Prefix) -> SourceSurvey.Entrance? {
    if let entrance = clients.entrances.first(where: { !prefix.contains($0.source) }) { return entrance }
    let range = prefix.range
    let beside = [
      range.upperBound < .max ? range.upperBound + 1 : range.upperBound,
      range.lowerBound > 0 ? range.lowerBound - 1 : 0,
    ].map { IPv4Address(value: $0) }
    return beside.lazy.filter { !prefix.contains($0) }.compactMap { entrance($0, among: clients.entrances) }.first
  }

  /// Of the rule, and behind one of its devices.
  private func entrance(_ host: IPv4Address, among known: [SourceSurvey.Entrance]) -> SourceSurvey.Entrance? {
    guard host.isHost, clients.ranges.isEmpty || AddressRanges.contain(host, clients.ranges) else { return nil }
    let device = known.first { entrance in
      (clients.addresses[entrance.device] ?? []).contains { $0.subnet.contains(host) }
    }?.device
    // Behind another router there, where the rule has but one way in.
    let only = Set(known.map(\.device))
    guard let found = device ?? (clients.ranges.isEmpty || only.count != 1 ? nil : only.first) else { return nil }
    return SourceSurvey.Entrance(found, host)
  }

  /// A few of them: the router itself has one or two.
  private func hosts(in range: ClosedRange<UInt32>) -> [IPv4Address] {
    let own = Set(clients.addresses.values.joined().map(\.address))
    let first = range.count > 2 ? range.lowerBound + 1 : range.lowerBound
    let last = UInt32(min(UInt64(range.upperBound), UInt64(first) + 7))
    return (first...max(first, last)).map { IPv4Address(value: $0) }.filter { !own.contains($0) }
  }

  private func question(
    _ entrance: SourceSurvey.Entrance, _ destination: IPv4Address, _ service: PacketQuestion.Service? = nil,
    _ sourcePort: UInt16? = nil, _ port: UInt16? = nil, _ typeOfService: UInt8 = 0, part: String = ""
  ) -> WayQuestion {
    var question = WayQuestion(
      entrance, to: destination, mark: clients.mark, wanted: clients.wanted, shut: clients.shut)
    (question.service, question.sourcePort, question.port) = (service, sourcePort, port)
    (question.typeOfService, question.table, question.part) = (typeOfService, clients.table, part)
    return question
  }

  /// RFC 1918, RFC 6598 and link-local ones.
  private static let sites: [IPv4Prefix] = [
    (0x0a00_0000, 8), (0x6440_0000, 10), (0xa9fe_0000, 16), (0xac10_0000, 12), (0xc0a8_0000, 16),
  ].compactMap { IPv4Prefix(IPv4Address(value: $0.0), length: $0.1) }
}

extension ForeignRule {
  /// How little of all packets it is for: 0 is for all.
  fileprivate var extent: Int {
    func bits(_ ports: ClosedRange<UInt16>?) -> Int {
      ports.map { 16 - ($0.count.bitWidth - 1 - $0.count.leadingZeroBitCount) } ?? 0
    }
    return Int(source.length) + Int(destination.length) + (selector.protocolNumber == nil ? 0 : 1)
      + bits(selector.sourcePorts) + bits(selector.destinationPorts) + (selector.typeOfService == 0 ? 0 : 6)
  }
}
