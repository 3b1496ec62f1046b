package import RuleSets

/// Our nftables table (family `inet`), whole. It is put into the kernel in one transaction and read back as the same
/// value, so that desired and actual compare.
package struct NftTable: Hashable, Sendable {
  package var name: String
  /// NFT_TABLE_F_…; ours has none. A table that is dormant (1) holds all that it held, and does nothing.
  package var flags: UInt32 = 0
  /// Names of counters that rules share and that outlive them. Comparison ignores what they have counted.
  package var counters: [String]
  /// Of our main table none, and what others put there is not read.
  package var flowtables: [NftFlowtable]
  package var sets: [NftSet]
  package var maps: [NftMap]
  package var chains: [NftChain]

  package init(
    name: String, counters: [String] = [], flowtables: [NftFlowtable] = [], sets: [NftSet], maps: [NftMap] = [],
    chains: [NftChain]
  ) {
    self.flowtables = flowtables
    self.name = name
    self.counters = counters
    self.sets = sets
    self.maps = maps
    self.chains = chains
  }
}

/// A named set of IPv4 addresses: of ranges (`type ipv4_addr; flags interval`), or a fed one, of single addresses that
/// expire (`type ipv4_addr; flags timeout`).
package struct NftSet: Hashable, Sendable {
  package var name: String
  /// Closed ranges of addresses in host byte order, ascending, neither overlapping nor touching. None of a fed set, except
  /// in a model of what a packet meets.
  package var ranges: [ClosedRange<UInt32>]
  /// Others say what it holds: we declare it, and neither compare its elements nor ever change them. What is not fed is
  /// owned: it holds what we want, and nothing else.
  package private(set) var isFed = false

  /// How long a fed set holds an address. dnsmasq says no time of its own (add_to_nftset, src/nftset.c), and the kernel
  /// renews none that is there; so it is longer than answers of the DNS usually hold, and short enough for an address that
  /// goes from hand to hand.
  package static let fedTimeout: Duration = .seconds(86_400)
  /// The most addresses of a fed set: whoever owns a domain says how many it has.
  package static let fedSize = 65_536

  /// An owned set.
  package init(name: String, ranges: [ClosedRange<UInt32>]) {
    self.name = name
    self.ranges = ranges
  }

  /// A set whose elements others put in.
  package static func fed(_ name: String) -> NftSet {
    var set = NftSet(name: name, ranges: [])
    set.isFed = true
    return set
  }
}

/// A named map from devices, marks or boxes to chains (`type ifname : verdict`): one look instead of a rule for each.
package struct NftMap: Hashable, Sendable {
  /// What the map's keys are: device names, packet marks, or boxes of these fields, of which `.turn` is the first. They are
  /// five at most, so that nft(8) can load again what it lists, as at boot from a file that an operator has saved.
  package enum Kind: Hashable, Sendable {
    case device, mark
    /// Marks, no more than `NftMap.fewMarks`: a table of one size, in which Linux finds one in half the time that a table
    /// which grows takes (nft_hash_fast_ops, net/netfilter/nft_set_hash.c).
    case fewMarks
    case boxes([PacketField])
  }

  /// The device, mark or box that an element is for.
  package enum Key: Hashable, Comparable, Sendable {
    case device(InterfaceName)
    case mark(Mark)
    case box(PacketBox)
  }

  /// What an element says to do with the packet.
  package enum Verdict: Hashable, Sendable {
    /// Comes back, to the next rule.
    case jump(chain: String)
    /// Comes back to where the chain that asked was called from: as if `return` followed.
    case goto(chain: String)

    package var chain: String {
      switch self {
      case .jump(let chain), .goto(let chain): chain
      }
    }
  }

  /// One entry of the map: a key and what it leads to.
  package struct Element: Hashable, Sendable {
    package var key: Key
    package var verdict: Verdict

    package init(_ key: Key, _ verdict: Verdict) {
      self.key = key
      self.verdict = verdict
    }
  }

  package var name: String
  package var kind: Kind
  /// Ascending by key, boxes by their turns; each is of the map's kind.
  package private(set) var elements: [Element]

  package init(name: String, kind: Kind, elements: [Element]) {
    self.name = name
    self.kind = kind
    self.elements = elements.sorted { $0.key < $1.key }
  }

  /// The most elements of a map of `Kind.fewMarks` (`size 128`).
  package static let fewMarks = 128

  /// A map from marks, as many as there are.
  package static func marks(_ name: String, _ elements: [Element]) -> NftMap {
    NftMap(name: name, kind: elements.count <= fewMarks ? .fewMarks : .mark, elements: elements)
  }

  /// A map of boxes, whose name goes by what it holds. While the kernel takes a transaction over, its rules hold before what
  /// the same transaction has put into a new map can be found (nf_tables_commit, net/netfilter/nf_tables_api.c;
  /// nft_pipapo_commit): for that long no rule of a map that is made anew, or whose boxes move, would take anything. So maps
  /// never change: a new one is filled first, and then asked instead (`NftStore`).
  static func boxes(_ name: String, _ fields: [PacketField], _ elements: [Element]) -> NftMap {
    // FNV-1a: the same for the same boxes in each life of the agent.
    var digest: UInt64 = 14_695_981_039_346_656_037
    func mix(_ value: UInt64) { digest = (digest ^ value) &* 1_099_511_628_211 }
    for field in fields { mix(UInt64(PacketField.allCases.firstIndex(of: field) ?? 0)) }
    for element in elements {
      if case .box(let box) = element.key {
        for side in box.sides {
          mix(side.first)
          mix(side.last)
        }
      }
      for byte in element.verdict.chain.utf8 { mix(UInt64(byte)) }
    }
    return NftMap(name: "\(name)_\(String(digest, radix: 36))", kind: .boxes(fields), elements: elements)
  }

  /// The same map with other elements.
  package func holding(_ elements: [Element]) -> NftMap { NftMap(name: name, kind: kind, elements: elements) }
}

