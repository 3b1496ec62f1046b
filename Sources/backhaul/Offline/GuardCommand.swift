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
    let layout = try cached(configuration)
    do throws(KernelFailure) {
      let kernel = try LinuxKernel(configuration.kernel, stateDirectory: configuration.files.stateDirectory)
      let plan = try kernel.guardPlan(for: layout)
      if dryRun { return PlanText(configuration.kernel).lines(plan).forEach { print($0) } }
      for step in plan.steps { try kernel.apply(step) }
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

  private func cached(_ configuration: AgentConfiguration) throws -> Layout {
    let store = FileRuleSetStore(directory: configuration.files.stateDirectory)
    let stored: StoredRuleSet?
    do throws(StoreFailure) { stored = try store.load() } catch {
      throw complain("the cached rule set cannot be used: \(error)", Exit.failed)
    }
    guard let stored else {
      throw complain("\(store.path): no rule set is cached, so no rule is known that holds anything back", Exit.noInput)
    }
    let ruleSet: RuleSet
    do {
      ruleSet = try RuleSetDecoder.decode(stored.bytes, limits: .init(bytes: configuration.ruleSet.maximumBytes))
    } catch {
      throw complain("the cached rule set in \(store.path) is refused:\n\(error)", Exit.bad)
    }
    try RuleSetFile.check(ruleSet, on: configuration, store.path)
    guard let slots = Layout.slots(ruleSet, configuration, after: stored.slots) else {
      throw complain("\(store.path) needs more marks or tables than the configuration has", Exit.bad)
    }
    return Layout(ruleSet, configuration, slots)
  }
}
