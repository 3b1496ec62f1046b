internal import RuleSets

/// How the whole agent fares, as monitoring asks it: everything that is not as it should be, and the worst of it as the
/// status. Pure: just a mapping.
package struct HealthCheck: Equatable, Sendable {
  /// The numbers are the exit statuses that Nagios and its kin take from a plugin.
  package enum Status: Int, CaseIterable, Comparable, Sendable {
    case ok = 0
    case warning = 1
    case critical = 2
    case unknown = 3

    /// The lower-case word that reports use.
    package var name: String { "\(self)" }

    /// What is known to be broken is worse than what is not known.
    private var weight: Int {
      switch self {
      case .ok: 0
      case .warning: 1
      case .unknown: 2
      case .critical: 3
      }
    }

    package static func < (left: Self, right: Self) -> Bool { left.weight < right.weight }
  }

  /// One thing that is wrong, with the status that it alone would give.
  package struct Finding: Equatable, Sendable {
    package var status: Status
    package var text: String

    package init(_ status: Status, _ text: String) {
      self.status = status
      self.text = text
    }
  }

  /// Restarting the orchestrator is no reason to wake anyone.
  package static let toleratedPullFailures = 2

  /// The worst first.
  package private(set) var findings: [Finding]

  package var status: Status { findings.first?.status ?? .ok }

  package init(_ view: RouterView) {
    var found: [Finding] = []
    if view.revision == nil {
      found.append(.init(.critical, "no rule set is running" + (view.pullTrouble.map { ": \($0)" } ?? "")))
    }
    if let trouble = view.applyTrouble {
      found.append(.init(.critical, "the kernel does not match the rule set: \(trouble)"))
    }
    found += view.rules.compactMap { Self.finding($0, isLost: view.isLost($0)) }
    found += view.paths.compactMap(Self.finding)
    if view.revision != nil, view.pullFailures > Self.toleratedPullFailures {
      found.append(
        .init(
          .warning,
          "no rule set can be fetched: "
            + "\(view.pullTrouble ?? "\(view.pullFailures) pulls failed")"))
    }
    if let trouble = view.journalTrouble {
      found.append(
        .init(
          .warning,
          "events are not being saved to disk: "
            + "\(trouble)"))
    }
    findings = []
    for status in Status.allCases.sorted(by: >) { findings += found.filter { $0.status == status } }
  }

  /// The result where the agent could not be asked.
  package init(_ finding: Finding) { findings = [finding] }

  private static func finding(_ rule: RouterView.Rule, isLost: Bool) -> Finding? {
    switch rule.traffic {
    case .diverted, .untaken, .obstructed:
      return .init(.critical, "rule \(rule.name): its traffic \(rule.trafficCause ?? "")")
    case .misnamed, .unseen, .asIntended: break
    }
    if let finding = modeFinding(rule, isLost: isLost), finding.status > .warning { return finding }
    if rule.traffic == .misnamed {
      return .init(.warning, "rule \(rule.name): its traffic \(rule.trafficCause ?? "")")
    }
    if rule.traffic == .unseen, rule.mode == .backhaul {
      return .init(.unknown, "rule \(rule.name): where its traffic goes has not been seen yet")
    }
    return modeFinding(rule, isLost: isLost)
  }

  private static func modeFinding(_ rule: RouterView.Rule, isLost: Bool) -> Finding? {
    if rule.isUnencrypted { return .init(.critical, "rule \(rule.name) goes in the clear by \(rule.way ?? "a line")") }
    guard let way = rule.way else { return .init(.unknown, "rule \(rule.name) has no verdict yet: \(rule.cause)") }
    if isLost { return .init(.critical, "rule \(rule.name) goes nowhere, as \(way) is dead: \(rule.cause)") }
    switch rule.mode {
    case .bypass: return nil
    case .blocked: return .init(.critical, "rule \(rule.name) is blocked: \(rule.cause)")
    // Where the rule itself prefers an uplink, this is as it should be.
    case .fallback where rule.isPreferred: return nil
    case .fallback: return .init(.critical, "rule \(rule.name) goes by \(way): \(rule.cause)")
    case .backhaul where rule.isPreferred: return nil
    case .backhaul: return .init(.warning, "rule \(rule.name) goes by the less preferred \(way): \(rule.cause)")
    }
  }

  private static func finding(_ path: RouterView.Path) -> Finding? {
    switch path.state {
    case .up: nil
    case .degraded, .down, .unknown, .disabled:
      .init(
        .warning,
        "path \(path.name) is \(path.state.rawValue): \(path.cause)" + (path.trouble.map { "; \($0.rawValue)" } ?? ""))
    }
  }
}
