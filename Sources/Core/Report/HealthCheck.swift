internal import RuleSets

/// How the whole agent fares, as monitoring asks it: everything that is not as it should be, and the worst of it as the
/// status. Pure: the mapping is all there is.
package struct HealthCheck: Equatable, Sendable {
  /// The numbers are the exit statuses that Nagios and its kin take from a plugin.
  package enum Status: Int, CaseIterable, Comparable, Sendable {
    case ok = 0
    case warning = 1
    case critical = 2
    case unknown = 3

    /// In small letters, as reports have it.
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

  package struct Finding: Equatable, Sendable {
    package var status: Status
    package var text: String

    package init(_ status: Status, _ text: String) {
      self.status = status
      self.text = text
    }
  }

  /// An enabled backhaul rule.
  package struct Rule: Equatable, Sendable {
    package var name: String
    package var mode: RuleMode
    /// As `RuleSelection.Choice` writes it; nil: there is no verdict yet.
    package var way: String?
    /// Traffic goes by paths of the first tier.
    package var isPreferred: Bool
    package var isUnencrypted: Bool
    /// Its way is dead, and there is no other.
    package var isLost: Bool
    package var cause: String
    /// What was seen of its traffic, and the end of a sentence about it.
    package var traffic: TrafficFinding.State
    package var trafficCause: String

    package init(
      name: String, mode: RuleMode, way: String?, isPreferred: Bool, isUnencrypted: Bool = false, isLost: Bool = false,
      cause: String = "", traffic: TrafficFinding.State = .asIntended, trafficCause: String = ""
    ) {
      self.name = name
      self.mode = mode
      self.way = way
      self.isPreferred = isPreferred
      self.isUnencrypted = isUnencrypted
      self.isLost = isLost
      self.cause = cause
      self.traffic = traffic
      self.trafficCause = trafficCause
    }
  }

  package struct Path: Equatable, Sendable {
    package var name: String
    package var state: PathHealth.State
    package var cause: String

    package init(name: String, state: PathHealth.State, cause: String = "") {
      self.name = name
      self.state = state
      self.cause = cause
    }
  }

  /// What the check looks at.
  package struct View: Equatable, Sendable {
    package var revision: UInt64?
    package var rules: [Rule] = []
    package var paths: [Path] = []
    /// Why the kernel is not as it should be.
    package var applyTrouble: String?
    package var pullTrouble: String?
    /// Pulls in a row that failed.
    package var pullFailures = 0
    package var journalTrouble: String?

    package init(revision: UInt64?) { self.revision = revision }
  }

  /// An orchestrator that is restarted is no reason to wake anyone.
  package static let toleratedPullFailures = 2

  /// The worst first.
  package private(set) var findings: [Finding]

  package var status: Status { findings.first?.status ?? .ok }

  package init(_ view: View) {
    var found: [Finding] = []
    if view.revision == nil {
      found.append(.init(.critical, "no rule set runs" + (view.pullTrouble.map { ": \($0)" } ?? "")))
    }
    if let trouble = view.applyTrouble {
      found.append(.init(.critical, "the kernel is not as it should be: \(trouble)"))
    }
    found += view.rules.compactMap(Self.finding)
    found += view.paths.compactMap(Self.finding)
    if view.revision != nil, view.pullFailures > Self.toleratedPullFailures {
      found.append(.init(.warning, "no rule set comes: \(view.pullTrouble ?? "\(view.pullFailures) pulls failed")"))
    }
    if let trouble = view.journalTrouble { found.append(.init(.warning, "events are not kept on disk: \(trouble)")) }
    findings = []
    for status in Status.allCases.sorted(by: >) { findings += found.filter { $0.status == status } }
  }

  /// Of an agent that could not be asked.
  package init(_ finding: Finding) { findings = [finding] }

  private static func finding(_ rule: Rule) -> Finding? {
    switch rule.traffic {
    case .diverted, .untaken, .obstructed:
      return .init(.critical, "rule \(rule.name): its traffic \(rule.trafficCause)")
    case .misnamed, .unseen, .asIntended: break
    }
    if let finding = modeFinding(rule), finding.status > .warning { return finding }
    if rule.traffic == .misnamed {
      return .init(.warning, "rule \(rule.name): its traffic \(rule.trafficCause)")
    }
    if rule.traffic == .unseen, rule.mode == .backhaul {
      return .init(.unknown, "rule \(rule.name): where its traffic goes has not been seen yet")
    }
    return modeFinding(rule)
  }

  private static func modeFinding(_ rule: Rule) -> Finding? {
    if rule.isUnencrypted { return .init(.critical, "rule \(rule.name) goes in the clear by \(rule.way ?? "a line")") }
    guard let way = rule.way else { return .init(.unknown, "rule \(rule.name) has no verdict yet: \(rule.cause)") }
    if rule.isLost { return .init(.critical, "rule \(rule.name) goes nowhere, by the dead \(way): \(rule.cause)") }
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

  private static func finding(_ path: Path) -> Finding? {
    switch path.state {
    case .up: nil
    case .degraded, .down, .unknown, .disabled:
      .init(.warning, "path \(path.name) is \(path.state.rawValue): \(path.cause)")
    }
  }
}
