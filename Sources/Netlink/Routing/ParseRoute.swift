internal import CMnl
internal import Glibc

extension RouteMessage {
  /// Nil if the message is cut off, malformed, or of another family than IPv4.
  init?(_ message: Message) {
    guard let header = message.payload.load(rtmsg.self), Int32(header.rtm_family) == AF_INET,
      header.rtm_dst_len <= 32, let attributes = message.payload.dropping(MemoryLayout<rtmsg>.size)
    else { return nil }
    self.init(
      table: UInt32(header.rtm_table), kind: Kind(header.rtm_type), length: header.rtm_dst_len, metric: 0,
      origin: header.rtm_protocol, scope: header.rtm_scope, tos: header.rtm_tos)
    var single = NextHop(index: 0)
    single.read(flags: header.rtm_flags)
    var several: [NextHop]?
    let isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      // rtm_table holds a byte; the whole number is here.
      case Int(RTA_TABLE.rawValue): table = value.load(UInt32.self) ?? table
      case Int(RTA_DST.rawValue): destination = value.bigEndian ?? 0
      case Int(RTA_PRIORITY.rawValue): metric = value.load(UInt32.self) ?? 0
      case Int(RTA_OIF.rawValue): single.index = value.load(UInt32.self) ?? 0
      case Int(RTA_MULTIPATH.rawValue): several = Self.hops(value)
      case Int(RTA_PREFSRC.rawValue): source = value.bigEndian
      case Int(RTA_NH_ID.rawValue): object = value.load(UInt32.self)
      case Int(RTA_METRICS.rawValue):
        value.forEachAttribute { metric, value in
          if Int(metric) == Int(RTAX_MTU) { mtu = value.load(UInt32.self) } else { hasMore = true }
        }
      case Int(RTA_FLOW.rawValue): hasMore = true
      default: single.read(type, value)
      }
    }
    guard isGood else { return nil }
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
      // It counts from 0.
      var hop = NextHop(index: UInt32(bitPattern: header.rtnh_ifindex), weight: Int(header.rtnh_hops) + 1)
      hop.read(flags: UInt32(header.rtnh_flags))
      let attributes = UnsafeRawBufferPointer(rebasing: rest.raw[headerSize..<Int(header.rtnh_len)])
      Bytes(attributes).forEachAttribute { hop.read($0, $1) }
      hops.append(hop)
      guard let next = rest.dropping(min((Int(header.rtnh_len) + 3) & ~3, rest.count)) else { break }
      rest = next
    }
    return hops
  }
}

extension RouteMessage.NextHop {
  /// rtm_flags and rtnh_flags.
  fileprivate mutating func read(flags: UInt32) {
    isOnLink = flags & UInt32(RTNH_F_ONLINK) != 0
    isDead = flags & UInt32(RTNH_F_DEAD) != 0
  }

  /// What a route and each of several ways have alike.
  fileprivate mutating func read(_ type: UInt16, _ value: Bytes) {
    switch Int(type) {
    case Int(RTA_GATEWAY.rawValue): gateway = value.bigEndian.map { .ipv4($0) }
    case Int(RTA_VIA.rawValue): gateway = RouteMessage.Gateway(via: value)
    case Int(RTA_ENCAP_TYPE.rawValue): encapsulation = value.load(UInt16.self) ?? 0
    default: break
    }
  }
}

extension RouteMessage.Gateway {
  /// struct rtvia: a family, in host order, and an address of it.
  fileprivate init(via bytes: Bytes) {
    let family = bytes.load(UInt16.self) ?? 0
    switch Int32(family) {
    case AF_INET: self = bytes.load(UInt32.self, at: 2).map { .ipv4(UInt32(bigEndian: $0)) } ?? .other(family: family)
    case AF_INET6: self = Self.ipv6(bytes, at: 2) ?? .other(family: family)
    default: self = .other(family: family)
    }
  }

  fileprivate static func ipv6(_ bytes: Bytes, at offset: Int = 0) -> Self? {
    guard let high = bytes.load(UInt64.self, at: offset), let low = bytes.load(UInt64.self, at: offset + 8)
    else { return nil }
    return .ipv6(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
  }
}

extension NexthopMessage {
  /// Nil if the message is cut off or malformed.
  init?(_ message: Message) {
    guard let header = message.payload.load(nhmsg.self),
      let attributes = message.payload.dropping(MemoryLayout<nhmsg>.size)
    else { return nil }
    self.init(object: 0)
    var way = RouteMessage.NextHop(index: 0)
    way.read(flags: header.nh_flags)
    let isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      case NHA_ID: object = value.load(UInt32.self) ?? 0
      case NHA_BLACKHOLE: isBlackhole = true
      case NHA_OIF: way.index = value.load(UInt32.self) ?? 0
      case NHA_GATEWAY:
        way.gateway =
          Int32(header.nh_family) == AF_INET6
          ? RouteMessage.Gateway.ipv6(value) : value.bigEndian.map { .ipv4($0) }
      case NHA_ENCAP_TYPE: way.encapsulation = value.load(UInt16.self) ?? 0
      case NHA_GROUP: members = Self.members(value)
      default: break
      }
    }
    guard isGood, object != 0 else { return nil }
    if way.index != 0 { hop = way }
  }

  /// An array of struct nexthop_grp, whose weights count from 0.
  private static func members(_ bytes: Bytes) -> [Member] {
    let size = MemoryLayout<nexthop_grp>.size
    return (0..<bytes.count / size).compactMap { place in
      bytes.load(nexthop_grp.self, at: place * size).map { Member(object: $0.id, weight: Int($0.weight) + 1) }
    }
  }
}

