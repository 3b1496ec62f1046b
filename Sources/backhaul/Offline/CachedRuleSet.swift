internal import Agent
internal import ArgumentParser
internal import Core
internal import RuleSets
internal import System

/// The rule set that the agent would start with, from the state directory, or what is wrong with it.
enum CachedRuleSet {
  static func layout(_ configuration: AgentConfiguration) throws -> Layout {
    let store = FileRuleSetStore(directory: configuration.files.stateDirectory)
    let kept = KeptGenerations(in: configuration.files.stateDirectory)
    guard let stored = kept.current else {
      guard kept.confirmed.damage.isEmpty else {
        let causes = kept.confirmed.damage.map(\.description).joined(separator: "\n")
        throw complain("the cached rule set cannot be used:\n\(causes)", Exit.failed)
      }
      throw complain("\(store.path): no rule set is cached, so no rule that holds traffic back is known", Exit.noInput)
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
    return Layout(ruleSet, configuration, slots, steering: ScheduleNow.steering(of: ruleSet))
  }
}
