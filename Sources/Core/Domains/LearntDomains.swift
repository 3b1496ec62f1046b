package import RuleSets

extension NftTable {
  /// A model of it for one destination, which the sets of these rules' domains hold.
  func learning(_ rules: Set<Name>) -> NftTable {
    var table = self
    for index in sets.indices where sets[index].isFed {
      guard let rule = EdgeCompiler.rule(ofDomainSet: sets[index].name), rules.contains(rule) else { continue }
      table.sets[index].ranges = [0 ... .max]
    }
    return table
  }
}

/// Which domains of steering rules a destination counts as, by the sets that hold it now.
package enum LearntDomains {
  /// A set does not say by which of its rule's domains it learnt an address. A domain counts where each rule that it is in
  /// has the address: so each rule takes the destination by `SteeringMatch` where the kernel does by its set.
  ///
  /// - Parameter holding: the rules whose sets hold the destination.
  package static func domains(_ rules: [SteeringRule], holding: Set<Name>) -> Set<DomainName> {
    let without = Set(rules.filter { !holding.contains($0.name) }.flatMap(\.match.domains))
    return Set(rules.filter { holding.contains($0.name) }.flatMap(\.match.domains)).filter { domain in
      !domain.lineage.contains(where: without.contains)
    }
  }
}
