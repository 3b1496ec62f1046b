package import RuleSets

/// A packet that somebody asks about: the first of a new connection.
package struct PacketQuestion: Equatable, Sendable {
  /// The packet's source and destination, both of one family.
  package enum Ends: Equatable, Sendable {
    case ipv4(source: IPv4Address, destination: IPv4Address)
    case ipv6(source: IPv6Address, destination: IPv6Address)
  }

  /// `tcp`, `udp` or `icmp`, the ones that the kernel's own lookup knows.
  package enum Service: String, CaseIterable, Equatable, Sendable {
    case tcp, udp, icmp

    package var number: UInt8 {
      switch self {
      case .tcp: IPProtocol.tcp
      case .udp: IPProtocol.udp
      case .icmp: IPProtocol.icmp
      }
    }
  }

  package var ends: Ends
  /// Nil: any protocol.
  package var service: Service?
  /// The destination port.
  package var port: UInt16?
  /// Nil: where its source lies.
  package var incoming: InterfaceName?
  /// The sender's hardware address; nil: it is not known.
  package var sender: MACAddress?
  /// What the sender has put into the IPv4 header.
  package var dscp = DSCP.unmarked

  /// The parts of the question as they were typed.
  ///
  /// - Parameters:
  ///   - service: `tcp`, `udp/53`, `icmp`.
  ///   - incoming: the interface by which it comes in.
  ///   - sender: a MAC address.
  ///   - dscp: a class such as `EF`, or 0 to 63.
  package init(
    source: String, destination: String, service: String?, incoming: String?, sender: String? = nil,
    dscp: String? = nil
  ) throws(Complaint) {
    ends = try Self.ends(source, destination)
    (self.service, port) = try service.map(Self.service) ?? (nil, nil)
    if let incoming {
      guard let name = InterfaceName(incoming) else {
        throw Complaint(field: "in", "expected an interface, found \(quoted(incoming))")
      }
      self.incoming = name
    }
    if let sender {
      guard let address = MACAddress(sender) else {
        throw Complaint(field: "mac", "expected a MAC address such as 02:00:00:00:00:01, found \(quoted(sender))")
      }
      self.sender = address
    }
    if let dscp {
      guard let value = DSCP(name: dscp) ?? UInt8(dscp).flatMap({ DSCP(value: $0) }) else {
        throw Complaint(field: "dscp", "expected 0 to 63, or a class such as EF, found \(quoted(dscp))")
      }
      self.dscp = value
    }
  }

  private static func ends(_ source: String, _ destination: String) throws(Complaint) -> Ends {
    if let from = IPv6Address(source), let to = IPv6Address(destination) { return .ipv6(source: from, destination: to) }
    let from = try host(source, "source", other: destination)
    let to = try host(destination, "destination", other: source)
    guard from != to else { throw Complaint(field: "destination", "it is the same as the source") }
    return .ipv4(source: from, destination: to)
  }

  private static func host(_ text: String, _ field: String, other: String) throws(Complaint) -> IPv4Address {
    guard let address = IPv4Address(text) else {
      if IPv6Address(text) != nil, IPv4Address(other) != nil {
        throw Complaint(field: field, "an IPv6 address, but the other end is an IPv4 address")
      }
      throw Complaint(field: field, "expected an IPv4 or IPv6 address, found \(quoted(text))")
    }
    guard address.isHost else { throw Complaint(field: field, "\(address) is not a host's address") }
    return address
  }

  private static func service(_ text: String) throws(Complaint) -> (Service?, UInt16?) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let service = parts.first.flatMap({ Service(rawValue: String($0)) }) else {
      throw Complaint(field: "service", "expected tcp/PORT, udp/PORT or icmp, found \(quoted(text))")
    }
    guard parts.count == 2 else { return (service, nil) }
    guard service != .icmp, let port = UInt16(parts[1]), port > 0, parts[1].utf8.first != UInt8(ascii: "+") else {
      throw Complaint(field: "service", "expected tcp or udp with a port of 1 to 65535, found \(quoted(text))")
    }
    return (service, port)
  }
}
