internal import CMnl
internal import Glibc

extension LinkMessage {
  /// Nil if the message is cut off or malformed.
  init?(_ message: Message) {
    guard let header = message.payload.load(ifinfomsg.self),
      let attributes = message.payload.dropping(MemoryLayout<ifinfomsg>.size)
    else { return nil }
    self.init(
      index: UInt32(bitPattern: header.ifi_index), name: "", isUp: header.ifi_flags & UInt32(IFF_UP) != 0,
      hasCarrier: header.ifi_flags & Self.lowerUp != 0,
      isPointToPoint: header.ifi_flags & UInt32(IFF_POINTOPOINT) != 0,
      asksNoNeighbours: header.ifi_flags & UInt32(IFF_NOARP) != 0, mtu: 0)
    var tunnel: TunnelMessage?
    var alias: String?
    var settings = SettingsMessage()
    var mtu: UInt32?
    var name = ""
    var isLowerElsewhere = false
    var isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      case IFLA_IFNAME: name = value.string
      case IFLA_MTU: mtu = value.load(UInt32.self)
      // Of a bridge's port (family AF_BRIDGE) it holds something else.
      case IFLA_AF_SPEC where Int32(header.ifi_family) == AF_UNSPEC: settings = SettingsMessage(families: value)
      case IFLA_IFALIAS: alias = value.string
      case IFLA_MASTER: master = value.load(UInt32.self) ?? 0
      case IFLA_LINK: lower = value.load(UInt32.self) ?? 0
      // The device below is another namespace's, and so is its number.
      case IFLA_LINK_NETNSID: isLowerElsewhere = true
      case IFLA_LINKINFO:
        tunnel = TunnelMessage(linkInfo: value)
        value.forEachAttribute { type, value in
          if Int(type) == IFLA_INFO_KIND { kind = value.string }
          if Int(type) == IFLA_INFO_SLAVE_KIND { masterKind = value.string }
        }
      default: break
      }
    }
    isGood = isGood && !name.isEmpty
    guard isGood, let mtu else { return nil }
    if isLowerElsewhere { lower = 0 }
    (self.name, self.mtu, self.alias, self.tunnel, self.settings) = (name, mtu, alias, tunnel, settings)
  }

  /// IFF_LOWER_UP of linux/if.h, which net/if.h hides.
  private static let lowerUp: UInt32 = 1 << 16
}

extension SettingsMessage {
  /// All settings of a family are one array of numbers. Newer kernels have made it longer at its end.
  init(families: Bytes) {
    self.init()
    families.forEachAttribute { family, attributes in
      attributes.forEachAttribute { type, value in
        // IPV4_DEVCONF_… of linux/ip.h begins with 1, DEVCONF_… of linux/ipv6.h with 0. Neither header goes together
        // with Glibc's.
        func number(_ index: Int) -> Int32? { value.load(Int32.self, at: index * MemoryLayout<Int32>.size) }
        switch (Int32(family), Int(type)) {
        case (AF_INET, IFLA_INET_CONF):
          forwarding = number(1 - 1)
          reversePathFilter = number(8 - 1)
          disableXFRM = number(15 - 1)
          disablePolicy = number(16 - 1)
          sourceValidMark = number(24 - 1)
        case (AF_INET6, IFLA_INET6_CONF): disableIPv6 = number(26)
        default: break
        }
      }
    }
  }
}

extension TrafficMessage {
  /// Nil if the message is cut off, malformed, or has no counters.
  init?(_ message: Message) {
    guard let attributes = message.payload.dropping(MemoryLayout<ifinfomsg>.size) else { return nil }
    var name = ""
    var counters: Bytes?
    let isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      case IFLA_IFNAME: name = value.string
      case IFLA_STATS64: counters = value
      default: break
      }
    }
    // Four numbers begin struct rtnl_link_stats64, which newer kernels have made longer at its end.
    guard isGood, !name.isEmpty, let counters, let packetsIn = counters.load(UInt64.self),
      let packetsOut = counters.load(UInt64.self, at: 8), let bytesIn = counters.load(UInt64.self, at: 16),
      let bytesOut = counters.load(UInt64.self, at: 24)
    else { return nil }
    self.init(
      name: name, packetsIn: packetsIn, packetsOut: packetsOut, bytesIn: bytesIn, bytesOut: bytesOut)
  }
}

extension TunnelMessage {
  /// Nil if the device is none of these kinds.
  init?(linkInfo: Bytes) {
    var kind = ""
    var data: Bytes?
    let isGood = linkInfo.forEachAttribute { type, value in
      switch Int(type) {
      case IFLA_INFO_KIND: kind = value.string
      case IFLA_INFO_DATA: data = value
      default: break
      }
    }
    guard isGood, let data else { return nil }
    switch kind {
    case "gre": self.init(gre: data)
    case "ipip": self.init(ipip: data)
    case "xfrm": self.init(xfrm: data)
    default: return nil
    }
  }

