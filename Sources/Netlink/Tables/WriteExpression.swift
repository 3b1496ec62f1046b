internal import CMnl
internal import CNftnl
internal import Glibc

/// Builds the libnftnl object of a rule.
enum WriteExpression {
  private static let register = NFT_REG_1.rawValue

  /// The rule takes ownership of what is added to it.
  ///
  /// - Parameter counted: where a counter goes on from.
  static func append(
    _ expression: NFTExpression, to rule: OpaquePointer, counted: NFTCount? = nil
  ) throws(NetlinkFailure) {
    guard let object = nftnl_expr_alloc(expression.name) else {
      throw NetlinkFailure(operation: "nft expression \(expression.name)", errno: ENOMEM)
    }
    fill(object, expression)
    if let counted {
      nftnl_expr_set_u64(object, UInt16(NFTNL_EXPR_CTR_PACKETS), counted.packets)
      nftnl_expr_set_u64(object, UInt16(NFTNL_EXPR_CTR_BYTES), counted.bytes)
    }
    nftnl_rule_add_expr(rule, object)
  }

  /// - Parameter register: what it loads into.
  private static func fill(
    _ object: OpaquePointer, _ expression: NFTExpression, to register: UInt32 = Self.register
  ) {
    switch expression {
    case .meta(let key):
      object.put(NFTNL_EXPR_META_KEY, key.number)
      object.put(NFTNL_EXPR_META_DREG, register)
    case .setMeta(let key):
      object.put(NFTNL_EXPR_META_KEY, key.number)
      object.put(NFTNL_EXPR_META_SREG, register)
    case .connection(let key):
      object.put(NFTNL_EXPR_CT_KEY, key.number)
      object.put(NFTNL_EXPR_CT_DREG, register)
    case .setConnection(let key):
      object.put(NFTNL_EXPR_CT_KEY, key.number)
      object.put(NFTNL_EXPR_CT_SREG, register)
    case .routeEncrypts:
      object.put(NFTNL_EXPR_RT_KEY, NFT_RT_XFRM.rawValue)
      object.put(NFTNL_EXPR_RT_DREG, register)
    case .payload(let header, let offset, let length):
      object.put(NFTNL_EXPR_PAYLOAD_BASE, header.number)
      object.put(NFTNL_EXPR_PAYLOAD_OFFSET, offset)
      object.put(NFTNL_EXPR_PAYLOAD_LEN, length)
      object.put(NFTNL_EXPR_PAYLOAD_DREG, register)
    case .further(let load, let word): fill(object, load, to: NFTExpression.register(ofWord: word))
    case .bitwise(let mask, let flip):
      object.put(NFTNL_EXPR_BITWISE_SREG, register)
      object.put(NFTNL_EXPR_BITWISE_DREG, register)
      object.put(NFTNL_EXPR_BITWISE_LEN, UInt32(mask.count))
      object.put(NFTNL_EXPR_BITWISE_MASK, mask)
      object.put(NFTNL_EXPR_BITWISE_XOR, flip)
    case .compare(let isEqual, let data):
      object.put(NFTNL_EXPR_CMP_SREG, register)
      object.put(NFTNL_EXPR_CMP_OP, (isEqual ? NFT_CMP_EQ : NFT_CMP_NEQ).rawValue)
      object.put(NFTNL_EXPR_CMP_DATA, data)
    case .lookup(let set, let isInverted):
      object.put(NFTNL_EXPR_LOOKUP_SREG, register)
      _ = nftnl_expr_set_str(object, UInt16(NFTNL_EXPR_LOOKUP_SET), set)
      if isInverted { object.put(NFTNL_EXPR_LOOKUP_FLAGS, UInt32(NFT_LOOKUP_F_INV.rawValue)) }
    case .choose(let map):
      object.put(NFTNL_EXPR_LOOKUP_SREG, register)
      _ = nftnl_expr_set_str(object, UInt16(NFTNL_EXPR_LOOKUP_SET), map)
      object.put(NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT.rawValue)
    case .load, .verdict, .writeTCPOption, .rejectICMPX, .translateSource, .sharedCounter, .offload, .masquerade,
      .counter, .target, .other:
      fillAction(object, expression)
    }
  }

