internal import Agent
internal import Core
internal import Netlink

/// Everyone's nftables chains but ours: which of those that packets come through may drop, and which write marks.
struct ForeignChains {
  private struct Place: Hashable {
    /// With its family: `ip filter`.
    var table: String
    var chain: String
  }

  /// A firewall of more rules is not read to its end.
  private static let mostRules = 50_000

  private var bases: [(place: Place, chain: NFTChain)] = []
  private var dropping: Set<Place> = []
  private var leading: [Place: Set<String>] = [:]
  private var marks: [ForeignMark] = []

  init(_ netfilter: inout NetfilterSocket, own: String) throws(NetlinkFailure) {
    var bases: [(place: Place, chain: NFTChain)] = []
    try netfilter.eachChain(restart: { bases = [] }) { family, table, chain in
      guard chain.hook != nil, Self.isMet(family), !(family == "inet" && table == own) else { return }
      bases.append((Place(table: "\(family) \(table)", chain: chain.name), chain))
    }
    self.bases = bases
    // Nobody else filters: most routers of ours.
    guard !bases.isEmpty else { return }
    var count = 0
    var seen = (dropping: Set<Place>(), leading: [Place: Set<String>](), marks: [ForeignMark]())
    try netfilter.eachRule(restart: { (count, seen) = (0, ([], [:], [])) }) { family, table, rule in
      guard count < Self.mostRules, Self.isMet(family), !(family == "inet" && table == own) else { return }
      count += 1
      let place = Place(table: "\(family) \(table)", chain: rule.chain)
      for expression in rule.expressions {
        switch expression {
        case .verdict(.drop), .rejectICMPX, .other("reject"), .choose, .target("REJECT", _, _):
          seen.dropping.insert(place)
        case .verdict(.jump(let chain)), .verdict(.goto(let chain)): seen.leading[place, default: []].insert(chain)
        default: break
        }
      }
      for written in WrittenMark.all(in: rule.expressions) where !written.isConnections {
        let mark = ForeignMark(table: place.table, chain: place.chain, bits: written.bits, isConnections: false)
        if !seen.marks.contains(mark) { seen.marks.append(mark) }
      }
    }
    (dropping, leading, marks) = seen
  }

  /// IPv4 meets them.
  private static func isMet(_ family: String) -> Bool { family == "inet" || family == "ip" }

  var seen: SeenFilters {
    SeenFilters(
      filters: bases.compactMap { base in
        guard let hook = base.chain.hook, let place = Self.place(hook.number) else { return nil }
        return PacketFilter(
          table: base.place.table, chain: base.place.chain, place: place, priority: hook.priority,
          dropsByDefault: base.chain.dropsByDefault, mayDrop: reaches(base.place))
      }, marks: marks)
  }

  /// NF_INET_PRE_ROUTING (0), FORWARD (2) and POST_ROUTING (4).
  private static func place(_ number: UInt32) -> PacketFilter.Place? {
    switch number {
    case 0: .prerouting
    case 2: .forward
    case 4: .postrouting
    default: nil
    }
  }

  private func reaches(_ start: Place) -> Bool {
    var seen: Set<Place> = [start]
    var open = [start]
    while let place = open.popLast() {
      if dropping.contains(place) { return true }
      for chain in leading[place] ?? [] {
        let next = Place(table: place.table, chain: chain)
        if seen.insert(next).inserted { open.append(next) }
      }
    }
    return false
  }
}

/// The forward chain of iptables-legacy: whether its policy is to drop.
enum LegacyFilters {
  /// A standard target has no name, and its verdict as a negative number (linux/netfilter/x_tables.h).
  private static let drop = -Int32(0) - 1

  static func read() throws(NetlinkFailure) -> [PacketFilter] {
    guard try LegacyTables.names().contains("filter") else { return [] }
    var last: [UInt8] = []
    var mayDrop = false
    try LegacyTable.eachTarget(of: "filter") { chain, target in
      guard chain == "FORWARD", case .target(let name, _, let data) = target else { return }
      if name.isEmpty { last = data }
      mayDrop = mayDrop || name == "REJECT" || (name.isEmpty && verdict(data) == drop)
    }
    // The chain's policy stands last in it.
    return [
      PacketFilter(
        table: "filter", chain: "FORWARD", place: .forward, priority: 0, dropsByDefault: verdict(last) == drop,
        mayDrop: mayDrop, isLegacy: true)
    ]
  }

  private static func verdict(_ data: [UInt8]) -> Int32? {
    guard data.count >= 4 else { return nil }
    return data.withUnsafeBytes { $0.loadUnaligned(as: Int32.self) }
  }
}