  private init(gre data: Bytes) {
    self.init(kind: .gre(key: nil), local: 0, remote: 0, underlay: 0, mark: 0, ttl: 0, discoversPathMTU: false)
    var flags: UInt16 = 0
    var key: UInt32 = 0
    var inFlags: UInt16 = 0
    var inKey: UInt32 = 0
    data.forEachAttribute { type, value in
      switch Int(type) {
      case IFLA_GRE_OFLAGS: flags = UInt16(bigEndian: value.load(UInt16.self) ?? 0)
      case IFLA_GRE_OKEY: key = value.bigEndian ?? 0
      case IFLA_GRE_LOCAL: local = value.bigEndian ?? 0
      case IFLA_GRE_REMOTE: remote = value.bigEndian ?? 0
      case IFLA_GRE_LINK: underlay = value.load(UInt32.self) ?? 0
      case IFLA_GRE_FWMARK: mark = value.load(UInt32.self) ?? 0
      case IFLA_GRE_TTL: ttl = value.load(UInt8.self) ?? 0
      case IFLA_GRE_PMTUDISC: discoversPathMTU = value.load(UInt8.self) == 1
      case IFLA_GRE_IFLAGS: inFlags = UInt16(bigEndian: value.load(UInt16.self) ?? 0)
      case IFLA_GRE_IKEY: inKey = value.bigEndian ?? 0
      case IFLA_GRE_TOS, IFLA_GRE_IGNORE_DF, IFLA_GRE_ENCAP_TYPE: if !value.isZero { hasMore = true }
      case IFLA_GRE_COLLECT_METADATA: hasMore = true
      default: break
      }
    }
    if flags & Self.greKey != 0 { kind = .gre(key: key) }
    hasMore = hasMore || !discoversPathMTU || flags & ~Self.greKey != 0 || inFlags != flags || inKey != key
  }

  private init(ipip data: Bytes) {
    self.init(kind: .ipip, local: 0, remote: 0, underlay: 0, mark: 0, ttl: 0, discoversPathMTU: false)
    data.forEachAttribute { type, value in
      switch Int(type) {
      case IFLA_IPTUN_LOCAL: local = value.bigEndian ?? 0
      case IFLA_IPTUN_REMOTE: remote = value.bigEndian ?? 0
      case IFLA_IPTUN_LINK: underlay = value.load(UInt32.self) ?? 0
      case IFLA_IPTUN_FWMARK: mark = value.load(UInt32.self) ?? 0
      case IFLA_IPTUN_TTL: ttl = value.load(UInt8.self) ?? 0
      case IFLA_IPTUN_PMTUDISC: discoversPathMTU = value.load(UInt8.self) == 1
      case IFLA_IPTUN_TOS, IFLA_IPTUN_ENCAP_TYPE: if !value.isZero { hasMore = true }
      case IFLA_IPTUN_PROTO: if value.load(UInt8.self) != UInt8(IPPROTO_IPIP) { hasMore = true }
      case IFLA_IPTUN_COLLECT_METADATA: hasMore = true
      default: break
      }
    }
    hasMore = hasMore || !discoversPathMTU
  }

  /// Nil if its packets say the number themselves (IFLA_XFRM_COLLECT_METADATA): then it has none.
  private init?(xfrm data: Bytes) {
    var number: UInt32 = 0
    var link: UInt32 = 0
    data.forEachAttribute { type, value in
      switch Int(type) {
      case IFLA_XFRM_IF_ID: number = value.load(UInt32.self) ?? 0
      case IFLA_XFRM_LINK: link = value.load(UInt32.self) ?? 0
      default: break
      }
    }
    guard number != 0 else { return nil }
    self.init(
      kind: .xfrm(interfaceID: number), local: 0, remote: 0, underlay: link, mark: 0, ttl: 0, discoversPathMTU: false)
  }

  /// GRE_KEY (linux/if_tunnel.h, a macro with a cast), in host order.
  static let greKey: UInt16 = 0x2000
}

extension AddressMessage {
  /// Nil if the message is cut off, malformed, or of another family than IPv4.
  init?(_ message: Message) {
    guard let header = message.payload.load(ifaddrmsg.self), Int32(header.ifa_family) == AF_INET,
      let attributes = message.payload.dropping(MemoryLayout<ifaddrmsg>.size)
    else { return nil }
    var local: UInt32?
    var peer: UInt32?
    var flags = UInt32(header.ifa_flags)
    let isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      case IFA_LOCAL: local = value.bigEndian
      case IFA_ADDRESS: peer = value.bigEndian
      case IFA_FLAGS: flags = value.load(UInt32.self) ?? flags
      default: break
      }
    }
    guard isGood, header.ifa_prefixlen <= 32, let own = local ?? peer else { return nil }
    self.init(
      index: header.ifa_index, local: own, peer: peer ?? own, length: header.ifa_prefixlen,
      isSecondary: flags & UInt32(IFA_F_SECONDARY) != 0, scope: header.ifa_scope,
      isTentative: flags & UInt32(IFA_F_TENTATIVE) != 0, isDuplicate: flags & UInt32(IFA_F_DADFAILED) != 0,
      isDeprecated: flags & UInt32(IFA_F_DEPRECATED) != 0)
  }
}

/// An IPv6 address of a device: its first and its last eight bytes.
package struct WideAddress: Equatable, Sendable {
  package var index: UInt32
  package var address: [UInt64]
  package var length: UInt8

  /// Nil if the message is cut off, malformed, or of another family.
  init?(_ message: Message) {
    guard let header = message.payload.load(ifaddrmsg.self), Int32(header.ifa_family) == AF_INET6,
      header.ifa_prefixlen <= 128, let attributes = message.payload.dropping(MemoryLayout<ifaddrmsg>.size)
    else { return nil }
    var local: [UInt64]?
    var peer: [UInt64]?
    let isGood = attributes.forEachAttribute { type, value in
      switch Int(type) {
      case IFA_LOCAL: local = value.halves
      case IFA_ADDRESS: peer = value.halves
      default: break
      }
    }
    guard isGood, let own = local ?? peer else { return nil }
    self.init(index: header.ifa_index, address: own, length: header.ifa_prefixlen)
  }

  private init(index: UInt32, address: [UInt64], length: UInt8) {
    self.index = index
    self.address = address
    self.length = length
  }
}