extension PathMTUMessage {
  /// Nil if the message is cut off, malformed, or not an exception with an MTU: an expired one has none (rt_fill_info,
  /// net/ipv4/route.c).
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
  /// Nil if the message is cut off, malformed, or of another family than IPv4 and IPv6.
  init?(_ message: Message) {
    guard let header = message.payload.load(fib_rule_hdr.self), let family = Family(header.family),
      header.src_len <= family.bits, header.dst_len <= family.bits,
      let attributes = message.payload.dropping(MemoryLayout<fib_rule_hdr>.size)
    else { return nil }
    self.init(
      family, priority: 0, isInverted: header.flags & UInt32(FIB_RULE_INVERT) != 0, action: Action(header.action),
      table: UInt32(header.table), origin: 0, hasMore: header.tos != 0)
    (sourceLength, destinationLength) = (header.src_len, header.dst_len)
    selectors.typeOfService = header.tos
    let isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      case FRA_PRIORITY: priority = value.load(UInt32.self) ?? 0
      // The kernel leaves a mark of 0 out, and a mask of 0 with it.
      case FRA_FWMARK: mark = value.load(UInt32.self) ?? 0
      case FRA_FWMASK: mask = value.load(UInt32.self) ?? 0
      case FRA_TABLE: table = value.load(UInt32.self) ?? table
      case FRA_SRC where family == .ipv4: source = value.bigEndian ?? 0
      case FRA_DST where family == .ipv4: destination = value.bigEndian ?? 0
      case FRA_SRC: ipv6Source = value.load(UInt128.self).map { UInt128(bigEndian: $0) } ?? 0
      case FRA_DST: ipv6Destination = value.load(UInt128.self).map { UInt128(bigEndian: $0) } ?? 0
      case FRA_GOTO:
        if case .goto = action { action = .goto(value.load(UInt32.self) ?? 0) } else { hasMore = true }
      case FRA_IIFNAME: incoming = value.string
      case FRA_PROTOCOL: origin = value.load(UInt8.self) ?? 0
      case FRA_SUPPRESS_PREFIXLEN:
        // −1 says none.
        suppressPrefixLength = value.load(UInt32.self).flatMap { $0 == .max ? nil : $0 }
      case FRA_IP_PROTO:
        selectors.protocolNumber = value.load(UInt8.self)
        hasMore = true
      case FRA_SPORT_RANGE:
        selectors.sourcePorts = value.ports
        hasMore = true
      case FRA_DPORT_RANGE:
        selectors.destinationPorts = value.ports
        hasMore = true
      case FRA_OIFNAME, FRA_SUPPRESS_IFGROUP, FRA_FLOW, FRA_TUN_ID, FRA_L3MDEV, FRA_UID_RANGE:
        guard !Self.isNeutral(type, value) else { break }
        hasMore = true
        selectors.hasMore = true
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

extension Bytes {
  /// struct fib_rule_port_range, in host order.
  fileprivate var ports: ClosedRange<UInt16>? {
    guard let start = load(UInt16.self), let end = load(UInt16.self, at: 2), start <= end else { return nil }
    return start...end
  }

  /// An address of IPv6: its first and its last eight bytes.
  var halves: [UInt64]? {
    guard let high = load(UInt64.self), let low = load(UInt64.self, at: 8) else { return nil }
    return [UInt64(bigEndian: high), UInt64(bigEndian: low)]
  }
}

extension RuleMessage.Family {
  init?(_ number: UInt8) {
    switch Int32(number) {
    case AF_INET: self = .ipv4
    case AF_INET6: self = .ipv6
    default: return nil
    }
  }

  /// Of an address.
  fileprivate var bits: UInt8 { self == .ipv4 ? 32 : 128 }
}

extension RuleMessage.Action {
  init(_ action: UInt8) {
    switch Int(action) {
    case FR_ACT_TO_TBL: self = .lookup
    case FR_ACT_UNREACHABLE: self = .unreachable
    case FR_ACT_PROHIBIT: self = .prohibit
    // Where to is said by FRA_GOTO.
    case FR_ACT_GOTO: self = .goto(0)
    case FR_ACT_NOP: self = .nop
    default: self = .other(action)
    }
  }
}
