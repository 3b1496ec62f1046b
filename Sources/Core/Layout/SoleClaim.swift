package import RuleSets

/// The sources whose packets an egress gets: those that its rules take and no rule before them.
package enum SoleClaim: Equatable, Sendable {
  /// Just what this one rule names.
  case rule(Name)
  /// Ascending and apart.
  case ranges([ClosedRange<UInt32>])
  case everything

  /// More ranges are not told apart where rules overlap, nor held a second time.
  private static let mostRanges = 1_000

  /// By egress. None where a rule holds for some LANs alone, as the device then decides as well.
  static func all(_ rules: [BackhaulRule], lans: [InterfaceName]) -> [Name: SoleClaim] {
    guard rules.allSatisfy({ $0.sources.interfaces.isEmpty || Set(lans).isSubset(of: $0.sources.interfaces) }) else {
      return [:]
    }
    if rules.count == 1 {
      return [rules[0].egress.name: rules[0].sources.prefixes.isEmpty ? .everything : .rule(rules[0].name)]
    }
    let everything: [ClosedRange<UInt32>] = [0...UInt32.max]
    let named = rules.map { $0.sources.prefixes.isEmpty ? everything : AddressRanges.merged($0.sources.prefixes) }
    let users = Dictionary(grouping: rules.indices) { rules[$0].egress.name }
    let isShort = named.reduce(0) { $0 + $1.count } <= mostRanges
    guard isShort || areApart(named) else { return [:] }
    var first = named
    if isShort {
      var taken: [ClosedRange<UInt32>] = []
      for place in rules.indices {
        first[place] = AddressRanges.subtracting(taken, from: named[place])
        taken = AddressRanges.merged(taken + named[place])
      }
    }
    return users.compactMapValues { places in
      if places.count == 1, let place = places.first, first[place] == named[place] {
        return named[place] == everything ? .everything : .rule(rules[place].name)
      }
      let ranges = AddressRanges.merged(places.flatMap { first[$0] })
      if ranges == everything { return .everything }
      return ranges.isEmpty || ranges.count > mostRanges ? nil : .ranges(ranges)
    }
  }

  /// No address is in two of them.
  private static func areApart(_ lists: [[ClosedRange<UInt32>]]) -> Bool {
    let sorted = lists.joined().sorted { $0.lowerBound < $1.lowerBound }
    return zip(sorted, sorted.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }
  }
}
