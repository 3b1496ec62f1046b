internal import Core
internal import Netlink
internal import RuleSets

extension NftRule {
  /// The rule as the kernel's expressions.
  var expressions: [NFTExpression] { matches.flatMap(\.expressions) + actions.flatMap(\.expressions) }
}

extension NftRule.Match {
  /// Offsets are of the IPv4 header (RFC 791) and the TCP header (RFC 9293).
  fileprivate var expressions: [NFTExpression] {
    switch self {
    case .incoming(let device): [.meta(.incomingName), .compare(isEqual: true, NFTExpression.deviceName(device.text))]
    case .outgoing(let device): [.meta(.outgoingName), .compare(isEqual: true, NFTExpression.deviceName(device.text))]
    case .slave(let device): [.meta(.slaveName), .compare(isEqual: true, NFTExpression.deviceName(device.text))]
    // ARPHRD_ETHER (linux/if_arp.h), in host order.
    case .ethernet: [.meta(.incomingType), .compare(isEqual: true, withUnsafeBytes(of: UInt16(1)) { Array($0) })]
    case .ipv4: [.meta(.family), .compare(isEqual: true, [2])]
    case .ipv6: [.meta(.family), .compare(isEqual: true, [10])]
    case .sourceIn(let set): [.payload(.network, offset: 12, length: 4), .lookup(set: set, isInverted: false)]
    case .destinationIn(let set): [.payload(.network, offset: 16, length: 4), .lookup(set: set, isInverted: false)]
    case .destinationNotIn(let set): [.payload(.network, offset: 16, length: 4), .lookup(set: set, isInverted: true)]
    case .sourceWithin(let prefix) where prefix.length % 8 == 0 && prefix.length > 0:
      [
        .payload(.network, offset: 12, length: UInt32(prefix.length / 8)),
        .compare(isEqual: true, Array(prefix.address.bytes.prefix(Int(prefix.length / 8)))),
      ]
    case .sourceWithin(let prefix):
      [
        .payload(.network, offset: 12, length: 4),
        .bitwise(mask: IPv4Address(value: IPv4Prefix.netmask(prefix.length)).bytes, flip: [0, 0, 0, 0]),
        .compare(isEqual: true, prefix.address.bytes),
      ]
    case .sourceIs(let address): [.payload(.network, offset: 12, length: 4), .compare(isEqual: true, address.bytes)]
    case .destinationIs(let address):
      [.payload(.network, offset: 16, length: 4), .compare(isEqual: true, address.bytes)]
    // RFC 8200: the destination stands 24 bytes into the header. As nft writes it: whole bytes need no mask.
    case .ipv6DestinationIn(let prefix) where prefix.length % 8 == 0 && prefix.length > 0:
      [
        .payload(.network, offset: 24, length: UInt32(prefix.length / 8)),
        .compare(isEqual: true, Array(prefix.value.bytes.prefix(Int(prefix.length / 8)))),
      ]
    case .ipv6DestinationIn(let prefix):
      [
        .payload(.network, offset: 24, length: 16),
        .bitwise(mask: IPv6Prefix.netmask(prefix.length).bytes, flip: UInt128(0).bytes),
        .compare(isEqual: true, prefix.value.bytes),
      ]
    case .protocolIs(let number): [.payload(.network, offset: 9, length: 1), .compare(isEqual: true, [number])]
    case .willBeEncrypted(let expected): [.routeEncrypts, .compare(isEqual: true, [expected ? 1 : 0])]
    case .wasEncrypted(let expected): [.meta(.securityPath), .compare(isEqual: true, [expected ? 1 : 0])]
    case .mark(let mark, let mask): [.meta(.mark)] + NFTExpression.compare(mark, mask, isEqual: true)
    case .markNot(let mark, let mask): [.meta(.mark)] + NFTExpression.compare(mark, mask, isEqual: false)
    case .connectionMark(let mark, let mask): [.connection(.mark)] + NFTExpression.compare(mark, mask, isEqual: true)
    case .connectionMarkNot(let mark, let mask):
      [.connection(.mark)] + NFTExpression.compare(mark, mask, isEqual: false)
    // enum ip_conntrack_dir
    case .original: [.connection(.direction), .compare(isEqual: true, [0])]
    case .reply: [.connection(.direction), .compare(isEqual: true, [1])]
    // NF_CT_STATE_INVALID_BIT and NF_CT_STATE_UNTRACKED_BIT (linux/netfilter/nf_conntrack_common.h)
    case .invalid: NFTExpression.connectionState(1 << 0)
    case .untracked: NFTExpression.connectionState(1 << 6)
    // NF_CT_STATE_BIT(IP_CT_ESTABLISHED)
    case .established: NFTExpression.connectionState(1 << 1)
    // NF_CT_STATE_BIT(IP_CT_RELATED)
    case .related: NFTExpression.connectionState(1 << 2)
    // RFC 2474: the upper six bits of the second byte.
    case .dscp(let value):
      [
        .payload(.network, offset: 1, length: 1), .bitwise(mask: [0xfc], flip: [0]),
        .compare(isEqual: true, [value << 2]),
      ]
    // IPS_SRC_NAT (linux/netfilter/nf_conntrack_common.h)
    case .keepsSource:
      [
        .connection(.status), .bitwise(mask: NFTExpression.word(1 << 4), flip: NFTExpression.word(0)),
        .compare(isEqual: true, NFTExpression.word(0)),
      ]
    // IPPROTO_TCP; SYN is 2 and RST 4 in the byte of flags
    case .tcpSYN:
      [
        .meta(.transportProtocol), .compare(isEqual: true, [6]), .payload(.transport, offset: 13, length: 1),
        .bitwise(mask: [0x06], flip: [0]), .compare(isEqual: true, [0x02]),
      ]
    case .tcpReset:
      [
        .meta(.transportProtocol), .compare(isEqual: true, [6]), .payload(.transport, offset: 13, length: 1),
        .bitwise(mask: [0x04], flip: [0]), .compare(isEqual: true, [0x04]),
      ]
    // RFC 792: the type is the first byte; what is quoted begins after eight, its protocol nine bytes on.
    case .icmpType(let number):
      [
        .meta(.transportProtocol), .compare(isEqual: true, [IPProtocol.icmp]),
        .payload(.transport, offset: 0, length: 1), .compare(isEqual: true, [number]),
      ]
    case .quotes(let number): [.payload(.transport, offset: 17, length: 1), .compare(isEqual: true, [number])]
    }
  }
}

