/// Runs a packet through our nftables table, as nft_do_chain does. Tables of other software are not looked at: they can
/// drop what we pass, and never pass what we drop.
struct SteeringWalk {
  enum Verdict: Equatable {
    case pass
    case drop(String)
    case reject(String)
  }

  var packet: Packet
  var outgoing: InterfaceName?
  private(set) var isMasqueraded = false
  private(set) var segmentSize: UInt16?
  /// The rules that took the packet, as nft writes them.
  var trace: [String] = []
  private let chains: [String: SteeringChain]
  private let sets: [String: AddressSet]

  init(_ table: SteeringTable?, _ packet: Packet) {
    self.packet = packet
    chains = Dictionary((table?.chains ?? []).map { ($0.name, $0) }) { first, _ in first }
    sets = Dictionary((table?.sets ?? []).map { ($0.name, $0) }) { first, _ in first }
  }

  /// Every base chain of one hook, by priority. `rerouted` is true where a chain of type `route` changed the mark.
  mutating func run(_ point: SteeringChain.Hook.Point) -> (verdict: Verdict, rerouted: Bool) {
    var rerouted = false
    let hooked = chains.values.compactMap { chain in chain.hook.map { (chain, $0) } }
      .filter { $0.1.point == point }.sorted { $0.1.priority < $1.1.priority }
    for (chain, hook) in hooked {
      if hook.kind == .nat, !isFirstOfConnection { continue }
      let before = packet.mark
      switch run(chain, depth: 0) {
      case .verdict(let verdict) where verdict != .pass: return (verdict, rerouted)
      case .verdict, .goesOn: break
      }
      if hook.kind == .route, packet.mark != before { rerouted = true }
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
  private mutating func run(_ chain: SteeringChain, depth: Int) -> Flow {
    for rule in chain.rules where rule.unrecognised == nil && rule.matches.allSatisfy(holds) {
      trace.append("\(chain.name): \(rule.text)")
      for action in rule.actions {
        switch action {
        case .count: break
        case .setMark(let mark, let mask): packet.mark = packet.mark & ~mask.bits | mark.value
        case .setConnectionMark(let mark, let mask):
          if case .connection(let direction, let old, let isNew) = packet.tracking {
            packet.tracking = .connection(direction, mark: old & ~mask.bits | mark.value, isNew: isNew)
          }
        case .clampMSS(let size): segmentSize = min(segmentSize ?? .max, size)
        case .masquerade:
          isMasqueraded = true
          return .verdict(.pass)
        case .drop: return .verdict(.drop(rule.comment))
        case .reject: return .verdict(.reject(rule.comment))
        case .return: return .goesOn
        case .jump(let name):
          guard depth < 16, let target = chains[name] else { continue }
          let flow = run(target, depth: depth + 1)
          if flow != .goesOn { return flow }
        }
      }
    }
    return .goesOn
  }

  /// An expression that asks for a connection where there is none matches nothing (NFT_BREAK in nft_ct_get_eval), but
  /// for its state.
  private func holds(_ match: SteeringRule.Match) -> Bool {
    switch match {
    case .incoming(let device): packet.incoming == device
    case .outgoing(let device): outgoing == device
    case .ipv4: !packet.isIPv6
    case .ipv6: packet.isIPv6
    case .sourceIn(let set): contains(packet.source, set)
    case .destinationIn(let set): contains(packet.destination, set)
    case .destinationNotIn(let set): sets[set] != nil && !contains(packet.destination, set)
    case .mark(let mark, let mask): packet.mark & mask.bits == mark.value
    case .markNot(let mark, let mask): packet.mark & mask.bits != mark.value
    case .connectionMark(let mark, let mask): packet.connectionMark.map { $0 & mask.bits == mark.value } ?? false
    case .connectionMarkNot(let mark, let mask): packet.connectionMark.map { $0 & mask.bits != mark.value } ?? false
    case .original: direction == .original
    case .reply: direction == .reply
    case .invalid: packet.tracking == .invalid
    case .untracked: packet.tracking == .untracked
    case .tcpSYN: packet.isTCPSYN
    }
  }

  private var direction: Packet.Tracking.Direction? {
    if case .connection(let direction, _, _) = packet.tracking { direction } else { nil }
  }

  private func contains(_ address: IPv4Address, _ set: String) -> Bool {
    !packet.isIPv6 && AddressRanges.contain(address, sets[set]?.ranges ?? [])
  }
}
