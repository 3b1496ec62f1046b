internal import CLinux
internal import CMnl
internal import CNftnl
internal import Glibc

/// Listens to what changes. Nonblocking: watch `descriptor` and call `drain` when it is readable.
package struct Monitor: ~Copyable, @unchecked Sendable {
  private let socket: NetlinkSocket
  private let buffer: UnsafeMutableRawBufferPointer

  /// Room for a few thousand events while the loop is busy.
  private static let receiveBuffer: Int32 = 2 << 20
  private static let bufferSize = 64 << 10
  /// Datagrams in one `drain`: the loop has probes to send. What is left keeps the descriptor readable.
  private static let datagramsPerDrain = 256

  private init(_ socket: consuming NetlinkSocket) {
    self.socket = socket
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 16)
  }

  deinit { buffer.deallocate() }

  /// Devices, IPv4 addresses, routes, nexthop objects, rules, the settings of devices (forwarding, rp_filter), and
  /// neighbours that do not answer.
  package static func routing() throws(NetlinkFailure) -> Monitor {
    let groups = [
      RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE,
      RTNLGRP_IPV4_NETCONF, RTNLGRP_NEIGH, RTNLGRP_NEXTHOP,
    ].map(\.rawValue)
    return Monitor(
      try NetlinkSocket.open(NETLINK_ROUTE, groups: groups, nonblocking: true, receiveBuffer: receiveBuffer))
  }

  /// Limits route events to default routes, main's prefixes shorter than `bits` (255: all of them), and everything of the
  /// given tables and origin. The kernel drops the rest, so that a router with the internet's routes fills no queue. Where
  /// it refuses, for want of memory, we still hear everything.
  package func hear(origin: UInt8, tables: ClosedRange<UInt32>, mainShorterThan bits: UInt8) {
    _ = linux_hear_routes(descriptor, origin, tables.lowerBound, tables.upperBound, bits)
  }

  /// nftables.
  package static func tables() throws(NetlinkFailure) -> Monitor {
    Monitor(
      try NetlinkSocket.open(
        NETLINK_NETFILTER, groups: [NFNLGRP_NFTABLES.rawValue], nonblocking: true, receiveBuffer: receiveBuffer))
  }

  /// Leaves the group of nftables, or joins it again; what waits in the queue stays there. From any thread.
  package static func hearTables(_ hears: Bool, by descriptor: Int32) {
    var group = NFNLGRP_NFTABLES.rawValue
    let option = hears ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP
    // Neither can fail on a socket that was in the group before (netlink_setsockopt, net/netlink/af_netlink.c).
    _ = setsockopt(descriptor, SOL_NETLINK, option, &group, socklen_t(MemoryLayout<UInt32>.size))
  }

  package var descriptor: Int32 { socket.descriptor }

  /// Reads what waits. `port` is nlmsg_pid of the request that caused the event: 0 where the kernel does not say.
  package func drain(_ body: (_ event: NetlinkEvent, _ port: UInt32) -> Void) throws(NetlinkFailure) {
    for _ in 0..<Self.datagramsPerDrain {
      do throws(NetlinkFailure) {
        guard let datagram = try socket.receive(into: buffer, waiting: false, "netlink events") else { return }
        let isWhole = Message.forEach(in: datagram) { message in
          if let event = NetlinkEvent(message) { body(event, message.port) }
        }
        if !isWhole { body(.overrun, 0) }
      } catch {
        guard error.isOverrun || error.errno == EMSGSIZE else { throw error }
        body(.overrun, 0)
      }
    }
  }
}

extension NetlinkEvent {
  /// Nil if the message has nothing that we need. One that cannot be read is an overrun: something happened.
  init?(_ message: Message) {
    switch Int(message.type) {
    case RTM_NEWLINK: self = LinkMessage(message).map { .link($0) } ?? .overrun
    case RTM_DELLINK:
      // A bridge port that leaves its bridge is announced so too (family AF_BRIDGE); the device stays.
      guard let header = message.payload.load(ifinfomsg.self), Int32(header.ifi_family) == AF_UNSPEC else { return nil }
      self = LinkMessage(message).map { .linkGone(index: $0.index, name: $0.name) } ?? .overrun
    case RTM_NEWADDR, RTM_DELADDR: self = AddressMessage(message).map { .address($0) } ?? .overrun
    case RTM_NEWROUTE, RTM_DELROUTE:
      self = RouteMessage(message).map { .route($0) } ?? IPv6RouteMessage(message).map { .ipv6Route($0) } ?? .overrun
    case Int(RTM_NEWNEXTHOP), Int(RTM_DELNEXTHOP): self = .nexthop
    case RTM_NEWRULE, RTM_DELRULE: self = RuleMessage(message).map { .rule($0) } ?? .overrun
    case RTM_NEWNETCONF:
      var index: Int32?
      // One byte of family, padded, goes before the attributes (linux/netconf.h).
      message.payload.dropping(4)?.forEachAttribute { type, value in
        if Int(type) == NETCONFA_IFINDEX { index = value.load(Int32.self) }
      }
      self = index.map { .setting(index: $0) } ?? .overrun
    case RTM_NEWNEIGH:
      // Every host of a LAN changes its state every few seconds, and IPv6 and bridges report theirs too.
      guard let header = message.payload.load(ndmsg.self), Int32(header.ndm_family) == AF_INET,
        Int32(header.ndm_state) & NUD_FAILED != 0
      else { return nil }
      var address: UInt32?
      message.payload.dropping(MemoryLayout<ndmsg>.size)?.forEachAttribute { type, value in
        if Int(type) == Int(NDA_DST) { address = value.bigEndian }
      }
      guard let address else { return nil }
      self = .neighbourFailed(index: UInt32(bitPattern: header.ndm_ifindex), address: address)
    case Int(NFNL_SUBSYS_NFTABLES) << 8...Int(NFNL_SUBSYS_NFTABLES) << 8 | 0xff:
      // The end of each transaction; the same news again.
      if Int(message.type) & 0xff == Int(NFT_MSG_NEWGEN.rawValue) { return nil }
      var table: String?
      var set = ""
      // Attribute 1 is the table's name in messages of tables, chains, rules, sets and elements alike.
      NetfilterSocket.attributes(message)?.forEachAttribute { type, value in
        if UInt32(type) == NFTA_TABLE_NAME.rawValue { table = value.string }
        if UInt32(type) == NFTA_SET_ELEM_LIST_SET.rawValue { set = value.string }
      }
      let kind = Int(message.type) & 0xff
      guard [NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM].contains(where: { Int($0.rawValue) == kind }), let table else {
        self = .table(table)
        return
      }
      var keys: [UInt32] = []
      let isGood = SetFormat.read(message) { key, _ in if let key { keys.append(key) } }
      let isThere = kind == Int(NFT_MSG_NEWSETELEM.rawValue)
      self = isGood ? .elements(table: table, set: set, added: isThere ? keys : []) : .table(table)
    default: return nil
    }
  }
}
