internal import CMnl
internal import Glibc

extension NetfilterSocket {
  /// Deletes every connection whose mark under `mask` is `mark`, in one request: the kernel looks for them
  /// (ctnetlink_flush_conntrack with ctnetlink_alloc_filter, net/netfilter/nf_conntrack_netlink.c). It answers EOPNOTSUPP
  /// where it has no marks.
  package mutating func deleteConnections(mark: UInt32, mask: UInt32) throws(NetlinkFailure) {
    try conversation.request("conntrack -D --mark", type: Self.type(IPCTNL_MSG_CT_DELETE)) {
      $0.netfilter(family: UInt8(AF_UNSPEC))
      $0.markFilter(mark, mask)
    }
  }

  /// Calls `body` with each IPv4 connection whose mark under `mask` is `mark`.
  package mutating func eachConnection(
    mark: UInt32, mask: UInt32, restart: () -> Void, _ body: (ConnectionMessage) -> Void
  ) throws(NetlinkFailure) {
    try conversation.dump("conntrack -L --mark", type: Self.type(IPCTNL_MSG_CT_GET)) {
      $0.netfilter(family: UInt8(AF_INET))
      $0.markFilter(mark, mask)
    } restart: {
      restart()
    } each: { message in
      guard let connection = ConnectionMessage(message) else { return false }
      // A kernel that does not filter sends all.
      if connection.mark & mask == mark { body(connection) }
      return true
    }
  }

  /// Deletes these entries, many in a datagram. Those that are gone by now are no error. Returns how many were there.
  package mutating func delete(_ connections: [ConnectionHandle]) throws(NetlinkFailure) -> Int {
    try each(connections, "conntrack -D", IPCTNL_MSG_CT_DELETE) { _ in }
  }

  /// Gives these entries another mark under the mask; their other bits stay. Those that are gone by now are no error.
  package mutating func mark(
    _ connections: [ConnectionHandle], _ mark: UInt32, mask: UInt32
  ) throws(NetlinkFailure) {
    // Without NLM_F_CREATE it changes what is there (ctnetlink_new_conntrack, net/netfilter/nf_conntrack_netlink.c).
    _ = try each(connections, "conntrack -U", IPCTNL_MSG_CT_NEW) { $0.markFilter(mark, mask) }
  }

  /// 128 requests of some 100 bytes are 13 KB; their errors fit the socket's default queue.
  private static let requestsPerDatagram = 128

  /// Returns how many of the entries were there.
  private mutating func each(
    _ connections: [ConnectionHandle], _ operation: String, _ kind: cntl_msg_types,
    _ more: (inout MessageBuilder) -> Void
  ) throws(NetlinkFailure) -> Int {
    var there = 0
    var start = 0
    while start < connections.count {
      let end = min(start + Self.requestsPerDatagram, connections.count)
      there += try datagram(connections[start..<end], operation, kind, more)
      start = end
    }
    return there
  }

  private mutating func datagram(
    _ connections: ArraySlice<ConnectionHandle>, _ operation: String, _ kind: cntl_msg_types,
    _ more: (inout MessageBuilder) -> Void
  ) throws(NetlinkFailure) -> Int {
    var builder = MessageBuilder(capacity: 64 << 10)
    for connection in connections {
      builder.begin(type: Self.type(kind), flags: 0, sequence: conversation.nextSequence())
      builder.netfilter(family: UInt8(AF_INET))
      // The tuple's content is the kernel's own, sent back as it came.
      connection.tuple.withUnsafeBytes { builder.put(Int(CTA_TUPLE_ORIG.rawValue) | 0x8000, bytes: $0) }
      if let identity = connection.identity { builder.put(Int(CTA_ID.rawValue), identity) }
      if connection.zone != 0 { builder.put(Int(CTA_ZONE.rawValue), connection.zone.bigEndian) }
      more(&builder)
    }
    // Without NLM_F_ACK only refusals are answered.
    try conversation.socket.send(try builder.finish(operation), operation)
    var refused = 0
    var first: NetlinkFailure?
    try conversation.drain(operation) { message in
      guard Int32(message.type) == NLMSG_ERROR, let number = message.errorNumber, number != 0 else { return }
      refused += 1
      if number != ENOENT && first == nil {
        first = NetlinkFailure(operation: operation, errno: number, kernelText: message.extendedText)
      }
    }
    if let first { throw first }
    return connections.count - refused
  }

  private static func type(_ message: cntl_msg_types) -> Int { Int(NFNL_SUBSYS_CTNETLINK) << 8 | Int(message.rawValue) }
}

extension MessageBuilder {
  fileprivate mutating func markFilter(_ mark: UInt32, _ mask: UInt32) {
    put(Int(CTA_MARK.rawValue), bigEndian: mark)
    put(Int(CTA_MARK_MASK.rawValue), bigEndian: mask)
  }
}
