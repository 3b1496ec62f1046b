internal import CMnl
internal import CNftnl
internal import Glibc

/// Dumps are taken even where others changed nftables meanwhile, in whatever table: the kernel calls them all
/// interrupted. To read several of them consistently, compare the generation, or read twice.
extension NetfilterSocket {
  /// Attempts at a dump: other programs' transactions may come faster than it is read.
  private static let attempts = 2

  /// NFT_TABLE_F_…; nil if there is no such table.
  package mutating func flags(ofTable name: String) throws(NetlinkFailure) -> UInt32? {
    var flags: UInt32 = 0
    do throws(NetlinkFailure) {
      try conversation.request("nft list table inet \(name)", type: Self.type(NFT_MSG_GETTABLE)) { builder in
        builder.netfilter(family: UInt8(NFPROTO_INET))
        builder.put(Int(NFTA_TABLE_NAME.rawValue), string: name)
      } answer: { message in
        Self.attributes(message)?.forEachAttribute { attribute, value in
          if UInt32(attribute) == NFTA_TABLE_FLAGS.rawValue { flags = value.bigEndian ?? 0 }
        } ?? false
      }
      return flags
    } catch {
      guard error.isMissing else { throw error }
      return nil
    }
  }

  /// The table's chains, in the order in which they were made.
  package mutating func chains(table: String) throws(NetlinkFailure) -> [NFTChain] {
    var chains: [NFTChain] = []
    try dump("nft list chains", NFT_MSG_GETCHAIN, table: nil, restart: { chains = [] }) { attributes in
      guard let found = NFTChain.parse(attributes) else { return false }
      if found.table == table { chains.append(found.chain) }
      return true
    }
    return chains
  }

  /// The table's sets and maps, without their elements.
  package mutating func sets(table: String) throws(NetlinkFailure) -> [NFTSet] {
    var sets: [NFTSet] = []
    try dump("nft list sets", NFT_MSG_GETSET, table: table, restart: { sets = [] }) { attributes in
      guard let found = NFTSet.parse(attributes) else { return false }
      if found.table == table { sets.append(found.set) }
      return true
    }
    return sets
  }

  /// The table's rules, in their chains' order.
  package mutating func rules(table: String) throws(NetlinkFailure) -> [NFTListedRule] {
    var rules: [NFTListedRule] = []
    try dump("nft list rules", NFT_MSG_GETRULE, table: table, restart: { rules = [] }) { attributes in
      guard let found = NFTRule.parse(attributes) else { return false }
      if found.table == table { rules.append(NFTListedRule(rule: found.rule, handle: found.handle)) }
      return true
    }
    return rules
  }

  /// The table's rules that ask one of these sets, with what they have counted.
  package mutating func rules(
    table: String, asking sets: Set<String>
  ) throws(NetlinkFailure) -> [NFTListedRule] {
    var rules: [NFTListedRule] = []
    try dump("nft list rules", NFT_MSG_GETRULE, table: table, restart: { rules = [] }) { attributes in
      guard let found = NFTRule.parse(attributes) else { return false }
      guard found.table == table, !sets.isDisjoint(with: found.rule.sets) else { return true }
      var rule = NFTListedRule(rule: found.rule, handle: found.handle)
      attributes.forEachAttribute { type, value in
        if UInt32(type) == NFTA_RULE_EXPRESSIONS.rawValue { rule.counts = NFTExpression.counted(value) }
      }
      rules.append(rule)
      return true
    }
    return rules
  }

  /// The names of a table's counters that rules share.
  package mutating func counters(table: String) throws(NetlinkFailure) -> [String] {
    var names: [String] = []
    try conversation.dump(
      "nft list counters", type: Self.type(NFT_MSG_GETOBJ), attempts: Self.attempts, takingInterrupted: true
    ) { builder in
      builder.netfilter(family: UInt8(NFPROTO_INET))
      builder.put(Int(NFTA_OBJ_TABLE.rawValue), string: table)
      builder.put(Int(NFTA_OBJ_TYPE.rawValue), bigEndian: UInt32(NFT_OBJECT_COUNTER))
    } restart: {
      names = []
    } each: { message in
      var (owner, name, type) = ("", "", UInt32(0))
      let isGood =
        Self.attributes(message)?.forEachAttribute { attribute, value in
          switch UInt32(attribute) {
          case NFTA_OBJ_TABLE.rawValue: owner = value.string
          case NFTA_OBJ_NAME.rawValue: name = value.string
          case NFTA_OBJ_TYPE.rawValue: type = value.bigEndian ?? 0
          default: break
          }
        } ?? false
      if owner == table && type == UInt32(NFT_OBJECT_COUNTER) { names.append(name) }
      return isGood
    }
    return names
  }