/// Two chains are equal if they do the same, whatever handles the kernel gave their rules.
package struct NftChain: Hashable, Sendable {
  /// Where a base chain stands; a chain without a hook is only jumped to. Policy is always `accept`.
  package struct Hook: Hashable, Sendable {
    /// The type of a base chain, as nft(8) names it. It decides what its rules may do.
    package enum Kind: String, Hashable, Sendable { case filter, nat, route }
    /// The netfilter hook of a base chain, as nft(8) names it.
    package enum Point: String, Hashable, Sendable { case prerouting, input, forward, output, postrouting }
    package var kind: Kind
    package var point: Point
    /// Counted as in nft(8): mangle −150, srcnat 100.
    package var priority: Int32

    package init(kind: Kind, point: Point, priority: Int32) {
      self.kind = kind
      self.point = point
      self.priority = priority
    }
  }

  package var name: String
  package var hook: Hook?
  package var rules: [NftRule]
  /// The kernel's handle of each of `rules`, in order; nil if an entry is not a rule, such as another policy. Empty if
  /// the handles are not known. Comparison ignores them.
  package var handles: [NftHandle?] = []

  package init(name: String, hook: Hook? = nil, rules: [NftRule]) {
    self.name = name
    self.hook = hook
    self.rules = rules
  }

  package static func == (left: Self, right: Self) -> Bool {
    left.name == right.name && left.hook == right.hook && left.rules == right.rules
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(name)
    hasher.combine(hook)
    hasher.combine(rules)
  }
}

/// The kernel's number of a rule, one for each of its table and never given again.
package struct NftHandle: Hashable, Sendable, CustomStringConvertible {
  package var value: UInt64
  package init(_ value: UInt64) { self.value = value }
  package var description: String { "\(value)" }
}

