import Core
internal import RuleSets

/// A watch that is wrong in one way. The invariants must catch each mutant, or they prove nothing.
package struct Mutant: Sendable {
  package let subject: Subject
  /// The correct watch, in the same storm.
  package let honest: Subject
  /// The invariants that catch it, the likeliest first.
  package let caughtBy: [Invariant]

  /// It only errs when several things coincide: once in some ten thousand faults.
  package let isRare: Bool

  package var name: String { subject.name }

  /// - Parameters:
  ///   - amid: faults that come ten times as often, where it is only by them that it errs.
  ///   - pilot: who makes the mistake.
  init(
    _ name: String, _ caughtBy: Invariant..., amid: [Fault] = [], isRare: Bool = false,
    pilot: @escaping @Sendable (World) -> MachinePilot
  ) {
    self.isRare = isRare
    self.caughtBy = caughtBy
    let weights = Fault.weights.map { ($0.fault, amid.contains($0.fault) ? $0.weight * 10 : $0.weight) }
    subject = Subject(name: name, weights: weights) { pilot($0) }
    honest = Subject(name: "\(name)-honest", weights: weights) { MachinePilot($0) }
  }

  package static let all = ofProbes + ofHealth + ofSelection

  package static func named(_ name: String) -> Mutant? { all.first { $0.name == name } }
}

extension MachinePilot {
  /// A mutant whose watch gets false probes.
  static func misled(_ world: World, probes twist: @escaping @Sendable (inout Probe) -> Void) -> MachinePilot {
    MachinePilot(
      world,
      twist: { plan in
        var plan = plan
        for path in plan.paths.indices {
          for probe in plan.paths[path].probes.indices { twist(&plan.paths[path].probes[probe]) }
        }
        return plan
      })
  }

  /// A mutant whose watch gets false rules.
  static func misled(_ world: World, rules twist: @escaping @Sendable (inout BackhaulRule) -> Void) -> MachinePilot {
    MachinePilot(
      world,
      twist: { plan in
        var plan = plan
        for rule in plan.rules.indices { twist(&plan.rules[rule].rule) }
        return plan
      })
  }

  /// A mutant with a faulty step.
  static func erring(_ world: World, _ change: (inout WatchSteps) -> Void) -> MachinePilot {
    var steps = WatchSteps()
    change(&steps)
    return MachinePilot(world, steps: steps)
  }
}

/// What a mutant remembers from one step to the next. Everything runs on one thread.
final class Remembered<Value>: @unchecked Sendable {
  var value: Value
  init(_ value: Value) { self.value = value }
}