  /// What acts on the packet, and what is loaded for that.
  private static func fillAction(_ object: OpaquePointer, _ expression: NFTExpression) {
    switch expression {
    case .load(let data):
      object.put(NFTNL_EXPR_IMM_DREG, register)
      object.put(NFTNL_EXPR_IMM_DATA, data)
    case .verdict(let verdict):
      object.put(NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT.rawValue)
      object.put(NFTNL_EXPR_IMM_VERDICT, UInt32(bitPattern: verdict.number))
      if let chain = verdict.chain { _ = nftnl_expr_set_str(object, UInt16(NFTNL_EXPR_IMM_CHAIN), chain) }
    case .writeTCPOption(let kind, let offset, let length):
      object.put(NFTNL_EXPR_EXTHDR_SREG, register)
      nftnl_expr_set_u8(object, UInt16(NFTNL_EXPR_EXTHDR_TYPE), kind)
      object.put(NFTNL_EXPR_EXTHDR_OFFSET, offset)
      object.put(NFTNL_EXPR_EXTHDR_LEN, length)
      object.put(NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT.rawValue)
    case .rejectICMPX(let code):
      object.put(NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH.rawValue)
      nftnl_expr_set_u8(object, UInt16(NFTNL_EXPR_REJECT_CODE), code)
    case .translateSource:
      object.put(NFTNL_EXPR_NAT_TYPE, NFT_NAT_SNAT.rawValue)
      object.put(NFTNL_EXPR_NAT_FAMILY, UInt32(AF_INET))
      object.put(NFTNL_EXPR_NAT_REG_ADDR_MIN, register)
    case .sharedCounter(let counter):
      object.put(NFTNL_EXPR_OBJREF_IMM_TYPE, UInt32(NFT_OBJECT_COUNTER))
      _ = nftnl_expr_set_str(object, UInt16(NFTNL_EXPR_OBJREF_IMM_NAME), counter)
    case .offload(let flowtable): _ = nftnl_expr_set_str(object, UInt16(NFTNL_EXPR_FLOW_TABLE_NAME), flowtable)
    case .meta, .setMeta, .connection, .setConnection, .routeEncrypts, .payload, .further, .bitwise, .compare, .lookup,
      .choose, .masquerade, .counter, .target, .other:
      break
    }
  }
}

extension NFTExpression {
  /// The kernel's name of the expression's kind.
  var name: String {
    switch self {
    case .meta, .setMeta: "meta"
    case .connection, .setConnection: "ct"
    case .routeEncrypts: "rt"
    case .payload: "payload"
    case .further(let load, _): load.name
    case .bitwise: "bitwise"
    case .compare: "cmp"
    case .lookup, .choose: "lookup"
    case .load, .verdict: "immediate"
    case .writeTCPOption: "exthdr"
    case .masquerade: "masq"
    case .offload: "flow_offload"
    case .translateSource: "nat"
    case .rejectICMPX: "reject"
    case .counter: "counter"
    case .sharedCounter: "objref"
    case .target: "target"
    case .other(let name): name
    }
  }
}

// The kernel's numbers (linux/netfilter/nf_tables.h), for both directions.

extension NFTExpression {
  /// The register that begins with this word of 32 bits: every fourth one has the number of a register of 16 bytes
  /// (nft_dump_register, net/netfilter/nf_tables_api.c).
  static func register(ofWord word: Int) -> UInt32 {
    word % 4 == 0 ? NFT_REG_1.rawValue + UInt32(word / 4) : NFT_REG32_00.rawValue + UInt32(word)
  }
}

extension NFTExpression.MetaKey: CaseIterable {
  package static let allCases: [Self] = [
    .mark, .incomingName, .outgoingName, .family, .transportProtocol, .etherType, .incomingType, .securityPath,
    .slaveName,
  ]
  var number: UInt32 {
    switch self {
    case .mark: NFT_META_MARK.rawValue
    case .incomingName: NFT_META_IIFNAME.rawValue
    case .outgoingName: NFT_META_OIFNAME.rawValue
    case .family: NFT_META_NFPROTO.rawValue
    case .transportProtocol: NFT_META_L4PROTO.rawValue
    case .etherType: NFT_META_PROTOCOL.rawValue
    // Also called NFT_META_IIFTYPE.
    case .incomingType: NFT_META_IFTYPE.rawValue
    case .securityPath: NFT_META_SECPATH.rawValue
    case .slaveName: NFT_META_SDIFNAME.rawValue
    }
  }
}

extension NFTExpression.ConnectionKey: CaseIterable {
  package static let allCases: [Self] = [.state, .status, .direction, .mark]
  var number: UInt32 {
    switch self {
    case .state: NFT_CT_STATE.rawValue
    case .status: NFT_CT_STATUS.rawValue
    case .direction: NFT_CT_DIRECTION.rawValue
    case .mark: NFT_CT_MARK.rawValue
    }
  }
}

extension NFTExpression.Header: CaseIterable {
  package static let allCases: [Self] = [.link, .network, .transport]
  var number: UInt32 {
    switch self {
    case .link: NFT_PAYLOAD_LL_HEADER.rawValue
    case .network: NFT_PAYLOAD_NETWORK_HEADER.rawValue
    case .transport: NFT_PAYLOAD_TRANSPORT_HEADER.rawValue
    }
  }
}

extension NFTExpression.Verdict {
  var number: Int32 {
    switch self {
    case .drop: NF_DROP
    case .accept: NF_ACCEPT
    case .return: NFT_RETURN.rawValue
    case .jump: NFT_JUMP.rawValue
    case .goto: NFT_GOTO.rawValue
    }
  }

  var chain: String? {
    switch self {
    case .jump(let chain), .goto(let chain): chain
    case .drop, .accept, .return: nil
    }
  }
}

extension OpaquePointer {
  /// Sets an attribute of this libnftnl expression.
  fileprivate func put(_ attribute: Int, _ value: UInt32) { nftnl_expr_set_u32(self, UInt16(attribute), value) }

  fileprivate func put(_ attribute: Int, _ bytes: [UInt8]) {
    _ = nftnl_expr_set(self, UInt16(attribute), bytes, UInt32(bytes.count))
  }
}
