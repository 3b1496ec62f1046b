internal import Agent
internal import ArgumentParser
internal import Core
internal import System

struct CheckHealthCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-health", abstract: "One line for monitoring, in the format of Nagios plugins.",
    discussion: """
      OK: every rule's traffic goes by its first paths, and all paths are up. WARNING: a path is down or degraded, or \
      traffic goes by a less preferred one. CRITICAL: traffic goes by the local WAN, in the clear or nowhere, no rule \
      set is running, or no agent answers. UNKNOWN: there is no verdict yet, or you may not ask the agent.

      The exit status follows the plugins' convention: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
      """)

  @OptionGroup var options: QuestionOptions

  func run() throws {
    let (check, status) = look()
    if options.json {
      print(String(decoding: LocalAPI.encode(HealthReport(check)), as: UTF8.self))
    } else {
      print(Self.line(check, status))
    }
    throw ExitCode(Int32(check.status.rawValue))
  }

  /// The status is nil if the agent could not be asked.
  private func look() -> (HealthCheck, StatusReport?) {
    do {
      let bytes = try LocalClient.ask(
        socketPath: options.socket, request: LocalAPI.encode(LocalAPI.Request(.status)),
        timeout: .seconds(options.timeout))
      let status = try LocalAPI.decode(StatusReport.self, from: bytes)
      return (HealthCheck(RouterView(status)), status)
    } catch let failure as LocalFailure {
      switch failure {
      case .noAgent, .brokeOff, .timedOut: return (HealthCheck(.init(.critical, "\(failure)")), nil)
      case .noPermission, .system: return (HealthCheck(.init(.unknown, "\(failure)")), nil)
      }
    } catch let refusal as LocalAPI.Refusal {
      return (HealthCheck(.init(.unknown, "the agent refused: \(refusal)")), nil)
    } catch {
      return (HealthCheck(.init(.unknown, "the agent's answer is not understood (another version?)")), nil)
    }
  }

  /// Someone woken at night reads the worst first; `status` has the rest.
  private static let mostFindings = 4
  /// A monitoring system takes some 4 KiB of a plugin.
  private static let mostPaths = 24
  private static let mostLetters = 240

  static func line(_ check: HealthCheck, _ status: StatusReport?) -> String {
    let shown = check.findings.prefix(mostFindings).map { plain($0.text) }
    let more = check.findings.count - shown.count
    let text = shown.isEmpty ? status.map(allIsWell) ?? "" : shown.joined(separator: "; ")
    let rest = more > 0 ? "; and \(more) more" : ""
    let line = "BACKHAUL \(check.status.name.uppercased()) - \(text)\(rest)"
    return status.map { "\(line) | \(measures($0))" } ?? line
  }

  private static func allIsWell(_ status: StatusReport) -> String {
    let rules = status.rules.filter(\.enabled).map { "\($0.name) by \($0.choice ?? "nothing")" }
    let off = status.rules.count { !$0.enabled }
    return plain(rules.isEmpty ? "no rule is enabled" : rules.joined(separator: ", "))
      + (off > 0 ? "; disabled: \(off)" : "")
  }

  /// On one line, and without what a plugin's measures begin with.
  private static func plain(_ text: String) -> String {
    let line = String(Terminal.plain(text).map { $0 == "|" ? "/" : $0 })
    return line.count > mostLetters ? line.prefix(mostLetters - 1) + "…" : line
  }

  /// `label=value[unit];warning;critical;least;most`: no limits are given, as none are known here.
  private static func measures(_ status: StatusReport) -> String {
    let rules = status.rules.filter(\.enabled)
    var measures = [RuleMode.backhaul, .fallback, .blocked].map { mode in
      "rules_\(mode.rawValue)=\(rules.count { $0.mode == mode.rawValue });;;0;\(rules.count)"
    }
    measures.append("rules_unencrypted=\(rules.count(where: \.unencrypted));;;0;\(rules.count)")
    measures.append("paths_up=\(status.pathsUp);;;0;\(status.pathsInAll)")
    measures.append("flips=\(status.flips)c")
    measures.append("uptime=\(Int(status.uptimeSeconds))s")
    for path in status.paths.prefix(mostPaths) {
      if let trip = path.rttMs { measures.append("\(path.name)_rtt=\((trip * 1_000).rounded() / 1_000)ms;;;0") }
      if let loss = path.loss { measures.append("\(path.name)_loss=\((loss * 1_000).rounded() / 10)%;;;0;100") }
    }
    return measures.joined(separator: " ")
  }
}
