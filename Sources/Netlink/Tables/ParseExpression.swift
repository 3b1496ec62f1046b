internal import CMnl
internal import CNftnl
internal import Glibc

// libnftnl's own parser trusts that each string ends with a NUL, which a hostile message need not; this one checks.

extension NFTExpression {
  /// The value of NFTA_RULE_EXPRESSIONS. Nil if it is malformed.
  static func list(_ bytes: Bytes) -> [NFTExpression]? {
    var expressions: [NFTExpression] = []
    let isGood = bytes.forEachAttribute { _, element in
      var name = ""
      var data = Bytes(UnsafeRawBufferPointer(start: nil, count: 0))
      element.forEachAttribute { type, value in
        switch UInt32(type) {
        case NFTA_EXPR_NAME.rawValue: name = value.string
        case NFTA_EXPR_DATA.rawValue: data = value
        default: break
        }
      }
      expressions.append(NFTExpression(name, Fields(data)) ?? .other(name))
    }
    return isGood ? expressions : nil
  }

  /// What the counters among the expressions of a rule have counted.
  static func counted(_ bytes: Bytes) -> [NFTCount] {
    var counts: [NFTCount] = []
    bytes.forEachAttribute { _, element in
      var isCounter = false
      var count = NFTCount(packets: 0, bytes: 0)
      element.forEachAttribute { type, value in
        switch UInt32(type) {
        case NFTA_EXPR_NAME.rawValue: isCounter = value.string == "counter"
        case NFTA_EXPR_DATA.rawValue:
          value.forEachAttribute { field, value in
            let number = value.load(UInt64.self).map { UInt64(bigEndian: $0) } ?? 0
            if UInt32(field) == NFTA_COUNTER_PACKETS.rawValue { count.packets = number }
            if UInt32(field) == NFTA_COUNTER_BYTES.rawValue { count.bytes = number }
          }
        default: break
        }
      }
      if isCounter { counts.append(count) }
    }
    return counts
  }

  /// The attributes of one expression by number. The kernel knows fewer than 16 for each kind that we write.
  private struct Fields {
    private var values: [UInt32: Bytes] = [:]

    init(_ data: Bytes) { data.forEachAttribute { values[UInt32($0)] = $1 } }

    func number(_ type: UInt32) -> UInt32? { values[type]?.bigEndian }
    func byte(_ type: UInt32) -> UInt8? { values[type]?.load(UInt8.self) }
    func string(_ type: UInt32) -> String? { values[type]?.string }
    func bytes(_ type: UInt32) -> [UInt8]? { values[type]?.array }
    func has(_ type: UInt32) -> Bool { values[type] != nil }
    func nested(_ type: UInt32) -> Fields? { values[type].map { Fields($0) } }
    /// NFTA_DATA_VALUE of a nested `nft_data`.
    func data(_ type: UInt32) -> [UInt8]? { nested(type)?.values[NFTA_DATA_VALUE.rawValue]?.array }
    /// The register of this attribute is ours.
    func isRegister(_ type: UInt32) -> Bool { number(type) == NFT_REG_1.rawValue }
    /// The word of 32 bits that the register of this attribute begins with; nil if there is none.
    func word(_ type: UInt32) -> Int? {
      number(type).flatMap { number in
        (0..<NFTField.mostWords).first { NFTExpression.register(ofWord: $0) == number }
      }
    }
  }

  /// Nil if it is not one that we write.
  private init?(_ name: String, _ fields: Fields) {
    let expression: NFTExpression? =
      switch name {
      case "meta": Self.meta(fields)
      case "ct": Self.connection(fields)
      case "rt": Self.route(fields)
      case "payload": Self.payload(fields)
      case "bitwise": Self.bitwise(fields)
      case "cmp": Self.compare(fields)
      case "lookup": Self.lookup(fields)
      case "immediate": Self.immediate(fields)
      case "exthdr": Self.option(fields)
      case "masq": Self.masquerade(fields)
      case "flow_offload": fields.string(UInt32(NFTA_FLOW_TABLE_NAME.rawValue)).map { .offload(flowtable: $0) }
      case "nat": Self.translation(fields)
      case "reject": Self.reject(fields)
      case "counter": .counter
      case "objref": Self.sharedCounter(fields)
      case "target": Self.target(fields)
      default: nil
      }
    guard let expression else { return nil }
    self = expression
  }

