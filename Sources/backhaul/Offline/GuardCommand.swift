internal import Agent
internal import ArgumentParser
internal import Core
internal import System

struct GuardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "guard", abstract: "Hold strict rules of the cached rule set to theirs, before there is an agent.",
    discussion: """
      Puts into the kernel what rules with `fallback: block` or `underlay`, and `ipv6: block`, need so that nothing of \
      theirs leaves by an uplink: floors, ip rules and the nftables table. Other rules are not steered until the agent \
      starts. Run at boot, before the network comes up. It only adds, and leaves a table of the agent's as it is.

      Exit status 0: they are held, or there is none to hold; 66: no rule set is cached, so nothing is known of any.
      """)

  @OptionGroup var options: ConfigurationOptions

  @Flag(help: "Only show what would be added.")
  var dryRun = false

  func run() throws {
    let configuration = try options.load()
    let layout = try CachedRuleSet.layout(configuration)
    do throws(KernelFailure) {
      let kernel = try LinuxKernel(configuration.kernel, stateDirectory: configuration.files.stateDirectory)
      let plan = try kernel.guardPlan(for: layout)
      if dryRun { return PlanText(configuration.kernel).lines(plan).forEach { print($0) } }
      for step in plan.steps {
        do throws(KernelFailure) { try kernel.apply(step) } catch {
          // What holds is there by then, and the agent does it again.
          guard case .changeSettings = step else { throw error }
          printError("backhaul: warning: \(error): answers of direct destinations may be lost until the agent starts")
        }
      }
      // One line, for the journal: the table alone may have thousands.
      print(Self.summary(layout, plan))
    } catch {
      throw kernelComplaint(error)
    }
  }

  private static func summary(_ layout: Layout, _ plan: Plan) -> String {
    let revision = "revision \(layout.ruleSet.revision)"
    guard DesiredStateCompiler(layout, ActualState()).needsGuard else {
      return "\(revision) has no rule that holds anything back"
    }
    if plan.isEmpty { return "what \(revision) holds back is held back already" }
    let changes = "\(plan.steps.count) change\(plan.steps.count == 1 ? "" : "s") made to the kernel"
    return "what \(revision) holds back is held back: \(changes)"
  }
}
