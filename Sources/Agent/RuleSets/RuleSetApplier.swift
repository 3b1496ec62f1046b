package import Core
package import RuleSets

/// Applies a rule set to the router, or refuses it and leaves everything as it was.
package protocol RuleSetApplier: Sendable {
  /// Where it throws, the rule set that ran before runs on.
  func apply(_ ruleSet: RuleSet, slots: SlotBook) async throws(RuleSetRefusal)
  /// Holds traffic back until a rule set is applied. Never fails: it is tried again until it succeeds.
  func hold(_ hold: Hold) async
  /// Which slot belongs to what, as far as the kernel shows it, in case the book is lost.
  func slotsInUse(by ruleSet: RuleSet) async -> SlotBook
  /// What the kernel has from an earlier agent; nil if it has nothing, or cannot be read.
  func leftovers() async -> Leftovers?
}

/// What is held back while no rule set is running and one should.
package enum Hold: Equatable, Sendable, CustomStringConvertible {
  /// Nobody knows which rules are strict: no forwarded traffic leaves by an uplink.
  case everything
  /// What strict rules of this rule set hold back, which cannot be applied as a whole.
  case strictRules(RuleSet, SlotBook)

  package var description: String {
    switch self {
    case .everything: "all forwarded traffic is held off the uplinks"
    case .strictRules(let ruleSet, _): "traffic of revision \(ruleSet.revision)'s strict rules is held off the uplinks"
    }
  }
}

/// Why a rule set was refused.
package struct RuleSetRefusal: Error, Equatable, Sendable, CustomStringConvertible {
  /// Each names a field, where one is to blame.
  package var complaints: [String]
  package init(_ complaints: [String]) { self.complaints = complaints }
  package var description: String { complaints.joined(separator: "; ") }
}
