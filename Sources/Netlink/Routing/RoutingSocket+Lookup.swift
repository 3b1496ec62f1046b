internal import CMnl
internal import Glibc

/// A packet whose way is asked for. Addresses are numbers in host order.
package struct RouteLookup: Equatable, Sendable {
  package var source: UInt32
  package var destination: UInt32
  /// The index of the device that it comes in by; nil: the router sends it.
  package var incoming: UInt32?
  package var mark: UInt32
  /// The kernel takes TCP, UDP and ICMP alone (rtm_getroute_parse_ip_proto).
  package var protocolNumber: UInt8?
  package var destinationPort: UInt16?
  /// The entry of the table that decides is wanted, with its own prefix, and not the route that is made of it.
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

extension RoutingSocket {
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
  fileprivate mutating func lookup(_ lookup: RouteLookup) {
    var header = rtmsg()
    header.rtm_family = UInt8(AF_INET)
    header.rtm_dst_len = 32
    header.rtm_src_len = 32
    header.rtm_flags = UInt32(RTM_F_LOOKUP_TABLE) | (lookup.wantsEntry ? UInt32(RTM_F_FIB_MATCH) : 0)
    self.header(header)
    put(Int(RTA_DST.rawValue), bigEndian: lookup.destination)
    put(Int(RTA_SRC.rawValue), bigEndian: lookup.source)
    if let incoming = lookup.incoming { put(Int(RTA_IIF.rawValue), incoming) }
    if lookup.mark != 0 { put(Int(RTA_MARK.rawValue), lookup.mark) }
    if let number = lookup.protocolNumber { put(Int(RTA_IP_PROTO.rawValue), number) }
    if let port = lookup.destinationPort { put(Int(RTA_DPORT.rawValue), port.bigEndian) }
  }
}
