internal import Agent
internal import ArgumentParser
internal import Core
internal import RuleSets
internal import System

struct GuardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "guard", abstract: "Hold strict rules of the cached rule set to theirs, before there is an agent.",
    discussion: """
      Puts into the kernel what rules with `fallback: block` or `underlay`, and `ipv6: block`, need so that nothing of \
      theirs leaves by an uplink: floors, ip rules and the nftables table. Other rules are not steered until the agent \
      starts. Run at boot, before the network comes up. It only adds, and leaves a table of the agent's as it is. The \
      rule set need not fit the local configuration any more: interfaces of strict rules are held although `lans` no \
      longer has them. Where a rule set is on trial, it is the one that the agent will start with: the one on trial as \
      long as its trial goes on, and else the confirmed one.

      Where a rule set was accepted once and none of its copies can be read, nobody knows which rules are strict. Then \
      nothing that the router forwards leaves by an uplink, IPv4 and IPv6, until the agent has a rule set; with \
      `guard.when_in_doubt = "open"` in agent.toml, nothing is held. Where agent.toml itself cannot be used, the one \
      counts that the agent last started with, which it keeps in the state directory.

      Exit status 0: they are held, or there is none to hold; 66: no rule set is cached, so nothing is known of any; 78: \
      the local configuration cannot be used, and what could be held by the last one that could, is.
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
          printError("backhaul: warning: \(error): answers of direct destinations may be lost until the agent starts")
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

  /// Throws where nothing is known of any rule set, or nothing shall be held.
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
      throw complain("\(store.path): no rule set is cached, so no rule is known that holds anything back", Exit.noInput)
    }
  }

  /// The rule set need not fit this router: what of it is strict, holds.
  private static func layout(
    _ stored: StoredRuleSet, _ configuration: AgentConfiguration
  ) throws(Complaints) -> Layout {
    let ruleSet = try RuleSetDecoder.decode(stored.bytes, limits: .init(bytes: configuration.ruleSet.maximumBytes))
    let covering = configuration.covering(ruleSet)
    guard let slots = Layout.slots(ruleSet, covering, after: stored.slots) else {
      throw Complaints([Complaint(field: "", "it needs more marks or tables than the configuration has")])
    }
    return Layout(ruleSet, covering, slots)
  }

  private static func inDoubt(_ configuration: AgentConfiguration, _ why: String) throws -> Guarded {
    switch configuration.guard.whenInDoubt {
    case .hold: return .everything(configuration, why: why)
    case .open:
      throw complain("\(why); nothing is held, as guard.when_in_doubt of agent.toml is \"open\"", Exit.noInput)
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
        return "\(revision) has no rule that holds anything back"
      }
      if plan.isEmpty { return "what \(revision) holds back is held back already" }
      return "what \(revision) holds back is held back: \(changes)"
    case .everything(_, let why):
      if plan.isEmpty { return "\(why): what is in the kernel already is left as it is, and holds" }
      return "\(why): nothing that is forwarded leaves by an uplink: \(changes)"
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
        throw StoreFailure(operation: "read \(copy.path)", cause: "no agent has kept one")
      }
      printError("backhaul: \(why)\nbackhaul: the one that the agent last started with counts (\(copy.path))")
      return (last, true)
    } catch {
      throw complain(
        "\(why)\nnothing is held, as nothing else tells what the uplinks are: \(error)", Exit.badConfiguration)
    }
  }
}