  private static func meta(_ fields: Fields) -> NFTExpression? {
    guard let key = MetaKey.allCases.first(where: { $0.number == fields.number(NFTA_META_KEY.rawValue) }) else {
      return nil
    }
    if let word = fields.word(NFTA_META_DREG.rawValue) { return loading(.meta(key), word) }
    return fields.isRegister(NFTA_META_SREG.rawValue) ? .setMeta(key) : nil
  }

  private static func connection(_ fields: Fields) -> NFTExpression? {
    guard let key = ConnectionKey.allCases.first(where: { $0.number == fields.number(NFTA_CT_KEY.rawValue) }),
      // `ct original …`: a direction to look at, which none of our keys has.
      !fields.has(NFTA_CT_DIRECTION.rawValue)
    else { return nil }
    if fields.isRegister(NFTA_CT_DREG.rawValue) { return .connection(key) }
    return fields.isRegister(NFTA_CT_SREG.rawValue) ? .setConnection(key) : nil
  }

  private static func route(_ fields: Fields) -> NFTExpression? {
    let isOurs =
      fields.number(NFTA_RT_KEY.rawValue) == NFT_RT_XFRM.rawValue && fields.isRegister(NFTA_RT_DREG.rawValue)
    return isOurs ? .routeEncrypts : nil
  }

  private static func payload(_ fields: Fields) -> NFTExpression? {
    guard let word = fields.word(NFTA_PAYLOAD_DREG.rawValue),
      let header = Header.allCases.first(where: { $0.number == fields.number(NFTA_PAYLOAD_BASE.rawValue) }),
      let offset = fields.number(NFTA_PAYLOAD_OFFSET.rawValue), let length = fields.number(NFTA_PAYLOAD_LEN.rawValue)
    else { return nil }
    return loading(.payload(header, offset: offset, length: length), word)
  }

  private static func loading(_ load: NFTExpression, _ word: Int) -> NFTExpression {
    word == 0 ? load : .further(load, word: word)
  }

  /// Operation 0: NFT_BITWISE_BOOL in older headers, NFT_BITWISE_MASK_XOR in newer ones.
  private static let maskAndFlip: UInt32 = 0

  private static func bitwise(_ fields: Fields) -> NFTExpression? {
    // Without NFTA_BITWISE_OP it is mask-and-xor (kernels before 5.6).
    guard fields.isRegister(NFTA_BITWISE_SREG.rawValue), fields.isRegister(NFTA_BITWISE_DREG.rawValue),
      (fields.number(NFTA_BITWISE_OP.rawValue) ?? maskAndFlip) == maskAndFlip,
      let mask = fields.data(NFTA_BITWISE_MASK.rawValue), let flip = fields.data(NFTA_BITWISE_XOR.rawValue)
    else { return nil }
    return .bitwise(mask: mask, flip: flip)
  }

  private static func compare(_ fields: Fields) -> NFTExpression? {
    guard fields.isRegister(NFTA_CMP_SREG.rawValue), let data = fields.data(NFTA_CMP_DATA.rawValue) else { return nil }
    switch fields.number(NFTA_CMP_OP.rawValue) {
    case NFT_CMP_EQ.rawValue: return .compare(isEqual: true, data)
    case NFT_CMP_NEQ.rawValue: return .compare(isEqual: false, data)
    default: return nil
    }
  }

  private static func lookup(_ fields: Fields) -> NFTExpression? {
    guard fields.isRegister(NFTA_LOOKUP_SREG.rawValue), let set = fields.string(NFTA_LOOKUP_SET.rawValue)
    else { return nil }
    let flags = fields.number(NFTA_LOOKUP_FLAGS.rawValue) ?? 0
    if fields.has(NFTA_LOOKUP_DREG.rawValue) {
      let isPlain = flags == 0 && fields.number(NFTA_LOOKUP_DREG.rawValue) == NFT_REG_VERDICT.rawValue
      return isPlain ? .choose(map: set) : nil
    }
    return .lookup(set: set, isInverted: flags & UInt32(NFT_LOOKUP_F_INV.rawValue) != 0)
  }

