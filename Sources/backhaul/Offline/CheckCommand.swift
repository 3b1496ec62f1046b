internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import RuleSets
internal import System

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Say whether a rule set would be accepted and, if not, everything that is wrong "
      + "with it.",
    discussion: """
      If there is a local configuration, the rule set is also checked against this router: its name, uplinks and LANs \
      and, where a tunnel is encrypted, charon's settings and algorithms and the files that hold the secrets. A LAN that \
      is not among this machine's interfaces is a warning.

      Exit status: 0 it would be accepted; 1 it would be refused.
      """)

  @Argument(help: "The rule set, a JSON file.", completion: .file(extensions: ["json"]))
  var file: String

  @OptionGroup var options: ConfigurationOptions

  func run() throws {
    // Both files are read before any complaint, so that their author sees everything that is wrong at once.
    let configuration = configurationOrFault()
    let read = ruleSetOrFault()
    guard case .success(let decoded) = read else {
      if case .failure(let fault) = configuration { printError("backhaul: \(fault.text)") }
      guard case .failure(let fault) = read else { return }
      throw complain(fault.text, fault.status)
    }
    let ruleSet = decoded.ruleSet
    for remark in decoded.remarks { printError("backhaul: warning: \(file): \(remark)") }
    let fits: String
    var notes: [String] = []
    switch configuration {
    case .success(let configuration?):
      try check(ruleSet, on: configuration)
      warnOfMissingLANs(ruleSet, configuration)
      ScheduleNow.warnOfTimeZone(ruleSet)
      notes = widened(ruleSet, configuration)
      fits = "fits this router"
    case .success(nil): fits = "not checked against a router: there is no \(options.config)"
    case .failure(let fault): throw complain(fault.text, fault.status)
    }
    print(
      "\(file): revision \(ruleSet.revision) for \(ruleSet.device) is fine: \(count(ruleSet.tunnels.count, "tunnel")), "
        + "\(count(ruleSet.paths.count, "path")), \(count(ruleSet.probes.count, "probe")), "
        + (ruleSet.steeringRules.isEmpty ? "" : "\(count(ruleSet.steeringRules.count, "steering rule")), ")
        + "\(count(ruleSet.backhaulRules.count, "backhaul rule")), "
        + "\(count(ruleSet.directDestinations.count, "direct destination")); \(fits)")
    notes.forEach { print($0) }
  }

  /// What belts hold besides what the rules say.
  private func widened(_ ruleSet: RuleSet, _ configuration: AgentConfiguration) -> [String] {
    guard let slots = Layout.slots(ruleSet, configuration, after: SlotBook()) else { return [] }
    let layout = Layout(ruleSet, configuration, slots)
    let strict = layout.activeEgresses.filter(\.egress.isStrict)
    let untold = strict.flatMap(\.steering).filter { !$0.match.isOfHostsAlone }.map { rule in
      "steering rule \(rule.name): where nftables has lost our table, ip rules cannot tell what it takes, and nothing "
        + "holds that: only a rule that asks for nothing but lans and sources has such a second line"
    }
    return untold
      + strict.compactMap { active in
        let prefixes = active.rules.reduce(0) { $0 + $1.sources.prefixes.count }
        guard prefixes > 0, let belts = layout.belts.wider(than: active) else { return nil }
        return "\(active.title): where nftables has lost our table, \(count(belts, "ip rule")) "
          + "\(belts == 1 ? "holds" : "hold") its \(prefixes) prefixes, and what lies between them too"
      }
  }

  private func ruleSetOrFault() -> Result<RuleSetDecoder.Decoded, RuleSetFile.Unusable> {
    do throws(RuleSetFile.Unusable) { return .success(try RuleSetFile.read(file)) } catch { return .failure(error) }
  }

  /// Nil if there is none.
  private func configurationOrFault() -> Result<AgentConfiguration?, RuleSetFile.Unusable> {
    // A file that was named is there, or the name is wrong.
    guard options.config != ConfigurationFile.standardPath || access(options.config, F_OK) == 0 else {
      return .success(nil)
    }
    do throws(ConfigurationFailure) {
      return .success(try ConfigurationFile.load(options.config))
    } catch {
      return .failure(
        RuleSetFile.Unusable(
          text: "the local configuration cannot be used:\n\(error)", status: Exit.badConfiguration))
    }
  }

  private func warnOfMissingLANs(_ ruleSet: RuleSet, _ configuration: AgentConfiguration) {
    let present: Set<InterfaceName>
    do throws(KernelFailure) { present = Set(try LinuxTraffic().traffic().keys) } catch {
      return printError("backhaul: warning: this machine's interfaces cannot be listed: \(error)")
    }
    for warning in RuleSetCheck.missingLANs(ruleSet, configuration, present: present) {
      printError("backhaul: warning: \(warning)")
    }
  }

  /// Warnings are printed and are no reason to refuse.
  private func check(_ ruleSet: RuleSet, on configuration: AgentConfiguration) throws {
    let findings = CharonCheck(configuration).findings(ruleSet)
    for warning in findings where !warning.isError { printError("backhaul: warning: \(warning.text)") }
    let faults =
      tooLarge(configuration)
      + RuleSetCheck.complaints(ruleSet, configuration).map(\.description) + findings.filter(\.isError).map(\.text)
    guard faults.isEmpty else {
      throw complain("\(file) does not fit this router:\n\(faults.joined(separator: "\n"))", Exit.bad)
    }
  }

  /// The agent takes no more from its source.
  private func tooLarge(_ configuration: AgentConfiguration) -> [String] {
    let most = configuration.ruleSet.maximumBytes
    var status = stat()
    guard stat(file, &status) == 0, status.st_size > most else { return [] }
    return ["expected at most \(most) bytes (rule_set.max_bytes), found \(status.st_size)"]
  }

  private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
