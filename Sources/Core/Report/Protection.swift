/// Whether the rules' traffic goes where they want it, in a word and in a sentence: the first line of the status. What
/// was seen of clients' packets outweighs what the agent has decided.
package struct Protection: Equatable, Sendable {
  /// The raw values are those of `protection` in the status.
  package enum Word: String, CaseIterable, Equatable, Sendable {
    /// Every rule's traffic goes through a hub, and was seen to.
    case protected
    /// Some of it goes through a hub, and some by a local uplink or nowhere.
    case partly
    /// Other software makes it go another way than its rule says.
    case diverted
    /// It does not leave this router, or no answer gets back: another program drops it here.
    case obstructed
    /// It goes by a local uplink, as the rules say for when the hub is gone.
    case unprotected
    /// It goes by a private line, without the tunnel's encryption.
    case unencrypted
    /// It goes nowhere: nothing leaks, and no client gets out.
    case blocked
    /// The paths have not been judged yet, or no packet has been traced yet; until then strict rules' traffic waits.
    case undecided
    /// No rule takes anything: none is in force, no rule set is running, or their interfaces are gone. All goes as the main table
    /// says.
    case unsteered
  }

  package var word: Word
  package var sentence: String

  /// Where a rule's traffic ends up.
  fileprivate enum Fate: Equatable {
    case hub
    /// Through the hub, though the rule names an interface that is not there.
    case misnamed
    /// The agent has decided on the hub, but no packet has been traced yet.
    case unseen
    /// Another way than the rule says.
    case diverted
    /// The rule does not take it.
    case untaken
    /// It does not leave this router, or its answers do not get back.
    case obstructed
    /// It goes by a private line, without the tunnel's encryption.
    case clear
    case local
    /// It goes by a local uplink whose gateway and everything beyond it are silent.
    case deadUplink(String)
    case blocked
    /// Into tunnels that are dead, as no uplink can be used either.
    case lost
    case judged
  }

  package init(_ view: RouterView) {
    let outlook = Outlook(view)
    (word, sentence) = Self.held(view) ?? outlook.seen ?? outlook.decided(view)
  }

  /// No rule set is running, and what was kept of the last one says that it must not be open; nil: nothing is held so.
  private static func held(_ view: RouterView) -> (Word, String)? {
    guard let hold = view.hold else { return nil }
    let start = "no rule set is running (\(view.holdCause ?? "unknown")): until one is, "
    if hold == .leftOver {
      return (.undecided, start + "what the kernel has decides where traffic goes, and nobody knows whether it arrives")
    }
    return (
      .blocked,
      hold == .everything
        ? start + "no forwarded traffic leaves by an uplink"
        : start + "the strict rules of the last one are held, and the rest follows the main table"
    )
  }

  /// All rules in force, with what happens to their traffic.
  private struct Outlook {
    let rules: [(name: String, fate: Fate, cause: String)]

    init(_ view: RouterView) {
      rules = view.rules.map { rule in (rule.name, view.fate(of: rule), rule.trafficCause ?? "") }
    }

    private func names(_ isMeant: (Fate) -> Bool) -> String {
      rules.filter { isMeant($0.fate) }.map(\.name).joined(separator: ", ")
    }

    private func has(_ fate: Fate) -> Bool { rules.contains { $0.fate == fate } }
    private func areAll(_ fates: Fate...) -> Bool { rules.allSatisfy { fates.contains($0.fate) } }

    /// What the others do, for the end of a sentence.
    private func rest(_ told: (Fate) -> Bool) -> String {
      let groups: [(String, (Fate) -> Bool)] = [
        ("another way than the rule says", { $0 == .diverted }), ("dropped on this router", { $0 == .obstructed }),
        ("not taken", { $0 == .untaken }), ("through the hub", { $0 == .hub || $0 == .misnamed }),
        ("by the local WAN", { $0 == .local }), ("by a private line in the clear", { $0 == .clear }),
        ("by a local WAN that seems dead", \.isDeadUplink), ("nowhere", { $0 == .blocked || $0 == .lost }),
        ("being judged", { $0 == .judged || $0 == .unseen }),
      ]
      return groups.map { words, isMeant in
        let names = names { isMeant($0) && !told($0) }
        return names.isEmpty ? "" : "; \(words): \(names)"
      }.joined()
    }

    /// Those of one fate, each cause once, and then the others.
    private func sentence(of fate: Fate) -> String {
      var causes: [String] = []
      for rule in rules where rule.fate == fate && !causes.contains(rule.cause) { causes.append(rule.cause) }
      return causes.map { cause in
        let names = rules.filter { $0.fate == fate && $0.cause == cause }.map(\.name).joined(separator: ", ")
        return "traffic of \(names) \(cause)"
      }.joined(separator: "; ") + rest { $0 == fate }
    }

    /// What was seen, if it differs from what was decided; nil: it does not.
    var seen: (Word, String)? {
      if has(.diverted) { return (.diverted, sentence(of: .diverted)) }
      if has(.clear) { return nil }
      if !rules.isEmpty, areAll(.untaken) {
        return (.unsteered, sentence(of: .untaken) + "; it follows the main table")
      }
      if has(.obstructed) { return (.obstructed, sentence(of: .obstructed)) }
      let reaches = has(.hub) || has(.misnamed)
      if has(.untaken) { return (reaches ? .partly : .unprotected, sentence(of: .untaken)) }
      if has(.misnamed), areAll(.hub, .misnamed) { return (.partly, sentence(of: .misnamed)) }
      if has(.unseen), areAll(.hub, .misnamed, .unseen) {
        return (.undecided, "every rule leads to the hub; whether traffic gets there has not been seen yet")
      }
      return nil
    }

    func decided(_ view: RouterView) -> (Word, String) {
      guard !rules.isEmpty else {
        let what = view.revision == nil ? "no rule set is running" : "no rule is in force"
        return (.unsteered, "\(what): traffic follows the main table")
      }
      if has(.clear) {
        let names = names { $0 == .clear }
        return (.unencrypted, "traffic of \(names) goes by a private line in the clear" + rest { $0 == .clear })
      }
      if areAll(.hub) { return (.protected, "all traffic that the rules cover goes through the hub") }
      let isThrough = { (fate: Fate) in fate == .hub || fate == .misnamed || fate == .unseen }
      if rules.contains(where: { isThrough($0.fate) }) {
        return (.partly, "through the hub: \(names(isThrough))" + rest(isThrough))
      }
      if has(.local) {
        let names = names { $0 == .local }
        return (.unprotected, "traffic of \(names) goes by the local WAN, past the hub" + rest { $0 == .local })
      }
      if let uplink = rules.lazy.compactMap(\.fate.deadUplink).first {
        return (
          .unprotected,
          "traffic of \(names(\.isDeadUplink)) is sent by the local WAN \(uplink), which seems dead: its devices are "
            + "offline" + rest(\.isDeadUplink)
        )
      }
      if areAll(.judged) {
        return (
          .undecided,
          "the paths are being judged; until that is done, nothing is steered, and traffic that must not "
            + "leave does not"
        )
      }
      return nowhere
    }

    private var nowhere: (Word, String) {
      if has(.blocked) {
        let isTold = { (fate: Fate) in fate == .blocked || fate == .lost }
        return (
          .blocked,
          "traffic of \(names(isTold)) goes nowhere: nothing leaks, and its devices are offline" + rest(isTold)
        )
      }
      return (
        .blocked,
        "traffic of \(names { $0 == .lost }) goes nowhere: its paths are down and no uplink can be used"
          + rest { $0 == .lost }
      )
    }
  }
}

extension Protection.Fate {
  fileprivate var deadUplink: String? { if case .deadUplink(let uplink) = self { uplink } else { nil } }
  fileprivate var isDeadUplink: Bool { deadUplink != nil }
}

extension RouterView {
  fileprivate func fate(of rule: Rule) -> Protection.Fate {
    switch rule.traffic {
    case .diverted: return .diverted
    case .untaken: return .untaken
    case .obstructed: return .obstructed
    case .misnamed, .asIntended, .unseen: break
    }
    if rule.isUnencrypted { return .clear }
    switch rule.mode {
    case .backhaul:
      if isLost(rule) { return .lost }
      return rule.traffic == .unseen ? .unseen : rule.traffic == .misnamed ? .misnamed : .hub
    case .fallback:
      let uplink = uplinks.first { $0.interface == rule.device }
      return uplink.map { $0.state == .down ? .deadUplink($0.interface) : .local } ?? .local
    case .blocked, .bypass: return rule.way == nil ? .judged : .blocked
    }
  }
}
