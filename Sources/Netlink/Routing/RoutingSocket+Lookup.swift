internal import CMnl
internal import Glibc

/// A packet to look up. Addresses are numbers in host order.
package struct RouteLookup: Equatable, Sendable {
  package var source: UInt32
  package var destination: UInt32
  /// The index of the device that it comes in by; nil: the router sends it.
  package var incoming: UInt32?
  package var mark: UInt32
  /// The kernel takes TCP, UDP and ICMP alone (rtm_getroute_parse_ip_proto).
  package var protocolNumber: UInt8?
  package var destinationPort: UInt16?
  package var sourcePort: UInt16?
  package var typeOfService: UInt8 = 0
  /// We want the deciding entry of the table, with its own prefix, and not the route that is derived from it.
  package var wantsEntry = false

  package init(
    source: UInt32, destination: UInt32, incoming: UInt32?, mark: UInt32, protocolNumber: UInt8? = nil,
    destinationPort: UInt16? = nil
  ) {
    self.source = source
    self.destination = destination
    self.incoming = incoming
    self.mark = mark
    self.protocolNumber = protocolNumber
    self.destinationPort = destinationPort
  }
}

/// The same for IPv6: each address as its first and its last eight bytes.
package struct WideLookup: Equatable, Sendable {
  package var source: [UInt64]
  package var destination: [UInt64]
  package var incoming: UInt32
  /// TCP, UDP and ICMPv6 alone.
  package var protocolNumber: UInt8?
  package var sourcePort: UInt16?
  package var destinationPort: UInt16?

  package init(source: [UInt64], destination: [UInt64], incoming: UInt32) {
    self.source = source
    self.destination = destination
    self.incoming = incoming
  }
}

/// The entry of an IPv6 table that decides.
package struct WideRoute: Equatable, Sendable {
  package var table: UInt32
  package var kind: RouteMessage.Kind
  /// The device's index; with several ways the first's. 0: none.
  package var index: UInt32
  package var length: UInt8

  /// Nil if the message is cut off, malformed, or of another family.
  init?(_ message: Message) {
    guard let header = message.payload.load(rtmsg.self), Int32(header.rtm_family) == AF_INET6,
      header.rtm_dst_len <= 128, let attributes = message.payload.dropping(MemoryLayout<rtmsg>.size)
    else { return nil }
    table = UInt32(header.rtm_table)
    kind = RouteMessage.Kind(header.rtm_type)
    index = 0
    length = header.rtm_dst_len
    var first: UInt32?
    let isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      case Int(RTA_TABLE.rawValue): table = value.load(UInt32.self) ?? table
      case Int(RTA_OIF.rawValue): index = value.load(UInt32.self) ?? 0
      case Int(RTA_MULTIPATH.rawValue): first = value.load(rtnexthop.self).map { UInt32(bitPattern: $0.rtnh_ifindex) }
      default: break
      }
    }
    guard isGood else { return nil }
    if index == 0 { index = first ?? 0 }
  }
}

extension RoutingSocket {
  /// As for IPv4. What comes in by a device is looked up as such, but its source is not checked.
  package mutating func route(for lookup: WideLookup) throws(NetlinkFailure) -> WideRoute {
    var found: WideRoute?
    try conversation.request("ip -6 route get", type: RTM_GETROUTE) {
      $0.lookup(lookup)
    } answer: { message in
      found = WideRoute(message)
      return found != nil
    }
    guard let found else { throw NetlinkFailure.malformed("ip -6 route get") }
    return found
  }

  /// The route that the packet would take, with the table that it was found in. Where it would take none the kernel
  /// refuses: EHOSTUNREACH, ENETUNREACH, and EXDEV or EINVAL for its source.
  package mutating func route(for lookup: RouteLookup) throws(NetlinkFailure) -> RouteMessage {
    var found: RouteMessage?
    try conversation.request("ip route get", type: RTM_GETROUTE) {
      $0.lookup(lookup)
    } answer: { message in
      found = RouteMessage(message)
      return found != nil
    }
    guard let found else { throw NetlinkFailure.malformed("ip route get") }
    return found
  }
}

extension MessageBuilder {
  fileprivate mutating func lookup(_ lookup: WideLookup) {
    var header = rtmsg()
    header.rtm_family = UInt8(AF_INET6)
    header.rtm_dst_len = 128
    header.rtm_src_len = 128
    header.rtm_flags = UInt32(RTM_F_FIB_MATCH)
    self.header(header)
    put(Int(RTA_DST.rawValue), halves: lookup.destination)
    put(Int(RTA_SRC.rawValue), halves: lookup.source)
    put(Int(RTA_IIF.rawValue), lookup.incoming)
    if let number = lookup.protocolNumber { put(Int(RTA_IP_PROTO.rawValue), number) }
    if let port = lookup.sourcePort { put(Int(RTA_SPORT.rawValue), port.bigEndian) }
    if let port = lookup.destinationPort { put(Int(RTA_DPORT.rawValue), port.bigEndian) }
  }

  /// An address of IPv6.
  private mutating func put(_ type: Int, halves: [UInt64]) {
    put(type, (halves.first?.bigEndian ?? 0, halves.last?.bigEndian ?? 0))
  }

  fileprivate mutating func lookup(_ lookup: RouteLookup) {
    var header = rtmsg()
    header.rtm_family = UInt8(AF_INET)
    header.rtm_dst_len = 32
    header.rtm_src_len = 32
    header.rtm_tos = lookup.typeOfService
    header.rtm_flags = UInt32(RTM_F_LOOKUP_TABLE) | (lookup.wantsEntry ? UInt32(RTM_F_FIB_MATCH) : 0)
    self.header(header)
    put(Int(RTA_DST.rawValue), bigEndian: lookup.destination)
    put(Int(RTA_SRC.rawValue), bigEndian: lookup.source)
    if let incoming = lookup.incoming { put(Int(RTA_IIF.rawValue), incoming) }
    if lookup.mark != 0 { put(Int(RTA_MARK.rawValue), lookup.mark) }
    if let number = lookup.protocolNumber { put(Int(RTA_IP_PROTO.rawValue), number) }
    if let port = lookup.sourcePort { put(Int(RTA_SPORT.rawValue), port.bigEndian) }
    if let port = lookup.destinationPort { put(Int(RTA_DPORT.rawValue), port.bigEndian) }
  }
}
