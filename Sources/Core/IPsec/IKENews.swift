package import RuleSets

/// What is worth reporting about the tunnels' SAs and charon, each thing once. Pure: it is given what was seen, and
/// returns what to say.
package struct IKENews: Sendable {
  /// What an SA says about its tunnel: a hint for judging its path.
  package enum Word: Equatable, Sendable {
    /// charon does not answer, so nothing is known.
    case unknown
    /// charon is at work on the first SA, and nothing has gone wrong yet.
    case pending
    case up
    case down(String)

    /// As reports have it.
    package var name: String {
      switch self {
      case .unknown: "unknown"
      case .pending: "pending"
      case .up: "up"
      case .down: "down"
      }
    }
  }

  /// An SA that is older was there before it was seen.
  static let youth: Duration = .seconds(5)
  /// How many different troubles of one tunnel are remembered until its SA is up; beyond that the oldest may be
  /// reported again.
  static let mostTroubles = 16

  private var words: [Name: Word] = [:]
  private var troubles: [Name: [String]] = [:]
  private var missing: Set<Name> = []
  private var outage: String?
  private var isOutageTold = true
  private var refusal: String?

  package init() {}

  // MARK: - charon

  /// Tunnels need charon and none did before: from now on it is reported, whatever happened to it meanwhile.
  package mutating func charonIsNeeded() {
    outage = nil
    isOutageTold = true
  }

  /// - Parameter complaints: what is wrong with its settings.
  package mutating func charonAnswered(_ version: String, complaints: [String]) -> [AgentEvent] {
    guard isOutageTold else { return [] }
    isOutageTold = false
    return [AgentEvent(.charonUp, "charon", "\(version) answers; loading the tunnels' connections")]
      + complaints.map { AgentEvent(.charonSettings, "charon", "charon's settings, see `backhaul check`: \($0)") }
  }

  /// It does not answer.
  package mutating func charonIsSilent(_ why: String) -> [AgentEvent] {
    tellOutage(why, "the agent keeps asking, and no new keys are made until it answers")
  }

  /// - Parameter hasLasted: the connection was no passing one. One that comes and goes at once is reported once.
  package mutating func charonWent(_ why: String, hasLasted: Bool) -> [AgentEvent] {
    missing = []
    guard hasLasted || outage != why else { return [] }
    isOutageTold = false
    return tellOutage(why, "SAs that the kernel has stay up, and the agent keeps asking until charon answers")
  }

  /// Once an outage, whatever else goes wrong until charon answers.
  private mutating func tellOutage(_ why: String, _ next: String) -> [AgentEvent] {
    guard !isOutageTold || outage == nil else { return [] }
    isOutageTold = true
    outage = why
    return [AgentEvent(.charonDown, "charon", "\(why); \(next)")]
  }

  /// It would not unload what no rule set wants.
  package mutating func unloadWasRefused(_ why: String) -> [AgentEvent] {
    guard refusal != why else { return [] }
    refusal = why
    return [AgentEvent(.charonRefused, "charon", "what is no longer wanted may stay for now, will try again: \(why)")]
  }

  /// charon no longer has what it was given for these tunnels; one that keeps nothing is reported once.
  package mutating func inventory(missing now: Set<Name>) -> [AgentEvent] {
    refusal = nil
    defer { missing = now }
    return now.subtracting(missing).sorted().map { name in
      AgentEvent(
        .driftRepaired, name.text,
        "tunnel \(name): another program removed its connection or key from charon, so it is loaded again")
    }
  }

  // MARK: - Tunnels

  /// The rule set has no such tunnel any more.
  package mutating func forget(_ name: Name) {
    words[name] = nil
    troubles[name] = nil
  }

  /// - Parameters before, after: a tunnel's SAs.
  package func saw(
    _ after: TunnelAssociations, of name: Name, before: TunnelAssociations
  ) -> [AgentEvent] {
    guard before.isUp, after.isUp, before.child?.number != after.child?.number else { return [] }
    return [AgentEvent(.saRekeyed, name.text, "tunnel \(name): new keys: \(Self.described(after))")]
  }

  /// A tunnel's state if it has changed, and the event to report.
  package mutating func judge(_ machine: IKEMachine, at now: Instant) -> (word: Word?, events: [AgentEvent]) {
    let name = machine.connection.tunnel
    var events = tellTrouble(of: machine)
    let before = words[name]
    let word = Self.word(on: machine, after: before, at: now)
    guard word != before else { return (nil, events) }
    words[name] = word
    switch (before, word) {
    case (_, .up):
      if Self.isNews(machine.associations, after: before, at: now) {
        events.append(
          AgentEvent(.saUp, name.text, "tunnel \(name): SAs are up: \(Self.described(machine.associations))"))
      }
    case (.up?, .down(let why)):
      events.append(
        AgentEvent(.saDown, name.text, "tunnel \(name): its SAs are gone: \(why)", details: ["cause": why]))
    case (_, .down), (_, .unknown), (_, .pending): break
    }
    return (word, events)
  }

  /// charon was away, or we were, and the kernel's SAs were not: then nothing came up that had been down.
  private static func isNews(
    _ associations: TunnelAssociations, after before: Word?, at now: Instant
  ) -> Bool {
    switch before {
    case .pending?, .up?, .down?: true
    case .unknown?, nil: associations.child?.installed.map { now - $0 < youth } ?? true
    }
  }

  private static func word(on machine: IKEMachine, after before: Word?, at now: Instant) -> Word {
    if machine.phase == .absent { return .unknown }
    if machine.associations.isUp { return .up }
    if machine.isUndecided(at: now) {
      // Whether the hub wants us shows soon. What was up is down in any case, and what was down stays so.
      switch before {
      case .down(let why)?: return .down(why)
      case .unknown?, .pending?, nil: return .pending
      case .up?: break
      }
    }
    return .down(machine.trouble ?? "neither charon nor the hub said why")
  }

  /// Each trouble once until the SA is up: a hub that refuses does so all day long.
  private mutating func tellTrouble(of machine: IKEMachine) -> [AgentEvent] {
    let name = machine.connection.tunnel
    let isUp = machine.associations.isUp
    guard let trouble = machine.trouble else {
      if isUp { troubles[name] = nil }
      return []
    }
    guard troubles[name]?.contains(trouble) != true else { return [] }
    troubles[name] = Array((troubles[name] ?? []).suffix(Self.mostTroubles - 1)) + [trouble]
    return [
      isUp
        ? AgentEvent(
          .charonRefused, name.text, "tunnel \(name): could not be loaded again, but its SAs stay up: \(trouble)",
          details: ["cause": trouble])
        : AgentEvent(
          .saFailed, name.text, "tunnel \(name): no SA, will try again: \(trouble)", details: ["cause": trouble])
    ]
  }

  private static func described(_ associations: TunnelAssociations) -> String {
    let cipher = associations.child?.cipher ?? "cipher unknown"
    return cipher + (associations.child?.isInUDP == true ? ", in UDP" : "")
  }
}
