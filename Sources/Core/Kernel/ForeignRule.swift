package import RuleSets

/// Another program's ip rule, for IPv4.
package typealias ForeignRule = ForeignIPRule<IPv4Prefix>
/// The same for IPv6.
package typealias ForeignIPv6Rule = ForeignIPRule<IPv6Prefix>

/// Another program's ip rule.
package struct ForeignIPRule<Prefix: AddressPrefix & CustomStringConvertible>: Hashable, Sendable {
  package var priority: RulePriority
  /// The bits of the mark that it asks for; 0: it asks for none.
  package var mask: UInt32
  package var mark: UInt32
  /// Nil if it does not look up a table.
  package var table: TableID?
  package var source: Prefix
  package var destination: Prefix
  package var incoming: InterfaceName?
  /// It takes what its selector does not match.
  package var isInverted: Bool
  /// It ends the lookup: `unreachable`, `prohibit`, `blackhole`.
  package var isRefusal: Bool
  /// What else it asks for.
  package var selector: PacketSelector

  package init(
    priority: RulePriority, mask: UInt32 = 0, mark: UInt32 = 0, table: TableID?, source: Prefix = .all,
    destination: Prefix = .all, incoming: InterfaceName? = nil, isInverted: Bool = false, isRefusal: Bool = false,
    selector: PacketSelector = PacketSelector()
  ) {
    self.priority = priority
    self.mask = mask
    self.mark = mark
    self.table = table
    self.source = source
    self.destination = destination
    self.incoming = incoming
    self.isInverted = isInverted
    self.isRefusal = isRefusal
    self.selector = selector
  }

  /// As ip(8) would print it.
  package var description: String {
    var text = "\(priority):"
    if isInverted { text += " not" }
    if source != .all { text += " from \(source)" }
    if destination != .all { text += " to \(destination)" }
    if mask != 0 { text += " fwmark \(hexadecimal(mark))/\(hexadecimal(mask))" }
    if let incoming { text += " iif \(incoming)" }
    text += selector.description
    if isRefusal { text += " unreachable" }
    return text + (table.map { " lookup \($0)" } ?? "")
  }

  /// Which of the packets that it might take it is for, after "traffic of office": `by udp to port 7000`. Empty if it
  /// is for all, or for those that its selector does not match.
  package var part: String {
    guard !isInverted else { return "" }
    return [
      source == .all ? "" : "from \(source)", destination == .all ? "" : "to \(destination)", selector.part,
    ].filter { !$0.isEmpty }.joined(separator: " ")
  }

}

extension ForeignRule {
  /// Whether it may take a packet: what it asks of users is taken to hold.
  package func mayTake(_ question: LookupQuestion) -> Bool {
    let selected =
      source.contains(question.source) && destination.contains(question.destination)
      && question.mark & mask == mark & mask && (incoming.map { $0 == question.incoming } ?? true)
      && selector.mayTake(question.service, question.sourcePort, question.port, question.typeOfService)
    return selected != isInverted
  }
}

/// What an ip rule asks of a packet besides addresses, mark and device.
package struct PacketSelector: Hashable, Sendable {
  package var protocolNumber: UInt8?
  package var sourcePorts: ClosedRange<UInt16>?
  package var destinationPorts: ClosedRange<UInt16>?
  /// 0: every one.
  package var typeOfService: UInt8
  /// It asks for more than is here: a user, an outgoing device, …
  package var hasMore: Bool

  package init(
    protocolNumber: UInt8? = nil, sourcePorts: ClosedRange<UInt16>? = nil, destinationPorts: ClosedRange<UInt16>? = nil,
    typeOfService: UInt8 = 0, hasMore: Bool = false
  ) {
    self.protocolNumber = protocolNumber
    self.sourcePorts = sourcePorts
    self.destinationPorts = destinationPorts
    self.typeOfService = typeOfService
    self.hasMore = hasMore
  }

  package var isEmpty: Bool { self == PacketSelector() }

  /// As ip(8) writes it, after the rest of the rule.
  var description: String {
    var text = typeOfService == 0 ? "" : " tos \(hexadecimal(UInt32(typeOfService)))"
    if let protocolNumber { text += " ipproto \(Self.name(of: protocolNumber))" }
    if let sourcePorts { text += " sport \(Self.text(sourcePorts))" }
    if let destinationPorts { text += " dport \(Self.text(destinationPorts))" }
    return text
  }

  /// `by udp to port 7000`.
  var part: String {
    var words: [String] = []
    if let protocolNumber { words.append("by \(Self.name(of: protocolNumber))") }
    if let sourcePorts { words.append("from port \(Self.text(sourcePorts))") }
    if let destinationPorts { words.append("to port \(Self.text(destinationPorts))") }
    if typeOfService != 0 { words.append("with TOS \(hexadecimal(UInt32(typeOfService)))") }
    return words.joined(separator: " ")
  }

  /// What a question leaves open the kernel takes for a UDP packet with ports of 0 (inet_rtm_getroute, net/ipv4/route.c).
  func mayTake(
    _ service: PacketQuestion.Service?, _ sourcePort: UInt16?, _ destinationPort: UInt16?, _ typeOfService: UInt8
  ) -> Bool {
    (protocolNumber.map { $0 == (service ?? .udp).number } ?? true)
      && (sourcePorts?.contains(sourcePort ?? 0) ?? true) && (destinationPorts?.contains(destinationPort ?? 0) ?? true)
      && (self.typeOfService == 0 || self.typeOfService == typeOfService)
  }

  private static func text(_ ports: ClosedRange<UInt16>) -> String {
    ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)"
  }

  private static func name(of number: UInt8) -> String {
    PacketQuestion.Service.allCases.first { $0.number == number }?.rawValue ?? "\(number)"
  }
}