  /// The sum of one chain's counters; nil if there is no such chain, or it has no counter.
  package mutating func counted(in chain: String, table: String) throws(NetlinkFailure) -> NFTCount? {
    var sum: NFTCount?
    try conversation.dump("nft list chain inet \(table) \(chain)", type: Self.type(NFT_MSG_GETRULE)) { builder in
      builder.netfilter(family: UInt8(NFPROTO_INET))
      builder.put(Int(NFTA_RULE_TABLE.rawValue), string: table)
      builder.put(Int(NFTA_RULE_CHAIN.rawValue), string: chain)
    } restart: {
      sum = nil
    } each: { message in
      guard let attributes = Self.attributes(message) else { return false }
      return attributes.forEachAttribute { type, value in
        guard UInt32(type) == NFTA_RULE_EXPRESSIONS.rawValue else { return }
        for count in NFTExpression.counted(value) {
          let so = sum ?? NFTCount(packets: 0, bytes: 0)
          sum = NFTCount(packets: so.packets &+ count.packets, bytes: so.bytes &+ count.bytes)
        }
      }
    }
    return sum
  }

  /// The ranges of a set of IPv4 addresses, ascending; nil if it holds anything else: a catch-all element (`*`), one
  /// that counts or limits.
  package mutating func ranges(of set: String, table: String) throws(NetlinkFailure) -> [ClosedRange<UInt32>]? {
    var starts: [UInt32] = []
    var ends: [UInt32] = []
    var isPlain = true
    try eachElement(of: set, called: "set", table: table) {
      starts = []
      ends = []
      isPlain = true
    } _: { message in
      SetFormat.read(message) { key, isEnd in
        guard let key else {
          isPlain = false
          return
        }
        if isEnd { ends.append(key) } else { starts.append(key) }
      }
    }
    return isPlain ? SetFormat.ranges(starts: starts, ends: ends) : nil
  }

  /// The single addresses of a set, ascending.
  package mutating func addresses(of set: String, table: String) throws(NetlinkFailure) -> [UInt32] {
    var addresses: [UInt32] = []
    try eachElement(of: set, called: "set", table: table) {
      addresses = []
    } _: { message in
      SetFormat.read(message) { key, _ in if let key { addresses.append(key) } }
    }
    return Set(addresses).sorted()
  }

  /// What a map of verdicts holds.
  package mutating func verdicts(
    of map: String, table: String
  ) throws(NetlinkFailure) -> [NFTListedElement] {
    var elements: [NFTListedElement] = []
    try eachElement(of: map, called: "map", table: table) {
      elements = []
    } _: { message in
      MapFormat.read(message) { elements.append($0) }
    }
    return elements
  }

  private mutating func eachElement(
    of set: String, called noun: String, table: String, restart: () -> Void, _ each: (Message) -> Bool
  ) throws(NetlinkFailure) {
    try conversation.dump(
      "nft list \(noun) inet \(table) \(set)", type: Self.type(NFT_MSG_GETSETELEM), attempts: Self.attempts,
      takingInterrupted: true
    ) { builder in
      builder.netfilter(family: UInt8(NFPROTO_INET))
      builder.put(Int(NFTA_SET_ELEM_LIST_TABLE.rawValue), string: table)
      builder.put(Int(NFTA_SET_ELEM_LIST_SET.rawValue), string: set)
    } restart: {
      restart()
    } each: { message in
      each(message)
    }
  }

  /// The table's name is attribute 1 of chains, sets and rules alike.
  private mutating func dump(
    _ operation: String, _ type: nf_tables_msg_types, table: String?, restart: () -> Void,
    _ each: (Bytes) -> Bool
  ) throws(NetlinkFailure) {
    try conversation.dump(
      operation, type: Self.type(type), attempts: Self.attempts, takingInterrupted: true
    ) { builder in
      builder.netfilter(family: UInt8(NFPROTO_INET))
      if let table { builder.put(Int(NFTA_RULE_TABLE.rawValue), string: table) }
    } restart: {
      restart()
    } each: { message in
      Self.attributes(message).map(each) ?? false
    }
  }
}

