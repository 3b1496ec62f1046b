internal import Agent
internal import ArgumentParser
internal import Core

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Whether traffic is protected, which way it goes, since when, why, and what to "
      + "do.",
    discussion: """
      The first line is one word and a sentence. PROTECTED: all traffic that the rules cover goes through the hub. \
      PARTLY: some of it does. DIVERTED: because of another program, traffic goes another way than its rule says. \
      OBSTRUCTED: traffic is dropped on this router. UNPROTECTED: traffic goes by the local WAN, as the rules allow when \
      the hub is gone. UNENCRYPTED: traffic goes by a private line in the clear. BLOCKED: traffic goes nowhere, and \
      nothing leaks. UNDECIDED: paths are being judged. UNSTEERED: no rule takes any traffic. Lines with \u{2192} say what \
      to do next. Where there are many paths, those that are up are only counted; backhaul paths lists all of them.
      """)

  @OptionGroup var options: QuestionOptions
  @OptionGroup var repeating: RepeatOptions

  func run() throws {
    var request = LocalAPI.Request(.status)
    // A screen names those that need a look; JSON is for programs, which get all.
    if !options.json { request.paths = [] }
    try ask(request, options, repeating, hint: Self.withoutAgent, as: StatusReport.self) {
      Self.lines($0, colours: Terminal.takesColours)
    }
  }

  private static let withoutAgent = """
    The kernel goes on steering as it was last told to. The service's log says why there is no agent (journalctl -u \
    backhaul, or logread), and backhaul doctor says what is wrong.
    """

  static func lines(_ status: StatusReport, colours: Bool = false) -> [String] {
    var lines = [
      Terminal.paint(
        "\(status.protection.uppercased()): \(Terminal.plain(status.summary))", colour(of: status.protection),
        ifWanted: colours),
      "\(status.device): \(revision(status)), "
        + "agent \(status.version) for \(Words.age(status.uptimeSeconds))",
    ]
    lines += status.rules.flatMap(ofRule)
    let listed =
      status.pathsInAll <= StatusReport.fewPaths
      ? status.paths : Array(status.paths.filter(\.needsALook).prefix(StatusReport.fewPaths))
    lines += listed.flatMap(ofPath)
    if listed.count < status.pathsInAll {
      lines.append("paths: \(status.pathsUp) of \(status.pathsInAll) are up; backhaul paths lists all")
    }
    for force in status.forcesOfNoPath { lines.append(Words.stray(force)) }
    for uplink in status.uplinks {
      lines.append(
        "uplink \(uplink.interface): "
          + (uplink.usable
            ? "usable\(uplink.isPrivate ? ", private line" : ""), gateway \(uplink.gateway ?? "none needed")"
            : "not usable: \(uplink.obstacle ?? "")") + scouted(uplink)
          + (uplink.probeBudget.map { ", " + Words.budget($0) } ?? ""))
    }
    if let connections = status.connections, let seconds = connections.fullSeconds {
      lines.append("connections: the table has been full for \(Words.age(seconds)): \(Words.fill(connections))")
    }
    if let charon = status.charon {
      lines.append(
        charon.answers
          ? "charon: \(charon.version ?? "answers")" : "charon: does not answer: \(charon.trouble ?? "not asked yet")")
    }
    lines.append("source \(status.source): \(contact(status))")
    if let trial = status.trial { lines.append(Terminal.plain(Words.trial(trial))) }
    if let revision = status.acceptsRevision {
      lines.append(
        "ACCEPTED: the next rule set of revision \(revision) or higher, once (backhaul accept-revision none)")
    }
    if let flowtable = status.flowtable, !["on", "idle"].contains(flowtable) {
      lines.append(Terminal.plain("connections are not offloaded: \(flowtable)"))
    }
    lines += status.notKept.map { Terminal.plain("lost at a restart: \($0)") }
    if let trouble = status.journalTrouble { lines.append("journal: events are not being saved to disk: \(trouble)") }
    if let trouble = status.applyTrouble { lines.append("TROUBLE: \(trouble)") }
    lines += status.nextSteps.map { "\u{2192} \(Terminal.plain($0))" }
    return lines
  }

  private static func ofRule(_ rule: RuleReport) -> [String] {
    var lines: [String] = []
    let since = rule.enabled ? " for \(Words.age(rule.sinceSeconds))" : ""
    let mode = rule.enabled && rule.choice == nil ? Protection.Word.undecided.rawValue : rule.mode
    lines.append("rule \(rule.name): \(mode)\(way(rule))\(since): \(rule.cause)")
    if let cause = rule.traffic?.cause { lines.append("rule \(rule.name): its traffic \(cause)") }
    lines += rule.draining.map { "rule \(rule.name): \(Words.drain($0))" }
    if rule.unencrypted {
      lines.append(
        "UNENCRYPTED: traffic of rule \(rule.name) goes by the private line in the clear, for "
          + "\(Words.age(rule.unencryptedSeconds)) in total since the agent started")
    }
    return lines
  }

  private static func ofPath(_ path: PathReport) -> [String] {
    var lines: [String] = []
    let trip = path.rttMs == nil ? "" : ", \(Words.milliseconds(path.rttMs)), loss \(Words.share(path.loss))"
    lines.append(
      "path \(path.name): \(path.state) for \(Words.age(path.sinceSeconds)) on \(path.device)\(trip)"
        + (path.state == "up" ? "" : ": \(path.cause)"))
    if let force = path.forced { lines.append("FORCED: path \(path.name) is \(Words.force(force))") }
    if let cause = path.downCause { lines.append("path \(path.name): \(cause): \(path.evidence ?? "")") }
    return lines
  }

  /// A source that has not answered this agent yet has not given it the rule set either.
  private static func revision(_ status: StatusReport) -> String {
    guard let revision = status.revision else { return "no rule set yet" }
    return "revision \(revision)" + (status.lastContactSeconds == nil ? " from the cache" : "")
  }

  private static func colour(of word: String) -> Terminal.Colour? {
    switch Protection.Word(rawValue: word) {
    case .protected, nil: nil
    case .partly, .undecided, .unsteered: .yellow
    case .unprotected, .unencrypted, .blocked, .diverted, .obstructed: .red
    }
  }

  private static func scouted(_ uplink: UplinkReport) -> String {
    guard !uplink.scouts.isEmpty else { return "" }
    return ", \(uplink.state): "
      + uplink.scouts.map { scout in
        let words = scout.answer == "unknown" ? "has not answered" : scout.answer == "silent" ? "is silent" : "answers"
        return "\(scout.roles.joined(separator: " and ")) \(scout.address) \(words)"
      }.joined(separator: ", ")
  }

  private static func way(_ rule: RuleReport) -> String {
    switch rule.choice {
    case nil, "blocked"?: ""
    case _? where rule.shares.count > 1: " by \(Words.tiers([rule.shares]))"
    case let choice?: " by \(choice)"
    }
  }

  private static func contact(_ status: StatusReport) -> String {
    let last = status.lastContactSeconds.map { "last answer \(Words.age($0)) ago" } ?? "has not answered yet"
    return status.pullTrouble.map { "\(last); \($0)" } ?? last
  }
}
