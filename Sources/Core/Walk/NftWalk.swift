internal import RuleSets

/// Runs a packet through our nftables table, as nft_do_chain does. Tables of other software are not looked at: they can
/// drop what we pass, and never pass what we drop.
struct NftWalk {
  enum Verdict: Equatable {
    case pass
    case drop(String)
    case reject(String)
  }

  var packet: Packet
  var outgoing: InterfaceName?
  /// Nothing is known of its route at prerouting.
  private var isRouted = false
  private(set) var isMasqueraded = false
  private(set) var segmentSize: UInt16?
  var stages: [PacketFate.Stage] = []
  private let table: Table

  /// The table, ready to be asked by name and hook; made once for many packets.
  struct Table {
    fileprivate let chains: [String: NftChain]
    fileprivate let maps: [String: [NftMap.Key: NftMap.Verdict]]
    fileprivate let boxes: [String: BoxIndex]
    fileprivate let sets: [String: [ClosedRange<UInt32>]]
    fileprivate let hooked: [NftChain.Hook.Point: [(kind: NftChain.Hook.Kind, chain: NftChain)]]

    init(_ table: NftTable?) {
      chains = Dictionary((table?.chains ?? []).map { ($0.name, $0) }) { first, _ in first }
      maps = Dictionary(
        (table?.maps ?? []).map { map in
          (map.name, Dictionary(map.elements.map { ($0.key, $0.verdict) }) { first, _ in first })
        }
      ) { first, _ in first }
      boxes = Dictionary(
        (table?.maps ?? []).compactMap { map in
          guard case .boxes(let fields) = map.kind else { return nil }
          return (map.name, BoxIndex(fields, map.elements))
        }
      ) { first, _ in first }
      sets = Dictionary((table?.sets ?? []).map { ($0.name, $0.ranges) }) { first, _ in first }
      let base = (table?.chains ?? []).compactMap { chain in chain.hook.map { (hook: $0, chain: chain) } }
      hooked = Dictionary(grouping: base.sorted { $0.hook.priority < $1.hook.priority }, by: \.hook.point)
        .mapValues { $0.map { (kind: $0.hook.kind, chain: $0.chain) } }
    }
  }

  init(_ table: Table, _ packet: Packet) {
    self.packet = packet
    self.table = table
  }

  /// Every base chain of one hook, by priority. `rerouted` is true where a chain of type `route` changed the mark.
  mutating func run(_ point: NftChain.Hook.Point) -> (verdict: Verdict, rerouted: Bool) {
    var rerouted = false
    isRouted = point != .prerouting
    for (kind, chain) in table.hooked[point] ?? [] {
      if kind == .nat, !isFirstOfConnection { continue }
      let before = packet.mark
      switch run(chain, depth: 0) {
      case .verdict(let verdict) where verdict != .pass: return (verdict, rerouted)
      case .verdict, .goesOn: break
      }
      if kind == .route, packet.mark != before { rerouted = true }
    }
    return (.pass, rerouted)
  }

  private var isFirstOfConnection: Bool {
    if case .connection(.original, _, isNew: true) = packet.tracking { true } else { false }
  }

  private enum Flow: Equatable {
    case goesOn
    case verdict(Verdict)
  }

  /// The kernel allows 16 jumps (NFT_JUMP_STACK_SIZE).
  private mutating func run(_ chain: NftChain, depth: Int) -> Flow {
    for rule in chain.rules where rule.unrecognised == nil && rule.matches.allSatisfy(holds) {
      // A map that has no answer ends the rule, as a match does that does not hold.
      if case .choose(let subject, let map)? = rule.actions.first, verdict(on: subject, map) == nil { continue }
      stages.append(.nft(chain: chain.name, rule))
      for action in rule.actions {
        switch action {
        case .count, .countIn, .offload: break
        case .setMark(let mark, let mask): packet.mark = packet.mark & ~mask.bits | mark.value
        case .setConnectionMark(let mark, let mask):
          switch packet.tracking {
          case .connection(let direction, let old, let isNew):
            packet.tracking = .connection(direction, mark: old & ~mask.bits | mark.value, isNew: isNew)
          case .related(let direction, let old):
            packet.tracking = .related(direction, mark: old & ~mask.bits | mark.value)
          case .invalid, .untracked: break
          }
        case .clampMSS(let size): segmentSize = min(segmentSize ?? .max, size)
        case .masquerade, .translate:
          isMasqueraded = true
          return .verdict(.pass)
        case .drop: return .verdict(.drop(rule.comment))
        case .reject: return .verdict(.reject(rule.comment))
        case .return: return .goesOn
        case .jump(let name):
          guard depth < 16, let target = table.chains[name] else { continue }
          let flow = run(target, depth: depth + 1)
          if flow != .goesOn { return flow }
        case .goto(let name): return table.chains[name].map { run($0, depth: depth + 1) } ?? .goesOn
        case .choose(let subject, let map):
          guard depth < 16, let verdict = verdict(on: subject, map), let target = table.chains[verdict.chain]
          else { continue }
          let flow = run(target, depth: depth + 1)
          if flow != .goesOn { return flow }
          if case .goto = verdict { return .goesOn }
        }
      }
    }
    return .goesOn
  }

