internal import Agent
internal import ArgumentParser
internal import Core
internal import RuleSets
internal import System

struct GuardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "guard", abstract: "Enforce the cached rule set's strict rules before the agent starts.",
    discussion: """
      Adds to the kernel what rules with `fallback: block` or `underlay`, and `ipv6: block`, need so that none of their \
      traffic leaves by an uplink: floors, ip rules and the nftables table. Other rules are not steered until the agent \
      starts. Run it at boot, before the network comes up. It only adds, and leaves an existing table of the agent alone. \
      The rule set need not fit the local configuration any more: strict rules are enforced on their interfaces even if \
      `lans` no longer lists them. Nobody knows what time it is at boot: steering rules with a schedule hold if they drop \
      or are strict, and do not hold otherwise. If a rule set is on trial, guard uses the one that the agent will start \
      with: the one on trial while its trial lasts, otherwise the confirmed one.

      If a rule set was accepted once but none of its copies can be read, nobody knows which rules are strict. Then no \
      forwarded traffic, IPv4 or IPv6, leaves by an uplink until the agent has a rule set; with \
      `guard.when_in_doubt = "open"` in agent.toml, nothing is held. If agent.toml itself cannot be used, guard uses the \
      one that the agent last started with, which is kept in the state directory.

      Exit status: 0 strict rules are enforced, or there are none; 66 no rule set is cached, so no rules are known; 78 the \
      local configuration cannot be used, and guard did what the last usable one allowed.
      """)

  @OptionGroup var options: ConfigurationOptions

  @Flag(help: "Only show what would be added.")
  var dryRun = false

  func run() throws {
    let known = try LastConfiguration.find(options)
    try hold(known.configuration)
    if known.isRemembered { throw Exit.badConfiguration }
  }

  private func hold(_ configuration: AgentConfiguration) throws {
    let guarded = try Guarded(configuration)
    do throws(KernelFailure) {
      let kernel = try LinuxKernel(configuration.kernel, stateDirectory: configuration.files.stateDirectory)
      let plan = try guarded.plan(kernel)
      if dryRun { return PlanText(configuration.kernel).lines(plan).forEach { print($0) } }
      if !plan.isEmpty, let agent = Self.runningAgent(configuration) { return print(agent) }
      for step in plan.steps {
        do throws(KernelFailure) { try kernel.make(step) } catch {
          // What holds is there by then, and the agent does it again.
          guard case .changeSettings = step else { throw error }
          printError("backhaul: warning: \(error): answers from direct destinations may be lost until the agent starts")
        }
      }
      // One line, for the journal: the table alone may have thousands.
      print(guarded.summary(plan))
    } catch {
      throw kernelComplaint(error)
    }
  }

  /// A living agent puts the kernel right by itself, and better.
  private static func runningAgent(_ configuration: AgentConfiguration) -> String? {
    do throws(KernelLock.Failure) {
      _ = try KernelLock.take(configuration.kernel, stateDirectory: configuration.files.stateDirectory)
      return nil
    } catch {
      guard case .held = error else { return nil }
      return "left to the agent: \(error)"
    }
  }
}

/// What the guard holds back.
private enum Guarded {
  case strictRules(Layout)
  case everything(AgentConfiguration, why: String)

  /// Throws if no rule set is known, or nothing is to be held.
  init(_ configuration: AgentConfiguration) throws {
    let store = FileRuleSetStore(directory: configuration.files.stateDirectory)
    let kept = KeptGenerations(in: configuration.files.stateDirectory)
    for damage in kept.confirmed.damage { printError("backhaul: warning: \(damage)") }
    if let stored = kept.current {
      do {
        self = .strictRules(try Self.layout(stored, configuration))
      } catch {
        self = try .inDoubt(configuration, "the cached rule set cannot be used: \(error)")
      }
    } else if kept.isLost {
      self = try .inDoubt(configuration, "no copy of the rule set that ran last can be read")
    } else {
      throw complain("\(store.path): no rule set is cached, so no rule that holds traffic back is known", Exit.noInput)
    }
  }

  /// The rule set need not fit this router: its strict rules are enforced.
  private static func layout(
    _ stored: StoredRuleSet, _ configuration: AgentConfiguration
  ) throws(Complaints) -> Layout {
    let ruleSet = try RuleSetDecoder.decode(stored.bytes, limits: .init(bytes: configuration.ruleSet.maximumBytes))
    let covering = configuration.covering(ruleSet)
    guard let slots = Layout.slots(ruleSet, covering, after: stored.slots) else {
      throw Complaints([Complaint(field: "", "it needs more marks or tables than the configuration has")])
    }
    // At boot the clock may not have been set yet, and a time zone is no reason to wait.
    return Layout(ruleSet, covering, slots, steering: ScheduleClock.withoutTime(ruleSet))
  }

  private static func inDoubt(_ configuration: AgentConfiguration, _ why: String) throws -> Guarded {
    switch configuration.guard.whenInDoubt {
    case .hold: return .everything(configuration, why: why)
    case .open:
      throw complain("\(why); nothing is held, because guard.when_in_doubt in agent.toml is \"open\"", Exit.noInput)
    }
  }

  func plan(_ kernel: LinuxKernel) throws(KernelFailure) -> Plan {
    switch self {
    case .strictRules(let layout): try kernel.guardPlan(for: layout)
    case .everything(let configuration, _): try kernel.holdPlan(configuration)
    }
  }

  func summary(_ plan: Plan) -> String {
    let changes = "\(plan.steps.count) change\(plan.steps.count == 1 ? "" : "s") made to the kernel"
    switch self {
    case .strictRules(let layout):
      let revision = "revision \(layout.ruleSet.revision)"
      guard EdgeCompiler(layout, ActualState()).needsGuard else {
        return "\(revision) has no rule that holds traffic back"
      }
      if plan.isEmpty { return "\(revision): its strict rules are enforced already" }
      return "\(revision): its strict rules are enforced: \(changes)"
    case .everything(_, let why):
      if plan.isEmpty { return "\(why): what is in the kernel already is left as it is, and stays in force" }
      return "\(why): no forwarded traffic leaves by an uplink: \(changes)"
    }
  }
}

/// The local configuration, or the last one that could be used.
private enum LastConfiguration {
  static func find(_ options: ConfigurationOptions) throws -> (configuration: AgentConfiguration, isRemembered: Bool) {
    let failure: ConfigurationFailure
    do throws(ConfigurationFailure) {
      return (try ConfigurationFile.load(options.config), false)
    } catch {
      failure = error
    }
    let copy = ConfigurationCopy(directory: ConfigurationFile.stateDirectory(ofUnusable: options.config))
    let why = "the local configuration cannot be used:\n\(failure)"
    do throws(StoreFailure) {
      guard let last = try copy.load() else {
        throw StoreFailure(operation: "read \(copy.path)", cause: "no agent has saved one")
      }
      printError("backhaul: \(why)\nbackhaul: using the one that the agent last started with (\(copy.path))")
      return (last, true)
    } catch {
      throw complain(
        "\(why)\nnothing is held, because nothing else says what the uplinks are: \(error)", Exit.badConfiguration)
    }
  }
}
