internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import System

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Show what a rule set would change in this kernel, without changing it.",
    discussion: """
      The lines read like commands of ip(8), nft(8) and sysctl(8), in the order in which the agent would make the \
      changes. Each rule's active default route is not among them, because it depends on the probes.
      """)

  @Argument(help: "The rule set, a JSON file.", completion: .file(extensions: ["json"]))
  var file: String

  @OptionGroup var options: ConfigurationOptions

  func run() throws {
    let configuration = try options.load()
    let ruleSet = try RuleSetFile.load(file)
    try RuleSetFile.check(ruleSet, on: configuration, file)
    // The running rule set keeps its marks and tables, so they are read from the cache.
    let stored = KeptGenerations(in: configuration.files.stateDirectory).current
    guard let slots = Layout.slots(ruleSet, configuration, after: stored?.slots ?? SlotBook()) else {
      throw complain("\(file) needs more marks or tables than the configuration has", Exit.bad)
    }
    let plan: Plan
    do throws(KernelFailure) {
      plan = try LinuxKernel(
        configuration.kernel, stateDirectory: configuration.files.stateDirectory
      ).plan(for: Layout(ruleSet, configuration, slots, steering: ScheduleNow.steering(of: ruleSet)))
    } catch {
      throw kernelComplaint(error)
    }
    guard !plan.isEmpty else { return print("nothing would change") }
    for line in PlanText(configuration.kernel).lines(plan) { print(line) }
  }
}

func kernelComplaint(_ failure: KernelFailure) -> ExitCode {
  failure.errno == EPERM || failure.errno == EACCES
    ? complain("\(failure); run as root", Exit.notPermitted) : complain("\(failure)", Exit.failed)
}