extension NFTChain {
  static func parse(_ attributes: Bytes) -> (table: String, chain: NFTChain)? {
    var table = ""
    var chain = NFTChain(name: "")
    var type: String?
    var place: (number: UInt32, priority: Int32)?
    let isGood = attributes.forEachAttribute { attribute, value in
      switch UInt32(attribute) {
      case NFTA_CHAIN_TABLE.rawValue: table = value.string
      case NFTA_CHAIN_NAME.rawValue: chain.name = value.string
      case NFTA_CHAIN_TYPE.rawValue: type = value.string
      case NFTA_CHAIN_POLICY.rawValue: chain.dropsByDefault = value.bigEndian == UInt32(NF_DROP)
      case NFTA_CHAIN_HOOK.rawValue: place = Self.hook(value)
      default: break
      }
    }
    guard isGood, !chain.name.isEmpty else { return nil }
    if let type, let place { chain.hook = Hook(type: type, number: place.number, priority: place.priority) }
    return (table, chain)
  }

  private static func hook(_ bytes: Bytes) -> (number: UInt32, priority: Int32)? {
    var number: UInt32?
    var priority: UInt32?
    bytes.forEachAttribute { attribute, value in
      switch UInt32(attribute) {
      case NFTA_HOOK_HOOKNUM.rawValue: number = value.bigEndian
      case NFTA_HOOK_PRIORITY.rawValue: priority = value.bigEndian
      default: break
      }
    }
    guard let number, let priority else { return nil }
    return (number, Int32(bitPattern: priority))
  }
}

extension NFTSet {
  static func parse(_ attributes: Bytes) -> (table: String, set: NFTSet)? {
    var table = ""
    var name = ""
    var flags: UInt32 = 0
    var keyType: UInt32 = 0
    var keyLength: UInt32 = 0
    var dataType: UInt32?
    var description = SetDescription()
    var concatenation: NFTConcatenation?
    let isGood = attributes.forEachAttribute { attribute, value in
      switch UInt32(attribute) {
      case NFTA_SET_TABLE.rawValue: table = value.string
      case NFTA_SET_NAME.rawValue: name = value.string
      case NFTA_SET_FLAGS.rawValue: flags = value.bigEndian ?? 0
      case NFTA_SET_KEY_TYPE.rawValue: keyType = value.bigEndian ?? 0
      case NFTA_SET_KEY_LEN.rawValue: keyLength = value.bigEndian ?? 0
      case NFTA_SET_DATA_TYPE.rawValue: dataType = value.bigEndian
      case NFTA_SET_DESC.rawValue: description = SetDescription(value)
      case NFTA_SET_USERDATA.rawValue: concatenation = NFTConcatenation(userData: value)
      default: break
      }
    }
    guard isGood, !name.isEmpty else { return nil }
    let kind = NFTSet.Kind(
      flags: flags, keyType: keyType, keyLength: keyLength, dataType: dataType, most: description.most,
      lengths: description.lengths, concatenation: concatenation)
    return (table, NFTSet(name: name, kind: kind))
  }
}

extension NFTRule {
  static func parse(_ attributes: Bytes) -> (table: String, rule: NFTRule, handle: UInt64)? {
    var table = ""
    var handle: UInt64 = 0
    var rule = NFTRule(chain: "", expressions: [])
    var expressions: [NFTExpression]? = []
    let isGood = attributes.forEachAttribute { attribute, value in
      switch UInt32(attribute) {
      case NFTA_RULE_TABLE.rawValue: table = value.string
      case NFTA_RULE_CHAIN.rawValue: rule.chain = value.string
      case NFTA_RULE_HANDLE.rawValue: handle = UInt64(bigEndian: value.load(UInt64.self) ?? 0)
      case NFTA_RULE_EXPRESSIONS.rawValue: expressions = NFTExpression.list(value)
      case NFTA_RULE_USERDATA.rawValue: rule.comment = StoredComment.decode(value)
      default: break
      }
    }
    guard isGood, let expressions, !rule.chain.isEmpty else { return nil }
    rule.expressions = expressions
    return (table, rule, handle)
  }
}
