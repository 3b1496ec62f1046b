/// One expression of an nftables rule, in the narrow form that we write: all data passes through the 16-byte register
/// 1, and only the fields of a concatenated key lie in the registers behind it too. Anything read that is not of that form is `other`, so that two lists are equal exactly where the rules do the
/// same.
package enum NFTExpression: Hashable, Sendable {
  /// What `meta` reads or writes (NFT_META_…, linux/netfilter/nf_tables.h). Names of devices fill 16 bytes, the family
  /// and the transport protocol one, the protocol of the link header and the device's type two, the mark four.
  package enum MetaKey: Hashable, Sendable {
    case mark, incomingName, outgoingName, family, transportProtocol, etherType
    /// ARPHRD_…, in host order.
    case incomingType
    /// A byte: 1 where the packet came out of an IPsec packet.
    case securityPath
    /// The device of a VRF that the packet came in through.
    case slaveName
  }
  /// What `ct` reads or writes (NFT_CT_…). State, status and mark fill four bytes, the direction one.
  package enum ConnectionKey: Hashable, Sendable { case state, status, direction, mark }
  /// The header whose first byte is offset 0 of a `payload`.
  package enum Header: Hashable, Sendable { case link, network, transport }
  /// How a rule ends.
  package enum Verdict: Hashable, Sendable {
    case drop, accept, `return`
    case jump(chain: String)
    /// A jump that does not return.
    case goto(chain: String)
  }

  case meta(MetaKey)
  case setMeta(MetaKey)
  case connection(ConnectionKey)
  case setConnection(ConnectionKey)
  /// A byte: 1 where an IPsec policy holds for the packet's route.
  case routeEncrypts
  case payload(Header, offset: UInt32, length: UInt32)
  /// `meta` or `payload`, into the registers from this word of 32 bits on, which is not the first.
  indirect case further(NFTExpression, word: Int)
  /// register & mask ^ flip
  case bitwise(mask: [UInt8], flip: [UInt8])
  case compare(isEqual: Bool, [UInt8])
  case lookup(set: String, isInverted: Bool)
  /// The verdict that a map has for the register, or for as many from it on as its keys fill; if it has none, the rule ends.
  case choose(map: String)
  case load([UInt8])
  case verdict(Verdict)
  /// Writes the register into an option of the TCP header.
  case writeTCPOption(kind: UInt8, offset: UInt32, length: UInt32)
  case masquerade
  /// `flow add`: the connection goes into a flowtable of the rule's table, of this name.
  case offload(flowtable: String)
  /// `snat ip to` the IPv4 address in the register.
  case translateSource
  /// The NFT_REJECT_ICMPX_… code, right for IPv4 and IPv6 alike.
  case rejectICMPX(code: UInt8)
  /// Its count is not part of the value.
  case counter
  /// A counter of the table, by its name.
  case sharedCounter(String)
  /// A target of iptables, which iptables-nft wraps whole (linux/netfilter/nf_tables_compat.h). We write none.
  case target(String, revision: UInt32, [UInt8])
  /// Another expression, or one of these in a form that we never write; its name.
  case other(String)

  /// A value that fills four bytes of the register as it lies in memory: marks and connection states.
  package static func word(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

  /// A device name as the kernel compares it: IFNAMSIZ bytes, filled up with NULs.
  package static func deviceName(_ name: String) -> [UInt8] {
    let bytes = Array(name.utf8.prefix(15))
    return bytes + [UInt8](repeating: 0, count: 16 - bytes.count)
  }
}

extension NFTExpression.Verdict: CustomStringConvertible {
  package var description: String {
    switch self {
    case .drop: "drop"
    case .accept: "accept"
    case .return: "return"
    case .jump(let chain): "jump \(chain)"
    case .goto(let chain): "goto \(chain)"
    }
  }
}

extension NFTExpression: CustomStringConvertible {
  /// Close to `nft --debug=netlink`.
  package var description: String {
    switch self {
    case .meta(let key): "meta load \(key)"
    case .setMeta(let key): "meta set \(key)"
    case .connection(let key): "ct load \(key)"
    case .setConnection(let key): "ct set \(key)"
    case .routeEncrypts: "rt load ipsec"
    case .payload(let header, let offset, let length): "payload \(header) \(offset)+\(length)"
    case .further(let load, let word): "\(load) to word \(word)"
    case .bitwise(let mask, let flip): "bitwise & \(Self.hex(mask)) ^ \(Self.hex(flip))"
    case .compare(let isEqual, let data): "cmp \(isEqual ? "==" : "!=") \(Self.hex(data))"
    case .lookup(let set, let isInverted): "lookup \(isInverted ? "!" : "")@\(set)"
    case .choose(let map): "vmap @\(map)"
    case .load(let data): "immediate \(Self.hex(data))"
    case .verdict(let verdict): verdict.description
    case .writeTCPOption(let kind, let offset, let length): "tcp option \(kind) set \(offset)+\(length)"
    case .masquerade: "masquerade"
    case .offload(let flowtable): "flow add @\(flowtable)"
    case .translateSource: "snat ip"
    case .rejectICMPX(let code): "reject icmpx \(code)"
    case .counter: "counter"
    case .sharedCounter(let name): "counter name \(name)"
    case .target(let name, let revision, let data): "target \(name) \(revision) \(Self.hex(data))"
    case .other(let name): name
    }
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
