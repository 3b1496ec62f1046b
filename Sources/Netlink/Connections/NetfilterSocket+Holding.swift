internal import CMnl
internal import Glibc

/// What distinguishes a connection's packets from all others. Addresses are numbers in host order.
package struct ConnectionTuple: Equatable, Sendable {
  /// What the protocol adds to the two addresses. Ports and identifiers are in host order.
  package enum Detail: Equatable, Sendable {
    /// The kernel tells this protocol's connections apart by their addresses alone.
    case none
    /// An ICMP echo.
    case echo(identifier: UInt16)
    case ports(source: UInt16, destination: UInt16)
  }

  package var source: UInt32
  package var destination: UInt32
  package var number: UInt8
  package var detail: Detail

  package init(source: UInt32, destination: UInt32, protocol number: UInt8, _ detail: Detail) {
    self.source = source
    self.destination = destination
    self.number = number
    self.detail = detail
  }
}

/// What the kernel counts about its table of connections.
package struct ConnectionStatistics: Equatable, Sendable {
  /// Packets dropped because their connection found no room.
  package var dropped = 0
  /// Connections evicted to make room.
  package var evicted = 0
}

extension NetfilterSocket {
  /// Sets a connection's assured bit and gives it at least `seconds` to live: the kernel evicts others before it
  /// (early_drop_list, net/netfilter/nf_conntrack_core.c). Returns false if there is no such connection.
  package mutating func hold(_ tuple: ConnectionTuple, seconds: UInt32) throws(NetlinkFailure) -> Bool {
    guard let found = try status(of: tuple) else { return false }
    if found.bits & Self.assured != 0 && found.seconds >= seconds / 2 { return true }
    do throws(NetlinkFailure) {
      // Without NLM_F_CREATE this changes what is there. Bits that are set must be sent again, because none can be
      // cleared (nf_ct_change_status_common, net/netfilter/nf_conntrack_core.c).
      try conversation.request("conntrack -U", type: Self.connectionType(IPCTNL_MSG_CT_NEW)) {
        $0.netfilter(family: UInt8(AF_INET))
        $0.put(tuple)
        $0.put(Int(CTA_STATUS.rawValue), bigEndian: found.bits | Self.assured)
        $0.put(Int(CTA_TIMEOUT.rawValue), bigEndian: max(found.seconds, seconds))
      }
    } catch {
      // It ended meanwhile.
      if error.errno == ENOENT { return false }
      throw error
    }
    return true
  }

  /// Sums over all processors since the network namespace was made.
  package mutating func connectionStatistics() throws(NetlinkFailure) -> ConnectionStatistics {
    var statistics = ConnectionStatistics()
    try conversation.dump("conntrack -S", type: Self.connectionType(IPCTNL_MSG_CT_GET_STATS_CPU)) {
      $0.netfilter(family: UInt8(AF_UNSPEC))
    } restart: {
      statistics = ConnectionStatistics()
    } each: { message in
      Self.attributes(message)?.forEachAttribute { type, value in
        switch UInt32(type) {
        case CTA_STATS_DROP.rawValue: statistics.dropped += Int(value.bigEndian ?? 0)
        case CTA_STATS_EARLY_DROP.rawValue: statistics.evicted += Int(value.bigEndian ?? 0)
        default: break
        }
      } ?? false
    }
    return statistics
  }

  /// IPS_ASSURED (linux/netfilter/nf_conntrack_common.h).
  private static let assured: UInt32 = 1 << 2

  private mutating func status(of tuple: ConnectionTuple) throws(NetlinkFailure) -> (bits: UInt32, seconds: UInt32)? {
    var found: (bits: UInt32, seconds: UInt32)?
    do throws(NetlinkFailure) {
      try conversation.request("conntrack -G", type: Self.connectionType(IPCTNL_MSG_CT_GET)) {
        $0.netfilter(family: UInt8(AF_INET))
        $0.put(tuple)
      } answer: { message in
        var (bits, seconds): (UInt32?, UInt32) = (nil, 0)
        let isGood =
          Self.attributes(message)?.forEachAttribute { type, value in
            switch UInt32(type) {
            case CTA_STATUS.rawValue: bits = value.bigEndian
            case CTA_TIMEOUT.rawValue: seconds = value.bigEndian ?? 0
            default: break
            }
          } ?? false
        found = bits.map { ($0, seconds) }
        return isGood && bits != nil
      }
    } catch {
      if error.errno == ENOENT { return nil }
      throw error
    }
    return found
  }

  private static func connectionType(_ message: cntl_msg_types) -> Int {
    Int(NFNL_SUBSYS_CTNETLINK) << 8 | Int(message.rawValue)
  }
}

extension MessageBuilder {
  /// Sent as CTA_TUPLE_ORIG: the kernel finds the connection whichever side began it (ctnetlink_get_conntrack).
  fileprivate mutating func put(_ tuple: ConnectionTuple) {
    nested(Int(CTA_TUPLE_ORIG.rawValue)) {
      $0.nested(Int(CTA_TUPLE_IP.rawValue)) {
        $0.put(Int(CTA_IP_V4_SRC.rawValue), bigEndian: tuple.source)
        $0.put(Int(CTA_IP_V4_DST.rawValue), bigEndian: tuple.destination)
      }
      $0.nested(Int(CTA_TUPLE_PROTO.rawValue)) {
        $0.put(Int(CTA_PROTO_NUM.rawValue), tuple.number)
        switch tuple.detail {
        case .none: break
        case .echo(let identifier):
          $0.put(Int(CTA_PROTO_ICMP_ID.rawValue), identifier.bigEndian)
          $0.put(Int(CTA_PROTO_ICMP_TYPE.rawValue), UInt8(8))
          $0.put(Int(CTA_PROTO_ICMP_CODE.rawValue), UInt8(0))
        case .ports(let source, let destination):
          $0.put(Int(CTA_PROTO_SRC_PORT.rawValue), source.bigEndian)
          $0.put(Int(CTA_PROTO_DST_PORT.rawValue), destination.bigEndian)
        }
      }
    }
  }
}
