/// A base chain of other software, which may drop what we send its way.
package struct PacketFilter: Hashable, Sendable {
  /// The netfilter hooks that forwarded packets pass, as nft(8) names them.
  package enum Place: String, Hashable, Sendable { case prerouting, forward, postrouting }

  /// Includes the family: `ip filter`. A table of iptables-legacy has no family: `filter`.
  package var table: String
  package var chain: String
  package var place: Place
  /// Counted as in nft(8); a legacy table has the one that iptables uses.
  package var priority: Int32
  /// What no rule of it judges is dropped.
  package var dropsByDefault: Bool
  /// Some rule of it, or of a chain that it leads to, drops or rejects.
  package var mayDrop: Bool
  package var isLegacy: Bool

  package init(
    table: String, chain: String, place: Place, priority: Int32, dropsByDefault: Bool = false, mayDrop: Bool = false,
    isLegacy: Bool = false
  ) {
    self.table = table
    self.chain = chain
    self.place = place
    self.priority = priority
    self.dropsByDefault = dropsByDefault
    self.mayDrop = mayDrop
    self.isLegacy = isLegacy
  }

  /// `chain FORWARD of nft table ip filter (policy drop)`.
  package var words: String {
    "chain \(chain) of \(isLegacy ? "iptables-legacy" : "nft") table \(table)"
      + (dropsByDefault ? " (policy drop)" : "")
  }
}

/// Where packets that our chains have seen are lost.
package enum LossPlace: Hashable, Sendable {
  /// Marked in prerouting, and never let through by our own forward chain.
  case beforeForward
  /// Let through by our own forward chain, and never about to leave.
  case afterForward
  /// What comes back by a tunnel but never reaches the point where it would leave for its client.
  case answers
}

extension [PacketFilter] {
  /// Who may have dropped what is lost there: those whose policy it is, else those with a rule that drops.
  package func suspects(of place: LossPlace) -> [PacketFilter] {
    let there = filter { filter in
      switch place {
      // Hooks of the same priority that came after ours stand before them (nf_hook_entries_grow).
      case .afterForward: filter.place == .postrouting || filter.place == .forward && filter.priority >= -150
      case .beforeForward:
        filter.place == .prerouting && filter.priority >= -149 || filter.place == .forward && filter.priority <= -150
      case .answers: true
      }
    }
    let strict = there.filter(\.dropsByDefault)
    return strict.isEmpty ? there.filter(\.mayDrop) : strict
  }
}