/// One nftables rule: all of `matches`, then `actions` in their order.
package struct NftRule: Hashable, Sendable {
  /// One condition of a rule, with its nft(8) text.
  package enum Match: Hashable, Sendable {
    /// `iifname "…"`
    case incoming(InterfaceName)
    /// `oifname "…"`
    case outgoing(InterfaceName)
    /// `meta sdifname "…"`: it came in by this device, which is in a VRF, and the VRF's name stands for it since
    /// (l3mdev_ip_rcv, net/l3mdev/l3mdev.c). Input and forward alone.
    case slave(InterfaceName)
    /// `meta iiftype ether`: it came in by a device whose packets have an Ethernet header.
    case ethernet
    /// `meta nfproto ipv4` / `ipv6`
    case ipv4
    case ipv6
    /// `ip saddr @set`; only after `.ipv4`
    case sourceIn(set: String)
    /// `ip daddr @set` / `ip daddr != @set`; only after `.ipv4`
    case destinationIn(set: String)
    case destinationNotIn(set: String)
    /// `ip saddr 203.0.113.0/24`; only after `.ipv4`
    case sourceWithin(IPv4Prefix)
    /// `ip saddr 203.0.113.2` / `ip daddr 203.0.113.2`; only after `.ipv4`
    case sourceIs(IPv4Address)
    case destinationIs(IPv4Address)
    /// `ip6 daddr 2001:db8::/32`; only after `.ipv6`
    case ipv6DestinationIn(IPv6Prefix)
    /// `ip protocol gre`, by number; only after `.ipv4`, and not beside `.tcpSYN`, which asks for TCP itself
    case protocolIs(UInt8)
    /// `rt ipsec exists` / `missing`: an IPsec policy holds for the packet's route, and the packet will leave as
    /// another. Holds neither way before the packet is routed. What an XFRM interface will encrypt is still `missing`
    /// on its way there.
    case willBeEncrypted(Bool)
    /// `meta ipsec exists` / `missing`: the packet came out of an IPsec packet. Prerouting, input and forward alone.
    case wasEncrypted(Bool)
    /// `meta mark & mask == mark` / `!= mark`
    case mark(Mark, MarkMask)
    case markNot(Mark, MarkMask)
    /// `ct mark & mask == mark` / `!= mark`
    case connectionMark(Mark, MarkMask)
    case connectionMarkNot(Mark, MarkMask)
    /// `ct direction original` / `reply`
    case original
    case reply
    /// `ct state invalid`
    case invalid
    /// `ct state untracked`: a foreign `notrack` rule took it out of connection tracking
    case untracked
    /// `ct state established`: it is of a connection that both ends have sent packets of.
    case established
    /// `ct state related`: it is about a connection, like an ICMP error, or begins one that another connection has
    /// announced. Its direction is that of the packet that would go the same way.
    case related
    /// `ip dscp 0x2e`; only after `.ipv4`
    case dscp(UInt8)
    /// `ct status ! snat`: nothing translates the connection's source. What does is settled with its first packet, after the
    /// last chain of `postrouting` that is not of type `nat`.
    case keepsSource
    /// `tcp flags & (syn | rst) == syn`
    case tcpSYN
    /// `tcp flags & rst == rst`; not beside `.protocolIs`
    case tcpReset
    /// `icmp type destination-unreachable`, by number; only after `.ipv4`, and not beside `.protocolIs`
    case icmpType(UInt8)
    /// `@th,136,8 0x2f`: the packet that an ICMP error quotes is of this protocol; only after `.icmpType` of an error
    case quotes(protocol: UInt8)
  }

  /// The key that a map is looked up by.
  package enum Subject: Hashable, Sendable {
    /// `iifname` / `oifname`
    case incoming
    case outgoing
    /// `ct mark & mask`
    case connectionMark(MarkMask)
    /// `meta mark & mask`
    case mark(MarkMask)
    /// `meta protocol . iifname . ip saddr`; only after `.ipv4`. A packet that lacks one of the fields passes the rule by.
    case fields([PacketField])

    /// Whether a map of this kind has such keys.
    package func isKey(of kind: NftMap.Kind) -> Bool {
      switch self {
      case .incoming, .outgoing: kind == .device
      case .connectionMark, .mark: kind == .mark || kind == .fewMarks
      case .fields(let fields): kind == .boxes(fields)
      }
    }
  }

  /// What a rule does with a packet that it matches, with its nft(8) text.
  package enum Action: Hashable, Sendable {
    /// `counter`: packets and bytes are the kernel's, not part of the comparison.
    case count
    /// `counter name "…"`: the same, into a counter of the table.
    case countIn(String)
    /// `meta mark set meta mark & ~mask | mark`: foreign bits stay.
    case setMark(Mark, MarkMask)
    /// `ct mark set ct mark & ~mask | mark`
    case setConnectionMark(Mark, MarkMask)
    /// `tcp option maxseg size set n`: the kernel only ever lowers it.
    case clampMSS(UInt16)
    case masquerade
    /// `flow add @flowtable`: from now on the flowtable forwards the packet's connection, both ways. Forward alone.
    case offload(flowtable: String)
    /// `snat ip to 198.51.100.2`; in a chain of type `nat`
    case translate(to: IPv4Address)
    case drop
    /// `reject with icmpx admin-prohibited`
    case reject
    case `return`
    case jump(chain: String)
    /// A jump that does not come back. Always the last of a rule.
    case goto(chain: String)
    /// `iifname vmap @map`: what the map says; the next rule where it says nothing. Always the last of a rule.
    case choose(by: Subject, map: String)
  }

  package var matches: [Match]
  package var actions: [Action]
  /// Says in `nft list ruleset` what the rule is for; at most 127 bytes.
  package var comment: String
  /// Set only on a rule that was read from the kernel and that we would never write: its text, for people.
  package var unrecognised: String?

  package init(_ matches: [Match], _ actions: [Action], comment: String = "", unrecognised: String? = nil) {
    self.matches = matches
    self.actions = actions
    self.comment = comment
    self.unrecognised = unrecognised
  }
}

extension NftRule.Action {
  /// The chain that it leads to by name; nil for one that leads to none, or asks a map.
  package var chain: String? {
    switch self {
    case .jump(let chain), .goto(let chain): chain
    default: nil
    }
  }
}
