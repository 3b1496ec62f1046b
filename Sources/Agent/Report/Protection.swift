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

  /// Where a rule's traffic ends up.
  fileprivate enum Fate: Equatable {
    case hub
    /// By a private line, without the tunnel's encryption.
    case clear
    case local
    /// By a local uplink whose gateway and all beyond are silent.
    case deadUplink(String)
    case blocked
    /// Into tunnels that are dead, as no uplink can be used either.
    case lost
    case judged
  }

  package init(_ status: StatusReport) {
    let rules = status.rules.filter(\.enabled).map { (name: $0.name, fate: status.fate(of: $0)) }
    func names(_ isMeant: (Fate) -> Bool) -> String {
      rules.filter { isMeant($0.fate) }.map(\.name).joined(separator: ", ")
    }
    /// What the others do, for the end of a sentence.
    func rest(_ told: (Fate) -> Bool) -> String {
      let groups: [(String, (Fate) -> Bool)] = [
        ("through the hub", { $0 == .hub }), ("by the local WAN", { $0 == .local }),
        ("by a local WAN that seems dead", \.isDeadUplink), ("nowhere", { $0 == .blocked || $0 == .lost }),
        ("being judged", { $0 == .judged }),
      ]
      return groups.map { words, isMeant in
        let names = names { isMeant($0) && !told($0) }
        return names.isEmpty ? "" : "; \(words): \(names)"
      }.joined()
    }
    func has(_ fate: Fate) -> Bool { rules.contains { $0.fate == fate } }
    if let hold = status.hold {
      let cause = status.holdCause ?? "unknown"
      word = .blocked
      sentence =
        hold == RuleSetKeeper.Status.Held.Word.everything.rawValue
        ? "no rule set runs (\(cause)): until one does, nothing that is forwarded leaves by an uplink"
        : "no rule set runs (\(cause)): until one does, strict rules of the last one are held, and the rest goes as the main table says"
      return
    }
    guard !rules.isEmpty else {
      word = .unsteered
      sentence =
        status.revision == nil
        ? "no rule set runs: traffic goes as the main table says"
        : "no rule is in force: traffic goes as the main table says"
      return
    }
    if has(.clear) {
      word = .unencrypted
      sentence = "traffic of \(names { $0 == .clear }) goes by a private line in the clear" + rest { $0 == .clear }
    } else if rules.allSatisfy({ $0.fate == .hub }) {
      word = .protected
      sentence = "all that the rules are for goes through the hub"
    } else if has(.hub) {
      word = .partly
      sentence = "through the hub: \(names { $0 == .hub })" + rest { $0 == .hub }
    } else if has(.local) {
      word = .unprotected
      sentence = "traffic of \(names { $0 == .local }) goes by the local WAN, past the hub" + rest { $0 == .local }
    } else if let uplink = rules.lazy.compactMap(\.fate.deadUplink).first {
      word = .unprotected
      sentence =
        "traffic of \(names(\.isDeadUplink)) is sent by the local WAN \(uplink), which seems dead: its devices are offline"
        + rest(\.isDeadUplink)
    } else if rules.allSatisfy({ $0.fate == .judged }) {
      word = .undecided
      sentence = "the paths are being judged; until then nothing is steered, and what may not leave does not"
    } else if has(.blocked) {
      word = .blocked
      let isTold = { (fate: Fate) in fate == .blocked || fate == .lost }
      sentence = "traffic of \(names(isTold)) goes nowhere: nothing leaks, and its devices are offline" + rest(isTold)
    } else {
      word = .blocked
      sentence =
        "traffic of \(names { $0 == .lost }) goes nowhere: its paths are down and no uplink can be used"
        + rest { $0 == .lost }
    }
  }
}

extension Protection.Fate {
  fileprivate var deadUplink: String? { if case .deadUplink(let uplink) = self { uplink } else { nil } }
  fileprivate var isDeadUplink: Bool { deadUplink != nil }
}

extension StatusReport {
  /// The rule's traffic goes into tunnels that are down, and stays there as no uplink can be used.
  package func isLost(_ rule: RuleReport) -> Bool {
    let bad = [PathHealth.State.down.rawValue, PathHealth.State.disabled.rawValue]
    let dead = Set(paths.filter { bad.contains($0.state) }.map(\.name))
    return rule.mode == RuleMode.backhaul.rawValue && !rule.shares.isEmpty
      && rule.shares.allSatisfy { dead.contains($0.path) }
  }

  fileprivate func fate(of rule: RuleReport) -> Protection.Fate {
    if rule.unencrypted { return .clear }
    switch RuleMode(rawValue: rule.mode) {
    case .backhaul: return isLost(rule) ? .lost : .hub
    case .fallback:
      let uplink = uplinks.first { $0.interface == rule.device }
      return uplink.map { $0.state == ProbeMachine.State.down.rawValue ? .deadUplink($0.interface) : .local } ?? .local
    case .blocked, .bypass, nil: return rule.choice == nil ? .judged : .blocked
    }
  }
}
