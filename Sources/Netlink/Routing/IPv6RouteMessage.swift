internal import CMnl
internal import Glibc

/// An IPv6 route, as far as it says where a prefix leads. We make none.
package struct IPv6RouteMessage: Hashable, Sendable {
  package var table: UInt32
  package var kind: RouteMessage.Kind
  /// The first address of the prefix, as a number.
  package var destination: UInt128 = 0
  package var length: UInt8
  package var metric: UInt32 = 0
  /// The devices that it leads by; empty if it leads nowhere, or a nexthop object alone says where.
  package var indexes: [UInt32] = []
  /// A gateway stands between.
  package var hasGateway = false
  /// RTA_NH_ID.
  package var object: UInt32?

  package init(table: UInt32, kind: RouteMessage.Kind = .unicast, length: UInt8) {
    self.table = table
    self.kind = kind
    self.length = length
  }

  /// Nil if the message is cut off, malformed, or of another family than IPv6.
  init?(_ message: Message) {
    guard let header = message.payload.load(rtmsg.self), Int32(header.rtm_family) == AF_INET6,
      header.rtm_dst_len <= 128, let attributes = message.payload.dropping(MemoryLayout<rtmsg>.size)
    else { return nil }
    self.init(
      table: UInt32(header.rtm_table), kind: RouteMessage.Kind(header.rtm_type), length: header.rtm_dst_len)
    let isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      case Int(RTA_TABLE.rawValue): table = value.load(UInt32.self) ?? table
      case Int(RTA_DST.rawValue): destination = value.load(UInt128.self).map { UInt128(bigEndian: $0) } ?? 0
      case Int(RTA_PRIORITY.rawValue): metric = value.load(UInt32.self) ?? 0
      case Int(RTA_OIF.rawValue): if let index = value.load(UInt32.self) { indexes.append(index) }
      case Int(RTA_GATEWAY.rawValue), Int(RTA_VIA.rawValue): hasGateway = true
      case Int(RTA_NH_ID.rawValue): object = value.load(UInt32.self)
      case Int(RTA_MULTIPATH.rawValue):
        hasGateway = true
        indexes += Self.indexes(value)
      default: break
      }
    }
    guard isGood else { return nil }
  }

  private static func indexes(_ bytes: Bytes) -> [UInt32] {
    let headerSize = MemoryLayout<rtnexthop>.size
    var indexes: [UInt32] = []
    var rest = bytes
    // A length of 0 would never end: the header is the least.
    while let header = rest.load(rtnexthop.self), Int(header.rtnh_len) >= headerSize, Int(header.rtnh_len) <= rest.count
    {
      indexes.append(UInt32(bitPattern: header.rtnh_ifindex))
      guard let next = rest.dropping(min((Int(header.rtnh_len) + 3) & ~3, rest.count)) else { break }
      rest = next
    }
    return indexes
  }
}

extension RoutingSocket {
  /// IPv6 routes of all tables; without IPv6 the kernel sends other families' routes, and none is returned.
  package mutating func eachIPv6Route(
    restart: () -> Void, _ body: (IPv6RouteMessage) -> Void
  ) throws(NetlinkFailure) {
    try conversation.dump("ip -6 route show table all", type: RTM_GETROUTE) { builder in
      var header = rtmsg()
      header.rtm_family = UInt8(AF_INET6)
      builder.header(header)
    } restart: {
      restart()
    } each: { message in
      if let route = IPv6RouteMessage(message) { body(route) }
      return true
    }
  }
}