  private static func immediate(_ fields: Fields) -> NFTExpression? {
    if fields.isRegister(NFTA_IMMEDIATE_DREG.rawValue) {
      return fields.data(NFTA_IMMEDIATE_DATA.rawValue).map { .load($0) }
    }
    guard fields.number(NFTA_IMMEDIATE_DREG.rawValue) == NFT_REG_VERDICT.rawValue else { return nil }
    return fields.nested(NFTA_IMMEDIATE_DATA.rawValue).flatMap(verdict).map { .verdict($0) }
  }

  /// Of an `nft_data`.
  private static func verdict(_ data: Fields) -> Verdict? {
    guard let verdict = data.nested(NFTA_DATA_VERDICT.rawValue), let code = verdict.number(NFTA_VERDICT_CODE.rawValue)
    else { return nil }
    switch Int32(bitPattern: code) {
    case Verdict.drop.number: return .drop
    case Verdict.accept.number: return .accept
    case Verdict.return.number: return .return
    case NFT_JUMP.rawValue: return verdict.string(NFTA_VERDICT_CHAIN.rawValue).map { .jump(chain: $0) }
    case NFT_GOTO.rawValue: return verdict.string(NFTA_VERDICT_CHAIN.rawValue).map { .goto(chain: $0) }
    default: return nil
    }
  }

  /// The value of NFTA_SET_ELEM_DATA. Nil if it is not a verdict that we write.
  static func verdict(_ data: Bytes) -> Verdict? { verdict(Fields(data)) }

  private static func option(_ fields: Fields) -> NFTExpression? {
    guard fields.isRegister(NFTA_EXTHDR_SREG.rawValue),
      fields.number(NFTA_EXTHDR_OP.rawValue) == NFT_EXTHDR_OP_TCPOPT.rawValue,
      let kind = fields.byte(NFTA_EXTHDR_TYPE.rawValue), let offset = fields.number(NFTA_EXTHDR_OFFSET.rawValue),
      let length = fields.number(NFTA_EXTHDR_LEN.rawValue)
    else { return nil }
    return .writeTCPOption(kind: kind, offset: offset, length: length)
  }

  private static func masquerade(_ fields: Fields) -> NFTExpression? {
    let isPlain =
      (fields.number(NFTA_MASQ_FLAGS.rawValue) ?? 0) == 0 && !fields.has(NFTA_MASQ_REG_PROTO_MIN.rawValue)
    return isPlain ? .masquerade : nil
  }

  /// The kernel sends NF_NAT_RANGE_MAP_IPS, which stands for "an address is given", and the last address of the range,
  /// which is the first (nft_nat_init and nft_nat_dump, net/netfilter/nft_nat.c).
  private static func translation(_ fields: Fields) -> NFTExpression? {
    let isPlain =
      fields.number(NFTA_NAT_TYPE.rawValue) == NFT_NAT_SNAT.rawValue
      && fields.number(NFTA_NAT_FAMILY.rawValue) == UInt32(AF_INET) && fields.isRegister(NFTA_NAT_REG_ADDR_MIN.rawValue)
      && (!fields.has(NFTA_NAT_REG_ADDR_MAX.rawValue) || fields.isRegister(NFTA_NAT_REG_ADDR_MAX.rawValue))
      && !fields.has(NFTA_NAT_REG_PROTO_MIN.rawValue) && (fields.number(NFTA_NAT_FLAGS.rawValue) ?? 0) & ~1 == 0
    return isPlain ? .translateSource : nil
  }

  private static func reject(_ fields: Fields) -> NFTExpression? {
    guard fields.number(NFTA_REJECT_TYPE.rawValue) == NFT_REJECT_ICMPX_UNREACH.rawValue else { return nil }
    return fields.byte(NFTA_REJECT_ICMP_CODE.rawValue).map { .rejectICMPX(code: $0) }
  }

  private static func sharedCounter(_ fields: Fields) -> NFTExpression? {
    guard fields.number(NFTA_OBJREF_IMM_TYPE.rawValue) == UInt32(NFT_OBJECT_COUNTER) else { return nil }
    return fields.string(NFTA_OBJREF_IMM_NAME.rawValue).map { .sharedCounter($0) }
  }

  private static func target(_ fields: Fields) -> NFTExpression? {
    guard let name = fields.string(NFTA_TARGET_NAME.rawValue),
      let revision = fields.number(NFTA_TARGET_REV.rawValue), let data = fields.bytes(NFTA_TARGET_INFO.rawValue)
    else { return nil }
    return .target(name, revision: revision, data)
  }
}
