internal import CMnl
internal import Glibc

/// Devices, addresses, IPv4 routes and rules (rtnetlink(7)). One owner, one request at a time.
package struct RoutingSocket: ~Copyable, Sendable {
  var conversation: Conversation

  private init(_ conversation: consuming Conversation) { self.conversation = conversation }

  /// A socket in the calling thread's network namespace.
  package static func open() throws(NetlinkFailure) -> RoutingSocket {
    RoutingSocket(Conversation(try NetlinkSocket.open(NETLINK_ROUTE)))
  }

  /// The nlmsg_pid of events that our requests cause.
  package var port: UInt32 { conversation.socket.port }

  // MARK: Devices

  /// All devices. Where devices come and go all the time, one that was seen in any attempt counts as there: kernels
  /// before 6.8 may skip a device when another goes (rtnl_dump_ifinfo, net/core/rtnetlink.c), and an event reports one
  /// that has just gone.
  package mutating func links() throws(NetlinkFailure) -> [LinkMessage] {
    var links: [LinkMessage] = []
    var seen: [UInt32: LinkMessage] = [:]
    let isCertain = try conversation.dump("ip link", type: RTM_GETLINK, takingInterrupted: true) {
      $0.linkFilter(RTEXT_FILTER_SKIP_STATS)
    } restart: {
      for link in links { seen[link.index] = link }
      links = []
    } each: { message in
      guard let link = LinkMessage(message) else { return false }
      links.append(link)
      return true
    }
    if isCertain { return links }
    let last = Set(links.map(\.index))
    let names = Set(links.map(\.name))
    return links + seen.values.filter { !last.contains($0.index) && !names.contains($0.name) }
  }

  /// The counters of every device.
  package mutating func traffic() throws(NetlinkFailure) -> [TrafficMessage] {
    var all: [TrafficMessage] = []
    try conversation.dump("ip -s link", type: RTM_GETLINK) {
      $0.linkFilter(0)
    } restart: {
      all = []
    } each: { message in
      guard let traffic = TrafficMessage(message) else { return false }
      all.append(traffic)
      return true
    }
    return all
  }

  /// The device of this name; nil if there is none.
  package mutating func link(named name: String) throws(NetlinkFailure) -> LinkMessage? {
    var link: LinkMessage?
    do throws(NetlinkFailure) {
      try conversation.request("ip link show \(name)", type: RTM_GETLINK) {
        $0.link(named: name)
      } answer: { message in
        link = LinkMessage(message)
        return link != nil
      }
    } catch {
      guard error.isMissing else { throw error }
    }
    return link
  }

  /// Makes the device and gives it its alias before anything can come in between: the kernel ignores an alias on
  /// creation (rtnl_create_link, net/core/rtnetlink.c), and a device without it would not be known as ours after a
  /// kill.
  package mutating func createTunnel(
    _ name: String, _ tunnel: TunnelMessage, mtu: UInt32, alias: String
  ) throws(NetlinkFailure) {
    try conversation.requests(
      "ip link add \(name)",
      [
        (
          RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
          { builder in
            builder.link(named: name)
            builder.put(IFLA_MTU, mtu)
            builder.linkInfo(tunnel)
          }
        ),
        (
          RTM_SETLINK, 0,
          { builder in
            builder.link(named: name)
            builder.put(IFLA_IFALIAS, string: alias)
          }
        ),
      ])
  }

  /// Sets all parameters of an existing tunnel. Throws EOPNOTSUPP where it is of another kind.
  package mutating func changeTunnel(
    _ name: String, _ tunnel: TunnelMessage, mtu: UInt32, alias: String
  ) throws(NetlinkFailure) {
    try conversation.request("ip link change \(name)", type: RTM_NEWLINK) { builder in
      builder.link(named: name)
      builder.put(IFLA_MTU, mtu)
      builder.put(IFLA_IFALIAS, string: alias)
      builder.linkInfo(tunnel)
    }
  }

  /// Makes a bridge without ports, a kind of device that every router's kernel has.
  package mutating func createBridge(_ name: String) throws(NetlinkFailure) {
    try conversation.request("ip link add \(name) type bridge", type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL) {
      builder in
      builder.link(named: name)
      builder.nested(IFLA_LINKINFO) { $0.put(IFLA_INFO_KIND, string: "bridge") }
    }
  }

  /// Deletes the device, and with it its addresses and routes. Throws ENODEV where there is none of this name.
  package mutating func deleteLink(_ name: String) throws(NetlinkFailure) {
    try conversation.request("ip link delete \(name)", type: RTM_DELLINK) { $0.link(named: name) }
  }

  /// Sets the MTU in bytes: the largest packet that the device takes.
  package mutating func setMTU(_ name: String, _ mtu: UInt32) throws(NetlinkFailure) {
    try conversation.request("ip link set \(name) mtu \(mtu)", type: RTM_SETLINK) { builder in
      builder.link(named: name)
      builder.put(IFLA_MTU, mtu)
    }
  }

  /// Sets IFF_UP, and leaves the device's other flags as they are.
  package mutating func setUp(_ name: String) throws(NetlinkFailure) {
    try conversation.request("ip link set \(name) up", type: RTM_SETLINK) {
      $0.link(named: name, flags: Int32(IFF_UP))
    }
  }

  // MARK: Addresses

  /// IPv4 addresses of all devices, as the kernel orders them. The kernel calls a dump interrupted when any device
  /// comes or goes.
  package mutating func addresses() throws(NetlinkFailure) -> [AddressMessage] {
    var addresses: [AddressMessage] = []
    try conversation.dump("ip -4 address", type: RTM_GETADDR, takingInterrupted: true) { builder in
      var header = ifaddrmsg()
      header.ifa_family = UInt8(AF_INET)
      builder.header(header)
    } restart: {
      addresses = []
    } each: { message in
      guard let address = AddressMessage(message) else { return false }
      addresses.append(address)
      return true
    }
    return addresses
  }

  /// IPv6 addresses of all devices. A kernel without IPv6 has none.
  package mutating func wideAddresses() throws(NetlinkFailure) -> [WideAddress] {
    var addresses: [WideAddress] = []
    try conversation.dump("ip -6 address", type: RTM_GETADDR, takingInterrupted: true) { builder in
      var header = ifaddrmsg()
      header.ifa_family = UInt8(AF_INET6)
      builder.header(header)
    } restart: {
      addresses = []
    } each: { message in
      if let address = WideAddress(message) { addresses.append(address) }
      return true
    }
    return addresses
  }

  /// Throws EEXIST where the device has the address already.
  package mutating func add(_ address: AddressMessage) throws(NetlinkFailure) {
    try conversation.request("ip address add", type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_EXCL) {
      $0.address(address)
    }
  }

  /// Throws EADDRNOTAVAIL where the device does not have the address.
  package mutating func delete(_ address: AddressMessage) throws(NetlinkFailure) {
    try conversation.request("ip address delete", type: RTM_DELADDR) { $0.address(address) }
  }
}
