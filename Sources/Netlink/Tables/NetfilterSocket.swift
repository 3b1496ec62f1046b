internal import CMnl
internal import CNftnl
internal import Glibc

/// nftables and connection tracking (nfnetlink). One owner, one request at a time.
package struct NetfilterSocket: ~Copyable, Sendable {
  var conversation: Conversation

  private init(_ conversation: consuming Conversation) { self.conversation = conversation }

  /// A socket in the calling thread's network namespace.
  package static func open() throws(NetlinkFailure) -> NetfilterSocket {
    NetfilterSocket(Conversation(try NetlinkSocket.open(NETLINK_NETFILTER)))
  }

  /// The nlmsg_pid of events that our requests cause.
  package var port: UInt32 { conversation.socket.port }

  /// The kernel's number for what nftables holds, all tables together: it rises with each transaction.
  package mutating func generation() throws(NetlinkFailure) -> UInt32 {
    var generation: UInt32?
    try conversation.request("nft generation", type: Self.type(NFT_MSG_GETGEN)) {
      $0.netfilter(family: UInt8(AF_UNSPEC))
    } answer: { message in
      Self.attributes(message)?.forEachAttribute { type, value in
        if UInt32(type) == NFTA_GEN_ID.rawValue { generation = value.bigEndian }
      }
      return generation != nil
    }
    guard let generation else { throw NetlinkFailure.malformed("nft generation") }
    return generation
  }

  /// Sends the transaction. Throws the first operation that was rejected; then none of it has been done.
  package mutating func commit(_ transaction: consuming NFTTransaction) throws(NetlinkFailure) {
    var transaction = transaction
    let datagram = transaction.finish()
    conversation.socket.reserve(datagram.count)
    // The kernel carries it out within sendmsg(2); its answers are queued when that returns.
    try conversation.socket.send(datagram, "nft transaction")
    var first: NetlinkFailure?
    var lied = false
    try conversation.drain("nft transaction") { message in
      guard Int32(message.type) == NLMSG_ERROR else { return }
      guard let number = message.errorNumber else {
        lied = true
        return
      }
      if number != 0 && first == nil {
        first = NetlinkFailure(
          operation: transaction.operation(message.sequence), errno: number, kernelText: message.extendedText)
      }
    }
    if let first { throw first }
    if lied { throw NetlinkFailure.malformed("nft transaction") }
  }

  static func type(_ message: nf_tables_msg_types) -> Int { Int(NFNL_SUBSYS_NFTABLES) << 8 | Int(message.rawValue) }

  static func attributes(_ message: Message) -> Bytes? { message.payload.dropping(MemoryLayout<nfgenmsg>.size) }
}

extension MessageBuilder {
  /// The header of every nfnetlink message.
  mutating func netfilter(family: UInt8) {
    header(nfgenmsg(nfgen_family: family, version: UInt8(NFNETLINK_V0), res_id: 0))
  }
}
