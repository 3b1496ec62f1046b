internal import CMnl
internal import Glibc

extension MessageBuilder {
  /// A link by its name; `flags` is what to set.
  mutating func link(named name: String, flags: Int32 = 0) {
    var header = ifinfomsg()
    header.ifi_family = UInt8(AF_UNSPEC)
    header.ifi_flags = UInt32(flags)
    header.ifi_change = UInt32(flags)
    self.header(header)
    put(IFLA_IFNAME, string: name)
  }

  /// A dump's filter: RTEXT_FILTER_….
  mutating func linkFilter(_ mask: Int32) {
    var header = ifinfomsg()
    header.ifi_family = UInt8(AF_UNSPEC)
    self.header(header)
    put(IFLA_EXT_MASK, UInt32(mask))
  }

  /// IFLA_LINKINFO. All of it each time: a change resets what is not said (ipgre_netlink_parms, net/ipv4/ip_gre.c).
  mutating func linkInfo(_ tunnel: TunnelMessage) {
    nested(IFLA_LINKINFO) { info in
      switch tunnel.kind {
      case .gre(let key):
        info.put(IFLA_INFO_KIND, string: "gre")
        info.nested(IFLA_INFO_DATA) { $0.gre(tunnel, key: key) }
      case .ipip:
        info.put(IFLA_INFO_KIND, string: "ipip")
        info.nested(IFLA_INFO_DATA) { $0.ipip(tunnel) }
      case .xfrm(let number):
        info.put(IFLA_INFO_KIND, string: "xfrm")
        info.nested(IFLA_INFO_DATA) {
          $0.put(IFLA_XFRM_LINK, tunnel.underlay)
          $0.put(IFLA_XFRM_IF_ID, number)
        }
      }
    }
  }

  private mutating func gre(_ tunnel: TunnelMessage, key: UInt32?) {
    let flags = (key == nil ? 0 : TunnelMessage.greKey).bigEndian
    put(IFLA_GRE_LINK, tunnel.underlay)
    put(IFLA_GRE_IFLAGS, flags)
    put(IFLA_GRE_OFLAGS, flags)
    put(IFLA_GRE_IKEY, bigEndian: key ?? 0)
    put(IFLA_GRE_OKEY, bigEndian: key ?? 0)
    put(IFLA_GRE_LOCAL, bigEndian: tunnel.local)
    put(IFLA_GRE_REMOTE, bigEndian: tunnel.remote)
    put(IFLA_GRE_TTL, tunnel.ttl)
    put(IFLA_GRE_TOS, UInt8(0))
    put(IFLA_GRE_PMTUDISC, UInt8(tunnel.discoversPathMTU ? 1 : 0))
    put(IFLA_GRE_FWMARK, tunnel.mark)
    // These a change leaves as they are where they are not said.
    put(IFLA_GRE_IGNORE_DF, UInt8(0))
    put(IFLA_GRE_ENCAP_TYPE, UInt16(0))
  }

  private mutating func ipip(_ tunnel: TunnelMessage) {
    put(IFLA_IPTUN_LINK, tunnel.underlay)
    put(IFLA_IPTUN_LOCAL, bigEndian: tunnel.local)
    put(IFLA_IPTUN_REMOTE, bigEndian: tunnel.remote)
    put(IFLA_IPTUN_TTL, tunnel.ttl)
    put(IFLA_IPTUN_TOS, UInt8(0))
    put(IFLA_IPTUN_PMTUDISC, UInt8(tunnel.discoversPathMTU ? 1 : 0))
    put(IFLA_IPTUN_FWMARK, tunnel.mark)
    put(IFLA_IPTUN_ENCAP_TYPE, UInt16(0))
  }

  /// RTM_NEWADDR and RTM_DELADDR.
  mutating func address(_ address: AddressMessage) {
    var header = ifaddrmsg()
    header.ifa_family = UInt8(AF_INET)
    header.ifa_prefixlen = address.length
    header.ifa_index = address.index
    self.header(header)
    put(IFA_LOCAL, bigEndian: address.local)
    put(IFA_ADDRESS, bigEndian: address.peer)
  }
}
