internal import ArgumentParser
internal import Core
internal import Glibc
internal import System

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Say whether a rule set would be taken over, and if not, everything that is wrong.",
    discussion: """
      With the local configuration at hand the rule set is also held against this router: its name, uplinks and LANs. \
      Exit status 0: it would be taken over; 1: it would be refused.
      """)

  @Argument(help: "The rule set, a JSON file.", completion: .file(extensions: ["json"]))
  var file: String

  @OptionGroup var options: ConfigurationOptions

  func run() throws {
    let ruleSet = try RuleSetFile.load(file)
    let fits: String
    if access(options.config, F_OK) == 0 {
      try RuleSetFile.check(ruleSet, on: options.load(), file)
      fits = "fits this router"
    } else {
      fits = "not held against a router: there is no \(options.config)"
    }
    print(
      "\(file): revision \(ruleSet.revision) for \(ruleSet.device) is fine: \(count(ruleSet.tunnels.count, "tunnel")), "
        + "\(count(ruleSet.paths.count, "path")), \(count(ruleSet.probes.count, "probe")), "
        + "\(count(ruleSet.backhaulRules.count, "backhaul rule")), "
        + "\(count(ruleSet.directDestinations.count, "direct destination")); \(fits)")
  }

  private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
