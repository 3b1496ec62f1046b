internal import CMnl
internal import Glibc

/// One tracked IPv4 connection. Addresses are numbers in host order.
package struct ConnectionMessage: Equatable, Sendable {
  /// Of the first packet.
  package var source: UInt32
  package var destination: UInt32
  /// Where the answer is sent to: differs from `source` where that was translated.
  package var replyDestination: UInt32
  package var mark: UInt32
  /// A packet of the other direction has come (IPS_SEEN_REPLY).
  package var isAnswered: Bool
  /// A flowtable forwards it (IPS_OFFLOAD).
  package var isOffloaded: Bool
  /// IPPROTO_… of the first packet, and the port that it goes to; nil where the protocol has none.
  package var `protocol`: UInt8
  package var port: UInt16?
  /// What names it in a request: the original tuple as the kernel sent it, its number and its zone.
  package var handle: ConnectionHandle

  package init(
    source: UInt32, destination: UInt32, replyDestination: UInt32, mark: UInt32, isAnswered: Bool,
    handle: ConnectionHandle, protocol: UInt8 = 0, port: UInt16? = nil, isOffloaded: Bool = false
  ) {
    self.isOffloaded = isOffloaded
    self.protocol = `protocol`
    self.port = port
    self.source = source
    self.destination = destination
    self.replyDestination = replyDestination
    self.mark = mark
    self.isAnswered = isAnswered
    self.handle = handle
  }
}

/// Names one entry of the connection table.
package struct ConnectionHandle: Equatable, Sendable {
  /// The value of CTA_TUPLE_ORIG.
  let tuple: [UInt8]
  /// CTA_ID: an entry that took this one's place has another.
  let identity: UInt32?
  let zone: UInt16
}

extension ConnectionMessage {
  /// Nil if the message is cut off, malformed, or of another family than IPv4.
  init?(_ message: Message) {
    guard let header = message.payload.load(nfgenmsg.self), Int32(header.nfgen_family) == AF_INET,
      let attributes = message.payload.dropping(MemoryLayout<nfgenmsg>.size)
    else { return nil }
    var original: (source: UInt32, destination: UInt32)?
    var reply: (source: UInt32, destination: UInt32)?
    var tuple: [UInt8] = []
    var transport: (number: UInt8, port: UInt16?) = (0, nil)
    var mark: UInt32 = 0
    var status: UInt32 = 0
    var identity: UInt32?
    var zone: UInt16 = 0
    let isGood = attributes.forEachAttribute { type, value in
      switch UInt32(type) {
      case CTA_TUPLE_ORIG.rawValue:
        original = Self.addresses(value)
        tuple = value.array
        transport = Self.transport(value)
      case CTA_TUPLE_REPLY.rawValue: reply = Self.addresses(value)
      case CTA_MARK.rawValue: mark = value.bigEndian ?? 0
      case CTA_STATUS.rawValue: status = value.bigEndian ?? 0
      case CTA_ID.rawValue: identity = value.load(UInt32.self)
      case CTA_ZONE.rawValue: zone = UInt16(bigEndian: value.load(UInt16.self) ?? 0)
      default: break
      }
    }
    guard isGood, let original, let reply else { return nil }
    self.init(
      source: original.source, destination: original.destination, replyDestination: reply.destination, mark: mark,
      isAnswered: status & Self.seenReply != 0, handle: ConnectionHandle(tuple: tuple, identity: identity, zone: zone),
      protocol: transport.number, port: transport.port, isOffloaded: status & Self.offloaded != 0)
  }

  /// IPS_SEEN_REPLY (linux/netfilter/nf_conntrack_common.h).
  private static let seenReply: UInt32 = 1 << 1
  /// IPS_OFFLOAD.
  private static let offloaded: UInt32 = 1 << 14

  private static func transport(_ tuple: Bytes) -> (number: UInt8, port: UInt16?) {
    var found: (number: UInt8, port: UInt16?) = (0, nil)
    tuple.forEachAttribute { type, value in
      guard UInt32(type) == CTA_TUPLE_PROTO.rawValue else { return }
      value.forEachAttribute { type, value in
        switch UInt32(type) {
        case CTA_PROTO_NUM.rawValue: found.number = value.load(UInt8.self) ?? 0
        case CTA_PROTO_DST_PORT.rawValue: found.port = value.load(UInt16.self).map { UInt16(bigEndian: $0) }
        default: break
        }
      }
    }
    return found
  }

  private static func addresses(_ tuple: Bytes) -> (source: UInt32, destination: UInt32)? {
    var source: UInt32?
    var destination: UInt32?
    tuple.forEachAttribute { type, value in
      guard UInt32(type) == CTA_TUPLE_IP.rawValue else { return }
      value.forEachAttribute { type, address in
        switch UInt32(type) {
        case CTA_IP_V4_SRC.rawValue: source = address.bigEndian
        case CTA_IP_V4_DST.rawValue: destination = address.bigEndian
        default: break
        }
      }
    }
    guard let source, let destination else { return nil }
    return (source, destination)
  }
}
