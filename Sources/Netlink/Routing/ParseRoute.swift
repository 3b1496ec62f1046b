internal import CMnl
internal import Glibc

extension RouteMessage {
  /// Nil where the message is cut off, lies, or is of another family than IPv4.
  init?(_ message: Message) {
    guard let header = message.payload.load(rtmsg.self), Int32(header.rtm_family) == AF_INET,
      header.rtm_dst_len <= 32, let attributes = message.payload.dropping(MemoryLayout<rtmsg>.size)
    else { return nil }
    self.init(
      table: UInt32(header.rtm_table), kind: Kind(header.rtm_type), length: header.rtm_dst_len, metric: 0,
      origin: header.rtm_protocol)
    var single = NextHop(index: 0, isOnLink: header.rtm_flags & UInt32(RTNH_F_ONLINK) != 0)
    var several: [NextHop]?
    var isIPv4 = true
    let isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      // rtm_table holds a byte; the whole number is here.
      case Int(RTA_TABLE.rawValue): table = value.load(UInt32.self) ?? table
      case Int(RTA_DST.rawValue): destination = value.bigEndian ?? 0
      case Int(RTA_PRIORITY.rawValue): metric = value.load(UInt32.self) ?? 0
      case Int(RTA_OIF.rawValue): single.index = value.load(UInt32.self) ?? 0
      case Int(RTA_GATEWAY.rawValue): single.gateway = value.bigEndian
      // An IPv6 gateway of an IPv4 route (RFC 5549).
      case Int(RTA_VIA.rawValue): isIPv4 = false
      case Int(RTA_MULTIPATH.rawValue): several = Self.hops(value)
      case Int(RTA_PREFSRC.rawValue), Int(RTA_METRICS.rawValue), Int(RTA_FLOW.rawValue), Int(RTA_ENCAP.rawValue),
        Int(RTA_NH_ID.rawValue):
        hasMore = true
      default: break
      }
    }
    guard isGood else { return nil }
    typeOfService = header.rtm_tos
    if !isIPv4 { kind = .other(header.rtm_type) }
    hops = several ?? (single.index == 0 && single.gateway == nil ? [] : [single])
  }

  private static func hops(_ bytes: Bytes) -> [NextHop] {
    let headerSize = MemoryLayout<rtnexthop>.size
    var hops: [NextHop] = []
    var rest = bytes
    // A length of 0 would never end: the header is the least.
    while let header = rest.load(rtnexthop.self), Int(header.rtnh_len) >= headerSize,
      Int(header.rtnh_len) <= rest.count
    {
      let isOnLink = Int32(header.rtnh_flags) & RTNH_F_ONLINK != 0
      // It counts from 0.
      var hop = NextHop(
        index: UInt32(bitPattern: header.rtnh_ifindex), isOnLink: isOnLink, weight: Int(header.rtnh_hops) + 1)
      let attributes = UnsafeRawBufferPointer(rebasing: rest.raw[headerSize..<Int(header.rtnh_len)])
      Bytes(attributes).forEachAttribute { type, value in
        if Int(type) == Int(RTA_GATEWAY.rawValue) { hop.gateway = value.bigEndian }
      }
      hops.append(hop)
      guard let next = rest.dropping(min((Int(header.rtnh_len) + 3) & ~3, rest.count)) else { break }
      rest = next
    }
    return hops
  }
}

extension PathMTUMessage {
  /// Nil where the message is cut off, lies, or is no exception with an MTU: one that has expired has none
  /// (rt_fill_info, net/ipv4/route.c).
  init?(_ message: Message) {
    guard let header = message.payload.load(rtmsg.self), Int32(header.rtm_family) == AF_INET,
      header.rtm_dst_len == 32, header.rtm_flags & UInt32(RTM_F_CLONED) != 0,
      let attributes = message.payload.dropping(MemoryLayout<rtmsg>.size)
    else { return nil }
    var destination: UInt32?
    var index: UInt32?
    var mtu: UInt32?
    let isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      case Int(RTA_DST.rawValue): destination = value.bigEndian
      case Int(RTA_OIF.rawValue): index = value.load(UInt32.self)
      case Int(RTA_METRICS.rawValue):
        value.forEachAttribute { metric, value in
          if Int(metric) == Int(RTAX_MTU) { mtu = value.load(UInt32.self) }
        }
      default: break
      }
    }
    guard isGood, let destination, let index, let mtu else { return nil }
    self.init(destination: destination, index: index, mtu: mtu)
  }
}

extension RouteMessage.Kind {
  package init(_ type: UInt8) {
    switch Int(type) {
    case RTN_UNICAST: self = .unicast
    case RTN_UNREACHABLE: self = .unreachable
    default: self = .other(type)
    }
  }
}

extension RuleMessage {
  /// Nil where the message is cut off, lies, or is of another family than IPv4.
  init?(_ message: Message) {
    guard let header = message.payload.load(fib_rule_hdr.self), Int32(header.family) == AF_INET,
      header.src_len <= 32, header.dst_len <= 32,
      let attributes = message.payload.dropping(MemoryLayout<fib_rule_hdr>.size)
    else { return nil }
    self.init(
      priority: 0, isInverted: header.flags & UInt32(FIB_RULE_INVERT) != 0, sourceLength: header.src_len,
      destinationLength: header.dst_len, action: Action(header.action), table: UInt32(header.table), origin: 0,
      hasMore: header.tos != 0)
    let isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      case FRA_PRIORITY: priority = value.load(UInt32.self) ?? 0
      // The kernel leaves a mark of 0 out, and a mask of 0 with it.
      case FRA_FWMARK: mark = value.load(UInt32.self) ?? 0
      case FRA_FWMASK: mask = value.load(UInt32.self) ?? 0
      case FRA_TABLE: table = value.load(UInt32.self) ?? table
      case FRA_SRC: source = value.bigEndian ?? 0
      case FRA_DST: destination = value.bigEndian ?? 0
      case FRA_IIFNAME: incoming = value.string
      case FRA_PROTOCOL: origin = value.load(UInt8.self) ?? 0
      case FRA_SUPPRESS_PREFIXLEN:
        // −1 says none.
        suppressPrefixLength = value.load(UInt32.self).flatMap { $0 == .max ? nil : $0 }
      case FRA_OIFNAME, FRA_GOTO, FRA_SUPPRESS_IFGROUP, FRA_FLOW, FRA_TUN_ID, FRA_L3MDEV, FRA_UID_RANGE, FRA_IP_PROTO,
        FRA_SPORT_RANGE, FRA_DPORT_RANGE:
        hasMore = hasMore || !Self.isNeutral(type, value)
      default: break
      }
    }
    guard isGood else { return nil }
  }

  /// Values that the kernel always sends and that say "none".
  private static func isNeutral(_ type: UInt16, _ value: Bytes) -> Bool {
    switch Int(type) {
    case FRA_SUPPRESS_IFGROUP: value.load(UInt32.self) == .max
    case FRA_L3MDEV: value.load(UInt8.self) == 0
    case FRA_TUN_ID, FRA_FLOW: value.raw.allSatisfy { $0 == 0 }
    default: false
    }
  }
}

extension RuleMessage.Action {
  init(_ action: UInt8) {
    switch Int(action) {
    case FR_ACT_TO_TBL: self = .lookup
    case FR_ACT_UNREACHABLE: self = .unreachable
    default: self = .other(action)
    }
  }
}
