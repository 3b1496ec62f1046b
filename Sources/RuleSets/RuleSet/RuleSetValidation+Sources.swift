/// No packet may belong to two enabled rules: which one took it would depend on their order, and that means nothing.
extension RuleSetDraft {
  func validateSourcesAreApart() {
    let enabled = rules.filter { $0.value.enabled && $0.value.sources.isKnown }
    let interfaces = enabled.map { Set($0.value.sources.interfaces) }

    /// A rule without interfaces takes from all of them.
    func shareInterface(_ left: Int, _ right: Int) -> Bool {
      interfaces[left].isEmpty || interfaces[right].isEmpty || !interfaces[left].isDisjoint(with: interfaces[right])
    }
    // Asked for each prefix and each rule that is open above it, so it must not cost a set operation each time.
    let matrix = enabled.indices.map { left in enabled.indices.map { shareInterface(left, $0) } }

    complainOfWholeInterfaces(enabled, interfaces, matrix)
    var claims: [PrefixOverlap.Claim] = []
    for (owner, rule) in enabled.enumerated() {
      claims += rule.value.sources.prefixes.map { PrefixOverlap.Claim(prefix: $0.value, owner: owner, index: $0.index) }
    }
    PrefixOverlap.pairs(among: claims, owners: enabled.count, mayMeet: { matrix[$0][$1] }) { inner, outer in
      let (late, early) = enabled[inner.owner].index > enabled[outer.owner].index ? (inner, outer) : (outer, inner)
      let other = enabled[early.owner]
      book.complain(
        "backhaul_rules[\(enabled[late.owner].index)].sources.prefixes[\(late.index)]",
        "\(late.prefix) overlaps \(early.prefix) of backhaul_rules[\(other.index)]"
          + " \(quoted(other.value.name.text)); two enabled rules may not take the same traffic")
    }
  }

  /// A rule without prefixes takes all of an interface, so it meets every rule that shares one.
  private func complainOfWholeInterfaces(
    _ enabled: [Item<DraftRule>], _ interfaces: [Set<InterfaceName>], _ matrix: [[Bool]]
  ) {
    for late in enabled.indices {
      for early in enabled.indices.prefix(late) where matrix[late][early] {
        let isWhole = [late, early].contains { enabled[$0].value.sources.prefixes.isEmpty }
        guard isWhole else { continue }
        let shared = interfaces[late].intersection(interfaces[early]).min()
        book.complain(
          "backhaul_rules[\(enabled[late].index)].sources",
          "overlaps the sources of backhaul_rules[\(enabled[early].index)]"
            + " \(quoted(enabled[early].value.name.text))" + (shared.map { " on \($0)" } ?? "")
            + "; two enabled rules may not take the same traffic")
        break
      }
    }
  }
}
