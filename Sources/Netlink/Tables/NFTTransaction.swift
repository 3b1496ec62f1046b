internal import CMnl
internal import CNftnl
internal import Glibc

/// A change to nftables of family `inet`: built here without effect, then sent whole; the kernel applies all of it or
/// nothing (nfnetlink_rcv_batch, net/netfilter/nfnetlink.c).
package struct NFTTransaction: ~Copyable {
  private var memory: UnsafeMutableRawPointer
  private var capacity = 2 * messageRoom
  /// Bytes.
  package private(set) var size = 0
  private var sequence = Self.firstSequence
  /// Sequences need only be unlike each other: the socket has no other request under way.
  private static let firstSequence: UInt32 = 1
  /// What each sequence number asks for, so that the kernel's error names it.
  private var operations: [String] = []

  /// The most that one message takes: nfgenmsg and strings, and at most one nested attribute of 64 KiB.
  private static let messageRoom = 72 << 10
  /// The kernel drops the set-up of a set by its identity within the transaction; any number will do.
  private var lastSetID: UInt32 = 0

  package init() {
    memory = .allocate(byteCount: capacity, alignment: 16)
    if let message = nftnl_batch_begin(next("transaction"), sequence) { close(message) }
  }

  deinit { memory.deallocate() }

  /// Where the next message goes, with room for any.
  private mutating func next(_ operation: String) -> UnsafeMutablePointer<CChar> {
    if capacity - size < Self.messageRoom {
      let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity * 2, alignment: 16)
      larger.copyMemory(from: memory, byteCount: size)
      memory.deallocate()
      memory = larger
      capacity *= 2
    }
    operations.append(operation)
    return (memory + size).assumingMemoryBound(to: CChar.self)
  }

  private mutating func close(_ message: UnsafeMutablePointer<nlmsghdr>) {
    size += (Int(message.pointee.nlmsg_len) + 3) & ~3
    sequence += 1
  }

  private mutating func begin(
    _ type: nf_tables_msg_types, _ flags: Int32, _ operation: String
  ) throws(NetlinkFailure) -> UnsafeMutablePointer<nlmsghdr> {
    let message = nftnl_nlmsg_build_hdr(
      next(operation), UInt16(type.rawValue), UInt16(NFPROTO_INET), UInt16(flags), sequence)
    guard let message else { throw NetlinkFailure(operation: operation, errno: ENOMEM) }
    return message
  }

  // MARK: Tables and chains

  /// No error where it is there.
  package mutating func addTable(_ name: String) throws(NetlinkFailure) {
    try table(name, NFT_MSG_NEWTABLE, NLM_F_CREATE, "nft add table inet \(name)")
  }

  /// Deletes the table with everything in it.
  package mutating func deleteTable(_ name: String) throws(NetlinkFailure) {
    try table(name, NFT_MSG_DELTABLE, 0, "nft delete table inet \(name)")
  }

  /// Clears NFT_TABLE_F_DORMANT: from now on a table that is there acts on traffic, whatever it did before.
  package mutating func wakeTable(_ name: String) throws(NetlinkFailure) {
    let message = try begin(NFT_MSG_NEWTABLE, NLM_F_CREATE, "nft add table inet \(name)")
    put(message, Int(NFTA_TABLE_NAME.rawValue), name)
    mnl_attr_put_u32(message, UInt16(NFTA_TABLE_FLAGS.rawValue), 0)
    close(message)
  }

  private mutating func table(
    _ name: String, _ type: nf_tables_msg_types, _ flags: Int32, _ operation: String
  ) throws(NetlinkFailure) {
    let message = try begin(type, flags, operation)
    put(message, Int(NFTA_TABLE_NAME.rawValue), name)
    close(message)
  }

  /// Adds the chain, or changes the policy of one that is there. The kernel refuses to move a chain to another hook or
  /// priority (EEXIST).
  package mutating func addChain(_ chain: NFTChain, table: String) throws(NetlinkFailure) {
    let operation = "nft add chain inet \(table) \(chain.name)"
    guard let object = nftnl_chain_alloc() else { throw NetlinkFailure(operation: operation, errno: ENOMEM) }
    defer { nftnl_chain_free(object) }
    _ = nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_TABLE.rawValue), table)
    _ = nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_NAME.rawValue), chain.name)
    if let hook = chain.hook {
      _ = nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_TYPE.rawValue), hook.type)
      nftnl_chain_set_u32(object, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue), hook.number)
      nftnl_chain_set_s32(object, UInt16(NFTNL_CHAIN_PRIO.rawValue), hook.priority)
      let policy = chain.dropsByDefault ? NF_DROP : NF_ACCEPT
      nftnl_chain_set_u32(object, UInt16(NFTNL_CHAIN_POLICY.rawValue), UInt32(policy))
    }
    let message = try begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE, operation)
    nftnl_chain_nlmsg_build_payload(message, object)
    close(message)
  }

  /// The chain must be empty by then, and no rule or map may lead to it.
  package mutating func deleteChain(_ name: String, table: String) throws(NetlinkFailure) {
    let message = try begin(NFT_MSG_DELCHAIN, 0, "nft delete chain inet \(table) \(name)")
    put(message, Int(NFTA_CHAIN_TABLE.rawValue), table)
    put(message, Int(NFTA_CHAIN_NAME.rawValue), name)
    close(message)
  }

  // MARK: Rules

  /// Deletes the rules of all its chains.
  package mutating func deleteRules(table: String) throws(NetlinkFailure) {
    let message = try begin(NFT_MSG_DELRULE, 0, "nft flush table inet \(table)")
    put(message, Int(NFTA_RULE_TABLE.rawValue), table)
    close(message)
  }

  /// Deletes the rules of one chain.
  package mutating func deleteRules(chain: String, table: String) throws(NetlinkFailure) {
    let message = try begin(NFT_MSG_DELRULE, 0, "nft flush chain inet \(table) \(chain)")
    put(message, Int(NFTA_RULE_TABLE.rawValue), table)
    put(message, Int(NFTA_RULE_CHAIN.rawValue), chain)
    close(message)
  }

  /// Deletes one rule. The kernel throws the whole transaction back with ENOENT where the handle is gone.
  package mutating func deleteRule(handle: UInt64, chain: String, table: String) throws(NetlinkFailure) {
    let message = try begin(NFT_MSG_DELRULE, 0, "nft delete rule inet \(table) \(chain) handle \(handle)")
    put(message, Int(NFTA_RULE_TABLE.rawValue), table)
    put(message, Int(NFTA_RULE_CHAIN.rawValue), chain)
    mnl_attr_put_u64(message, UInt16(NFTA_RULE_HANDLE.rawValue), handle.bigEndian)
    close(message)
  }

  /// - Parameter before: the handle of a rule of its chain; nil: at the end.
  package mutating func addRule(
    _ rule: NFTRule, before: UInt64? = nil, table: String
  ) throws(NetlinkFailure) {
    let operation = "nft add rule inet \(table) \(rule.chain) comment \"\(rule.comment)\""
    // Without NLM_F_APPEND it goes before the one that is named (nf_tables_newrule, net/netfilter/nf_tables_api.c).
    let flags = NLM_F_CREATE | (before == nil ? NLM_F_APPEND : 0)
    try self.rule(rule, [], table, flags, operation) { object in
      if let before { nftnl_rule_set_u64(object, UInt16(NFTNL_RULE_POSITION.rawValue), before) }
    }
  }

  /// Puts a rule in the place of the one that has this handle, which is gone with it. Its counters go on from what that
  /// one's had counted; what passes between the reading of that and the commit is not counted.
  package mutating func replaceRule(
    handle: UInt64, by rule: NFTRule, counting counts: [NFTCount], table: String
  ) throws(NetlinkFailure) {
    let operation = "nft replace rule inet \(table) \(rule.chain) handle \(handle)"
    try self.rule(rule, counts, table, NLM_F_REPLACE, operation) { object in
      nftnl_rule_set_u64(object, UInt16(NFTNL_RULE_HANDLE.rawValue), handle)
    }
  }

  /// - Parameter counts: what the rule's counters begin with, in the order of its expressions; those beyond it at zero.
  private mutating func rule(
    _ rule: NFTRule, _ counts: [NFTCount], _ table: String, _ flags: Int32, _ operation: String,
    _ place: (OpaquePointer) -> Void
  ) throws(NetlinkFailure) {
    guard let object = nftnl_rule_alloc() else { throw NetlinkFailure(operation: operation, errno: ENOMEM) }
    defer { nftnl_rule_free(object) }
    _ = nftnl_rule_set_str(object, UInt16(NFTNL_RULE_TABLE.rawValue), table)
    _ = nftnl_rule_set_str(object, UInt16(NFTNL_RULE_CHAIN.rawValue), rule.chain)
    nftnl_rule_set_u32(object, UInt16(NFTNL_RULE_FAMILY.rawValue), UInt32(NFPROTO_INET))
    var counts = counts[...]
    for expression in rule.expressions {
      try WriteExpression.append(expression, to: object, counted: expression == .counter ? counts.popFirst() : nil)
    }
    let comment = StoredComment.encode(rule.comment)
    if !comment.isEmpty {
      _ = nftnl_rule_set_data(object, UInt16(NFTNL_RULE_USERDATA.rawValue), comment, UInt32(comment.count))
    }
    place(object)
    let message = try begin(NFT_MSG_NEWRULE, flags, operation)
    nftnl_rule_nlmsg_build_payload(message, object)
    close(message)
  }

  // MARK: Sets

  /// A set of IPv4 address ranges, empty.
  package mutating func addSet(_ name: String, table: String) throws(NetlinkFailure) {
    try set(name, table, "nft add set inet \(table) \(name)") { object in
      nftnl_set_set_u32(object, UInt16(NFTNL_SET_KEY_TYPE.rawValue), SetFormat.addressType)
      nftnl_set_set_u32(object, UInt16(NFTNL_SET_KEY_LEN.rawValue), 4)
      nftnl_set_set_u32(object, UInt16(NFTNL_SET_FLAGS.rawValue), UInt32(NFT_SET_INTERVAL.rawValue))
    }
  }

  /// A set of single IPv4 addresses that expire, empty.
  ///
  /// - Parameters:
  ///   - timeout: of an element that says none, in milliseconds.
  ///   - size: the most elements; the kernel refuses more (ENFILE).
  package mutating func addExpiringSet(
    _ name: String, timeout: UInt64, size: UInt32, table: String
  ) throws(NetlinkFailure) {
    try set(name, table, "nft add set inet \(table) \(name)") { object in
      nftnl_set_set_u32(object, UInt16(NFTNL_SET_KEY_TYPE.rawValue), SetFormat.addressType)
      nftnl_set_set_u32(object, UInt16(NFTNL_SET_KEY_LEN.rawValue), 4)
      nftnl_set_set_u32(object, UInt16(NFTNL_SET_FLAGS.rawValue), UInt32(NFT_SET_TIMEOUT.rawValue))
      nftnl_set_set_u64(object, UInt16(NFTNL_SET_TIMEOUT.rawValue), timeout)
      nftnl_set_set_u32(object, UInt16(NFTNL_SET_DESC_SIZE.rawValue), size)
    }
  }

  /// A map of verdicts, empty.
  package mutating func addMap(_ name: String, from key: NFTSet.Key, table: String) throws(NetlinkFailure) {
    try set(name, table, "nft add map inet \(table) \(name)") { object in
      nftnl_set_set_u32(object, UInt16(NFTNL_SET_KEY_TYPE.rawValue), key.type)
      nftnl_set_set_u32(object, UInt16(NFTNL_SET_KEY_LEN.rawValue), key.length)
      nftnl_set_set_u32(object, UInt16(NFTNL_SET_DATA_TYPE.rawValue), NFTSet.Kind.verdictType)
      nftnl_set_set_u32(object, UInt16(NFTNL_SET_FLAGS.rawValue), key.flags)
      if let most = key.most { nftnl_set_set_u32(object, UInt16(NFTNL_SET_DESC_SIZE.rawValue), most) }
      let lengths = key.lengths.map { UInt8($0) }
      if !lengths.isEmpty {
        _ = nftnl_set_set_data(object, UInt16(NFTNL_SET_DESC_CONCAT.rawValue), lengths, UInt32(lengths.count))
      }
      let userData = key.userData
      _ = nftnl_set_set_data(object, UInt16(NFTNL_SET_USERDATA.rawValue), userData, UInt32(userData.count))
    }
  }

  private mutating func set(
    _ name: String, _ table: String, _ operation: String, _ describe: (OpaquePointer) -> Void
  ) throws(NetlinkFailure) {
    guard let object = nftnl_set_alloc() else { throw NetlinkFailure(operation: operation, errno: ENOMEM) }
    defer { nftnl_set_free(object) }
    lastSetID += 1
    _ = nftnl_set_set_str(object, UInt16(NFTNL_SET_TABLE.rawValue), table)
    _ = nftnl_set_set_str(object, UInt16(NFTNL_SET_NAME.rawValue), name)
    nftnl_set_set_u32(object, UInt16(NFTNL_SET_FAMILY.rawValue), UInt32(NFPROTO_INET))
    describe(object)
    nftnl_set_set_u32(object, UInt16(NFTNL_SET_ID.rawValue), lastSetID)
    let message = try begin(NFT_MSG_NEWSET, NLM_F_CREATE, operation)
    nftnl_set_nlmsg_build_payload(message, object)
    close(message)
  }

  /// Of any kind, with its elements. No rule may ask it by then.
  package mutating func deleteSet(_ name: String, table: String) throws(NetlinkFailure) {
    let message = try begin(NFT_MSG_DELSET, 0, "nft delete set inet \(table) \(name)")
    put(message, Int(NFTA_SET_TABLE.rawValue), table)
    put(message, Int(NFTA_SET_NAME.rawValue), name)
    close(message)
  }

  /// Ranges of addresses in host order, neither overlapping nor touching each other or what is in the set.
  package mutating func addRanges(
    _ ranges: [ClosedRange<UInt32>], to set: String, table: String
  ) throws(NetlinkFailure) {
    try elements(
      ranges, set, table, NFT_MSG_NEWSETELEM, NLM_F_CREATE, "nft add element inet \(table) \(set)",
      perPage: SetFormat.rangesPerPage
    ) { SetFormat.write($0, into: $1) }
  }

  /// Each must be in the set, exactly so.
  package mutating func deleteRanges(
    _ ranges: [ClosedRange<UInt32>], from set: String, table: String
  ) throws(NetlinkFailure) {
    try elements(
      ranges, set, table, NFT_MSG_DELSETELEM, 0, "nft delete element inet \(table) \(set)",
      perPage: SetFormat.rangesPerPage
    ) { SetFormat.write($0, into: $1) }
  }

  /// Puts single addresses into a set that expires. One that is there keeps its time.
  package mutating func addAddresses(
    _ addresses: [UInt32], to set: String, table: String
  ) throws(NetlinkFailure) {
    try elements(
      addresses, set, table, NFT_MSG_NEWSETELEM, NLM_F_CREATE, "nft add element inet \(table) \(set)",
      perPage: SetFormat.rangesPerPage
    ) { SetFormat.write($0, into: $1) }
  }

  /// Each must be in the set.
  package mutating func deleteAddresses(
    _ addresses: [UInt32], from set: String, table: String
  ) throws(NetlinkFailure) {
    try elements(
      addresses, set, table, NFT_MSG_DELSETELEM, 0, "nft delete element inet \(table) \(set)",
      perPage: SetFormat.rangesPerPage
    ) { SetFormat.write($0, into: $1) }
  }

  /// The chains that they lead to must be there by then.
  package mutating func addElements(
    _ elements: [NFTMapElement], to map: String, table: String
  ) throws(NetlinkFailure) {
    try self.elements(
      elements, map, table, NFT_MSG_NEWSETELEM, NLM_F_CREATE, "nft add element inet \(table) \(map)",
      perPage: MapFormat.elementsPerPage
    ) { MapFormat.write($0, into: $1) }
  }

  /// Each must be in the map.
  package mutating func deleteElements(
    _ elements: [NFTMapElement], from map: String, table: String
  ) throws(NetlinkFailure) {
    try self.elements(
      elements, map, table, NFT_MSG_DELSETELEM, 0, "nft delete element inet \(table) \(map)",
      perPage: MapFormat.elementsPerPage
    ) { MapFormat.write($0, into: $1) }
  }

  /// Written straight into the buffer, page by page: libnftnl allocates some 400 bytes for each of 100,000 elements.
  private mutating func elements<Element>(
    _ elements: [Element], _ set: String, _ table: String, _ type: nf_tables_msg_types, _ flags: Int32,
    _ operation: String, perPage: Int, _ write: (ArraySlice<Element>, UnsafeMutablePointer<nlmsghdr>) -> Void
  ) throws(NetlinkFailure) {
    for start in stride(from: 0, to: elements.count, by: perPage) {
      let message = try begin(type, flags, operation)
      put(message, Int(NFTA_SET_ELEM_LIST_TABLE.rawValue), table)
      put(message, Int(NFTA_SET_ELEM_LIST_SET.rawValue), set)
      write(elements[start..<min(start + perPage, elements.count)], message)
      close(message)
    }
  }

  // MARK: Flowtables

  /// A flowtable at the ingress hook. Each device must be there (ENOENT), and in no other flowtable of the table.
  package mutating func addFlowtable(
    _ name: String, priority: Int32, devices: [String], table: String
  ) throws(NetlinkFailure) {
    let message = try begin(NFT_MSG_NEWFLOWTABLE, NLM_F_CREATE, "nft add flowtable inet \(table) \(name)")
    put(message, Int(NFTA_FLOWTABLE_TABLE.rawValue), table)
    put(message, Int(NFTA_FLOWTABLE_NAME.rawValue), name)
    if let hook = mnl_attr_nest_start(message, UInt16(NFTA_FLOWTABLE_HOOK.rawValue)) {
      mnl_attr_put_u32(message, UInt16(NFTA_FLOWTABLE_HOOK_NUM.rawValue), Self.ingress.bigEndian)
      mnl_attr_put_u32(
        message, UInt16(NFTA_FLOWTABLE_HOOK_PRIORITY.rawValue), UInt32(bitPattern: priority).bigEndian)
      if let list = mnl_attr_nest_start(message, UInt16(NFTA_FLOWTABLE_HOOK_DEVS.rawValue)) {
        for device in devices { put(message, Int(NFTA_DEVICE_NAME.rawValue), device) }
        mnl_attr_nest_end(message, list)
      }
      mnl_attr_nest_end(message, hook)
    }
    close(message)
  }

  /// NF_NETDEV_INGRESS (linux/netfilter.h).
  private static let ingress: UInt32 = 0

  // MARK: Counters

  /// One that is there goes on counting.
  package mutating func addCounter(_ name: String, table: String) throws(NetlinkFailure) {
    let message = try begin(NFT_MSG_NEWOBJ, NLM_F_CREATE, "nft add counter inet \(table) \(name)")
    counter(message, name, table)
    // From zero on.
    if let data = mnl_attr_nest_start(message, UInt16(NFTA_OBJ_DATA.rawValue)) { mnl_attr_nest_end(message, data) }
    close(message)
  }

  /// No rule may count into it by then.
  package mutating func deleteCounter(_ name: String, table: String) throws(NetlinkFailure) {
    let message = try begin(NFT_MSG_DELOBJ, 0, "nft delete counter inet \(table) \(name)")
    counter(message, name, table)
    close(message)
  }

  private func counter(_ message: UnsafeMutablePointer<nlmsghdr>, _ name: String, _ table: String) {
    put(message, Int(NFTA_OBJ_TABLE.rawValue), table)
    put(message, Int(NFTA_OBJ_NAME.rawValue), name)
    mnl_attr_put_u32(message, UInt16(NFTA_OBJ_TYPE.rawValue), UInt32(NFT_OBJECT_COUNTER).bigEndian)
  }

  private func put(_ message: UnsafeMutablePointer<nlmsghdr>, _ type: Int, _ text: String) {
    mnl_attr_put_strz(message, UInt16(type), text)
  }

  // MARK: Sending

  /// The datagram, ended.
  mutating func finish() -> UnsafeRawBufferPointer {
    if let message = nftnl_batch_end(next("end of transaction"), sequence) { close(message) }
    return UnsafeRawBufferPointer(start: memory, count: size)
  }

  /// What the message of this sequence number asked for.
  func operation(_ sequence: UInt32) -> String {
    let index = Int(sequence) - Int(Self.firstSequence)
    return operations.indices.contains(index) ? operations[index] : "nft transaction"
  }
}
