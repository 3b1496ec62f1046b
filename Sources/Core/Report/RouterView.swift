internal import RuleSets

/// How the router fares at one moment: what the status's first line, its next steps and monitoring judge by. Names and
/// causes are plain texts because they are only shown; whatever decides something has a type.
package struct RouterView: Equatable, Sendable {
  /// The running rule set's revision; nil if none is running.
  package var revision: UInt64?
  package var source: String
  package var pullTrouble: String?
  /// Consecutive failed pulls.
  package var pullFailures: Int
  /// Why the kernel does not match the rule set.
  package var applyTrouble: String?
  package var journalTrouble: String?
  /// What a restart would not know, and why.
  package var notKept: [String] = []
  /// What is held back while no rule set is running, and why none is; nil: nothing is.
  package var hold: Hold?
  package var holdCause: String?
  /// Enabled ones only.
  package var rules: [Rule] = []
  package var paths: [Path] = []
  package var uplinks: [Uplink] = []
  /// Nil: no tunnel needs it.
  package var charonAnswers: Bool?
  /// The use and size of the kernel's table of connections while it is full.
  package var fullTable: FullTable?
  /// Names of paths that operators forced and the rule set does not have.
  package var forcesOfNoPath: [String] = []
  /// Why clients' packets could not be looked at.
  package var sightTrouble: String?

  package init(revision: UInt64?, source: String = "", pullTrouble: String? = nil, pullFailures: Int = 0) {
    self.revision = revision
    self.source = source
    self.pullTrouble = pullTrouble
    self.pullFailures = pullFailures
  }

  /// How many connections the kernel tracks, and how many it can (nf_conntrack_count, nf_conntrack_max).
  package struct FullTable: Equatable, Sendable {
    package var used: Int
    package var limit: Int

    package init(used: Int, limit: Int) {
      self.used = used
      self.limit = limit
    }
  }

  /// What is held back while no rule set is running. The words are those of the status's key `hold`.
  package enum Hold: String, Sendable {
    case everything
    case strictRules = "strict_rules"
    /// Whatever the kernel still has from an earlier agent: what that holds back and what it lets through is not known.
    case leftOver = "left_over"
  }

  /// A backhaul rule, with where its traffic goes and what was seen of it.
  package struct Rule: Equatable, Sendable {
    package var name: String
    package var mode: RuleMode
    /// The text of `RuleSelection.Choice`; nil while there is no verdict.
    package var way: String?
    /// That its traffic leaves by, where that is one device.
    package var device: String?
    /// The paths that share its flows now, and those of its first tier.
    package var shares: [String] = []
    package var firstTier: [String] = []
    package var isUnencrypted = false
    package var cause: String
    /// What was seen of its traffic; the end of a sentence about it; what to do about that.
    package var traffic = TrafficFinding.State.unseen
    package var trafficCause: String?
    package var step: String?

    package init(name: String, mode: RuleMode, way: String?, cause: String = "") {
      self.name = name
      self.mode = mode
      self.way = way
      self.cause = cause
    }

    /// Its traffic goes by paths of the first tier.
    package var isPreferred: Bool { shares.contains(where: firstTier.contains) }
  }

  /// A path, with its health and, while it is down, where the trouble lies.
  package struct Path: Equatable, Sendable {
    package var name: String
    package var state: PathHealth.State
    package var cause: String
    package var device: String
    package var uplink: String?
    package var isForced = false
    /// Where the trouble lies; nil: not down, or not known yet.
    package var trouble: Diagnosis.Cause?
    package var gap: Diagnosis.Gap?
    package var obstacle: String?
    /// Nil if it needs none.
    package var keys: Keys?

    /// What is known about a tunnel's keys. The words are those of a path's key `keys`.
    package enum Keys: String, Sendable { case unknown, pending, up, down }

    package init(name: String, state: PathHealth.State, cause: String = "", device: String = "") {
      self.name = name
      self.state = state
      self.cause = cause
      self.device = device
    }

    package var needsALook: Bool { state != .up || isForced }
  }

  /// A local uplink, with whether it can be used and whether anyone answers by it.
  package struct Uplink: Equatable, Sendable {
    package var interface: String
    package var isPrivate = false
    package var isUsable: Bool
    package var obstacle: String?
    /// The answers to the pings over it.
    package var state: ProbeMachine.State
    /// It has targets of its own.
    package var hasTargets = false

    package init(interface: String, isUsable: Bool, state: ProbeMachine.State) {
      self.interface = interface
      self.isUsable = isUsable
      self.state = state
    }
  }

  /// The rule's traffic goes into tunnels that are down, and stays there as no uplink can be used.
  package func isLost(_ rule: Rule) -> Bool {
    let dead = Set(paths.filter { $0.state == .down || $0.state == .disabled }.map(\.name))
    return rule.mode == .backhaul && !rule.shares.isEmpty && rule.shares.allSatisfy(dead.contains)
  }
}