  private func verdict(on subject: NftRule.Subject, _ map: String) -> NftMap.Verdict? {
    if case .fields = subject { return table.boxes[map]?.verdict(for: packet) }
    let key: NftMap.Key? =
      switch subject {
      case .incoming: packet.incoming.map { .device($0) }
      case .outgoing: outgoing.map { .device($0) }
      case .mark(let mask): .mark(Mark(value: packet.mark & mask.bits))
      case .fields: nil
      case .connectionMark(let mask): packet.connectionMark.map { .mark(Mark(value: $0 & mask.bits)) }
      }
    return key.flatMap { table.maps[map]?[$0] }
  }

  /// An expression that refers to a missing connection matches nothing (NFT_BREAK in nft_ct_get_eval), except for its
  /// state.
  private func holds(_ match: NftRule.Match) -> Bool {
    switch match {
    case .incoming(let device): packet.incoming == device
    case .outgoing(let device): outgoing == device
    case .slave(let device): isRouted && packet.slave == device
    case .ethernet: packet.isEthernet
    case .ipv4: !packet.isIPv6
    case .ipv6: packet.isIPv6
    case .sourceIn(let set): contains(packet.source, set)
    case .destinationIn(let set): contains(packet.destination, set)
    case .destinationNotIn(let set): table.sets[set] != nil && !contains(packet.destination, set)
    case .sourceWithin(let prefix): !packet.isIPv6 && prefix.contains(packet.source)
    case .sourceIs(let address): !packet.isIPv6 && packet.source == address
    case .destinationIs(let address): !packet.isIPv6 && packet.destination == address
    case .ipv6DestinationIn(let prefix): packet.ipv6Destination.map { prefix.contains($0) } ?? false
    case .protocolIs(let number): !packet.isIPv6 && packet.protocolNumber == number
    // NFT_BREAK without a route (nft_rt_get_eval).
    case .willBeEncrypted(let expected): isRouted && packet.willBeEncrypted == expected
    case .wasEncrypted(let expected): packet.wasEncrypted == expected
    case .mark(let mark, let mask): packet.mark & mask.bits == mark.value
    case .markNot(let mark, let mask): packet.mark & mask.bits != mark.value
    case .connectionMark(let mark, let mask): packet.connectionMark.map { $0 & mask.bits == mark.value } ?? false
    case .connectionMarkNot(let mark, let mask): packet.connectionMark.map { $0 & mask.bits != mark.value } ?? false
    case .original: direction == .original
    case .reply: direction == .reply
    case .invalid: packet.tracking == .invalid
    case .untracked: packet.tracking == .untracked
    case .established: if case .connection(_, _, isNew: false) = packet.tracking { true } else { false }
    case .related: if case .related = packet.tracking { true } else { false }
    case .dscp(let value): !packet.isIPv6 && packet.trafficClass >> 2 == value
    case .keepsSource: packet.connectionMark != nil && !packet.isSourceTranslated
    case .tcpSYN: packet.isTCPSYN
    case .tcpReset: packet.isTCPReset
    case .icmpType(let number): !packet.isIPv6 && packet.protocolNumber == IPProtocol.icmp && packet.icmpType == number
    case .quotes(let number): packet.quotedProtocol == number
    }
  }

  private var direction: Packet.Tracking.Direction? {
    switch packet.tracking {
    case .connection(let direction, _, _), .related(let direction, _): direction
    case .invalid, .untracked: nil
    }
  }

  private func contains(_ address: IPv4Address, _ set: String) -> Bool {
    !packet.isIPv6 && AddressRanges.contain(address, table.sets[set] ?? [])
  }
}
