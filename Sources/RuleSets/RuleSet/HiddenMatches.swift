/// Finds matches that never come to their turn, because an earlier one takes all that they would. A match can only be
/// covered by one that takes its first source, destination, MAC address, port and domain, so few of the earlier ones are looked
/// at: thousands of rules that each have an address, or a domain, of their own cost as good as nothing.
struct HiddenMatches {
  /// Of one property, the earlier matches by the values that they take, and those that take any value.
  private struct Index<Value: Hashable> {
    var any: [Int] = []
    var byValue: [Value: [Int]] = [:]

    mutating func add(_ number: Int, _ values: [Value]) {
      if values.isEmpty { any.append(number) }
      for value in values { byValue[value, default: []].append(number) }
    }

    /// Those that take one of these values, or any.
    func takers(_ values: some Sequence<Value>) -> [[Int]] { [any] + values.compactMap { byValue[$0] } }
  }

  private var sources = Index<IPv4Prefix>()
  private var destinations = Index<IPv4Prefix>()
  private var macs = Index<MACAddress>()
  private var domains = Index<DomainName>()
  private var ports = Index<UInt16>()
  private var covers: [SteeringCover] = []
  /// The number of each, and of the first one that covers it.
  private(set) var found: [(late: Int, early: Int)] = []

  init(_ matches: [SteeringMatch]) {
    for match in matches { add(match) }
  }

  private mutating func add(_ match: SteeringMatch) {
    let (number, cover) = (covers.count, SteeringCover(match))
    covers.append(cover)
    // Each list is ascending.
    if let early = fewest(match).compactMap({ list in list.first { covers[$0].covers(cover) } }).min() {
      found.append((number, early))
      // What it would hide, the one that hides it does.
      return
    }
    sources.add(number, match.sources)
    destinations.add(number, match.destinations)
    macs.add(number, match.macs)
    domains.add(number, match.domains)
    // One that takes many ports is looked at for each of them.
    let isWide = match.ports.reduce(0) { $0 + $1.range.count } > Self.fewPorts
    ports.add(number, isWide ? [] : match.ports.flatMap(\.range))
  }

  private static let fewPorts = 64

  /// The earlier ones that may cover it, by the property that leaves fewest.
  private func fewest(_ match: SteeringMatch) -> [[Int]] {
    let candidates = [
      sources.takers(Self.prefixes(holding: match.sources.first)),
      destinations.takers(Self.prefixes(holding: match.destinations.first)),
      macs.takers(match.macs.prefix(1)), domains.takers(match.domains.first.map { Array($0.lineage) } ?? []),
      ports.takers(match.ports.prefix(1).map(\.first)),
    ]
    return candidates.min { $0.reduce(0) { $0 + $1.count } < $1.reduce(0) { $0 + $1.count } } ?? []
  }

  /// Every prefix that holds the first address of this one; of any address where there is none.
  private static func prefixes(holding prefix: IPv4Prefix?) -> [IPv4Prefix] {
    let address = (prefix ?? .all).address
    return (UInt8(0)...32).compactMap { IPv4Prefix(containing: address, length: $0) }
  }
}