extension NftRule.Action {
  fileprivate var expressions: [NFTExpression] {
    switch self {
    case .count: [.counter]
    case .countIn(let name): [.sharedCounter(name)]
    case .setMark(let mark, let mask): [.meta(.mark), .replace(mark, mask), .setMeta(.mark)]
    case .setConnectionMark(let mark, let mask): [.connection(.mark), .replace(mark, mask), .setConnection(.mark)]
    // TCPOPT_MAXSEG: the value stands two bytes into the option.
    case .clampMSS(let size):
      [.load([UInt8(size >> 8), UInt8(size & 0xff)]), .writeTCPOption(kind: 2, offset: 2, length: 2)]
    case .masquerade: [.masquerade]
    case .offload(let flowtable): [.offload(flowtable: flowtable)]
    case .translate(let address): [.load(address.bytes), .translateSource]
    case .drop: [.verdict(.drop)]
    // NFT_REJECT_ICMPX_ADMIN_PROHIBITED
    case .reject: [.rejectICMPX(code: 3)]
    case .return: [.verdict(.return)]
    case .jump(let chain): [.verdict(.jump(chain: chain))]
    case .goto(let chain): [.verdict(.goto(chain: chain))]
    case .choose(.incoming, let map): [.meta(.incomingName), .choose(map: map)]
    case .choose(.outgoing, let map): [.meta(.outgoingName), .choose(map: map)]
    case .choose(.mark(let mask), let map):
      [
        .meta(.mark), .bitwise(mask: NFTExpression.word(mask.bits), flip: NFTExpression.word(0)), .choose(map: map),
      ]
    case .choose(.fields(let fields), let map): NFTField.load(fields.map(NFTField.init)) + [.choose(map: map)]
    case .choose(.connectionMark(let mask), let map):
      [
        .connection(.mark), .bitwise(mask: NFTExpression.word(mask.bits), flip: NFTExpression.word(0)),
        .choose(map: map),
      ]
    }
  }
}

extension UInt128 {
  /// As an IPv6 address stands in a header.
  fileprivate var bytes: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
}

extension IPv4Address {
  /// As they stand in a header.
  fileprivate var bytes: [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
}

extension NFTExpression {
  fileprivate static func compare(_ mark: Mark, _ mask: MarkMask, isEqual: Bool) -> [NFTExpression] {
    [.bitwise(mask: word(mask.bits), flip: word(0)), .compare(isEqual: isEqual, word(mark.value))]
  }

  fileprivate static func replace(_ mark: Mark, _ mask: MarkMask) -> NFTExpression {
    .bitwise(mask: word(~mask.bits), flip: word(mark.value))
  }

  fileprivate static func connectionState(_ bit: UInt32) -> [NFTExpression] {
    [.connection(.state), .bitwise(mask: word(bit), flip: word(0)), .compare(isEqual: false, word(0))]
  }
}
