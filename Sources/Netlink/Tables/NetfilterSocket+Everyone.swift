internal import CMnl
internal import CNftnl
internal import Glibc

/// A flowtable of any table.
package struct FlowtableMessage: Equatable, Sendable {
  /// As nft(8) names it: `inet`, `ip`.
  package var family: String
  package var table: String
  package var name: String
  package var devices: [String]
  /// NF_NETDEV_INGRESS (0), and its priority there; nil if it was not told.
  package var hook: UInt32?
  package var priority: Int32?
  /// How many rules add to it.
  package var users: UInt32
  /// NFT_FLOWTABLE_HW_OFFLOAD.
  package var isHardware: Bool

  package init(
    family: String, table: String, name: String, devices: [String] = [], users: UInt32 = 0, isHardware: Bool = false
  ) {
    self.family = family
    self.table = table
    self.name = name
    self.devices = devices
    self.users = users
    self.isHardware = isHardware
  }
}

/// Everyone's tables, in all families. Nothing is kept in memory: other software may have a great many rules.
extension NetfilterSocket {
  /// Calls `body` for each rule. `restart` is called where the dump starts over: forget what came before.
  package mutating func eachRule(
    restart: () -> Void, _ body: (_ family: String, _ table: String, NFTRule) -> Void
  ) throws(NetlinkFailure) {
    try dumpAll("nft list ruleset", NFT_MSG_GETRULE, restart: restart) { family, attributes in
      guard let found = NFTRule.parse(attributes) else { return false }
      body(family, found.table, found.rule)
      return true
    }
  }

  /// Calls `body` for each chain of everyone; see `chains(table:)` for ours.
  package mutating func eachChain(
    restart: () -> Void, _ body: (_ family: String, _ table: String, NFTChain) -> Void
  ) throws(NetlinkFailure) {
    try dumpAll("nft list chains", NFT_MSG_GETCHAIN, restart: restart) { family, attributes in
      guard let found = NFTChain.parse(attributes) else { return false }
      body(family, found.table, found.chain)
      return true
    }
  }

  /// Everyone's flowtables; none where the kernel does not have the feature.
  package mutating func flowtables() throws(NetlinkFailure) -> [FlowtableMessage] {
    var all: [FlowtableMessage] = []
    do throws(NetlinkFailure) {
      try dumpAll("nft list flowtables", NFT_MSG_GETFLOWTABLE, restart: { all = [] }) { family, attributes in
        guard let table = FlowtableMessage(family: family, attributes) else { return false }
        all.append(table)
        return true
      }
    } catch {
      // This kernel has no flowtables.
      guard error.errno == EOPNOTSUPP || error.errno == EINVAL else { throw error }
    }
    return all
  }

  private mutating func dumpAll(
    _ operation: String, _ type: nf_tables_msg_types, restart: () -> Void, _ each: (String, Bytes) -> Bool
  ) throws(NetlinkFailure) {
    try conversation.dump(operation, type: Self.type(type)) {
      $0.netfilter(family: UInt8(NFPROTO_UNSPEC))
    } restart: {
      restart()
    } each: { message in
      guard let header = message.payload.load(nfgenmsg.self), let attributes = Self.attributes(message)
      else { return false }
      return each(Self.name(ofFamily: header.nfgen_family), attributes)
    }
  }
}

extension NetfilterSocket {
  private static func name(ofFamily number: UInt8) -> String {
    switch Int(number) {
    case NFPROTO_INET: "inet"
    case NFPROTO_IPV4: "ip"
    case NFPROTO_IPV6: "ip6"
    case NFPROTO_BRIDGE: "bridge"
    case NFPROTO_NETDEV: "netdev"
    case NFPROTO_ARP: "arp"
    default: "family \(number)"
    }
  }
}

extension FlowtableMessage {
  /// Nil if the message is cut off or malformed.
  init?(family: String, _ attributes: Bytes) {
    self.init(family: family, table: "", name: "")
    let isGood = attributes.forEachAttribute { attribute, value in
      switch UInt32(attribute) {
      case UInt32(NFTA_FLOWTABLE_TABLE.rawValue): table = value.string
      case UInt32(NFTA_FLOWTABLE_NAME.rawValue): name = value.string
      case UInt32(NFTA_FLOWTABLE_USE.rawValue): users = value.bigEndian ?? 0
      case UInt32(NFTA_FLOWTABLE_FLAGS.rawValue):
        isHardware = (value.bigEndian ?? 0) & UInt32(NFT_FLOWTABLE_HW_OFFLOAD.rawValue) != 0
      case UInt32(NFTA_FLOWTABLE_HOOK.rawValue):
        value.forEachAttribute { part, list in
          switch UInt32(part) {
          case UInt32(NFTA_FLOWTABLE_HOOK_NUM.rawValue): hook = list.bigEndian
          case UInt32(NFTA_FLOWTABLE_HOOK_PRIORITY.rawValue):
            priority = list.bigEndian.map { Int32(bitPattern: $0) }
          case UInt32(NFTA_FLOWTABLE_HOOK_DEVS.rawValue):
            list.forEachAttribute { _, name in devices.append(name.string) }
          default: break
          }
        }
      default: break
      }
    }
    guard isGood, !table.isEmpty, !name.isEmpty else { return nil }
  }
}
