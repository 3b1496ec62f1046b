/// A match, ready to be held against others: what it takes, as one set for each property of a packet. Properties are
/// independent of each other, so one match takes all that another takes exactly if each of its sets holds the other's.
package struct SteeringCover: Sendable {
  /// Nil: any.
  private let lans: Set<InterfaceName>?
  private let macs: Set<MACAddress>?
  private let protocols: Set<ProtocolNumber>?
  private let domains: Set<DomainName>?
  /// In order, neither overlapping nor touching.
  private let sources: [ClosedRange<UInt32>]
  private let destinations: [ClosedRange<UInt32>]
  /// Nil: any, and packets without ports too.
  private let ports: [PortRange]?
  /// A bit for each code point.
  private let dscp: UInt64
  private let minutes: [Range<Int>]

  package init(_ match: SteeringMatch) {
    func set<Value>(_ values: [Value]) -> Set<Value>? { values.isEmpty ? nil : Set(values) }
    lans = set(match.lans)
    macs = set(match.macs)
    protocols = set(match.protocols)
    domains = set(match.domains)
    sources = Self.ranges(match.sources)
    destinations = Self.ranges(match.destinations)
    ports = match.ports.isEmpty ? nil : PortRange.merged(match.ports)
    dscp = match.dscp.isEmpty ? .max : match.dscp.reduce(0) { $0 | 1 << UInt64($1.value) }
    minutes = (match.schedule ?? Schedule()).minutesOfWeek
  }

  /// Every packet at every time that the other match takes, this one takes too. A domain holds its subdomains. Which LANs
  /// a router has is not asked: a list of all of them holds less than no list.
  package func covers(_ other: SteeringCover) -> Bool {
    other.dscp & ~dscp == 0 && Self.holds(protocols, other.protocols) && coversPorts(of: other)
      && Self.holds(lans, other.lans) && Self.holds(macs, other.macs)
      && other.minutes.allSatisfy { span in minutes.contains { $0.contains(span) } }
      && Self.hold(sources, other.sources) && Self.hold(destinations, other.destinations) && coversDomains(of: other)
  }

  private func coversPorts(of other: SteeringCover) -> Bool {
    guard let ports else { return true }
    guard let others = other.ports else { return false }
    return others.allSatisfy { range in ports.contains { $0.first <= range.first && range.last <= $0.last } }
  }

  private func coversDomains(of other: SteeringCover) -> Bool {
    guard let domains else { return true }
    return other.domains?.allSatisfy { $0.lineage.contains(where: domains.contains) } ?? false
  }

  private static func holds<Value>(_ one: Set<Value>?, _ other: Set<Value>?) -> Bool {
    guard let one else { return true }
    return other?.isSubset(of: one) ?? false
  }

  private static func ranges(_ prefixes: [IPv4Prefix]) -> [ClosedRange<UInt32>] {
    (prefixes.isEmpty ? [.all] : prefixes).map(\.range).sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) {
      merged, next in
      guard let open = merged.last, UInt64(next.lowerBound) <= UInt64(open.upperBound) + 1 else {
        return merged.append(next)
      }
      merged[merged.count - 1] = open.lowerBound...max(open.upperBound, next.upperBound)
    }
  }

  private static func hold(_ ranges: [ClosedRange<UInt32>], _ others: [ClosedRange<UInt32>]) -> Bool {
    others.allSatisfy { other in
      // The last one that does not begin after the other.
      var (low, high) = (0, ranges.count)
      while low < high {
        let middle = (low + high) / 2
        if ranges[middle].lowerBound <= other.lowerBound { low = middle + 1 } else { high = middle }
      }
      return low > 0 && ranges[low - 1].contains(other)
    }
  }
}
