internal import Core

extension StatusReport {
  /// With what follows from the rest: whether traffic is protected, and what to do.
  package var judged: StatusReport {
    var report = self
    let protection = Protection(self)
    report.protection = protection.word.rawValue
    report.summary = protection.sentence
    report.nextSteps = NextSteps.of(self)
    return report
  }
}

/// Whether the traffic that rules are for is where they want it, in a word and in a sentence: the first line of the status.
package struct Protection: Equatable, Sendable {
  package enum Word: String, CaseIterable, Equatable, Sendable {
    /// Every rule's traffic goes through a hub.
    case protected
    /// Some of it goes through a hub, and some by a local uplink or nowhere.
    case partly
    /// By a local uplink, as the rules say for when the hub is gone.
    case unprotected
    /// By a private line, without the tunnel's encryption.
    case unencrypted
    /// Nowhere: nothing leaks, and nobody gets anywhere.
    case blocked
    /// The paths have not been judged yet; until then nothing of strict rules leaves.
    case undecided
    /// No rule is in force, or no rule set runs: all goes as the main table says.
    case unsteered
  }

  package var word: Word
  package var sentence: String

  package init(_ status: StatusReport) {
    let rules = status.rules.filter(\.enabled)
    func names(_ isMeant: (RuleReport) -> Bool) -> String { rules.filter(isMeant).map(\.name).joined(separator: ", ") }
    guard !rules.isEmpty else {
      word = .unsteered
      sentence =
        status.revision == nil
        ? "no rule set runs: traffic goes as the main table says"
        : "no rule is in force: traffic goes as the main table says"
      return
    }
    let isThroughHub = { (rule: RuleReport) in rule.mode == RuleMode.backhaul.rawValue && !rule.unencrypted }
    let isLocal = { (rule: RuleReport) in rule.mode == RuleMode.fallback.rawValue && !rule.unencrypted }
    let through = rules.count(where: isThroughHub)
    if rules.contains(where: \.unencrypted) {
      word = .unencrypted
      sentence = "traffic of \(names(\.unencrypted)) goes by a private line in the clear"
    } else if through == rules.count {
      word = .protected
      sentence = "all that the rules are for goes through the hub"
    } else if through > 0 {
      word = .partly
      sentence = "through the hub: \(names(isThroughHub)); not: \(names { !isThroughHub($0) })"
    } else if rules.contains(where: isLocal) {
      word = .unprotected
      let blocked = names { !isLocal($0) }
      sentence = "traffic of \(names(isLocal)) goes by the local WAN, past the hub"
      if !blocked.isEmpty { sentence += "; nowhere: \(blocked)" }
    } else if rules.allSatisfy({ $0.choice == nil }) {
      word = .undecided
      sentence = "the paths are being judged; until then nothing is steered, and what may not leave does not"
    } else {
      word = .blocked
      sentence = "traffic of \(names { _ in true }) goes nowhere: nothing leaks, and its devices are offline"
    }
  }
}
