internal import Agent
internal import ArgumentParser
internal import Core
internal import System

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Look for what is wrong on this router, and say what to do about it.",
    discussion: """
      Checks the agent, its rule set and its journal, the clock, DNS, how large packets get through each path, rp_filter \
      and forwarding, offloaded connections, other software's marks (nftables and both kinds of iptables), tables and ip \
      rules, charon's settings, the kernel's features, the dates of certificates and the disk. Without an agent it still \
      works, and says so first. It changes nothing, and sends only a few pings and one DNS question. Run it as root.

      Exit status: 0 nothing found; 1 warnings; 2 errors.
      """)

  @Flag(help: "Print the answer as JSON, for programs.")
  var json = false

  @OptionGroup var options: ConfigurationOptions

  func run() throws {
    let configuration = try options.load()
    let examination = Examiner(configuration).examine(agent: Self.signs(at: configuration.files.socket))
    let report = DoctorReport(device: configuration.device, Doctor.findings(examination))
    if json {
      print(String(decoding: LocalAPI.encode(report), as: UTF8.self))
    } else {
      for line in Self.lines(report, colours: Terminal.takesColours) { print(line) }
    }
    if report.errors > 0 { throw Exit.worse }
    if report.warnings > 0 { throw Exit.bad }
  }

  static func signs(at socket: String) -> Result<AgentSigns, Examination.Unseen> {
    do throws(Unanswered) {
      let status = try Question(LocalAPI.Request(.status), socket: socket, timeout: .seconds(5))
        .ask(as: StatusReport.self).answer
      return .success(
        AgentSigns(
          applyTrouble: status.applyTrouble, pullTrouble: status.pullTrouble, journalTrouble: status.journalTrouble,
          notKept: status.notKept, holdCause: status.holdCause,
          rolledBack: status.trial.flatMap { trial in trial.cause.map { "revision \(trial.revision), because \($0)" } },
          traffic: status.rules.compactMap { rule in
            // What forwards and what does not is looked at here too.
            guard let traffic = rule.traffic, traffic.finding != "unforwarded", let cause = traffic.cause,
              let step = traffic.step
            else { return nil }
            return TrafficSign(rule: rule.name, cause: cause, step: step, isError: rule.trafficState < .misnamed)
          }, sightTrouble: status.sight.trouble))
    } catch {
      return .failure(Examination.Unseen(error.text))
    }
  }

  static func lines(_ report: DoctorReport, colours: Bool = false) -> [String] {
    var lines: [String] = []
    for finding in report.findings {
      let head = Terminal.plain("\(finding.severity.uppercased()) \(finding.subject): \(finding.text)")
      lines.append(Terminal.paint(head, finding.severity == "error" ? .red : .yellow, ifWanted: colours))
      lines.append(Terminal.plain("  seen: \(finding.evidence)"))
      lines.append(Terminal.plain("  fix:  \(finding.fix)"))
    }
    let counts = [(report.errors, "error"), (report.warnings, "warning")].filter { $0.0 > 0 }
      .map { "\($0) \($1)\($0 == 1 ? "" : "s")" }
    lines.append(
      "\(report.device): "
        + (counts.isEmpty ? "found nothing wrong" : counts.joined(separator: ", ")))
    return lines
  }
}
